"""Ambient RNA: known shares are measured, with and without empty droplets, and what cannot be told is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from tests.unit.cells.toy_sample import Toy, make_sample

from livermet.cells.barcodes.ambient import (
    ESTIMATED,
    NOT_TOLD,
    RAW_MATRIX,
    SILENT_GENES,
    Ambience,
    Soup,
    ambient_share,
    soup_profile,
)
from livermet.cells.barcodes.silence import LEVELS, find_peak, learn_kinds, likelihoods, mixing_weights, support

MIXED = {"lymphocyte": 250, "neutrophil": 100, "macrophage": 100, "platelet": 50}


def labels_of(kind: np.ndarray) -> np.ndarray:
    return np.unique(kind, return_inverse=True)[1]


def measure(toy: Toy, with_empty: bool = True, clean: np.ndarray | None = None) -> Ambience:
    soup = soup_profile(toy.adata.X, toy.empty["umis"].to_numpy() if with_empty else None)
    everyone = np.ones(len(toy.kind), dtype=bool)
    return ambient_share(toy.adata.X, labels_of(toy.kind), soup, everyone if clean is None else clean)


@pytest.mark.parametrize("rho", [0.02, 0.05, 0.10])
@pytest.mark.parametrize("per_droplet", [False, True])
@pytest.mark.parametrize("with_empty", [True, False])
def test_share_is_within_two_points(rho: float, with_empty: bool, per_droplet: bool) -> None:
    toy = make_sample(MIXED, rho=rho, seed=int(rho * 100), per_droplet=per_droplet)
    found = measure(toy, with_empty)
    assert found.found_by == SILENT_GENES
    assert abs(found.share.mean() - toy.ambient.mean()) < (0.01 if with_empty else 0.02)
    # Where the droplet is what counts, small cells hold several times the share of large ones, and their own noise.
    assert np.abs(found.share - toy.ambient).mean() < (0.04 if per_droplet else 0.02)
    for name in np.unique(toy.kind):
        inside = toy.kind == name
        assert found.share[inside].mean() == pytest.approx(toy.ambient[inside].mean(), rel=0.35)


def test_heavy_soup_is_within_a_fifth() -> None:
    toy = make_sample(MIXED, rho=0.35)
    assert abs(measure(toy).share.mean() / toy.ambient.mean() - 1) < 0.2


def test_where_soup_hides_the_silent_genes_no_wrong_number_is_given() -> None:
    """The same heavy soup in every droplet: it is most of what two of the four kinds hold."""
    toy = make_sample(MIXED, rho=0.35, per_droplet=True)
    found = measure(toy)
    assert found.found_by == NOT_TOLD or abs(found.share.mean() / toy.ambient.mean() - 1) < 0.2


def test_a_peak_of_one_kind_alone_is_not_the_sample_s() -> None:
    """Kinds of very different depth, laid over each other with the wrong slope, lie apart."""
    toy = make_sample(MIXED, rho=0.05, seed=3, per_droplet=True)
    kinds = learn_kinds(
        toy.adata.X, labels_of(toy.kind), np.ones(len(toy.kind), dtype=bool), toy.empty["umis"].to_numpy(dtype=float)
    )
    speaking = [kind for kind in kinds if kind.speaks]
    peak = find_peak(speaking)
    assert peak is not None
    assert support(speaking, peak) >= 0.7
    deepest = max(speaking, key=lambda kind: kind.depth)
    alone = replace(peak, share=float(peak.at(deepest.depth)), slope=0.0)
    assert support(speaking, alone) < 0.7


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = []
    for seed in range(12):
        toy = make_sample(MIXED, rho=0.06, seed=100 + seed, per_droplet=seed % 2 == 0)
        found, totals = measure(toy), toy.adata.X.sum(axis=1).A1
        held.append(found.low <= (toy.ambient * totals).sum() / totals.sum() <= found.high)
        assert 0 < found.low < found.high < 0.2
    assert sum(held) >= 10


def test_cells_of_a_kind_differ_as_they_do() -> None:
    toy = make_sample({"macrophage": 200, "lymphocyte": 200}, rho=0.1, seed=4)
    found = measure(toy).share
    inside = toy.kind == "macrophage"
    assert np.corrcoef(found[inside], toy.ambient[inside])[0, 1] > 0.6


def test_doublets_do_not_teach_what_is_silent() -> None:
    toy = make_sample({"lymphocyte": 200, "macrophage": 200}, rho=0.03, n_doublets=60, seed=2)
    taught, fooled = measure(toy, clean=~toy.is_doublet).share, measure(toy).share
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


def test_likelihood_is_the_binomial_of_counts_given_both() -> None:
    from scipy.stats import binom

    found, soup, odds = np.array([0.0, 7.0, 90.0]), np.array([12.0, 20.0, 15.0]), 8.0
    ratio = odds * np.exp(LEVELS)
    exact = binom.logpmf(found[:, None], (found + soup)[:, None], ratio / (1 + ratio))
    np.testing.assert_allclose(
        likelihoods(found, soup, odds), np.exp(exact - exact.max(axis=1, keepdims=True)), rtol=1e-8
    )


def test_counting_noise_is_taken_out_of_the_ratios() -> None:
    rng = np.random.default_rng(0)
    truth = np.where(np.arange(400) < 100, 0.05, 0.6)
    soup = rng.uniform(20, 60, 400)
    weights = mixing_weights(likelihoods(rng.poisson(10 * soup * truth).astype(float), soup, 10.0), rounds=300)
    near = {share: weights[np.abs(LEVELS - np.log(share)) < 0.25].sum() for share in (0.05, 0.6)}
    assert near[0.05] == pytest.approx(0.25, abs=0.05)
    assert near[0.6] == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize(("per_droplet", "slope"), [(False, 0.0), (True, 1.0)])
def test_how_the_share_falls_with_depth_is_found(per_droplet: bool, slope: float) -> None:
    toy = make_sample(MIXED, rho=0.05, seed=3, per_droplet=per_droplet)
    everyone = np.ones(len(toy.kind), dtype=bool)
    kinds = learn_kinds(toy.adata.X, labels_of(toy.kind), everyone, toy.empty["umis"].to_numpy(dtype=float))
    peak = find_peak([kind for kind in kinds if kind.speaks])
    assert peak is not None
    assert abs(peak.slope - slope) <= 0.25
    for kind in kinds:
        own = toy.ambient[kind.cells] @ toy.adata.X[kind.cells].sum(axis=1).A1 / kind.umis
        assert peak.at(kind.depth) == pytest.approx(own, rel=0.3)


def test_one_kind_of_cell_alone_cannot_tell() -> None:
    toy = make_sample({"lymphocyte": 300}, rho=0.08, hepatocyte=0.0)
    found = measure(toy, with_empty=False)  # every gene of the pool is expressed
    assert found.found_by == NOT_TOLD
    assert np.isnan(found.share).all()
    assert np.isnan([found.low, found.high]).all()


def test_no_cell_no_share() -> None:
    toy = make_sample(MIXED, rho=0.05)
    labels = labels_of(toy.kind)
    labels[:10] = -1
    found = ambient_share(toy.adata.X, labels, Soup(toy.soup * 1e6, RAW_MATRIX), np.ones(len(labels), dtype=bool))
    assert np.isnan(found.share[:10]).all()
    assert np.isfinite(found.share[10:]).all()


def test_nothing_to_learn_from() -> None:
    counts = sp.csr_matrix(np.array([[1, 0, 2], [0, 0, 0]], dtype=np.int32))
    found = ambient_share(counts, np.zeros(2, dtype=int), Soup(np.full(3, 1000.0), RAW_MATRIX), np.ones(2, dtype=bool))
    assert np.isnan(found.share).all()
    assert found.found_by == NOT_TOLD
