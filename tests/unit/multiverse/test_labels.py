"""Labels of a specification are those that the study's own steps give with its choices."""

from __future__ import annotations

from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from tests.unit.cells.toy_lineages import MARKERS, make_study
from tests.unit.tcells.conftest import RESOURCES

from livermet.cells.clusters.cluster import cluster_cells
from livermet.cells.embedding.embed import embed_cells
from livermet.cells.lineages.annotate import annotate_cells
from livermet.multiverse.labels import Knowledge, relabel_cells
from livermet.settings import Annotate, Embed, TCells
from livermet.step import load
from livermet.tcells.calls import name_states
from livermet.tcells.embed import embed_tcells
from livermet.tcells.labels import label_cells
from livermet.tcells.scores import score_states

SETTINGS: dict[str, Any] = {
    "embed": Embed(n_top_genes=300, n_pcs=8, n_neighbors=10).model_dump(),
    "annotate": {"min_margin": Annotate().min_margin, "min_score": Annotate().min_score},
    "tcells": TCells(n_control_sets=20, n_top_genes=100, n_pcs=5, min_cells=20).model_dump(),
}
RESOLUTIONS = [0.3, 3.0]


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    signatures, states, bins = (
        load(RESOURCES / name) for name in ("signatures.yaml", "states.yaml", "expression_bins.tsv")
    )
    return Knowledge(MARKERS, signatures, states, bins)


@pytest.fixture(scope="module")
def study() -> anndata.AnnData:
    counts = make_study({"T_cell": 45, "B_cell": 35, "Neutrophil": 30}, batch_effect=0.4)
    # Names that sort otherwise than they stand: clusters are found in the order of the names.
    counts.obs_names = [f"c{(number * 7919) % 10007:05d}" for number in range(counts.n_obs)]
    return counts


def by_steps(counts: anndata.AnnData, knowledge: Knowledge, integrate: str, resolution: float) -> pd.DataFrame:
    """The study's own steps, one after the other."""
    embed, tcells = {**SETTINGS["embed"], "integrate": integrate}, SETTINGS["tcells"]
    whole = embed_cells(counts, seed=4, **embed)
    clusters = cluster_cells(
        whole.connectivities,
        whole.pca.index,
        resolutions=RESOLUTIONS,
        resolution=resolution,
        n_subsamples=2,
        subsample_fraction=0.8,
        seed=4,
    ).clusters
    lineages = annotate_cells(
        counts, clusters, knowledge.markers, connectivities=whole.connectivities, seed=4, **SETTINGS["annotate"]
    ).lineages
    _, graph, *_ = embed_tcells(
        counts,
        lineages,
        study_pca=whole.pca,
        study_connectivities=whole.connectivities,
        signatures=knowledge.signatures,
        states=knowledge.states,
        seed=4,
        **{name: tcells[name] for name in ("lineages", "min_cells", "n_top_genes", "n_pcs")},
        **{name: embed[name] for name in ("n_neighbors", "integrate", "batch_key")},
    )
    shared: dict[str, Any] = {"signatures": knowledge.signatures, "states": knowledge.states, "bins": knowledge.bins}
    shared |= {name: tcells[name] for name in ("lineages", "n_control_sets")}
    scores = score_states(counts, lineages, **shared)["scores"]
    states = name_states(counts, lineages, scores=scores, connectivities=graph, min_z=tcells["min_z"], **shared)
    return label_cells(lineages, states["states"])


@pytest.mark.parametrize("integrate", ["harmony", "none"])
def test_labels_are_those_of_the_steps(study: anndata.AnnData, knowledge: Knowledge, integrate: str) -> None:
    labels, outcomes = relabel_cells(
        study, knowledge=knowledge, settings=SETTINGS, integrate=integrate, resolutions=RESOLUTIONS, seed=4
    )
    assert outcomes["failure"].tolist() == ["", ""]
    assert outcomes["n_clusters"].is_monotonic_increasing
    assert outcomes["n_clusters"].nunique() == 2
    for resolution, row in zip(RESOLUTIONS, outcomes.itertuples(), strict=True):
        expected = by_steps(study, knowledge, integrate, resolution)
        found = labels[labels["resolution"] == resolution].set_index("cell")[["lineage", "state"]]
        pd.testing.assert_frame_equal(found, expected[["lineage", "state"]])
        assert row.n_clusters == expected["leiden"].nunique()
        assert row.n_t_cells == (expected["lineage"] == "T_cell").sum() > 30
        assert row.n_cells == study.n_obs


@pytest.mark.parametrize("n_cells", [0, 2])
def test_a_set_without_cells_fails_by_name(study: anndata.AnnData, knowledge: Knowledge, n_cells: int) -> None:
    labels, outcomes = relabel_cells(
        study[:n_cells].copy(),
        knowledge=knowledge,
        settings=SETTINGS,
        integrate="none",
        resolutions=RESOLUTIONS,
        seed=4,
    )
    assert labels.empty
    assert outcomes["resolution"].tolist() == RESOLUTIONS
    assert outcomes["n_cells"].tolist() == [n_cells, n_cells]
    assert outcomes["failure"].str.contains("cells that passed quality control").all()


def test_a_set_without_t_cells_is_labelled_all_the_same(study: anndata.AnnData, knowledge: Knowledge) -> None:
    lineage = by_steps(study, knowledge, "none", 0.3)["lineage"]
    others = study[np.flatnonzero(lineage.loc[study.obs_names] != "T_cell")].copy()
    labels, outcomes = relabel_cells(
        others, knowledge=knowledge, settings=SETTINGS, integrate="none", resolutions=[0.3], seed=4
    )
    assert outcomes.iloc[0][["n_t_cells", "failure"]].tolist() == [0, ""]
    assert set(labels["state"]) == set(labels["lineage"])
    assert len(labels) == others.n_obs
