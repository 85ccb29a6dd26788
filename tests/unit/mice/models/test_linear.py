"""Least squares against twins: by hand, by scipy and by limma; weights; calibration under the null."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pylimma import squeeze_var
from scipy import stats
from tests.unit.mice.cohort import make_design, make_settings

from livermet.mice.models.contrasts import estimate_rows
from livermet.mice.models.linear import adjust, fit_rows, precision_weights


def frame(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, index=[f"row{number}" for number in range(len(values))])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def two_groups(first: int, second: int) -> np.ndarray:
    return np.array([[1.0, 0.0]] * first + [[0.0, 1.0]] * second)


def test_two_groups_are_students_t_test(rng: np.random.Generator) -> None:
    y = rng.normal(size=(1, 9))
    table = fit_rows(frame(y), two_groups(4, 5)).estimate(np.array([-1.0, 1.0]))
    twin = stats.ttest_ind(y[0, 4:], y[0, :4])
    interval = twin.confidence_interval()
    row = table.iloc[0]
    assert row["p_value"] == pytest.approx(twin.pvalue, rel=1e-10)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert row["df"] == 7


def test_weighted_fit_is_the_normal_equations(rng: np.random.Generator) -> None:
    x = np.column_stack([np.ones(10), rng.normal(size=(10, 2))])
    y, w, c = rng.normal(size=10), rng.uniform(0.1, 5, 10), np.array([0.5, -1.0, 2.0])
    row = fit_rows(frame(y[None]), x, w[None]).estimate(c).iloc[0]
    inverse = np.linalg.inv(x.T @ np.diag(w) @ x)
    beta = inverse @ x.T @ np.diag(w) @ y
    variance = (w * (y - x @ beta) ** 2).sum() / 7
    assert row["estimate"] == pytest.approx(c @ beta, rel=1e-10)
    assert row["standard_error"] == pytest.approx(np.sqrt(variance * c @ inverse @ c), rel=1e-10)


def test_moderated_fit_is_limma(rng: np.random.Generator) -> None:
    from pylimma import contrasts_fit, e_bayes, lm_fit

    x = two_groups(3, 3)
    y = rng.normal(size=(30, 6)) * rng.uniform(0.5, 2, (30, 1))
    table = fit_rows(frame(y), x).estimate(np.array([-1.0, 1.0]))
    limma = e_bayes(contrasts_fit(lm_fit(y, x), np.array([[-1.0], [1.0]])))
    np.testing.assert_allclose(table["estimate"], np.asarray(limma["coefficients"])[:, 0], rtol=1e-8)
    np.testing.assert_allclose(table["t"], np.asarray(limma["t"])[:, 0], rtol=1e-6)
    np.testing.assert_allclose(table["p_value"], np.asarray(limma["p_value"])[:, 0], rtol=1e-6)


def test_blocks_are_limmas_duplicate_correlation(rng: np.random.Generator) -> None:
    from pylimma import duplicate_correlation, lm_fit

    mice = np.repeat([f"m{number}" for number in range(8)], 2)
    x = np.column_stack([np.ones(16), np.tile([0.0, 1.0], 8)])
    y = rng.normal(size=(12, 16)) + np.repeat(rng.normal(size=(12, 8)), 2, axis=1)
    shared = duplicate_correlation(y, x, block=mice)["consensus_correlation"]
    twin = lm_fit(y, x, block=mice, correlation=shared)
    fit = fit_rows(frame(y), x, moderate=False, blocks=list(mice))
    assert shared > 0.2
    np.testing.assert_allclose(fit.coefficients, np.asarray(twin["coefficients"]), rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(fit.variance), np.asarray(twin["sigma"]), rtol=1e-8)


def test_missing_units_are_left_out_of_their_row_alone(rng: np.random.Generator) -> None:
    y = rng.normal(size=(2, 8))
    holed = y.copy()
    holed[0, [0, 5]] = np.nan
    x, c = two_groups(4, 4), np.array([-1.0, 1.0])
    table = fit_rows(frame(holed), x, moderate=False).estimate(c)
    kept = [1, 2, 3, 4, 6, 7]
    alone = fit_rows(frame(y[:1, kept]), x[kept], moderate=False).estimate(c)
    whole = fit_rows(frame(y[1:]), x, moderate=False).estimate(c)
    np.testing.assert_allclose(table.to_numpy(dtype=float)[0], alone.to_numpy(dtype=float)[0])
    np.testing.assert_allclose(table.to_numpy(dtype=float)[1], whole.to_numpy(dtype=float)[0])


def test_an_arm_without_mice_is_not_estimated(rng: np.random.Generator) -> None:
    y = rng.normal(size=(1, 6))
    y[0, 3:] = np.nan
    assert (
        fit_rows(frame(y), two_groups(3, 3))
        .estimate(np.array([-1.0, 1.0]))
        .loc["row0"]
        .drop("residual_df")
        .isna()
        .all()
    )


def test_no_residual_df_leaves_the_estimate_alone() -> None:
    row = fit_rows(frame(np.array([[1.0, 3.5]])), np.eye(2)).estimate(np.array([-1.0, 1.0])).iloc[0]
    assert row["estimate"] == pytest.approx(2.5)
    assert row[["standard_error", "ci_low", "ci_high", "p_value", "minimum_detectable_log_fold_change"]].isna().all()


def test_rows_without_residual_df_borrow_none(rng: np.random.Generator) -> None:
    y = rng.normal(size=(8, 6))
    y[0, [0, 1, 3, 4]] = np.nan
    table = fit_rows(frame(y), two_groups(3, 3)).estimate(np.array([-1.0, 1.0]))
    assert np.isnan(table["p_value"].iloc[0])
    assert table["p_value"].iloc[1:].notna().all()


def test_weights_are_equal_where_counting_noise_is() -> None:
    y = frame(np.random.default_rng(0).normal(size=(4, 6)))
    weights = precision_weights(y, np.full((4, 6), 0.2), two_groups(3, 3))
    np.testing.assert_allclose(weights, weights[0, 0])


def test_a_row_that_counts_with_more_noise_is_not_taken_for_as_sure(rng: np.random.Generator) -> None:
    # Nineteen rows vary by 1 as their weights expect; the last, weighed a ninth, by 9. None is moderated away.
    y = frame(rng.normal(size=(20, 12)) * np.r_[np.ones(19), 3.0][:, None])
    weights = np.repeat(np.r_[np.ones(19), 1 / 9][:, None], 12, axis=1)
    fit = fit_rows(y, two_groups(6, 6), weights)
    expected = squeeze_var(fit_rows(y, two_groups(6, 6), moderate=False).variance * weights[:, 0], np.full(20, 10.0))
    np.testing.assert_allclose(fit.variance * weights[:, 0], expected["var_post"])
    assert fit.variance[-1] > 4 * np.median(fit.variance)


def test_noise_between_mice_bounds_the_weights(rng: np.random.Generator) -> None:
    x = two_groups(20, 20)
    noise = np.tile([1e-4, 0.04], (50, 20))
    y = frame(rng.normal(0, np.sqrt(noise)) + rng.normal(0, 0.5, (50, 40)))
    weights = precision_weights(y, noise, x)
    # By counting alone the ratio would be 400; with .25 between mice it is 1.16.
    assert (weights[:, 0] / weights[:, 1]).mean() == pytest.approx((0.04 + 0.25) / (1e-4 + 0.25), rel=0.03)


def test_adjust_leaves_out_what_was_not_tested() -> None:
    np.testing.assert_allclose(adjust([0.01, np.nan, 0.04, 0.03]), [0.03, np.nan, 0.04, 0.04])


def test_null_rows_keep_their_level() -> None:
    settings, rng = make_settings(), np.random.default_rng(3)
    design = make_design(3, settings)
    p = []
    for _ in range(150):
        noise = rng.uniform(0.01, 0.4, (8, len(design.units)))
        values = pd.DataFrame(rng.normal(0, np.sqrt(noise + 0.1)), columns=design.units.index)
        table = estimate_rows(values, noise, design, settings)
        p.append(table.loc[table["question"].isin(["site", "drug_by_site"]), "p_value"])
    assert 0.04 <= (pd.concat(p) < 0.05).mean() <= 0.06


def test_estimates_say_what_the_missing_mice_cost() -> None:
    settings, rng = make_settings(), np.random.default_rng(4)
    design = make_design(3, settings)
    values = pd.DataFrame(rng.normal(size=(2, 12)), index=["all", "some"], columns=design.units.index)
    values.loc["some", (design.units["arm"] == "tumour.drug").to_numpy()] = np.nan
    table = estimate_rows(values, np.full((2, 12), 0.1), design, settings).set_index(["question", "row"])
    assert table.loc[("drug", "all"), "tier"] == "confirmatory"
    lost = table.loc[("drug", "some")]
    assert lost["tier"] == "not estimable"
    assert "tumour" in lost["reason"]
    assert np.isnan(lost["estimate"])
    assert table.loc[("site", "some"), "tier"] == "confirmatory"
    assert table.loc[("drug", "all"), "mice_per_arm_needed"] >= 2
