"""The Fasl-Fas axis: each read-out against a value worked out by hand, and a planted change found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse
from tests.unit.mice.cohort import draw_counts, make_cells, make_design, make_settings

from livermet.errors import InputError
from livermet.mice.design.model import Design
from livermet.mice.endpoints import mechanism
from livermet.mice.endpoints.pseudobulk import sum_counts
from livermet.mice.endpoints.readouts import count_positive, log_odds, profile
from livermet.tcells import signatures

ROOT = Path(__file__).parents[4]
SYMBOLS = ["Fas", "Fasl", "Bax", "Bid", "Bcl2", "Mdm2", *(f"G{number}" for number in range(300))]
SETS = {
    "schema_version": 1,
    "species": "mouse",
    "aliases": {},
    "signatures": [
        {"name": name, "kind": "state", "lineage": "T", "use": "score", "description": "x", "up": up, "down": down,
         "source": "test", "verification": "curated"}
        for name, up, down in (("death", ["Bax", "Bid"], ["Bcl2"]), ("p53", ["Bax", "Mdm2"], []))
    ],
}  # fmt: skip
READOUTS = {
    "schema_version": 1,
    "readouts": [
        {"name": "fasl", "kind": "gene", "gene": "Fasl", "population": ["Macrophage"], "label": "Fasl", "source": "x"},
        {"name": "fas", "kind": "gene", "gene": "Fas", "population": ["CD8_activated", "CD8_T"], "label": "Fas", "source": "x"},
        {"name": "share", "kind": "share", "gene": "Fas", "population": ["CD8_activated"], "label": "Fas+", "source": "x"},
        {"name": "death", "kind": "signature", "signature": "death", "population": ["CD8_activated", "CD8_T"],
         "label": "death", "source": "x"},
        {"name": "death_not_p53", "kind": "signature", "signature": "death", "without": "p53",
         "population": ["CD8_activated"], "label": "death", "source": "x"},
        {"name": "both", "kind": "mean", "of": ["fasl", "fas"], "label": "both", "source": "x"},
        {"name": "ratio", "kind": "ratio", "numerator": ["Macrophage"], "population": ["CD8_activated"],
         "label": "ratio", "source": "x"},
        {"name": "nowhere", "kind": "gene", "gene": "Fas", "population": ["Dendritic"], "label": "Fas", "source": "x"},
    ],
}  # fmt: skip


class Cohort:
    """Cells with counts: Fasl in macrophages up four-fold in untreated tumour mice, Fas in activated CD8 T cells alike."""

    def __init__(self, seed: int = 1, few: bool = False) -> None:
        self.settings = make_settings()
        self.design: Design = make_design(3, self.settings)
        rng = np.random.default_rng(seed)
        cells = draw_counts(self.design, rng)
        if few:
            cells.loc[(self.design.units["arm"] == "tumour.none").to_numpy(), "CD8_activated"] = 4
        self.labels, self.units = make_cells(cells)
        base = np.concatenate([[2.0, 1.0, 3.0, 3.0, 3.0, 3.0], rng.lognormal(0, 1, 300)])
        mean = np.tile(base, (len(self.labels), 1)) * rng.lognormal(0, 0.3, (len(self.labels), 1))
        sick = self.units.map(self.design.units["arm"]).eq("tumour.none").to_numpy()
        mean[sick & (self.labels["lineage"] == "Macrophage").to_numpy(), 1] *= 4
        dying = sick & (self.labels["state"] == "CD8_activated").to_numpy()
        mean[dying, 3] *= 2
        mean[dying, 4] /= 2
        obs = self.units.map(self.design.units["mouse"]).to_frame("mouse").assign(tissue="liver")
        var = pd.DataFrame({"symbol": SYMBOLS}, index=pd.Index([f"E{s}" for s in SYMBOLS], name="gene_id"))
        self.counts = anndata.AnnData(sparse.csr_matrix(rng.poisson(mean).astype(np.int32)), obs=obs, var=var)
        self.pseudobulk = sum_counts(
            counts=self.counts, labels=self.labels, populations=self.settings["populations"], units=self.design.units
        )

    def test(self) -> dict[str, pd.DataFrame]:
        return mechanism.test_mechanism(
            self.counts, self.pseudobulk, self.labels, self.units, self.design, self.settings,
            signatures.load(SETS), mechanism.load(READOUTS), {"CD8_activated": ["Cd69"]},
        )  # fmt: skip


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return Cohort()


@pytest.fixture(scope="module")
def results(cohort: Cohort) -> dict[str, pd.DataFrame]:
    return cohort.test()


def test_planted_changes_are_found_and_no_other(results: dict[str, pd.DataFrame]) -> None:
    table = results["mechanism"].set_index(["question", "readout"])
    fasl = table.loc[("site", "fasl")]
    assert fasl["ci_low"] < 2 < fasl["ci_high"]
    assert fasl["adjusted_p_value"] < 0.001
    assert fasl["unit"] == "log2"
    assert fasl["population"] == "Macrophage"
    assert fasl["tier"] == "confirmatory"
    back = table.loc[("drug", "fasl")]
    assert back["ci_low"] < -2 < back["ci_high"]
    # Bid up, Bcl2 down, Bax as it was: two thirds of a doubling
    death = table.loc[("site", "death")]
    assert death["ci_low"] < 2 / 3 < death["ci_high"]
    assert death["ci_low"] > 0
    alone = table.loc[("site", "death_not_p53")]
    assert alone["ci_low"] < 1 < alone["ci_high"]
    assert alone["ci_low"] > 0
    quiet = table.xs("drug_healthy")
    assert (quiet["adjusted_p_value"].dropna() > 0.05).all()


def test_share_is_counted_in_cells_and_told_in_mice(cohort: Cohort, results: dict[str, pd.DataFrame]) -> None:
    rows = results["readouts"].query("readout == 'share'").set_index("mouse")
    mouse = "tn1"
    cells = (cohort.labels["state"] == "CD8_activated") & (cohort.units == mouse)
    fas = cohort.counts.X[:, [0]].toarray().ravel()
    n, k = int(cells.sum()), int((fas[cells.to_numpy()] > 0).sum())
    assert rows.loc[mouse, "n_cells"] == n
    assert rows.loc[mouse, "value"] == pytest.approx(np.log2((k + 0.5) / (n - k + 0.5)))
    assert len(rows) == 12
    table = count_positive(cohort.counts, cohort.labels["state"] == "CD8_activated", cohort.units, 0)
    assert table.loc[mouse].to_dict() == {"positive": k, "n_cells": n}


def test_co_expression_is_the_mean_of_ligand_and_receptor(results: dict[str, pd.DataFrame]) -> None:
    wide = results["readouts"].query("population != 'CD8_T'").pivot(index="mouse", columns="readout", values="value")
    np.testing.assert_allclose(wide["both"], (wide["fasl"] + wide["fas"]) / 2)


def test_ratio_is_that_of_the_cells(cohort: Cohort, results: dict[str, pd.DataFrame]) -> None:
    rows = results["readouts"].query("readout == 'ratio'").set_index("mouse")["value"]
    mine = cohort.labels[(cohort.units == "hd0").to_numpy()]
    wanted = np.log2(((mine["lineage"] == "Macrophage").sum() + 0.5) / ((mine["state"] == "CD8_activated").sum() + 0.5))
    assert rows["hd0"] == pytest.approx(wanted)


def test_level_is_log2_cpm_of_the_sum(cohort: Cohort) -> None:
    one = profile(cohort.pseudobulk, "Macrophage", cohort.design, {}, 10)
    found = one.level("Fasl").values["tn0"]
    mine = (cohort.labels["lineage"] == "Macrophage") & (cohort.units == "tn0")
    sums = np.asarray(cohort.counts.X[mine.to_numpy()].sum(axis=0)).ravel()
    assert one.library["tn0"] == pytest.approx(sums.sum(), rel=0.05)
    assert found == pytest.approx(np.log2(sums[1] / one.library["tn0"] * 1e6), abs=0.02)


def test_too_few_cells_fall_back_to_the_wider_population() -> None:
    table = Cohort(2, few=True).test()["mechanism"].set_index(["question", "readout"])
    assert table.loc[("site", "fas"), "population"] == "CD8_T"
    assert table.loc[("site", "fas"), "tier"] == "confirmatory"
    assert table.loc[("drug_healthy", "fas"), "population"] == "CD8_activated"
    lost = table.loc[("site", "share")]
    assert lost["tier"] == "not estimable"
    assert np.isnan(lost["estimate"])
    assert "no mouse has" in lost["reason"]


def test_population_that_the_config_does_not_have(results: dict[str, pd.DataFrame]) -> None:
    rows = results["mechanism"].query("readout == 'nowhere'")
    assert len(rows) == 4
    assert (rows["tier"] == "not estimable").all()
    assert rows["p_value"].isna().all()
    assert rows["reason"].eq("the config has no population Dendritic").all()


def test_adjusted_within_a_question(results: dict[str, pd.DataFrame]) -> None:
    for _, rows in results["mechanism"].groupby("question"):
        p = rows["p_value"].dropna().sort_values()
        twin = (p * len(p) / np.arange(1, len(p) + 1))[::-1].cummin()[::-1].clip(upper=1)
        np.testing.assert_allclose(rows.loc[p.index, "adjusted_p_value"], twin)


def test_log_odds_variance_is_that_of_binomial_draws() -> None:
    n = pd.Series(np.full(20000, 60))
    k = pd.Series(np.random.default_rng(3).binomial(60, 0.3, 20000))
    found = log_odds(k, n, np.ones((20000, 1)))
    assert found.variance.iloc[0] == pytest.approx(found.values.var(), rel=0.06)
    assert found.values.mean() == pytest.approx(np.log2(0.3 / 0.7), abs=0.02)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"kind": "gene", "gene": ""}, "needs gene"), ({"kind": "mean", "of": ["fasl", "nothing"]}, "no nothing"),
     ({"colour": "red"}, "unknown key")],
)  # fmt: skip
def test_declarations_are_checked(change: dict[str, Any], told: str) -> None:
    broken = {"schema_version": 1, "readouts": [READOUTS["readouts"][0], READOUTS["readouts"][1] | change]}
    with pytest.raises(InputError, match=told):
        mechanism.load(broken)


def test_our_own_declarations_load_and_name_known_sets() -> None:
    ours = mechanism.load(yaml.safe_load((ROOT / "resources/mechanism.yaml").read_text()))
    known = signatures.load(yaml.safe_load((ROOT / "resources/signatures.yaml").read_text())).names()
    assert {item.signature for item in ours.readouts if item.signature} <= set(known)
    assert {item.without for item in ours.readouts if item.without} <= set(known)
    assert all(item.source and item.label for item in ours.readouts)
