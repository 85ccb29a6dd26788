"""The learned axis: no mouse scored by its own noise, index and interval at a known truth, silence without damage."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from tests.unit.mice.cohort import make_design, make_settings, make_sheet
from tests.unit.mice.damaged import SICK, TREATED, draw_damaged

from livermet.mice.design.model import Design, build_design
from livermet.mice.endpoints import axis as axes
from livermet.mice.endpoints import rescue
from livermet.mice.endpoints.axis import LearnedAxis, learn_axis
from livermet.mice.endpoints.readouts import Measured, profile
from livermet.mice.models.shrinkage import shrink
from livermet.tcells import signatures

READOUT = {"population": "CD8_activated", "readout": "axis"}
NO_GENES = pd.DataFrame(columns=["question", "population", "gene_id", "gene", "log_fold_change", "p_value"])
NO_SETS = signatures.load(
    {
        "schema_version": 1,
        "species": "mouse",
        "aliases": {},
        "signatures": [
            {"name": "none", "kind": "state", "lineage": "T", "use": "score", "description": "no gene of the study",
             "up": ["Absent"], "down": [], "source": "test", "verification": "curated"}
        ],
    }
)  # fmt: skip


def settings_with(readout: dict | None = None) -> dict:
    settings = make_settings()
    questions = [dict(question) for question in settings["questions"]]
    questions[-1]["readouts"] = [{"signature": None, "margin": None, **(readout or READOUT)}]
    return settings | {"questions": questions}


@pytest.fixture(scope="module")
def design() -> Design:
    return make_design(3, settings_with())


def learn(design: Design, sums: anndata.AnnData, without: tuple[str, ...] = ()) -> LearnedAxis:
    profiles = profile(sums, "CD8_activated", design, {}, 10)
    return learn_axis(profiles, sums.var["symbol"], design, design["site"], design["drug"], without)


def rescued(design: Design, sums: anndata.AnnData) -> pd.Series:
    empty = pd.DataFrame(columns=["population", "unit", "clr", "variance"])
    return rescue.test_rescue(empty, sums, NO_GENES, design, design.settings, NO_SETS, {})["rescue"].iloc[0]


@pytest.fixture(scope="module")
def many(design: Design) -> dict[str, pd.DataFrame]:
    """Truth -> rescues of many cohorts; "none": there is no damage."""
    rng, found = np.random.default_rng(20), {}
    for truth in (0.0, 0.5, 1.0):
        found[str(truth)] = pd.DataFrame([rescued(design, draw_damaged(design, rng, rescue=truth)) for _ in range(20)])
    nothing = [rescued(design, draw_damaged(design, rng, rescue=0.0, n_damaged=0)) for _ in range(40)]
    return {**found, "none": pd.DataFrame(nothing)}


@pytest.mark.parametrize("truth", [0.0, 0.5, 1.0])
def test_index_is_unbiased_and_its_interval_covers(many: dict[str, pd.DataFrame], truth: float) -> None:
    table = many[str(truth)]
    assert table["estimable"].mean() >= 0.95
    assert table["rescue"].astype(float).mean() == pytest.approx(truth, abs=0.05)
    assert ((table["ci_low"] <= truth) & (truth <= table["ci_high"])).mean() >= 0.85  # 17 of 20
    assert (table["ci_high"] - table["ci_low"]).median() < 0.6
    assert table["rescue_excludes_zero"].mean() <= 0.1 if truth == 0 else table["rescue_excludes_zero"].mean() >= 0.95


def test_without_damage_nothing_is_estimable(many: dict[str, pd.DataFrame]) -> None:
    table = many["none"]
    assert (~table["estimable"].astype(bool)).mean() >= 0.9
    # Neither does leaving mice out push the damage of nothing below nothing.
    z = table["damage"] / (table["damage_ci_high"] - table["damage_ci_low"])
    assert abs(z.mean()) < 3 * z.std() / np.sqrt(len(z))


def test_an_axis_of_the_same_mice_finds_damage_in_noise(design: Design) -> None:
    """What the learned axis is there to avoid: half of nothing is repaired."""
    rng, naive = np.random.default_rng(3), []
    for _ in range(10):
        sums = draw_damaged(design, rng, rescue=0.0, n_damaged=0)
        values, _ = profile(sums, "CD8_activated", design, {}, 10).levels()
        healthy, sick, treated = (values[design.units["arm"] == arm].mean() for arm in ("healthy.none", SICK, TREATED))
        naive.append((treated - sick) @ (healthy - sick) / ((healthy - sick) @ (healthy - sick)))
    assert np.mean(naive) == pytest.approx(0.5, abs=0.1)


def test_a_mouse_has_no_hand_in_its_own_axis(design: Design) -> None:
    """Scores of a mouse are linear in its own counts' logs: doubling its changes doubles them, whatever they are."""
    rng = np.random.default_rng(5)
    values = pd.DataFrame(rng.normal(8, 0.4, (len(design.units), 200)), index=design.units.index)
    noise = pd.DataFrame(0.01, index=values.index, columns=values.columns)

    class Profiles:
        units, n_cells = design.units.index, pd.Series(50, index=design.units.index)

        def __init__(self, values: pd.DataFrame) -> None:
            self.values = values

        def levels(self, without=()):
            return self.values, noise

    symbols = pd.Series([f"Gene{place}" for place in range(200)])

    def scores(values: pd.DataFrame) -> pd.Series:
        return learn_axis(Profiles(values), symbols, design, design["site"], design["drug"]).measured.values

    for mouse in ("hn0", "tn2"):
        odd, odder = values.copy(), values.copy()
        shift = rng.normal(0, 1, 200)
        odd.loc[mouse] += shift
        odder.loc[mouse] += 2 * shift
        base, once, twice = (scores(one)[mouse] for one in (values, odd, odder))
        assert twice - base == pytest.approx(2 * (once - base), rel=1e-9)
    # The treated never train: nobody else's score depends on how they vary.
    moved = values.copy()
    moved.loc["td0"] += 1.0
    moved.loc["td1"] -= 1.0
    left = [name for name in values.index if name not in ("td0", "td1")]
    np.testing.assert_allclose(scores(moved)[left], scores(values)[left])


def test_weights_find_the_damaged_genes_and_leave_out_the_named(design: Design) -> None:
    sums = draw_damaged(design, np.random.default_rng(7), rescue=0.5, n_damaged=20, size=2.0)
    found = learn(design, sums)
    named = [word for word in found.words.replace(",", "").split() if word.startswith("Gene")]
    assert len(named) == axes.FOREMOST
    assert all(int(name.removeprefix("Gene")) < 20 for name in named)
    without = learn(design, sums, without=named[:1])
    assert named[0] not in without.words
    assert f"of {int(found.words.split(' of ')[2].split()[0]) - 1} genes" in without.words


def test_scatter_alone_is_too_short_an_interval(design: Design) -> None:
    """Variance of the damage over many cohorts without damage, against what one cohort says with and without widening."""
    rng, rows = np.random.default_rng(11), []
    for _ in range(60):
        found = learn(design, draw_damaged(design, rng, rescue=0.0, n_damaged=0, n_genes=300))
        fit = rescue._fit_one(found.measured, design)
        vectors = np.array([design.vector("drug"), -design.vector("site")])
        (_, undone), covariance = fit.joint(0, vectors)
        rows.append((undone, covariance[1, 1], found.widen(covariance, float(fit.variance[0]))[1, 1]))
    undone, naive, widened = np.array(rows).T
    assert naive.mean() < 0.6 * undone.var()
    assert 0.7 < widened.mean() / undone.var() < 1.5


def test_widening_is_the_closed_form() -> None:
    """Brute force: scores on difference axes of pure noise, one gene in each of many dimensions."""
    rng, m, genes = np.random.default_rng(2), 3, 60
    found = []
    for _ in range(4000):
        h, d, r = rng.normal(size=(3, m, genes))
        damage, repair = [], []
        for i in range(m):
            for j in range(m):
                weights = (d.sum(0) - d[j]) / (m - 1) - (h.sum(0) - h[i]) / (m - 1)
                damage.append(weights @ (d[j] - h[i]))
                repair.append(weights @ (r.mean(0) - d[j]))
        found.append((np.mean(repair), -np.mean(damage)))
    nothing = LearnedAxis(Measured.nothing(pd.Index(["a"]), ""), float(genes), m, m, m, m)
    # Without a fixed axis nothing but products is left: all of the scatter's share is taken away but a tenth.
    added = nothing.widen(np.zeros((2, 2)), 1.0)
    np.testing.assert_allclose(np.cov(np.array(found).T), added, rtol=0.12)


def test_a_declared_axis_is_not_widened() -> None:
    covariance = np.array([[2.0, 1.0], [1.0, 2.0]])
    declared = LearnedAxis(Measured.nothing(pd.Index(["a"]), ""))
    np.testing.assert_array_equal(declared.widen(covariance, 1.0), covariance)


def test_one_mouse_an_arm_and_repaired_healthy_mice_say_why() -> None:
    single = make_design(1, settings_with())
    sums = draw_damaged(single, np.random.default_rng(1), rescue=0.5)
    assert "needs 2 mice on each side" in rescued(single, sums)["reason"]
    design = make_design(3, settings_with())
    sums = draw_damaged(design, np.random.default_rng(1), rescue=0.5)
    profiles = profile(sums, "CD8_activated", design, {}, 10)
    found = learn_axis(profiles, sums.var["symbol"], design, design["site"], design["site"])
    assert found.measured.reason == "the axis would be learned from the repaired mice themselves"


def test_batches_of_one_mouse_an_arm_do_not_make_damage_negative() -> None:
    """Mice left out in batches of their own: without adjustment what is left leans the other way."""
    settings = settings_with() | {"covariates": ["batch"]}
    sheet = make_sheet(3)
    sheet["batch"] = [f"b{name[-1]}" for name in sheet["mouse"]]
    design, rng, z = build_design(sheet, settings), np.random.default_rng(9), []
    for _ in range(25):
        sums = draw_damaged(design, rng, rescue=0.0, n_damaged=0, n_genes=300).copy()
        lift = rng.normal(0, 0.5, (3, 300))[[int(name[-1]) for name in design.units["mouse"]]]
        sums.X = np.round(sums.X.toarray() * 2.0**lift)
        row = rescued(design, sums)
        z.append(row["damage"] / (row["damage_ci_high"] - row["damage_ci_low"]))
    assert np.mean(z) > -0.25


def test_shrinkage_keeps_what_is_sure_and_drops_what_is_not() -> None:
    rng = np.random.default_rng(4)
    true = np.concatenate([np.zeros(900), rng.normal(0, 1.0, 100)])
    change = true + rng.normal(0, 0.3, 1000)
    found = shrink(change, np.full(1000, 0.09))
    assert found.shares[:, :2].sum(axis=1).mean() == pytest.approx(0.9, abs=0.03)  # no change, or hardly any
    np.testing.assert_allclose(found.shares.sum(axis=1), 1)
    assert np.abs(found.mean()[:900]).mean() < 0.05
    sure = np.abs(change) > 1.5
    np.testing.assert_allclose(found.mean()[sure], change[sure], rtol=0.15)
    assert ((found.mean() - true) ** 2).mean() < 0.35 * ((change - true) ** 2).mean()
