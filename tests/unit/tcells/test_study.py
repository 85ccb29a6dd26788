"""From a study's tables to the labels of its cells, also where T cells are few or none."""

from __future__ import annotations

from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from livermet.tcells.calls import name_states
from livermet.tcells.embed import embed_tcells, lay_out_tcells
from livermet.tcells.labels import label_cells, select_tcells
from livermet.tcells.scores import score_states

from .conftest import draw_cells


@pytest.fixture(scope="module")
def study(toy_var: pd.DataFrame, toy_rates: np.ndarray) -> tuple[anndata.AnnData, pd.DataFrame, pd.DataFrame]:
    counts = draw_cells(toy_rates, 40, depth=3000, seed=1)
    cells = pd.Index([f"s1_{number}" for number in range(40)], name="cell")
    data = anndata.AnnData(counts, obs=pd.DataFrame({"batch": "b1"}, index=cells), var=toy_var)
    lineages = pd.DataFrame({"leiden": "0", "lineage": ["T_cell", "NK_cell"] * 20}, index=cells)
    pca = pd.DataFrame(
        np.random.default_rng(2).normal(size=(40, 5)), index=cells, columns=[f"pc_{n}" for n in range(1, 6)]
    )
    return data, lineages, pca


SETTINGS: dict[str, Any] = {
    "n_top_genes": 200, "n_pcs": 5, "n_neighbors": 5, "integrate": "none", "batch_key": "batch", "seed": 1,
}  # fmt: skip


def graph(n: int) -> sparse.csr_matrix:
    ring = sparse.diags([np.ones(n - 1), np.ones(n - 1)], [1, -1], format="lil")
    return sparse.csr_matrix(ring)


@pytest.fixture
def definitions(signature_content: dict[str, Any], state_content: dict[str, Any]) -> dict[str, Any]:
    return {"signatures": signature_content, "states": state_content}


def test_few_t_cells_keep_the_studys_embedding(
    study: tuple[anndata.AnnData, pd.DataFrame, pd.DataFrame], definitions: dict[str, Any]
) -> None:
    data, lineages, pca = study
    found, connectivities, integration, _ = embed_tcells(
        data,
        lineages,
        study_pca=pca,
        study_connectivities=graph(40),
        lineages=["T_cell"],
        min_cells=21,
        **definitions,
        **SETTINGS,
    )
    pd.testing.assert_frame_equal(found, pca.iloc[::2])
    assert integration.empty
    assert connectivities.nnz == 0  # every other cell of a ring: none of its neighbours is taken


def test_enough_t_cells_get_their_own(
    study: tuple[anndata.AnnData, pd.DataFrame, pd.DataFrame], definitions: dict[str, Any]
) -> None:
    data, lineages, pca = study
    found, connectivities, *_ = embed_tcells(
        data,
        lineages,
        study_pca=pca,
        study_connectivities=graph(40),
        lineages=["T_cell"],
        min_cells=20,
        **definitions,
        **SETTINGS,
    )
    assert found.index.tolist() == lineages.index[::2].tolist()
    assert connectivities.shape == (20, 20)
    assert (connectivities.getnnz(axis=1) >= 4).all()
    assert not np.allclose(found.iloc[:, 0], pca.iloc[::2, 0])


def test_a_study_without_t_cells_gives_empty_tables(
    study: tuple[anndata.AnnData, pd.DataFrame, pd.DataFrame],
    definitions: dict[str, Any],
    bins: pd.DataFrame,
) -> None:
    data, lineages, pca = study
    none = lineages.assign(lineage="B_cell")
    found, connectivities, *_ = embed_tcells(
        data,
        none,
        study_pca=pca,
        study_connectivities=graph(40),
        lineages=["T_cell"],
        min_cells=20,
        **definitions,
        **SETTINGS,
    )
    shared: dict[str, Any] = {
        **definitions, "bins": bins, "lineages": ["T_cell"], "n_control_sets": 20,
    }  # fmt: skip
    scores = score_states(data, none, **shared)
    calls = name_states(data, none, scores=scores["scores"], connectivities=connectivities, min_z=1.64, **shared)
    umap = lay_out_tcells(found, connectivities, seed=1)
    assert len(found) == len(scores["scores"]) == len(calls["states"]) == len(umap) == 0
    assert list(umap.columns) == ["umap_1", "umap_2"]
    assert calls["summary"]["n_cells"].sum() == 0
    assert (scores["coverage"]["share"] > 0.9).all()
    assert label_cells(none, calls["states"])["state"].eq("B_cell").all()


def test_scores_and_calls_fit_together(
    study: tuple[anndata.AnnData, pd.DataFrame, pd.DataFrame],
    definitions: dict[str, Any],
    bins: pd.DataFrame,
) -> None:
    data, lineages, _ = study
    shared: dict[str, Any] = {
        **definitions, "bins": bins, "lineages": ["T_cell"], "n_control_sets": 20,
    }  # fmt: skip
    scores = score_states(data, lineages, **shared)["scores"]
    assert scores.index.equals(select_tcells(lineages, ["T_cell"]))
    names = [column.removeprefix("z:") for column in scores if column.startswith("z:")]
    assert set(scores.columns) == {f"{prefix}{name}" for prefix in ("z:", "score:", "ucell:") for name in names}
    alone = score_states(data[:10].copy(), lineages.iloc[:10], **shared)["scores"]
    pd.testing.assert_frame_equal(alone, scores.iloc[:5], check_exact=True)
    with pytest.raises(ValueError, match="other cells"):
        name_states(data, lineages, scores=alone, connectivities=graph(20), min_z=1.64, **shared)


def test_labels_join_lineage_and_state() -> None:
    cells = pd.Index(["a", "b", "c", "d"], name="cell")
    lineages = pd.DataFrame(
        {"leiden": ["0", "0", "1", "2"], "lineage": ["T_cell", "T_cell", "B_cell", "unassigned"]}, cells
    )
    states = pd.DataFrame({"state": ["Treg", "unassigned"]}, index=cells[:2])
    table = label_cells(lineages, states)
    assert table["state"].tolist() == ["Treg", "unassigned", "B_cell", "unassigned"]
    assert table["leiden"].tolist() == ["0", "0", "1", "2"]
    with pytest.raises(ValueError, match="no lineage, such as z"):
        label_cells(lineages, states.rename(index={"a": "z"}))
