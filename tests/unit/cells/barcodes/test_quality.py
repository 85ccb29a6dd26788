"""The verdict on every barcode: what is dropped, what is not, and the words for it."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.unit.cells.toy_sample import make_sample

from livermet.cells.barcodes.dead_samples import soup_distance
from livermet.cells.barcodes.quality import assess_quality, measure
from livermet.cells.barcodes.reasons import drop_counts, mitochondrial_cut, outliers
from livermet.settings import Quality
from livermet.step import load, save

SETTINGS = Quality().model_dump(exclude={"ambient", "call_cells", "counts", "hashtags"})
MIXED = {"lymphocyte": 250, "neutrophil": 60, "macrophage": 200, "platelet": 40}


def assess(toy: Any, raw: Any = None, **settings: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    settings = {**SETTINGS, "min_cells_per_sample": 1, **settings}
    return assess_quality(toy.adata, raw, sample="s1", seed=1, **settings)


def test_metrics_by_hand() -> None:
    toy = make_sample({"lymphocyte": 30})
    dense = toy.adata.X.toarray()
    table = measure(toy.adata)
    assert table["n_umis"].tolist() == dense.sum(axis=1).tolist()
    assert table["n_genes"].tolist() == (dense > 0).sum(axis=1).tolist()
    np.testing.assert_allclose(table["mitochondrial_fraction"], dense[:, -4:].sum(axis=1) / dense.sum(axis=1))
    np.testing.assert_allclose(table["ribosomal_fraction"], dense[:, :20].sum(axis=1) / dense.sum(axis=1))
    np.testing.assert_allclose(table["haemoglobin_fraction"], dense[:, -5] / dense.sum(axis=1))


def test_no_lineage_is_dropped_for_its_size() -> None:
    toy = make_sample(MIXED)
    table, _ = assess(toy, remove_doublets=False, min_genes=100)
    kept = table["kept"].groupby(toy.kind).mean()
    assert (kept > 0.97).all(), kept  # neutrophils have a ninth of the UMIs of macrophages


def test_reasons_name_the_metric_and_the_numbers() -> None:
    toy = make_sample({"lymphocyte": 100, "macrophage": 60})
    dense = toy.adata.X.toarray()
    dense[0] = np.random.default_rng(0).binomial(dense[0], 0.05)  # a fragment
    dense[1, -4:] += dense[1].sum()  # dying: four fifths mitochondrial
    dense[2, -5] += dense[2].sum()  # an erythrocyte's
    toy.adata.X = sp.csr_matrix(dense.astype(np.int32))
    table, _ = assess(toy, min_umis=500, min_genes=200)
    assert not table["kept"].iloc[:3].any()
    fragment = table["drop_reason"].iloc[0]
    assert f"too few UMIs ({dense[0].sum()} < 500); too few genes ({(dense[0] > 0).sum()} < 200)" in fragment
    assert table["drop_reason"].iloc[1].startswith("mitochondrial share too high (0.8")
    assert table["drop_reason"].iloc[2].startswith("haemoglobin share too high (0.5")
    assert (table["drop_reason"] == "").equals(table["kept"])
    assert drop_counts(table)["too few genes"] == 1


def test_cell_far_above_its_own_kind_is_an_outlier() -> None:
    toy = make_sample({"lymphocyte": 200, "macrophage": 80}, seed=3)
    dense = toy.adata.X.toarray()
    dense[5] *= 60
    toy.adata.X = sp.csr_matrix(dense)
    table, _ = assess(toy, min_genes=50)
    assert table["drop_reason"].iloc[5].startswith("too many UMIs (")
    assert table["drop_reason"].str.contains("too many UMIs").sum() == 1


def test_outlier_of_the_sample_within_its_kind_is_none() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.lognormal(9, 0.2, 300), rng.lognormal(6.8, 0.2, 40)])
    labels = np.repeat([0, 1], [300, 40])
    low, high = outliers(values, np.zeros(340, dtype=int), 5.0)
    assert low[300:].mean() > 0.9  # by one median the small kind would go
    low, high = outliers(values, labels, 5.0)
    assert low.sum() == high.sum() == 0


@pytest.mark.parametrize(
    ("shares", "cut"), [(np.full(50, 0.001), 0.05), (np.full(50, 0.15), 0.20), (np.full(5, 0.01), 0.20)]
)
def test_mitochondrial_cut_stays_between_its_bounds(shares: np.ndarray, cut: float) -> None:
    assert mitochondrial_cut(shares, 5.0, 0.05, 0.20) == pytest.approx(cut)


def test_mitochondrial_cut_follows_the_sample() -> None:
    shares = np.random.default_rng(0).lognormal(np.log(0.02), 0.3, 1000)
    cut = mitochondrial_cut(shares, 3.0, 0.01, 0.5)
    assert cut == pytest.approx(0.02 * np.exp(3 * 0.3), rel=0.2)


def test_doublets_are_dropped_only_on_demand() -> None:
    toy = make_sample(MIXED, n_doublets=15)
    dropped, _ = assess(toy, expected_doublet_rate_per_1000=0.05)
    kept, _ = assess(toy, expected_doublet_rate_per_1000=0.05, remove_doublets=False)
    assert dropped["is_doublet"].sum() >= 8
    assert dropped.loc[dropped["is_doublet"], "drop_reason"].str.fullmatch(r"doublet \(score \S+ > \S+\)").all()
    pd.testing.assert_series_equal(dropped["doublet_score"], kept["doublet_score"])
    assert (kept["kept"] & kept["is_doublet"]).sum() == kept["is_doublet"].sum()


def test_ambient_share_of_every_barcode(tmp_path: Any) -> None:
    toy = make_sample(MIXED, rho=0.08)
    table, soup = assess(toy, toy.empty)
    assert abs(table["ambient_fraction"].mean() - toy.ambient.mean()) < 0.01
    assert soup["soup"].sum() == pytest.approx(1)
    assert set(soup["source"]) == {"raw matrix"}
    assert soup.index.equals(toy.adata.var_names)
    save(table, tmp_path / "q.parquet")
    pd.testing.assert_frame_equal(load(tmp_path / "q.parquet"), table)
    _, estimated = assess(toy, toy.empty.iloc[:0])
    assert set(estimated["source"]) == {"estimated"}


def test_same_seed_same_table() -> None:
    toy = make_sample(MIXED, n_doublets=5)
    pd.testing.assert_frame_equal(assess(toy)[0], assess(toy)[0])


def test_a_handful_of_cells_meets_the_hard_bounds_only(caplog: pytest.LogCaptureFixture) -> None:
    toy = make_sample({"lymphocyte": 6})
    with caplog.at_level(logging.INFO, logger="livermet"):
        table, _ = assess(toy, min_genes=100)
    assert table["kept"].all()
    assert table["doublet_score"].isna().all()
    assert "6 of 6 barcodes kept" in caplog.text


def test_nothing_left_is_no_error_here() -> None:
    table, soup = assess(make_sample({"lymphocyte": 30}), min_umis=10**6)
    assert not table["kept"].any()
    assert soup["soup"].sum() == pytest.approx(1)


def test_sample_of_a_handful_of_cells_is_set_aside_whole() -> None:
    toy = make_sample({"lymphocyte": 12})
    table, _ = assess(toy, min_genes=100, min_cells_per_sample=50)
    assert not table["kept"].any()
    assert set(table["drop_reason"]) == {"sample set aside (12 of its cells pass, fewer than 50)"}
    assert drop_counts(table) == {"sample set aside": 12}


def test_sample_of_soup_is_set_aside() -> None:
    toy = make_sample(MIXED, rho=0.05)
    rng = np.random.default_rng(1)
    soup = sp.csr_matrix(rng.multinomial(900, toy.soup, size=toy.adata.n_obs).astype(np.int32))
    drowned = make_sample(MIXED, rho=0.05)
    drowned.adata.X = soup
    table, _ = assess(drowned, toy.empty, min_genes=50)
    assert not table["kept"].any()
    assert table["drop_reason"].str.contains("its cells are no farther from its empty droplets than draws").mean() > 0.9
    assert assess(toy, toy.empty, min_genes=50)[0]["kept"].mean() > 0.95


@pytest.mark.parametrize("kinds", [MIXED, {"lymphocyte": 200}, {"platelet": 60, "lymphocyte": 10}])
def test_cells_are_farther_from_the_soup_than_draws_from_it(kinds: dict[str, int]) -> None:
    toy = make_sample(kinds, rho=0.3)
    _, soup = assess(toy, toy.empty, min_genes=50)
    everyone = np.ones(toy.adata.n_obs, dtype=bool)
    assert soup_distance(toy.adata.X, everyone, soup, 1) > 1.4
    drawn = np.random.default_rng(1).multinomial(3000, toy.soup, size=60)
    assert soup_distance(sp.csr_matrix(drawn), np.ones(60, dtype=bool), soup, 1) == pytest.approx(1, abs=0.1)
    assert soup_distance(toy.adata.X, everyone, soup.assign(source="estimated"), 1) == np.inf


def test_small_good_cells_beside_large_ones_are_kept() -> None:
    """1,200 UMIs beside 11,000, a tenth of the sample: none may go for its size, and debris of their size must go."""
    toy = make_sample({"lymphocyte": 150, "neutrophil": 45, "macrophage": 260}, seed=9)
    dense = toy.adata.X.toarray()
    rng = np.random.default_rng(3)
    dying = np.arange(10)  # lymphocytes that kept a fifth of their RNA and all their mitochondria
    lost = rng.binomial(dense[dying], 0.25)
    lost[:, -4:] += rng.poisson(0.3 * lost.sum(axis=1, keepdims=True) / 4, size=(10, 4))
    dense[dying] = lost
    toy.adata.X = sp.csr_matrix(dense.astype(np.int32))
    table, _ = assess(toy, min_genes=100)
    whole = np.ones(len(dense), dtype=bool)
    whole[dying] = False
    kept = table["kept"].groupby(np.where(whole, toy.kind, "dying")).mean()
    assert kept["neutrophil"] > 0.97
    assert kept["lymphocyte"] > 0.97
    assert kept["macrophage"] > 0.97
    assert kept["dying"] == 0


def test_what_hashtags_tell_stands_in_the_table() -> None:
    toy = make_sample(MIXED, n_doublets=20)
    plain, _ = assess(toy, min_genes=50)
    columns = {"tags": np.where(toy.is_doublet, "A + B", "A"), "tag_call": "singlet", "tag_probability": 0.97}
    for name, values in columns.items():
        toy.adata.obs[name] = values
    table, _ = assess(toy, min_genes=50)
    assert table["tags"].tolist() == columns["tags"].tolist()
    assert (table["tag_probability"] == 0.97).all()
    pd.testing.assert_frame_equal(table[plain.columns], plain)


def test_doublets_known_by_multiplexing_are_called_whatever_their_score() -> None:
    toy = make_sample(MIXED, n_doublets=20)
    toy.adata.obs["known_doublet"] = np.where(toy.is_doublet, "doublet", "singlet")
    table, _ = assess(toy, min_genes=50)
    assert table.loc[toy.is_doublet, "is_doublet"].all()
    assert not table.loc[toy.is_doublet, "kept"].any()
    told = table.loc[toy.is_doublet, "drop_reason"]
    assert told.str.contains(r"doublet by its tags \(known by multiplexing\)|doublet \(score").all()
    without = make_sample(MIXED, n_doublets=20)
    pd.testing.assert_series_equal(assess(without, min_genes=50)[0]["doublet_score"], table["doublet_score"])
    marked, _ = assess(toy, min_genes=50, remove_doublets=False)
    assert marked.loc[toy.is_doublet, "kept"].mean() > 0.9
