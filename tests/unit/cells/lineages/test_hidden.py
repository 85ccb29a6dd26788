"""Lineages without a cluster of their own, clusters that lineages share, and the second opinion: on planted cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.unit.cells.toy_lineages import MARKERS, make_study

from livermet.cells.lineages.annotate import annotate_cells
from livermet.cells.lineages.markers import read_markers, take_panel
from livermet.cells.lineages.opinions import judge_cells
from livermet.keys import UNASSIGNED

SETTINGS: dict[str, Any] = {"min_margin": 0.15, "min_score": 0.3, "seed": 1}


def clusters_of(labels: Any, cells: pd.Index) -> pd.DataFrame:
    return pd.DataFrame({"leiden": pd.factorize(np.asarray(labels))[0].astype(str)}, index=cells)


def kin_graph(planted: pd.Series, seed: int = 0) -> sp.csr_matrix:
    """A graph in which each cell knows ten of its own kind and one of any."""
    rng = np.random.default_rng(seed)
    values = planted.to_numpy()
    rows, columns = [], []
    for cell, kind in enumerate(values):
        others = np.append(rng.choice(np.flatnonzero(values == kind), 10), rng.integers(len(values)))
        rows += [cell] * 11
        columns += others.tolist()
    graph = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(values), len(values)))
    return sp.csr_matrix(graph.maximum(graph.T))


@pytest.mark.parametrize("hidden", ["pDC", "NK_cell", "Plasma_cell", "Mast_cell"])
def test_twenty_cells_of_a_lineage_are_found_inside_another_lineages_cluster(hidden: str) -> None:
    study = make_study({"T_cell": 200, "B_cell": 150, hidden: 20}, soup=0.1)
    planted = study.obs["planted"]
    found = annotate_cells(
        study, clusters_of(planted.replace({hidden: "T_cell"}), study.obs_names), MARKERS, **SETTINGS
    )
    called = found.lineages["lineage"]
    assert (called[planted == hidden] == hidden).mean() >= 0.9
    assert (called[planted != hidden] == planted[planted != hidden]).mean() > 0.99
    assert found.evidence.set_index("lineage").loc["T_cell", "n_moved"] == (called == hidden).sum()


def test_a_handful_of_odd_cells_makes_no_lineage() -> None:
    study = make_study({"T_cell": 200, "B_cell": 150, "pDC": 3})
    labels = study.obs["planted"].replace({"pDC": "T_cell"})
    found = annotate_cells(study, clusters_of(labels, study.obs_names), MARKERS, **SETTINGS)
    assert "pDC" not in set(found.lineages["lineage"])


def test_one_lineage_alone_grows_no_others() -> None:
    """Sorted T cells in several clusters, one of them cytotoxic: no contrast between lineages, and no NK cells."""
    cytotoxic = ("Nkg7", "Gzma", "Klrd1", "Klrk1", "Prf1")
    study = make_study({"T_cell": 300}, boosted={"T_cell": cytotoxic}, soup=0.05)
    labels = [f"c{number % 2}" for number in range(300)]
    found = annotate_cells(study, clusters_of(labels, study.obs_names), MARKERS, **SETTINGS)
    assert (found.lineages["lineage"] == "T_cell").mean() > 0.99
    assert (found.evidence["agreement"] > 0.95).all()


def test_a_cluster_of_two_lineages_is_told_apart_by_the_graph() -> None:
    study = make_study({"T_cell": 80, "B_cell": 80, "Neutrophil": 80})
    planted = study.obs["planted"]
    labels = np.where(planted == "Neutrophil", "n", "mixed")
    found = annotate_cells(
        study, clusters_of(labels, study.obs_names), MARKERS, connectivities=kin_graph(planted), **SETTINGS
    )
    assert (found.lineages["lineage"] == planted).mean() > 0.98
    parts = found.evidence[found.evidence["leiden"].str.startswith("0.")]
    assert set(parts["lineage"]) == {"T_cell", "B_cell"}
    assert set(found.lineages["leiden"]) == {"0", "1"}


def test_the_order_of_the_cells_changes_nothing() -> None:
    study = make_study({"T_cell": 80, "B_cell": 80, "Neutrophil": 80, "pDC": 20})
    planted = study.obs["planted"]
    labels = clusters_of(np.where(planted == "Neutrophil", "n", "mixed"), study.obs_names)
    graph = kin_graph(planted)
    turn = np.random.default_rng(3).permutation(study.n_obs)
    plain = annotate_cells(study, labels, MARKERS, connectivities=graph, **SETTINGS).lineages
    turned = annotate_cells(
        study[turn].copy(), labels, MARKERS, connectivities=sp.csr_matrix(graph[turn][:, turn]), **SETTINGS
    ).lineages
    pd.testing.assert_series_equal(plain["lineage"], turned["lineage"].reindex(plain.index))


def test_the_second_opinion_knows_no_clusters_name_and_flags_the_cells_of_a_misnamed_one() -> None:
    study = make_study({"T_cell": 100, "B_cell": 100, "Neutrophil": 100})
    panel, known = take_panel(study, read_markers(MARKERS)), read_markers(MARKERS)
    planted = study.obs["planted"].to_numpy(dtype=object)
    right = pd.factorize(planted)[0]
    opinion = judge_cells(panel, right, known)
    said = opinion != UNASSIGNED
    assert said.mean() > 0.8
    assert (opinion[said] == planted[said]).mean() > 0.99
    shuffled = np.random.default_rng(0).permutation(right)
    shuffled_opinion = judge_cells(panel, shuffled, known)
    said = shuffled_opinion != UNASSIGNED
    assert (shuffled_opinion[said] == planted[said]).mean() > 0.95
    found = annotate_cells(study, clusters_of(planted, study.obs_names), MARKERS, **SETTINGS).lineages
    assert found["opinions_differ"].mean() < 0.02
    differ = (found["second_opinion"] != found["lineage"]) & (found["second_opinion"] != UNASSIGNED)
    assert (found["opinions_differ"] == differ).all()


def test_an_opinion_is_silent_where_a_cell_shows_nothing() -> None:
    study = make_study({"T_cell": 60, "B_cell": 60})
    study.X = sp.csr_matrix(study.X.multiply(np.where(np.arange(120) < 5, 0, 1)[:, None])).astype(np.int32)
    known = read_markers(MARKERS)
    opinion = judge_cells(take_panel(study, known), pd.factorize(study.obs["planted"])[0], known)
    assert set(opinion[:5]) == {UNASSIGNED}


@pytest.mark.parametrize(("lineage", "subset"), [("Endothelial_cell", "LSEC"), ("Monocyte_derived_macrophage", "tumour_associated"),
                                                 ("Epithelial_cell", "tumour"), ("Fibroblast", "stellate"), ("ILC", "ILC2")])  # fmt: skip
def test_kinds_are_named(lineage: str, subset: str) -> None:
    """A study that has one kind of a lineage: its genes up, those of the other kinds not."""
    genes = tuple(MARKERS["lineages"][lineage]["subsets"][subset]["up"])
    others = {g for kind in MARKERS["lineages"][lineage]["subsets"].values() for g in kind["up"]} - set(genes)
    study = make_study({lineage: 60, "T_cell": 100, "B_cell": 80})
    drop = study.var["symbol"].isin(others).to_numpy()
    counts = study.X.tolil()
    counts[np.ix_(np.flatnonzero(study.obs["planted"] == lineage), np.flatnonzero(drop))] = 0
    study.X = sp.csr_matrix(counts)
    found = annotate_cells(study, clusters_of(study.obs["planted"], study.obs_names), MARKERS, **SETTINGS)
    mine = found.lineages[study.obs["planted"] == lineage]
    assert set(mine["lineage"]) == {lineage}
    assert set(mine["subset"]) == {subset}
    assert set(found.lineages.loc[study.obs["planted"] == "T_cell", "subset"]) == {""}
