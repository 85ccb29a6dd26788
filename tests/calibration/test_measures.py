"""What the calibration is measured with: errors over data sets, verdicts, and mice that are as they are said to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.calibration import cohorts
from benchmarks.calibration.run import BENCH
from benchmarks.calibration.scenarios import SCENARIOS
from benchmarks.common import run
from benchmarks.common.measures import COMPATIBLE, MET, MISSED, Target, estimate, false_share


def test_error_is_that_of_data_sets_and_not_of_genes() -> None:
    rng = np.random.default_rng(1)
    values = []
    for _ in range(300):  # each a study of 40 data sets of 500 genes that share their luck
        rate = rng.beta(2, 38, 40)
        tested = rng.integers(300, 500, 40)
        values.append(estimate(rng.binomial(tested, rate), tested))
    found = np.array([value.value for value in values])
    assert np.mean([value.error for value in values]) == pytest.approx(found.std(), rel=0.1)
    inside = np.mean([value.low <= 0.05 <= value.high for value in values])
    assert 0.90 <= inside <= 0.98


def test_yes_or_no_has_limits_at_the_ends() -> None:
    found = estimate(np.zeros(20), np.ones(20))
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1.96**2 / (20 + 1.96**2), rel=1e-3)


def test_data_sets_without_the_quantity_do_not_count() -> None:
    assert estimate([0.2, 0.0, 0.4], [1.0, 0.0, 1.0]).value == pytest.approx(0.3)
    assert np.isnan(estimate([0.0], [0.0]).value)


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (0.049, 0.046, 0.052, MET),
        (0.049, 0.040, 0.058, COMPATIBLE),
        (0.056, 0.053, 0.059, COMPATIBLE),
        (0.060, 0.056, 0.064, MISSED),
    ],
)
def test_verdicts(value: float, low: float, high: float, verdict: str) -> None:
    assert Target(0.045, 0.055).judge(value, low, high) == verdict


def test_a_rate_may_have_looser_limits() -> None:
    target = Target(high=0.05, limit=(-np.inf, 0.06))
    assert str(target) == "<= 0.05 (limits <= 0.06)"
    assert target.judge(0.049, 0.04, 0.058) == MET
    assert target.judge(0.049, 0.03, 0.068) == COMPATIBLE
    assert target.judge(0.055, 0.051, 0.059) == MISSED


def test_an_exact_target_asks_nothing_of_limits() -> None:
    target = Target(0.0, 0.0, limit=(-np.inf, np.inf))
    assert str(target) == "exactly 0"
    assert target.judge(0.0, 0.0, 0.66) == MET
    assert target.judge(0.1, 0.05, 0.15) == MISSED


def test_nothing_called_is_nothing_false() -> None:
    assert false_share([False, False], [True, False]) == (0.0, 1.0)
    assert false_share([True, True, True], [True, False, True]) == (1 / 3, 1.0)


def test_mice_vary_as_said() -> None:
    rng = np.random.default_rng(2)
    noise = cohorts.Noise(in_modules=1.0, n_modules=2, module_share=0.4)
    genes = cohorts.draw_genes(rng, 300, noise)
    mice = cohorts.draw_mice(rng, genes, 6000)
    np.testing.assert_allclose(mice.mean(axis=0), 1.0, atol=0.05)
    np.testing.assert_allclose(mice.var(axis=0), np.expm1(genes.variance), rtol=0.25)
    assert 0.15 < np.median(np.sqrt(np.expm1(genes.variance))) < 0.40
    logs = np.corrcoef(np.log(mice), rowvar=False)
    module = np.sign(genes.loading)
    together, apart = module.T @ module, ~np.eye(300, dtype=bool)
    assert logs[(together == 1) & apart].mean() == pytest.approx(0.4, abs=0.03)
    assert logs[together == -1].mean() == pytest.approx(-0.4, abs=0.03)
    assert abs(logs[together == 0].mean()) < 0.01


def test_sets_are_correlated_as_asked() -> None:
    rng = np.random.default_rng(3)
    genes, sets = cohorts.plant_sets(rng, cohorts.draw_genes(rng, 200, cohorts.Noise()), 3, 30, 0.1)
    assert len(set(np.concatenate(sets))) == 90
    logs = np.corrcoef(np.log(cohorts.draw_mice(rng, genes, 8000)), rowvar=False)
    for places in sets:
        block = logs[np.ix_(places, places)]
        assert block[~np.eye(30, dtype=bool)].mean() == pytest.approx(0.1, abs=0.02)


def test_sums_are_those_of_single_cells() -> None:
    """Variance by counting of a sum: Poisson plus the dispersion between cells over their number."""
    rng = np.random.default_rng(4)
    noise = cohorts.Noise(bcv=(1e-6, 1e-6), in_modules=0.0, depth_sd=1e-9)
    genes = cohorts.draw_genes(rng, 50, noise)
    n_cells = np.full(20000, 25)
    sums, _ = cohorts.draw_sums(rng, genes, np.zeros((20000, 50)), noise, n_cells)
    mean = 25 * noise.depth * genes.level
    np.testing.assert_allclose(sums.mean(axis=0), mean, rtol=0.05)
    np.testing.assert_allclose(sums.var(axis=0), mean + mean**2 * genes.dispersion / 25, rtol=0.08)


def test_planted_changes_arrive() -> None:
    rng = np.random.default_rng(5)
    design = cohorts.make_design(200)
    noise = cohorts.Noise()
    genes = cohorts.draw_genes(rng, 100, noise)
    change = np.zeros(100)
    change[:10] = 1.0
    sums, n_cells = cohorts.draw_sums(rng, genes, cohorts.change_arm(design, cohorts.TREATED, change), noise)
    rates = sums / n_cells[:, None]
    arm = design.units["arm"].to_numpy()
    ratio = np.log2(rates[arm == cohorts.TREATED].mean(axis=0) / rates[arm == cohorts.SICK].mean(axis=0))
    assert ratio[:10].mean() == pytest.approx(1.0, abs=0.08)
    assert ratio[10:].mean() == pytest.approx(0.0, abs=0.08)
    assert np.log(n_cells).std() == pytest.approx(0.5, abs=0.05)


def test_cells_follow_the_arms_and_are_spelt_out_whole() -> None:
    rng = np.random.default_rng(6)
    design = cohorts.make_design(300)
    counts = cohorts.draw_cells(rng, design, {cohorts.SICK: {"CD8_activated": -1.5}})
    share = counts["CD8_activated"] / counts["B_cell"]
    arm = design.units["arm"]
    change = np.log2(share[arm == cohorts.SICK].median() / share[arm == cohorts.HEALTHY].median())
    assert change == pytest.approx(-1.5, abs=0.15)
    few = counts.iloc[:5]
    labels, units = cohorts.spell_out(few)
    again = pd.crosstab(units, labels["state"]).reindex(few.index)
    assert again["CD8_activated"].tolist() == few["CD8_activated"].tolist()
    assert again["unassigned"].tolist() == few["T_cell_unassigned"].tolist()
    assert len(labels) == few.to_numpy().sum()


def test_results_are_kept_setting_by_setting(tmp_path: Path) -> None:
    scenario = SCENARIOS["composition"]
    first, second = (run.run_case(scenario, case, 2, 3) for case in scenario.cases[:2])
    for table in (second, first, first.assign(value=0.25)):
        run.keep(BENCH, table, tmp_path)
    kept = run.read(tmp_path / "calibration.tsv")
    assert list(dict.fromkeys(kept["setting"])) == [case.setting for case in scenario.cases[:2]]
    assert len(kept) == len(first) + len(second)
    assert (kept.loc[kept["setting"] == scenario.cases[0].setting, "value"] == 0.25).all()
    assert {path.name for path in tmp_path.iterdir()} == {"calibration.tsv", "power.tsv", "versions.tsv"}


def test_a_data_set_follows_from_its_seed_alone() -> None:
    scenario = SCENARIOS["signature_null"]
    one, again = (run.measure_one(5, scenario=scenario, case=scenario.cases[0], seed=9) for _ in range(2))
    other = run.measure_one(6, scenario=scenario, case=scenario.cases[0], seed=9)
    assert one == again
    assert one != other
