"""Rescue: Fieller's set against brute force, calibration at known truth, honest silence, calls of genes."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.unit.mice.cohort import make_design, make_settings

from livermet.mice.design.model import Design
from livermet.mice.endpoints import rescue
from livermet.mice.models.fieller import BOUNDED, EXCLUSIVE, UNBOUNDED, fieller
from livermet.tcells import signatures

SETS = {
    "schema_version": 1,
    "species": "mouse",
    "aliases": {},
    "signatures": [
        {"name": "death", "kind": "state", "lineage": "T", "use": "score", "description": "dying",
         "up": ["Bax", "Bid"], "down": ["Bcl2"], "source": "test", "verification": "curated"}
    ],
}  # fmt: skip
NO_GENES = pd.DataFrame(columns=["question", "population", "gene_id", "gene", "log_fold_change", "p_value"])


@pytest.mark.parametrize(
    ("a", "b", "covariance", "kind"),
    [
        (1.0, 2.0, [[0.04, 0.01], [0.01, 0.09]], BOUNDED),
        (-1.0, 2.0, [[0.04, -0.02], [-0.02, 0.09]], BOUNDED),
        (2.0, 0.3, [[0.04, 0.0], [0.0, 0.09]], EXCLUSIVE),
        (0.1, 0.1, [[0.04, 0.01], [0.01, 0.09]], UNBOUNDED),
    ],
)
def test_fieller_is_the_set_of_ratios_that_a_t_test_keeps(a: float, b: float, covariance: list, kind: str) -> None:
    v, quantile = np.array(covariance), stats.t.ppf(0.975, 6)
    found = fieller(a, b, v, quantile)
    assert found.kind == kind
    assert found.estimate == pytest.approx(a / b)
    for ratio in np.linspace(-30, 30, 4001):
        t = (a - ratio * b) / np.sqrt(v[0, 0] - 2 * ratio * v[0, 1] + ratio**2 * v[1, 1])
        assert found.contains(ratio) == (abs(t) <= quantile), ratio


def test_fieller_nears_the_delta_method_where_the_denominator_is_sure() -> None:
    found = fieller(1.0, 10.0, np.array([[0.04, 0.0], [0.0, 0.01]]), 1.96)
    half = 1.96 * np.sqrt(0.04 / 100 + 0.01 / 10000)
    assert (found.low, found.high) == pytest.approx((0.1 - half, 0.1 + half), rel=0.01)


def test_fieller_nears_the_bootstrap() -> None:
    v = np.array([[0.05, 0.02], [0.02, 0.06]])
    draws = np.random.default_rng(1).multivariate_normal([1.2, 1.6], v, size=200000)
    found = fieller(1.2, 1.6, v, stats.norm.ppf(0.975))
    low, high = np.quantile(draws[:, 0] / draws[:, 1], [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06)


def test_a_denominator_at_the_edge_gives_a_half_line() -> None:
    found = fieller(1.0, 2.0, np.array([[0.1, 0.0], [0.0, 1.0]]), 2.0)
    assert found.kind == BOUNDED
    assert found.high == np.inf
    assert found.low == pytest.approx(0.15)


def abundance(design: Design, effects: dict[str, float], rng: np.random.Generator, sd: float = 0.25) -> pd.DataFrame:
    """clr of six populations; one follows the arms."""
    tables = []
    for name in ("CD8_activated", "a", "b", "c", "d", "e"):
        mean = design.units["arm"].map(effects).fillna(0.0) if name == "CD8_activated" else 0.0
        values = mean + rng.normal(0, sd, len(design.units))
        tables.append(pd.DataFrame({"unit": design.units.index, "population": name, "clr": values, "variance": 0.01}))
    return pd.concat(tables, ignore_index=True)


def pseudobulk(design: Design, lift: dict[str, float] | None = None) -> anndata.AnnData:
    """Noise-free sums of activated CD8 T cells; death genes follow the arms (log2)."""
    symbols = ["Bax", "Bid", "Bcl2", *(f"G{number}" for number in range(200))]
    rng = np.random.default_rng(5)
    base = np.concatenate([[200, 200, 200], rng.integers(50, 5000, 200)]).astype(float)
    rows = []
    for number, arm in enumerate(design.units["arm"]):
        change = (lift or {}).get(arm, 0.0) + (number % 3 - 1) * 0.05
        rows.append(base * 2 ** np.concatenate([[change, change, -change], np.zeros(200)]))
    obs = design.units[["mouse", "tissue"]].assign(population="CD8_activated", n_cells=30)
    var = pd.DataFrame({"symbol": symbols}, index=pd.Index(symbols, name="gene_id"))
    return anndata.AnnData(np.round(np.array(rows)), obs=obs.set_index(obs.index + ":CD8"), var=var)


def run(design: Design, table: pd.DataFrame, sums: anndata.AnnData, settings: dict) -> pd.DataFrame:
    return rescue.test_rescue(table, sums, NO_GENES, design, settings, signatures.load(SETS), {})["rescue"].set_index(
        "readout"
    )


@pytest.fixture(scope="module")
def many() -> dict[float, pd.DataFrame]:
    """Truth -> the abundance rescue of many cohorts with a damage of -1.5 (NaN: no damage at all)."""
    settings, rng = make_settings(), np.random.default_rng(12)
    settings["questions"][-1]["readouts"] = settings["questions"][-1]["readouts"][:1]
    design, found = make_design(3, settings), {}
    sums = pseudobulk(design)
    for truth in (0.0, 0.5, 1.0, np.nan):
        damage = 0.0 if np.isnan(truth) else -1.5
        effects = {"tumour.none": damage, "tumour.drug": damage * (1 - np.nan_to_num(truth))}
        rows = [run(design, abundance(design, effects, rng), sums, settings) for _ in range(100)]
        found[str(truth)] = pd.concat(rows)
    return found


@pytest.mark.parametrize("truth", [0.0, 0.5, 1.0])
def test_rescue_is_unbiased_and_its_interval_covers(many: dict[str, pd.DataFrame], truth: float) -> None:
    table = many[str(truth)]
    assert table["estimable"].mean() > 0.97
    kept = table[table["estimable"]]
    assert kept["rescue"].mean() == pytest.approx(truth, abs=0.05)
    assert ((kept["ci_low"] <= truth) & (truth <= kept["ci_high"])).mean() >= 0.91
    claimed = kept["rescue_excludes_zero"].mean()
    assert claimed <= 0.1 if truth == 0 else claimed >= 0.75


def test_without_damage_nothing_can_be_rescued(many: dict[str, pd.DataFrame]) -> None:
    table = many["nan"]
    assert (~table["estimable"]).mean() >= 0.9
    silent = table[~table["estimable"]]
    assert silent[["rescue", "ci_low", "ci_high"]].isna().all().all()
    assert silent["reason"].str.contains("not separated from 0").all()
    assert (silent["tier"] == "not estimable").all()


def test_signature_axis_is_declared_and_recovered() -> None:
    settings = make_settings()
    design = make_design(3, settings)
    sums = pseudobulk(design, {"tumour.none": 1.2, "tumour.drug": 0.3})
    row = run(design, abundance(design, {}, np.random.default_rng(1)), sums, settings).loc["signature"]
    assert row["estimable"]
    assert row["signature"] == "death"
    assert row["damage"] == pytest.approx(1.2, abs=0.05)
    assert row["rescue"] == pytest.approx(0.75, abs=0.05)
    assert row["ci_low"] < 0.75 < row["ci_high"]


def test_completeness_is_shown_where_nothing_remains_and_the_noise_is_small() -> None:
    settings = make_settings()
    settings["questions"][-1]["readouts"] = [dict(one) for one in settings["questions"][-1]["readouts"]]
    settings["questions"][-1]["readouts"][1]["margin"] = 0.3
    design, rng = make_design(3, settings), np.random.default_rng(8)
    sums = pseudobulk(design, {"tumour.none": 1.2, "tumour.drug": 0.0})
    table = run(design, abundance(design, {"tumour.none": -2.0, "tumour.drug": -2.0}, rng), sums, settings)
    whole, not_at_all = table.loc["signature"], table.loc["abundance"]
    assert whole["remaining"] == pytest.approx(whole["damage"] + whole["repair"])
    assert whole["remaining"] == pytest.approx(0.0, abs=0.02)
    assert (whole["complete"], whole["completeness"], whole["completeness_margin"]) == (True, "shown", 0.3)
    # Twice the one-sided p at the margin is the two-sided p of the nearer end: 90 % interval within, p under 5 %.
    assert whole["completeness_p_value"] < 0.05
    assert max(abs(whole["remaining_ci_low"]), abs(whole["remaining_ci_high"])) < 0.3
    assert (not_at_all["complete"], not_at_all["completeness"]) == (False, "something remains")
    assert not_at_all["remaining"] == pytest.approx(-2.0, abs=0.6)
    assert not_at_all["remaining_ci_high"] < 0


def test_completeness_of_a_damage_within_the_margin_is_not_judged() -> None:
    settings = make_settings(effect_of_interest=1.5)
    design = make_design(3, settings)
    sums = pseudobulk(design, {"tumour.none": 1.2, "tumour.drug": 1.2})
    row = run(design, abundance(design, {}, np.random.default_rng(1)), sums, settings).loc["signature"]
    # Mice that nothing was done for would pass as complete: the margin is wider than what there is to repair.
    assert row["completeness_p_value"] < 0.05
    assert pd.isna(row["complete"])
    assert row["completeness"] == "the damage itself is within the margin"


def test_completeness_is_claimed_of_an_unfinished_rescue_in_few_cohorts() -> None:
    """What remains is exactly the margin: sameness is claimed in 5 % of cohorts."""
    settings, rng = make_settings(), np.random.default_rng(13)
    settings["questions"][-1]["readouts"] = settings["questions"][-1]["readouts"][:1]
    design = make_design(3, settings)
    sums = pseudobulk(design)
    effects = {"tumour.none": -2.5, "tumour.drug": -1.0}
    claimed = [run(design, abundance(design, effects, rng), sums, settings)["complete"].iloc[0] for _ in range(100)]
    assert np.mean(np.array(claimed) == True) <= 0.11  # noqa: E712 (missing is not True)


def test_one_mouse_an_arm_gives_effects_without_a_claim() -> None:
    settings = make_settings()
    design = make_design(1, settings)
    row = run(design, abundance(design, {"tumour.none": -2.0}, np.random.default_rng(1)), pseudobulk(design), settings)
    row = row.loc["abundance"]
    assert row["tier"] == "descriptive"
    assert not row["estimable"]
    assert np.isfinite(row["damage"])
    assert np.isnan(row["rescue"])
    assert np.isnan(row["damage_ci_low"])


def test_missing_population_and_arm_say_why() -> None:
    settings = make_settings()
    design = make_design(3, settings)
    table, sums = abundance(design, {}, np.random.default_rng(1)), pseudobulk(design)
    none = run(design, table[table["population"] != "CD8_activated"], sums, settings).loc["abundance"]
    assert "too few cells" in none["reason"]
    assert not none["estimable"]
    few = sums.copy()
    few.obs.loc[design.units["arm"].eq("tumour.drug").to_numpy(), "n_cells"] = 3
    lost = run(design, table, few, settings).loc["signature"]
    assert lost["tier"] == "not estimable"
    assert "no mouse has" in lost["reason"]


def test_genes_that_call_the_population_are_no_axis() -> None:
    settings = make_settings()
    design = make_design(3, settings)
    sums = pseudobulk(design, {"tumour.none": 1.2})
    table, sets = abundance(design, {}, np.random.default_rng(1)), signatures.load(SETS)
    called = {"CD8_activated": ["Bax", "Bid", "Bcl2"]}
    found = rescue.test_rescue(table, sums, NO_GENES, design, settings, sets, called)["rescue"].set_index("readout")
    assert not found.loc["signature", "estimable"]
    assert found.loc["signature", "reason"] == "no gene of death is expressed"
