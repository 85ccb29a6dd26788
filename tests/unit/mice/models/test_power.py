"""Power: the noncentral t-distribution, and the design that it takes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from tests.unit.mice.cohort import make_design, make_settings

from livermet.mice.models.power import mice_per_arm_needed, minimum_detectable, noncentrality, replication


@pytest.mark.parametrize("df", [0.5, 1, 2, 3.7, 8, 14, 45.5, 280, 5000])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_noncentrality_has_the_power_it_promises(df: float, power: float) -> None:
    shift = float(noncentrality(df, 0.95, power))
    assert stats.nct.sf(stats.t.ppf(0.975, df), df, shift) == pytest.approx(power, abs=2e-3)


def test_noncentrality_without_degrees_of_freedom_is_not_known() -> None:
    found = noncentrality(np.array([np.nan, 0.0, np.inf]))
    assert np.isnan(found[:2]).all()
    assert found[2] == pytest.approx(stats.norm.ppf(0.975) + stats.norm.ppf(0.8))


def test_minimum_detectable_is_detected_in_four_of_five() -> None:
    rng = np.random.default_rng(3)
    n, sigma, runs = 4, 0.7, 20000
    error = sigma * np.sqrt(2 / n)
    effect = float(minimum_detectable(error, 2 * n - 2))
    p = stats.ttest_ind(rng.normal(effect, sigma, (n, runs)), rng.normal(0, sigma, (n, runs))).pvalue
    assert np.mean(p < 0.05) == pytest.approx(0.8, abs=0.01)


def test_mice_needed_is_the_first_number_that_is_enough() -> None:
    errors = np.array([0.1, 0.3, 0.5, 1.0, 9.0, np.nan])
    found = mice_per_arm_needed(errors, np.full(6, 14.0), mice_now=3.0, n_arms=2, effect=1.0)
    assert found[0] == 2
    assert np.isinf(found[4])
    assert np.isnan(found[5])
    for error, n in zip(errors[1:4], found[1:4], strict=True):
        detectable = [float(minimum_detectable(error * np.sqrt(3 / m), 14 + 2 * (m - 3))) for m in (n - 1, n)]
        assert detectable[1] <= 1.0 < detectable[0]


def test_replication_counts_the_mice_behind_a_contrast() -> None:
    design = make_design(arms={("tumour", "none"): 2, ("tumour", "drug"): 4})
    assert replication(design["drug"], design) == (pytest.approx(2 / (1 / 2 + 1 / 4)), 2)
    additive = make_design(3, make_settings(model="additive", questions=make_settings()["questions"][:2]))
    assert replication(additive["drug"], additive) == (3.0, 4)
