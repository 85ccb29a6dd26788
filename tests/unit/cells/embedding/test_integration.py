"""Ways of bringing batches together: the optional ones are asked for before any compute, and work where installed."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.cells.toy_lineages import make_study

from livermet.cells.embedding import backends
from livermet.cells.embedding.embed import embed_cells
from livermet.cells.embedding.integration import merge_batches
from livermet.errors import InputError

SETTINGS = {"n_top_genes": 200, "n_pcs": 10, "n_neighbors": 15, "batch_key": "batch", "seed": 1}


def test_harmony_and_none_are_always_there() -> None:
    assert backends.find_missing("harmony") == backends.find_missing("none") == []


@pytest.mark.parametrize(("method", "package"), [("scanorama", "scanorama"), ("scvi", "scvi-tools")])
def test_what_is_not_installed_is_said_before_any_compute(
    method: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    (problem,) = backends.find_missing(method, "config multiverse.integrate")
    assert problem.where == "config multiverse.integrate"
    assert f"pip install {package}" in problem.remedy
    study = make_study()[:2].copy()  # too few cells, which would be said next
    with pytest.raises(InputError, match=f"needs the package {package}, which is not installed"):
        embed_cells(study, integrate=method, **SETTINGS)
    with pytest.raises(InputError, match=package):
        merge_batches(np.zeros((4, 2), np.float32), np.array(list("aabb"), dtype=object), seed=1, method=method)


@pytest.mark.parametrize("method", ["scanorama", "scvi"])
def test_where_installed_it_mixes_batches_and_keeps_lineages(method: str) -> None:
    pytest.importorskip(backends.PACKAGES[method][0])
    study = make_study(batch_effect=0.4)
    embedding = embed_cells(study, integrate=method, **SETTINGS)
    values = embedding.integration.set_index("measure")
    assert values.loc["batch_mixing", "after"] > values.loc["batch_mixing", "before"] + 0.2
    assert values.loc["group_purity", "after"] > 0.9
    assert not embedding.groups["over_corrected"].any()
    again = embed_cells(study, integrate=method, **SETTINGS)
    np.testing.assert_array_equal(again.pca, embedding.pca)


def test_scvi_is_not_run_without_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: True)
    with pytest.raises(ValueError, match="counts"):
        merge_batches(np.zeros((4, 2), np.float32), np.array(list("aabb"), dtype=object), seed=1, method="scvi")
