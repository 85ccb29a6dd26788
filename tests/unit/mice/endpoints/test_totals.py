"""From ratios to numbers: counted totals turn shares into numbers, and the range told is the one that undoes a call."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.unit.mice.cohort import QUESTIONS, draw_counts, make_cells, make_design, make_settings, make_sheet

from livermet.mice.design.model import Design, build_design
from livermet.mice.endpoints import composition, totals

TOTAL = 2e6


@pytest.fixture(scope="module")
def cohort() -> tuple[pd.DataFrame, Design, dict]:
    settings = make_settings(questions=[QUESTIONS[0], QUESTIONS[2]])
    design = make_design(4, settings)
    effects = {"tumour.none": {"CD8_activated": -1.8, "Macrophage": 1.6}}
    return draw_counts(design, np.random.default_rng(21), effects, spread=0.15), design, settings


def change_of(design: Design, arm: str, fold: float) -> pd.Series:
    return pd.Series(np.where(design.units["arm"] == arm, fold * TOTAL, TOTAL), index=design.units.index)


def test_numbers_add_the_total_to_the_share(cohort: tuple[pd.DataFrame, Design, dict]) -> None:
    counts, design, settings = cohort
    all_cells = counts.sum(axis=1)
    shares = totals.estimate_shares(counts, all_cells, design, settings)
    numbers = totals.estimate_numbers(counts, all_cells, change_of(design, "tumour.none", 0.25), design, settings)
    site = numbers.loc["site"]
    np.testing.assert_allclose(
        site["absolute_log_fold_change"], shares.loc["site", "share_log_fold_change"] - 2, atol=1e-9
    )
    # B cells keep their part of a whole that is a quarter of what it was.
    assert site.loc["B_cell", "absolute_ci_high"] < -1
    assert site.loc["B_cell", "absolute_adjusted_p_value"] < 0.001
    assert shares.loc[("site", "B_cell"), "share_ci_high"] > -1
    assert site["total_log_fold_change"].tolist() == pytest.approx([-2.0] * len(site))
    assert numbers.loc["drug_healthy", "total_log_fold_change"].tolist() == pytest.approx([0.0] * len(site))


def test_beyond_the_range_told_the_number_is_no_longer_shown(cohort: tuple[pd.DataFrame, Design, dict]) -> None:
    """The range is tried out: the total counted a little inside of it, and a little outside."""
    counts, design, settings = cohort
    labels, units = make_cells(counts)

    def test(fold: float | None) -> pd.DataFrame:
        counted = None if fold is None else change_of(design, "tumour.none", fold)
        table = composition.test_composition(labels, units, design, settings, counted)["composition"]
        return table[table["level"] == "population"].set_index(["question", "population"]).loc["site"]

    plain = test(None)
    assert "absolute_p_value" not in plain
    loss, rise = plain.loc["CD8_activated"], plain.loc["Macrophage"]
    assert np.isnan(loss["holds_if_total_above"])
    assert np.isnan(rise["holds_if_total_below"])
    assert loss["holds_if_total_below"] > 1
    assert rise["holds_if_total_above"] < 1
    quiet = plain[plain["adjusted_p_value"] >= 0.05]
    assert quiet[["holds_if_total_above", "holds_if_total_below"]].isna().all(axis=None)
    limit = loss["holds_if_total_below"]
    assert test(0.99 * limit).loc["CD8_activated", "absolute_ci_high"] < 0
    assert test(1.01 * limit).loc["CD8_activated", "absolute_ci_high"] > 0
    limit = rise["holds_if_total_above"]
    assert test(1.01 * limit).loc["Macrophage", "absolute_ci_low"] > 0
    assert test(0.99 * limit).loc["Macrophage", "absolute_ci_low"] < 0


def test_a_call_that_the_share_does_not_show_asks_for_a_change_of_the_total() -> None:
    table = pd.DataFrame(
        {
            "log_fold_change": [-1.0, 1.0],
            "adjusted_p_value": 0.01,
            "share_ci_low": [-0.7, -1.0],
            "share_ci_high": [1.0, 0.9],
        }
    )
    found = totals.bound_totals(table, 0.95)
    assert found["holds_if_total_below"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert found["holds_if_total_above"].tolist() == pytest.approx([np.nan, 2.0], nan_ok=True)


def test_lanes_of_a_mouse_do_not_count_twice() -> None:
    sheet = make_sheet(2)
    lanes = pd.concat([sheet, sheet.set_axis(sheet.index + "_lane2")])
    design = build_design(lanes, make_settings())
    assert totals.find_totals(lanes, design) is None
    numbers = dict(
        zip(design.units["mouse"], ["1e6", "2000000", "3e6", "4e6", "5e6", "6e6", "7e6", "8e6"], strict=True)
    )
    counted = totals.find_totals(lanes.assign(absolute_cells=lanes["mouse"].map(numbers)), design)
    assert counted is not None
    assert counted.tolist() == [1e6 * n for n in range(1, 9)]
    assert list(counted.index) == list(design.units.index)
    assert totals.find_totals(lanes.assign(absolute_cells=""), design) is None


def test_a_tissue_without_counts_has_no_numbers() -> None:
    sheet = pd.concat([make_sheet(3), make_sheet(3).assign(tissue="blood").rename(index=lambda name: name + "_blood")])
    questions = [
        {"name": tissue, "kind": "effect", "factor": "site", "level": "tumour", "reference": "healthy",
         "within": {"treatment": "none"}, "tissue": tissue}
        for tissue in ("liver", "blood")
    ]  # fmt: skip
    settings = make_settings(questions=questions)
    design = build_design(sheet, settings)
    counts = draw_counts(design, np.random.default_rng(22))
    sheet["absolute_cells"] = np.where(sheet["tissue"] == "liver", "4e6", "")
    counted = totals.find_totals(sheet, design)
    numbers = totals.estimate_numbers(counts, counts.sum(axis=1), counted, design, settings)
    assert numbers.loc["liver", "absolute_p_value"].notna().all()
    assert numbers.loc["liver", "total_log_fold_change"].abs().max() < 1e-9
    assert numbers.loc["blood"].isna().all(axis=None)
