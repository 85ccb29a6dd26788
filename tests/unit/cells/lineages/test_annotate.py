"""Lineages on planted cells: named, moved, left unassigned, and not led astray by soup or the cell cycle."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.cells.toy_lineages import MARKERS, make_study

from livermet.cells.lineages.annotate import annotate_cells, call_clusters
from livermet.cells.lineages.markers import read_markers, take_panel
from livermet.errors import InputError

LINEAGES = {
    "T_cell", "NK_cell", "ILC", "B_cell", "Plasma_cell", "Neutrophil", "Classical_monocyte", "Patrolling_monocyte",
    "Monocyte_derived_macrophage", "Kupffer_cell", "cDC1", "cDC2", "mregDC", "pDC", "Mast_cell", "Basophil",
    "Hepatocyte", "Endothelial_cell", "Fibroblast", "Epithelial_cell", "Erythrocyte", "Platelet",
}  # fmt: skip
LIMITS = {"min_margin": 0.15, "min_score": 0.3}
SETTINGS = {**LIMITS, "seed": 1}
CYCLE = ("Mki67", "Top2a", "Birc5", "Stmn1", "Tyms", "Pcna", "Cdk1", "Ube2c")


def clusters_of(labels: Any, cells: pd.Index) -> pd.DataFrame:
    return pd.DataFrame({"leiden": pd.factorize(np.asarray(labels))[0].astype(str)}, index=cells)


def test_every_lineage_is_recognised_in_a_study_that_has_them_all() -> None:
    kinds = dict.fromkeys(sorted(LINEAGES), 25)
    study = make_study(kinds)
    found = annotate_cells(study, clusters_of(study.obs["planted"], study.obs_names), MARKERS, **SETTINGS)
    assert (found.lineages["lineage"] == study.obs["planted"]).mean() > 0.99
    assert found.evidence["n_cells"].tolist() == [25] * len(LINEAGES)
    assert (found.evidence["reason"] == "").all()


@pytest.mark.parametrize("present", [("T_cell",), ("T_cell", "NK_cell"), ("Neutrophil", "B_cell", "Kupffer_cell")])
def test_few_lineages_in_many_clusters_are_recognised(present: tuple[str, ...]) -> None:
    study = make_study(dict.fromkeys(present, 90))
    split = [f"{name}{number % 3}" for number, name in enumerate(study.obs["planted"])]
    found = annotate_cells(study, clusters_of(split, study.obs_names), MARKERS, **SETTINGS)
    assert len(found.evidence) == 3 * len(present)
    assert (found.lineages["lineage"] == study.obs["planted"]).mean() > 0.99


def test_cells_in_the_wrong_cluster_move() -> None:
    study = make_study()
    labels = study.obs["planted"].to_numpy(dtype=object).copy()
    strays = np.flatnonzero(labels == "NK_cell")[:15]
    labels[strays] = "T_cell"
    found = annotate_cells(study, clusters_of(labels, study.obs_names), MARKERS, **SETTINGS)
    assert (found.lineages["lineage"].iloc[strays] == "NK_cell").mean() > 0.9
    assert (found.lineages["lineage"] == study.obs["planted"]).mean() > 0.99
    assert found.evidence["n_moved"].sum() == (found.lineages["lineage"].to_numpy() != labels).sum()


def test_cells_in_the_right_cluster_stay() -> None:
    study = make_study(seed=4, soup=0.1)
    found = annotate_cells(study, clusters_of(study.obs["planted"], study.obs_names), MARKERS, **SETTINGS)
    assert found.evidence["n_moved"].sum() == 0


def test_cells_without_a_lineage_of_ours_stay_unassigned_with_the_reason() -> None:
    study = make_study({"T_cell": 80, "B_cell": 80, "Astrocyte": 60})
    found = annotate_cells(study, clusters_of(study.obs["planted"], study.obs_names), MARKERS, **SETTINGS)
    assert set(found.lineages.loc[study.obs["planted"] == "Astrocyte", "lineage"]) == {"unassigned"}
    row = found.evidence.set_index("lineage").loc["unassigned"]
    assert re.search("below 0.3|leads", row["reason"])
    assert row["markers"] == ""


def test_a_cluster_of_two_lineages_stays_unassigned() -> None:
    study = make_study({"T_cell": 60, "B_cell": 60, "Neutrophil": 60})
    labels = np.where(study.obs["planted"] == "Neutrophil", "n", "mixed")
    found = annotate_cells(study, clusters_of(labels, study.obs_names), MARKERS, **SETTINGS)
    assert set(found.lineages.loc[labels == "mixed", "lineage"]) == {"unassigned"}
    assert "leads" in found.evidence.set_index("leiden").loc["0", "reason"]


def test_cycling_cells_go_with_their_kin() -> None:
    study = make_study(boosted={"T_cell": CYCLE, "B_cell": CYCLE})
    half = [f"{name}{number % 2}" for number, name in enumerate(study.obs["planted"])]
    found = annotate_cells(study, clusters_of(half, study.obs_names), MARKERS, **SETTINGS)
    assert (found.lineages["lineage"] == study.obs["planted"]).mean() > 0.99


def test_hepatocyte_and_red_cell_soup_makes_no_lineage() -> None:
    soup = (
        "Alb",
        "Apoa1",
        "Ttr",
        "Serpina1a",
        "Serpina1c",
        "Apoc3",
        "Fgb",
        "Hba-a1",
        "Hba-a2",
        "Hbb-bs",
        "Hbb-bt",
        "Alas2",
    )
    study = make_study(soup=0.35, soup_genes=soup)
    found = annotate_cells(study, clusters_of(study.obs["planted"], study.obs_names), MARKERS, **SETTINGS)
    assert (found.lineages["lineage"] == study.obs["planted"]).mean() > 0.98


def test_labels_are_keyed_by_cell_whatever_the_order_of_the_clusters_table() -> None:
    study = make_study()
    clusters = clusters_of(study.obs["planted"], study.obs_names)
    plain = annotate_cells(study, clusters, MARKERS, **SETTINGS)
    turned = annotate_cells(study, clusters.iloc[::-1], MARKERS, **SETTINGS)
    pd.testing.assert_frame_equal(plain.lineages, turned.lineages)
    assert plain.lineages.index.equals(pd.Index(study.obs_names, name="cell"))


def test_margin_and_score_decide() -> None:
    scores = pd.DataFrame(
        {"A": [0.9, 0.5, 0.25], "B": [0.2, 0.4, 0.0], "C": [np.nan, 0.1, -0.2]}, index=["0", "1", "2"]
    )
    called = call_clusters(scores, **LIMITS)
    assert called["lineage"].tolist() == ["A", "unassigned", "unassigned"]
    assert called["second"].tolist() == ["B", "B", "B"]
    np.testing.assert_allclose(called["margin"], [0.7, 0.1, 0.25])
    assert call_clusters(scores, min_margin=0.05, min_score=0.2)["lineage"].tolist() == ["A", "A", "A"]


def test_immune_cells_and_marker_sets_without_immune_lineages_give_no_call() -> None:
    study = make_study({"T_cell": 30, "B_cell": 30})
    few = {**MARKERS, "lineages": {"Hepatocyte": MARKERS["lineages"]["Hepatocyte"]}}
    found = annotate_cells(study, clusters_of(study.obs["planted"], study.obs_names), few, **SETTINGS)
    assert set(found.lineages["lineage"]) == {"unassigned"}
    assert found.evidence["reason"].str.contains("no immune lineage").all()


@pytest.mark.parametrize("n_cells", [1, 12])
def test_a_handful_of_cells_in_one_cluster_is_named(n_cells: int) -> None:
    study = make_study({"T_cell": n_cells})
    found = annotate_cells(study, clusters_of(["x"] * n_cells, study.obs_names), MARKERS, **SETTINGS)
    assert found.lineages["lineage"].tolist() == ["T_cell"] * n_cells


def test_counts_without_our_symbols_are_refused() -> None:
    study = make_study({"T_cell": 20})
    study.var["symbol"] = [f"LOC{number}" for number in range(study.n_vars)]
    with pytest.raises(InputError, match="marker genes are among them"):
        annotate_cells(study, clusters_of(study.obs["planted"], study.obs_names), MARKERS, **SETTINGS)


def test_every_fault_of_a_marker_file_is_said_at_once() -> None:
    faulty = {"lineages": {"A": {"up": []}, "B": {"up": ["Cd3e", 7]}, "C": {"up": ["Cd4"], "compartment": "lunar"}}}
    with pytest.raises(InputError) as raised:
        read_markers(faulty)
    assert [problem.where for problem in raised.value.problems] == [f"marker sets, lineage '{name}'" for name in "ABC"]
    with pytest.raises(InputError, match="no lineages"):
        read_markers({})


def test_genes_of_one_symbol_are_added_up() -> None:
    study = make_study({"T_cell": 20})
    study.var["symbol"] = study.var["symbol"].replace("Cd3d", "Cd3e")
    panel = take_panel(study, read_markers(MARKERS))
    both = study.X[:, np.flatnonzero(study.var["symbol"] == "Cd3e")].sum(axis=1)
    np.testing.assert_array_equal(panel.counts[:, [panel.symbols.index("Cd3e")]].toarray(), np.asarray(both))
    assert "Cd3d" not in panel.symbols


def test_marker_sets_name_the_lineages_with_their_sources_and_no_state_genes() -> None:
    assert set(MARKERS["lineages"]) == LINEAGES
    for entry in MARKERS["lineages"].values():
        for genes in entry.get("subsets", {"": entry}).values():
            assert len(genes["up"]) == len(set(genes["up"])) >= 5
            assert not set(genes["up"]) & set(genes["down"])
            assert genes["source"]
            assert genes["verification"]
    genes = set(read_markers(MARKERS).genes())
    assert not genes & {*CYCLE, "Fas", "Fasl", "Isg15", "Ifit1", "Ifit3", "Bst2", "Irf7"}
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9-]+", gene) for gene in genes)
