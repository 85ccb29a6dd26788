"""Abundance: the variance against simulation, planted changes found, untouched populations left alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.unit.mice.cohort import CELLS, draw_counts, make_cells, make_design, make_settings, make_sheet

from livermet.mice.endpoints import composition, levels


def test_leaf_labels_are_mutually_exclusive_and_tell_uncalled_t_cells_apart() -> None:
    labels = pd.DataFrame(
        {
            "lineage": ["T_cell", "T_cell", "NK_cell", "unassigned"],
            "state": ["Treg", "unassigned", "NK_cell", "unassigned"],
        }
    )
    assert levels.leaf_labels(labels).tolist() == ["Treg", "T_cell_unassigned", "NK_cell", "unassigned"]


def test_population_parts_cover_every_cell_once() -> None:
    design = make_design()
    labels, units = make_cells(draw_counts(design, np.random.default_rng(2)))
    members = levels.membership(labels, {"lineages": [], "states": ["CD8_activated"]})
    parts = levels.population_parts(labels, members, "CD8_activated")
    counts = levels.count_cells(parts, units, design.units.index)
    assert counts.to_numpy().sum() == len(labels)
    lineages = set(labels["lineage"]) - {"T_cell"}
    assert set(counts) == lineages | {"CD8_activated", "rest_of_T_cell"}
    assert (counts["CD8_activated"].sum(), counts["rest_of_T_cell"].sum()) == (
        (labels["state"] == "CD8_activated").sum(),
        ((labels["lineage"] == "T_cell") & (labels["state"] != "CD8_activated")).sum(),
    )


def run(seed: int, effects: dict[str, dict[str, float]] | None = None, n: int = 3) -> pd.DataFrame:
    settings = make_settings()
    design = make_design(n, settings)
    labels, units = make_cells(draw_counts(design, np.random.default_rng(seed), effects))
    return composition.test_composition(labels, units, design, settings)["composition"]


def test_planted_loss_is_found_and_nothing_else() -> None:
    table = run(5, {"tumour.none": {"CD8_activated": -1.5}}, n=5)
    lost = table[(table["question"] == "site") & (table["level"] == "population")].set_index("population")
    row = lost.loc["CD8_activated"]
    # One part of 7 falls: its ratio to the geometric mean of all falls by six sevenths of it.
    assert row["ci_low"] < -1.5 * 6 / 7 < row["ci_high"] < 0
    assert row["adjusted_p_value"] < 0.01
    assert (lost.loc[["B_cell", "NK_cell", "Neutrophil", "Macrophage"], "adjusted_p_value"] > 0.05).all()
    quiet = table[(table["question"] == "drug_healthy") & (table["level"] == "population")]
    assert (quiet["adjusted_p_value"] > 0.05).all()


def test_columns_and_adjustment_within_question_and_level() -> None:
    table = run(6)
    shares = ["share_log_fold_change", "share_ci_low", "share_ci_high"]
    assert list(table.columns) == [*composition.COLUMNS, *shares]
    assert table["references_agree"].isna().all()  # none were declared
    for _, group in table.groupby(["question", "level"]):
        known = group["p_value"].notna()
        twin = stats.false_discovery_control(group.loc[known, "p_value"])
        np.testing.assert_allclose(group.loc[known, "adjusted_p_value"], twin)
    leaf = table[(table["level"] == "leaf") & (table["question"] == "site")]
    assert set(leaf["population"]) == set(CELLS)
    assert leaf["mean_fraction"].sum() == pytest.approx(1.0)
    assert set(table["question"]) == {"site", "drug", "drug_healthy", "drug_by_site"}


def test_rare_parts_are_told_and_not_tested() -> None:
    settings, design = make_settings(), make_design()
    counts = draw_counts(design, np.random.default_rng(7))
    counts["CD8_activated"] = 0
    counts.iloc[0, 0] = 12
    labels, units = make_cells(counts)
    results = composition.test_composition(labels, units, design, settings)
    rows = results["composition"].query("population == 'CD8_activated'")
    assert (rows["tier"] == "not estimable").all()
    assert rows["p_value"].isna().all()
    assert rows["reason"].str.contains("fewer than 3 cells").all()
    assert len(rows) == 8
    share = results["proportions"].query("level == 'leaf' and population == 'CD8_activated'")
    assert share["n_cells"].sum() == 12
    assert share["clr"].isna().all()


def test_proportions_are_the_counts() -> None:
    settings, design = make_settings(), make_design()
    counts = draw_counts(design, np.random.default_rng(8))
    labels, units = make_cells(counts)
    table = composition.test_composition(labels, units, design, settings)["proportions"]
    one = table[(table["mouse"] == "hn0") & (table["level"] == "leaf")].set_index("population")
    assert one["n_cells"].to_dict() == counts.loc["hn0"].to_dict()
    assert one["fraction"].sum() == pytest.approx(1)
    assert one["clr"].sum() == pytest.approx(0, abs=1e-9)
    assert one.iloc[0]["arm"] == "healthy.none"


def test_units_of_cells_go_by_sample() -> None:
    sheet, design = make_sheet(), make_design()
    cells = pd.DataFrame({"sample": ["tumour_drug_1", "healthy_none_0"]}, index=["x", "y"])
    assert levels.units_of(cells, sheet, design).to_dict() == {"x": "td1", "y": "hn0"}


def test_sorted_cells_are_told_from_rare_ones() -> None:
    """All cells T cells: nothing to hold them against, which is another thing than too few."""
    settings = make_settings()
    settings["populations"] = {
        "T_cell": {"lineages": ["T_cell"], "states": []},
        "NK_cell": {"lineages": ["NK_cell"], "states": []},
    }
    settings["questions"] = [question for question in settings["questions"] if question["kind"] != "rescue"]
    settings["references"] = []
    design = make_design(3, settings)
    labels, units = make_cells(draw_counts(design, np.random.default_rng(4)))
    inside = labels["lineage"] == "T_cell"
    table = composition.test_composition(labels[inside], units[inside], design, settings)["composition"]
    asked = table[(table["question"] == "site") & (table["level"] == "population")].set_index("population")
    assert asked.loc["T_cell", "reason"] == "all cells are of this population: a share needs another beside it"
    assert asked.loc["NK_cell", "reason"] == "fewer than 3 cells a mouse on average"
    lineages = table[(table["question"] == "site") & (table["level"] == "lineage")].set_index("population")
    assert lineages.loc["T_cell", ["tier", "reason"]].tolist() == ["not estimable", asked.loc["T_cell", "reason"]]
    assert lineages["log_fold_change"].isna().all()
