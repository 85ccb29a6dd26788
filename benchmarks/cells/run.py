"""The scenarios of the cells and the place of their results."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cells.scenarios import SCENARIOS
from benchmarks.common.run import Bench

EDGES = "edges"  # the data sets at the edge: a table of their own

BENCH = Bench(
    name="cells",
    scenarios=SCENARIOS,
    results=Path(__file__).resolve().parent / "results",
    packages=(
        "scanpy", "anndata", "numpy", "scipy", "pandas", "scikit-learn", "faiss-cpu", "harmonypy", "igraph", "numba",
        "umap-learn", "edgepython",
    ),
    extra={},
    chunk=1,
)  # fmt: skip
