"""Ways of bringing batches together: the optional ones are asked for before any compute, and work where installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from tests.unit.cells.toy_lineages import make_study

from livermet.cells.embedding import backends
from livermet.cells.embedding.embed import Embedding, embed_cells
from livermet.cells.embedding.integration import merge_batches
from livermet.errors import InputError

SETTINGS = {"n_top_genes": 200, "n_pcs": 10, "n_neighbors": 15, "batch_key": "batch", "seed": 1}
ROOT = Path(__file__).resolve().parents[4]
AGAIN = f"""
import hashlib, sys
sys.path.insert(0, {str(ROOT / "workflow" / "scripts")!r})
import anndata
from livermet.cells.embedding.embed import embed_cells
study = anndata.read_h5ad(sys.argv[1])
found = embed_cells(study, integrate=sys.argv[2], **{SETTINGS!r})
print(hashlib.sha256(found.pca.iloc[::-1].to_numpy().tobytes()).hexdigest())
"""


def test_harmony_and_none_are_always_there() -> None:
    assert backends.find_missing("harmony") == backends.find_missing("none") == []


@pytest.mark.parametrize(("method", "package"), [("scanorama", "scanorama"), ("scvi", "scvi-tools")])
def test_what_is_not_installed_is_said_before_any_compute(
    method: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    (problem,) = backends.find_missing(method, "config multiverse.integrate")
    assert problem.where == "config multiverse.integrate"
    assert f"`make extras` installs it in .venv (elsewhere: pip install '{package}>=" in problem.remedy
    study = make_study()[:2].copy()  # too few cells, which would be said next
    with pytest.raises(InputError, match=f"needs the package {package}, which is not installed"):
        embed_cells(study, integrate=method, **SETTINGS)
    with pytest.raises(InputError, match=package):
        merge_batches(np.zeros((4, 2), np.float32), np.array(list("aabb"), dtype=object), seed=1, method=method)


def test_the_versions_asked_for_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = {*project["dependencies"], *project["optional-dependencies"]["integration"]}
    assert {f"{name}{versions}" for _, name, versions in backends.PACKAGES.values()} <= listed


def digest(embedding: Embedding) -> str:
    return hashlib.sha256(embedding.pca.to_numpy().tobytes()).hexdigest()


@pytest.mark.extras
@pytest.mark.parametrize("method", ["scanorama", "scvi"])
def test_where_installed_it_mixes_batches_and_keeps_lineages(method: str, tmp_path: Path) -> None:
    pytest.importorskip(backends.PACKAGES[method][0], reason=f"{method} is not installed (make extras)")
    study = make_study(batch_effect=0.4)
    embedding = embed_cells(study, integrate=method, **SETTINGS)
    values = embedding.integration.set_index("measure")
    assert values.loc["batch_mixing", "after"] > values.loc["batch_mixing", "before"] + 0.2
    assert values.loc["group_purity", "after"] > 0.9
    assert not embedding.groups["over_corrected"].any()
    # Again in a process of its own that may use two threads, the cells in another order: not a digit differs.
    study[::-1].write_h5ad(tmp_path / "study.h5ad")
    again = subprocess.run(
        [sys.executable, "-c", AGAIN, str(tmp_path / "study.h5ad"), method],
        env={**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout.split()[-1] == digest(embedding)
    assert [one.name for one in tmp_path.iterdir()] == ["study.h5ad"], "nothing is left where it was run"


@pytest.mark.extras
@pytest.mark.parametrize(("n_cells", "alone"), [(4, 1), (50, 1), (143, 1), (144, 2)])
def test_scanorama_takes_batches_of_one_cell(n_cells: int, alone: int) -> None:
    pytest.importorskip("scanorama", reason="scanorama is not installed (make extras)")
    rng = np.random.default_rng(n_cells)
    components = rng.normal(size=(n_cells, 3)).astype(np.float32)
    batches = np.array(["a"] * (n_cells - alone) + ["b"] * alone, dtype=object)
    merged = merge_batches(components, batches, seed=1, method="scanorama")
    assert merged.shape == components.shape
    assert np.isfinite(merged).all()


def test_scvi_is_not_run_without_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: True)
    with pytest.raises(ValueError, match="counts"):
        merge_batches(np.zeros((4, 2), np.float32), np.array(list("aabb"), dtype=object), seed=1, method="scvi")
