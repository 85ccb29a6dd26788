"""Do simulated cells look like real ones? Means, variances, zeros, library sizes and the distance of lineages, side by side.

``python -m benchmarks.cells.realism`` prints the table and keeps it; it needs the real cells.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from benchmarks.cells import lung
from benchmarks.cells.agreement import Labels
from benchmarks.cells.run import BENCH
from benchmarks.cells.simulate import simulate_library, thin
from benchmarks.cells.worlds import draw_world
from benchmarks.common.run import write
from livermet.keys import LINEAGE

Floats = npt.NDArray[np.float64]

LINEAGES = ("T_cell", "B_cell", "NK_cell", "Neutrophil")
PAIRS = (("T_cell", "NK_cell"), ("T_cell", "B_cell"), ("B_cell", "Neutrophil"))
N_WORLDS, N_CELLS = 6, 1500
SEED = 11


def describe(matrix: sp.csr_matrix, lineage: Labels) -> dict[str, float]:
    """What is compared, of one set of cells (cells x genes, raw counts)."""
    kinds = np.asarray(lineage, dtype=object)
    found: dict[str, float] = {}
    profiles = {}
    for name in LINEAGES:
        counts = sp.csr_matrix(matrix[np.flatnonzero(kinds == name)]).astype(float)
        umis = np.asarray(counts.sum(axis=1)).ravel()
        found[f"sd of log library size, {name}"] = float(np.log(umis).std())
        found[f"genes at the median library, {name}"] = float(np.median(counts.getnnz(axis=1)))
        found |= {f"{key}, {name}": value for key, value in _spread(counts, umis).items()}
        sums = np.asarray(counts.sum(axis=0)).ravel()
        profiles[name] = sums / sums.sum() * 1e4
    for one, other in PAIRS:
        found |= {f"{key}, {one} and {other}": v for key, v in _distance(profiles[one], profiles[other]).items()}
    return found


def _spread(counts: sp.csr_matrix, umis: Floats) -> dict[str, float]:
    """Dispersion and zeros of genes, at the cells' own library sizes."""
    size = umis / umis.mean()
    scaled = sp.csr_matrix(sp.diags(1 / size) @ counts)
    mean = np.asarray(scaled.mean(axis=0)).ravel()
    variance = np.asarray(scaled.multiply(scaled).mean(axis=0)).ravel() - mean**2
    noise = mean * np.mean(1 / size)
    middling = (mean > 0.5) & (mean < 10)
    excess = (variance - noise)[middling] / mean[middling] ** 2
    shown = (mean > 0.1) & (mean < 2)
    zeros = 1 - np.asarray((counts > 0).mean(axis=0)).ravel()
    poisson = np.exp(-np.outer(size, mean[shown])).mean(axis=0)
    return {
        "median dispersion of genes with .5 to 10 counts": float(np.median(excess)),
        "upper quartile of that dispersion": float(np.quantile(excess, 0.75)),
        "zeros beyond Poisson, genes with .1 to 2 counts": float((zeros[shown] - poisson).mean()),
    }


def _distance(one: Floats, other: Floats) -> dict[str, float]:
    """How alike two lineages are, in genes with some expression: correlation, and genes that differ fourfold."""
    kept = (one + other) / 2 > 0.5
    first, second = np.log2(one[kept] + 0.1), np.log2(other[kept] + 0.1)
    return {
        "correlation of log profiles": float(np.corrcoef(first, second)[0, 1]),
        "share of genes that differ fourfold": float((np.abs(first - second) > 2).mean()),
    }


def compare() -> pd.DataFrame:
    """Real and simulated cells, the latter thinned to the depth of the former and as many of each lineage."""
    matrix, _, lineage = lung.pooled()
    real = describe(matrix, lineage.to_numpy())
    depth = {n: np.median(np.asarray(matrix[np.flatnonzero(lineage == n)].sum(axis=1))) for n in LINEAGES}
    rows = []
    for number in range(N_WORLDS):
        rng = np.random.default_rng([SEED, number])
        library = simulate_library(rng, draw_world(rng, n_free=12_000), n_cells=N_CELLS, ambient=0.03)
        kind = library.truth[LINEAGE].to_numpy()
        parts, names = [], []
        for name in LINEAGES:
            cells = np.flatnonzero(kind == name)[:200]
            counts = sp.csr_matrix(library.counts.X[cells])
            part = depth[name] / np.median(np.asarray(counts.sum(axis=1)))
            parts.append(thin(rng, counts, min(float(part), 1.0)))
            names += [name] * len(cells)
        rows.append(describe(sp.csr_matrix(sp.vstack(parts)), names))
    simulated = pd.DataFrame(rows)
    return pd.DataFrame(
        {
            "what": list(real),
            "real": list(real.values()),
            "simulated": simulated.mean().to_numpy(),
            "sd_between_data_sets": simulated.std().to_numpy(),
        }
    )


def main() -> int:
    """Print the table and keep it."""
    if lung.lacks():
        print(lung.lacks())
        return 1
    table = compare()
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    write(table, BENCH.results / "realism.tsv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
