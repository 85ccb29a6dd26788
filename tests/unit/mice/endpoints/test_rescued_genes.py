"""Single genes: calls word for word, and few of them where nothing was repaired."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tests.unit.mice.cohort import make_design

from livermet.mice.endpoints.rescued_genes import GENE_COLUMNS, given_damage, rescue_genes, shared_noise
from livermet.mice.models.linear import adjust


def table_of(rows: list[tuple[str, float, float, float, float]]) -> pd.DataFrame:
    """Rows: gene, damage, its p, repair, its p."""
    long = [
        ("B_cell", f"id_{gene}", gene, question, change, p)
        for gene, damage, p_damage, repair, p_repair in rows
        for question, change, p in (("site", damage, p_damage), ("drug", repair, p_repair))
    ]
    return pd.DataFrame(long, columns=["population", "gene_id", "gene", "question", "log_fold_change", "p_value"])


def test_genes_two_stage_and_strict() -> None:
    table = table_of([
        ("Back", 2.0, 1e-8, -1.5, 1e-6),
        ("On", 2.0, 1e-8, 1.5, 1e-6),
        ("Stuck", -2.0, 1e-8, 0.1, 0.8),
        ("Repaired", 0.1, 0.7, 2.0, 1e-9),
        *((f"Quiet{number}", 0.1, 0.3 + number / 100, -0.1, 0.9 - number / 100) for number in range(50)),
    ])  # fmt: skip
    found = rescue_genes(table, make_design(), "rescue").set_index("gene")
    assert set(found.index) == {"Back", "On", "Stuck"}
    assert found["two_stage"].to_dict() == {"Back": True, "On": False, "Stuck": False}
    assert found["strict"].to_dict() == {"Back": True, "On": False, "Stuck": False}
    assert found.loc["Back", "rescue"] == pytest.approx(0.75)
    assert found.loc["Back", "strict_p_value"] == 1e-6
    # Given the damage part of the repair is owed to it; three genes pass the first stage, the second adjusts over them.
    assert 1e-6 < found.loc["Back", "repair_p_value"] < 1e-3
    assert found.loc["Back", "repair_adjusted_p_value"] == pytest.approx(3 * found.loc["Back", "repair_p_value"])
    assert list(found.reset_index().columns) == ["gene", *(name for name in GENE_COLUMNS if name != "gene")]


def test_shared_noise_follows_the_mice_of_the_shared_arm() -> None:
    design = make_design(3)
    site, drug = design["site"], design["drug"]
    same = dict.fromkeys(["healthy.none", "tumour.none", "tumour.drug"], 3)
    assert shared_noise(site, drug, same) == pytest.approx(-0.5)
    assert shared_noise(site, drug, same | {"tumour.none": 1}) == pytest.approx(-1 / (1 + 1 / 3))


def test_given_damage_is_the_repairs_own_p_where_nothing_is_shared() -> None:
    rng = np.random.default_rng(1)
    damage, repair = rng.normal(0, 0.5, 400), rng.normal(0, 0.5, 400)
    p_damage, p_repair = (2 * stats.norm.sf(np.abs(change) / 0.5) for change in (damage, repair))
    against = damage * repair < 0
    found = given_damage(damage, p_damage, repair, p_repair, 0.0)
    np.testing.assert_allclose(found[against], p_repair[against], rtol=1e-6)
    assert (found[~against] == 1).all()


@pytest.mark.parametrize(("repaired", "power"), [(0.0, 0.0), (0.1, 0.2), (0.5, 0.3)])
def test_false_calls_are_few_though_the_diseased_are_shared(repaired: float, power: float) -> None:
    """3 vs 3 vs 3 mice, 200 of 2,000 genes damaged, a share of them wholly repaired: false discoveries <= 5 %."""
    rng, design, found = np.random.default_rng(6), make_design(3), []
    for _ in range(40):
        n, k = 2000, 200
        damage, repair = np.zeros(n), np.zeros(n)
        damage[:k] = rng.choice([-1, 1], k) * rng.uniform(0.5, 1.5, k)
        mended = rng.permutation(k)[: int(k * repaired)]
        repair[mended] = -damage[mended]
        spread = 0.36 * np.sqrt(10 / rng.chisquare(10, n))
        noise = rng.normal(size=(3, n)) * spread / np.sqrt(3)
        error = np.sqrt(2 / 3 * spread**2 * rng.chisquare(16, n) / 16)
        changes = (damage + noise[1] - noise[0], repair + noise[2] - noise[1])
        p = [2 * stats.t.sf(np.abs(change) / error, 16) for change in changes]
        names = [f"g{place}" for place in range(n)]
        table = rescue_genes(
            table_of(list(zip(names, changes[0], p[0], changes[1], p[1], strict=True))), design, "rescue"
        )
        called = table.loc[table["two_stage"], "gene"].str.removeprefix("g").astype(int).to_numpy()
        first = adjust(p[0]) < 0.05
        naive = np.flatnonzero(first & (adjust(np.where(first, p[1], np.nan)) < 0.05) & (changes[0] * changes[1] < 0))
        found.append([
            *((repair[places] == 0).mean() if len(places) else 0.0 for places in (called, naive)),
            np.isin(mended, called).mean() if len(mended) else 0.0,
        ])  # fmt: skip
    false, false_naive, seen = np.mean(found, axis=0)
    assert false <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 40) * (repaired == 0)
    assert seen >= power
    if repaired == 0:
        assert false_naive > 0.1  # what it would be without looking at the damage
