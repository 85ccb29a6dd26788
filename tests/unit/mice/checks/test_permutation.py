"""Labels exchanged: against enumeration by hand, and right as often as they should be where nothing is to be found."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.unit.mice.cohort import make_design, make_settings, make_sheet

from livermet.mice.checks.permutation import Model, Null, Prior, permute, statistics
from livermet.mice.checks.relabelling import RESIDUALS, relabel
from livermet.mice.design.model import Design, build_design

NOTHING = Prior()


def cohort(n: int, covariates: dict[str, list[Any]] | None = None) -> Design:
    """`n` mice in each of four arms; covariates repeat over the mice of an arm."""
    sheet = make_sheet(n)
    for name, values in (covariates or {}).items():
        sheet[name] = [str(value) for _ in range(4) for value in values]
    return build_design(sheet, make_settings(covariates=list(covariates or {})))


def null_of(values: np.ndarray, question: str, design: Design, prior: Prior = NOTHING, seed: int = 1) -> Null:
    matrix = design.matrix.to_numpy(dtype=float)
    stays = design.is_covariate
    return permute(values, Model(matrix, stays, design.vector(question)), relabel(question, design, seed), prior, seed)


def t_by_hand(values: np.ndarray, matrix: np.ndarray, vector: np.ndarray) -> float:
    beta, *_ = np.linalg.lstsq(matrix, values, rcond=None)
    residuals = values - matrix @ beta
    variance = residuals @ residuals / (len(values) - matrix.shape[1])
    return float(abs(vector @ beta) / np.sqrt(variance * vector @ np.linalg.inv(matrix.T @ matrix) @ vector))


def test_three_against_three_equals_brute_force() -> None:
    design = cohort(3)
    values = np.random.default_rng(3).normal(size=12)
    units, matrix = design.units, design.matrix.to_numpy(dtype=float)
    inside = np.flatnonzero((units["site"] == "tumour").to_numpy())
    labels = units["treatment"].to_numpy()[inside]
    treated, untreated = (matrix[inside][labels == label][0] for label in ("drug", "none"))
    sizes = []
    for chosen in combinations(inside, 3):
        labelled = matrix.copy()
        labelled[inside] = untreated
        labelled[list(chosen)] = treated
        sizes.append(t_by_hand(values, labelled, design.vector("drug")))
    seen = t_by_hand(values, matrix, design.vector("drug"))
    expected = np.mean(np.array(sizes) >= seen * (1 - 1e-9))
    found = null_of(values, "drug", design)
    assert found.n == len(sizes) - 1 == 19
    assert found.p_value == pytest.approx(expected)
    assert 0.1 < expected < 1


def test_the_smallest_p_of_three_against_three_is_a_tenth_and_is_reached() -> None:
    design = cohort(3)
    values = np.where((design.units["treatment"] == "drug") & (design.units["site"] == "tumour"), 10.0, 0.0)
    values += np.random.default_rng(0).normal(0, 0.1, 12)
    found = null_of(values, "drug", design)
    assert found.smallest == pytest.approx(0.1)
    assert found.p_value == pytest.approx(0.1)


def test_within_three_batches_of_pairs_the_smallest_p_is_a_quarter() -> None:
    design = cohort(3, {"batch": ["b1", "b2", "b3"]})
    ways = relabel("drug", design, 1)
    assert ways.scheme == "labels exchanged within batch"
    assert len(ways.orders) == 8
    batch = design.units["batch"].to_numpy()
    assert (batch[ways.orders] == batch).all()
    assert null_of(np.random.default_rng(1).normal(size=12), "drug", design).smallest == pytest.approx(0.25)


def test_unequal_arms_have_no_mirror_image() -> None:
    arms = {("tumour", "none"): 2, ("tumour", "drug"): 3, ("healthy", "none"): 3, ("healthy", "drug"): 3}
    design = make_design(arms=arms)
    found = null_of(np.random.default_rng(1).normal(size=11), "drug", design)
    assert (found.n, found.smallest) == (9, pytest.approx(0.1))


def test_batches_that_tell_all_labels_leave_residuals() -> None:
    settings = make_settings(covariates=["age"])
    sheet = make_sheet(3).assign(age=[str(age) for age in np.random.default_rng(0).normal(10, 2, 12).round(2)])
    ways = relabel("drug", build_design(sheet, settings), 1)
    assert (ways.scheme, ways.residuals, len(ways.orders)) == (RESIDUALS, True, 720)
    # A batch that holds one mouse of the question's arms leaves but one labelling.
    lanes = make_sheet(3).assign(batch=["a", "b", "c", "b", "c", "a", "a", "b", "c", "d", "e", "f"])
    design = build_design(lanes, make_settings(covariates=["batch"]))
    assert relabel("drug", design, 1).residuals


def test_a_difference_permutes_residuals_and_says_so() -> None:
    design = cohort(3)
    ways = relabel("drug_by_site", design, 1)
    assert (ways.scheme, ways.exact, len(ways.orders)) == (RESIDUALS, False, 1000)
    assert (ways.orders[0] == np.arange(12)).all()
    values = np.random.default_rng(5).normal(size=12)
    # Main effects, however large, are no part of the null of an interaction.
    treated = (design.units["treatment"] == "drug").to_numpy(dtype=float)
    shifted = values + 50 * treated
    assert null_of(values, "drug_by_site", design).p_value == null_of(shifted, "drug_by_site", design).p_value
    planted = values + 8 * treated * (design.units["site"] == "tumour").to_numpy(dtype=float)
    assert null_of(planted, "drug_by_site", design).p_value < 0.02


def test_the_residual_statistic_seen_is_the_t_of_the_model() -> None:
    design = cohort(3, {"batch": ["b1", "b2", "b3"]})
    matrix, values = design.matrix.to_numpy(dtype=float), np.random.default_rng(2).normal(size=12)
    ways = relabel("drug_by_site", design, 1)
    model = Model(matrix, design.is_covariate, design.vector("drug_by_site"))
    estimate, variance, unscaled = next(statistics(values[None, :], model, ways))
    seen = abs(estimate[0]) / np.sqrt(variance[0] * unscaled)
    assert seen == pytest.approx(t_by_hand(values, matrix, design.vector("drug_by_site")))


def test_weights_and_correlation_are_those_of_generalised_least_squares() -> None:
    rng = np.random.default_rng(4)
    design = cohort(3)
    matrix, vector, y = design.matrix.to_numpy(dtype=float), design.vector("drug"), rng.normal(size=12)
    weights = rng.uniform(0.5, 2, 12)
    correlation = np.eye(12) + 0.3 * (np.arange(12)[:, None] // 2 == np.arange(12)[None, :] // 2) * (1 - np.eye(12))
    model = Model(matrix, np.zeros(4, dtype=bool), vector, weights, correlation)
    estimate, _, unscaled = next(statistics(y[None, :], model, relabel("drug", design, 1)))
    root = np.diag(1 / np.sqrt(weights / weights.mean()))
    inverse = np.linalg.inv(root @ correlation @ root)
    information = np.linalg.inv(matrix.T @ inverse @ matrix)
    assert estimate[0] == pytest.approx(vector @ information @ matrix.T @ inverse @ y)
    assert unscaled == pytest.approx(vector @ information @ vector)


@pytest.mark.parametrize(("question", "batches"), [("drug", 0), ("drug", 4), ("drug_by_site", 0), ("drug_by_site", 4)])
def test_nothing_to_be_found_is_found_as_often_as_it_should(question: str, batches: int) -> None:
    """p <= .125 in an eighth of 1,500 cohorts without any effect: within three standard errors, and never far above."""
    design = cohort(4, {"batch": list(range(batches))} if batches else None)
    ways = relabel(question, design, 1, sampled=199)
    matrix = design.matrix.to_numpy(dtype=float)
    stays = design.is_covariate
    values = np.random.default_rng(11).normal(size=(1500, 16))
    fits = statistics(values, Model(matrix, stays, design.vector(question)), ways)
    t = np.array([np.abs(estimate) / np.sqrt(variance * unscaled) for estimate, variance, unscaled in fits])
    p = (t >= t[0] * (1 - 1e-7)).mean(axis=0)
    assert (p <= 0.125 + 1e-9).mean() == pytest.approx(0.125, abs=3 * np.sqrt(0.125 * 0.875 / 1500) + 0.005)


def test_a_prior_changes_the_statistic_as_limma_does() -> None:
    prior = Prior(4.0, 0.5)
    assert prior.moderate(np.array([1.0, 2.0]), 8.0) == pytest.approx([(4 * 0.5 + 8) / 12, (4 * 0.5 + 16) / 12])
    assert Prior(np.inf, 0.5).moderate(np.array([1.0, 2.0]), 8.0) == pytest.approx([0.5, 0.5])
    assert NOTHING.moderate(np.array([3.0]), 8.0) == pytest.approx([3.0])


def test_large_arms_are_sampled_with_a_seed() -> None:
    design = cohort(8)
    ways = relabel("drug", design, 1)
    assert (ways.exact, len(ways.orders)) == (False, 1000)
    assert (ways.orders == relabel("drug", design, 1).orders).all()
    assert not (ways.orders == relabel("drug", design, 2).orders).all()
    treated = (design.units["treatment"] == "drug").to_numpy()
    inside = (design.units["site"] == "tumour").to_numpy()
    assert (treated[ways.orders][:, inside].sum(axis=1) == 8).all()
    assert (ways.orders[:, ~inside] == np.flatnonzero(~inside)).all()
    values = np.random.default_rng(0).normal(size=32)
    exact = stats.ttest_ind(values[inside & treated], values[inside & ~treated]).pvalue
    assert null_of(values, "drug", design).p_value == pytest.approx(exact, abs=0.08)


def test_tissues_of_a_mouse_move_together_and_are_exchanged_where_tissues_are_compared() -> None:
    sheet = pd.concat([make_sheet(3), make_sheet(3).assign(tissue="blood")])
    sheet.index = [f"s{place}" for place in range(len(sheet))]
    questions = [
        {"name": "drug", "kind": "effect", "factor": "treatment", "level": "drug", "reference": "none",
         "within": {"site": "tumour", "tissue": "liver"}},
        {"name": "tissue", "kind": "effect", "factor": "tissue", "level": "blood", "reference": "liver",
         "within": {"site": "tumour", "treatment": "none"}},
    ]  # fmt: skip
    factors = {"site": ["healthy", "tumour"], "treatment": ["none", "drug"], "tissue": ["liver", "blood"]}
    design = build_design(sheet, make_settings(questions=questions, factors=factors))
    mouse, tissue = design.units["mouse"].to_numpy(), design.units["tissue"].to_numpy()
    paired = relabel("tissue", design, 1)
    assert len(paired.orders) == 8
    assert (mouse[paired.orders] == mouse).all()
    whole = relabel("drug", design, 1)
    assert len(whole.orders) == 20
    assert (tissue[whole.orders] == tissue).all()
