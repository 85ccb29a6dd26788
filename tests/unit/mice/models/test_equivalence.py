"""Sameness: against statsmodels' own twin by hand, calibrated at the margin, and the mice that it takes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.unit.mice.cohort import QUESTIONS, make_design, make_settings

from livermet import keys
from livermet.mice.design.model import Design
from livermet.mice.models import equivalence
from livermet.mice.models.contrasts import estimate_rows
from livermet.mice.models.equivalence import find_margin, judge, mice_for_equivalence, tost

ASKED = {
    "name": "like_healthy",
    "kind": "equivalence",
    "arm": {"site": "tumour", "treatment": "drug"},
    "like": {"site": "healthy", "treatment": "none"},
}


def design_with(n: int = 3, **changes: object) -> Design:
    return make_design(n, make_settings(questions=[*QUESTIONS, ASKED | changes]))


def test_two_one_sided_t_tests_by_hand() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(0.2, 1, 8), rng.normal(0, 1, 8)
    error = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 8)
    found = tost(first.mean() - second.mean(), error, 14, 1.5)
    above = stats.ttest_ind(first, second - 1.5, alternative="greater").pvalue
    below = stats.ttest_ind(first, second + 1.5, alternative="less").pvalue
    assert found["equivalence_p_value"] == pytest.approx(max(above, below))
    interval = stats.ttest_ind(first, second).confidence_interval(0.9)
    assert (found["tost_ci_low"], found["tost_ci_high"]) == pytest.approx(tuple(interval))


@pytest.mark.parametrize("margin", [0.2, 0.7, 1.0, 2.0])
def test_p_under_alpha_is_the_interval_within_the_margin(margin: float) -> None:
    estimate = np.linspace(-2, 2, 201)
    found = tost(estimate, 0.3, 6, margin, confidence=0.95)
    within = (found["tost_ci_low"] > -margin) & (found["tost_ci_high"] < margin)
    assert (within == (found["equivalence_p_value"] < 0.05)).all()


def test_without_degrees_of_freedom_nothing_is_said() -> None:
    assert np.isnan(tost(0.0, np.nan, np.nan, 1.0)["equivalence_p_value"])


def claims(difference: float, spread: float, n_sets: int = 60) -> float:
    """Share of rows called the same; rows are cohorts of their own, without moderation."""
    design, rng = design_with(), np.random.default_rng(3)
    arm = (design.units["arm"] == "tumour.drug").to_numpy(dtype=float)
    values = pd.DataFrame(difference * arm + rng.normal(0, spread, (n_sets * 25, len(design.units))),
                          columns=design.units.index)  # fmt: skip
    table = estimate_rows(values, np.full(values.shape, 1e-9), design, design.settings, moderate=False)
    asked = table[table[keys.QUESTION] == "like_healthy"]
    assert (asked[keys.P_VALUE] == asked[keys.EQUIVALENCE_P_VALUE]).all()
    return float((asked[keys.P_VALUE] < 0.05).mean())


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_at_the_margin_sameness_is_claimed_in_five_percent(side: float) -> None:
    assert claims(side * 1.0, 0.3) == pytest.approx(0.05, abs=0.017)  # three standard errors of 1,500 cohorts


def test_with_little_noise_sameness_is_found_and_with_much_it_is_not() -> None:
    assert claims(0.0, 0.2, 20) > 0.95
    assert claims(0.0, 2.0, 20) < 0.02


def test_mice_needed_reach_the_power_promised() -> None:
    """By simulation: with as many mice as said, 80 % of studies without a difference show sameness."""
    spread, margin = 0.6, 1.0
    needed = int(mice_for_equivalence(spread * np.sqrt(2 / 3), 4, mice_now=3, n_arms=2, margin=margin))
    rng = np.random.default_rng(5)
    shown = []
    for n in (needed - 1, needed):
        first, second = rng.normal(0, spread, (2, 4000, n))
        error = np.sqrt((first.var(axis=1, ddof=1) + second.var(axis=1, ddof=1)) / n)
        p = tost(first.mean(axis=1) - second.mean(axis=1), error, 2 * n - 2, margin)["equivalence_p_value"]
        shown.append((p < 0.05).mean())
    assert shown[0] < 0.81
    assert shown[1] > 0.78


def test_table_of_a_study_with_the_question() -> None:
    design, rng = design_with(margin=0.8, signature_margin=0.4), np.random.default_rng(9)
    values = pd.DataFrame(rng.normal(0, 0.1, (6, len(design.units))), index=list("abcdef"), columns=design.units.index)
    values.loc["f", design.units["arm"] == "tumour.drug"] += 3.0
    noise = np.full(values.shape, 1e-9)
    table = estimate_rows(values, noise, design, design.settings)
    others, asked = table[table[keys.QUESTION] == "site"], table[table[keys.QUESTION] == "like_healthy"]
    assert others[[keys.MARGIN, keys.EQUIVALENCE_P_VALUE]].isna().all().all()
    assert (asked[keys.MARGIN] == 0.8).all()
    assert json.loads(asked["n_mice"].iloc[0]) == {"tumour.drug": 3, "healthy.none": 3}
    adjusted = table.assign(**{keys.ADJUSTED_P_VALUE: table[keys.P_VALUE]})
    told = judge(adjusted, 0.95)
    told = told[told[keys.QUESTION] == "like_healthy"].set_index("row")
    assert told[keys.EQUIVALENT].to_dict() == {**dict.fromkeys("abcde", True), "f": False}
    assert told.loc["f", keys.DIFFERENCE_ADJUSTED] < 1e-3
    assert told.loc["f", keys.P_VALUE] > 0.999
    scores = estimate_rows(values, noise, design, design.settings, endpoint="signature")
    assert (scores.loc[scores[keys.QUESTION] == "like_healthy", keys.MARGIN] == 0.4).all()


def test_one_mouse_an_arm_has_no_p() -> None:
    design = design_with(1)
    values = pd.DataFrame(np.ones((1, len(design.units))), index=["a"], columns=design.units.index)
    table = estimate_rows(values, np.full(values.shape, 1e-9), design, design.settings)
    asked = table[table[keys.QUESTION] == "like_healthy"].iloc[0]
    assert asked["tier"] == "descriptive"
    assert np.isnan(asked[keys.P_VALUE])
    assert pd.isna(judge(table.assign(adjusted_p_value=np.nan), 0.95)[keys.EQUIVALENT]).all()


def test_margins_default_to_the_effect_of_interest() -> None:
    settings = make_settings(questions=[*QUESTIONS, ASKED], effect_of_interest=0.7)
    assert find_margin("like_healthy", settings) == 0.7
    assert find_margin("like_healthy", settings, "signature") == 0.7
    settings = make_settings(questions=[*QUESTIONS, ASKED | {"margin": 1.2}])
    assert find_margin("like_healthy", settings, "signature") == 1.2


def test_tables_without_the_question_have_the_columns_empty() -> None:
    table = pd.DataFrame({keys.QUESTION: ["a"], keys.P_VALUE: [0.01], keys.ADJUSTED_P_VALUE: [0.01]})
    told = judge(table, 0.95)
    assert told[list(equivalence.COLUMNS)].isna().all().all()
