"""Ambient RNA: known shares are measured, with and without empty droplets."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from tests.unit.cells.toy_sample import make_sample

from livermet.cells.ambient import ESTIMATED, RAW_MATRIX, Soup, _Evidence, ambient_share, envelope, soup_profile

MIXED = {"lymphocyte": 250, "neutrophil": 100, "macrophage": 100, "platelet": 50}


def labels_of(kind: np.ndarray) -> np.ndarray:
    return np.unique(kind, return_inverse=True)[1]


@pytest.mark.parametrize("rho", [0.02, 0.05, 0.10])
@pytest.mark.parametrize("with_empty", [True, False])
def test_share_is_within_two_points(rho: float, with_empty: bool) -> None:
    toy = make_sample(MIXED, rho=rho, seed=int(rho * 100))
    soup = soup_profile(toy.adata.X, toy.empty["umis"].to_numpy() if with_empty else None)
    found = ambient_share(toy.adata.X, labels_of(toy.kind), soup, np.ones(len(toy.kind), dtype=bool))
    assert abs(found.mean() - toy.ambient.mean()) < (0.005 if with_empty else 0.015)
    assert np.abs(found - toy.ambient).mean() < 0.02


def test_heavy_soup_is_within_a_fifth() -> None:
    toy = make_sample(MIXED, rho=0.35)
    found = ambient_share(
        toy.adata.X, labels_of(toy.kind), Soup(toy.soup * 1e6, RAW_MATRIX), np.ones(len(toy.kind), dtype=bool)
    )
    assert abs(found.mean() / toy.ambient.mean() - 1) < 0.2


def test_cells_of_a_kind_differ_as_they_do() -> None:
    toy = make_sample({"macrophage": 200, "lymphocyte": 200}, rho=0.1, seed=4)
    found = ambient_share(toy.adata.X, labels_of(toy.kind), Soup(toy.soup * 1e6, RAW_MATRIX), np.ones(400, dtype=bool))
    inside = toy.kind == "macrophage"
    assert np.corrcoef(found[inside], toy.ambient[inside])[0, 1] > 0.6


def test_doublets_do_not_teach_what_is_silent() -> None:
    toy = make_sample({"lymphocyte": 200, "macrophage": 200}, rho=0.03, n_doublets=60, seed=2)
    labels = labels_of(toy.kind)
    taught = ambient_share(toy.adata.X, labels, Soup(toy.soup * 1e6, RAW_MATRIX), ~toy.is_doublet)
    fooled = ambient_share(toy.adata.X, labels, Soup(toy.soup * 1e6, RAW_MATRIX), np.ones(400, dtype=bool))
    singlets = ~toy.is_doublet
    error = abs(taught[singlets].mean() - toy.ambient[singlets].mean())
    assert error < 0.01
    assert error <= abs(fooled[singlets].mean() - toy.ambient[singlets].mean()) + 1e-3


def test_profile_of_empty_droplets_or_of_the_pool() -> None:
    toy = make_sample({"lymphocyte": 40})
    measured = soup_profile(toy.adata.X, toy.empty["umis"].to_numpy())
    assert measured.source == RAW_MATRIX
    np.testing.assert_allclose(measured.share, toy.empty["umis"] / toy.empty["umis"].sum())
    for empty in (None, np.ones(toy.adata.n_vars, dtype=int)):  # none, or too little to tell
        pooled = soup_profile(toy.adata.X, empty)
        assert pooled.source == ESTIMATED
        np.testing.assert_allclose(pooled.share, toy.adata.X.sum(axis=0).A1 / toy.adata.X.sum())


def test_envelope_against_its_definition() -> None:
    from scipy.stats import binom

    rng = np.random.default_rng(0)
    soup = rng.uniform(5, 200, 200)  # cells have 10 UMIs for every one of the empty droplets
    found = rng.poisson(10 * soup * np.where(np.arange(200) < 80, 0.05, 0.05 + rng.uniform(0.02, 1, 200)))
    measured = rng.poisson(soup)
    rho = envelope(_Evidence(found.astype(float), measured.astype(float), np.full(200, 10.0)))

    def fewest(share: float) -> float:
        return float(binom.cdf(found, found + measured, 10 * share / (10 * share + 1)).min())

    assert fewest(rho) >= 0.01
    assert fewest(rho * 1.01) < 0.01
    assert rho == pytest.approx(0.05, abs=0.015)


def test_nothing_to_learn_from() -> None:
    counts = sp.csr_matrix(np.array([[1, 0, 2], [0, 0, 0]], dtype=np.int32))
    found = ambient_share(counts, np.zeros(2, dtype=int), Soup(np.full(3, 1000.0), RAW_MATRIX), np.ones(2, dtype=bool))
    assert np.isnan(found).all()
