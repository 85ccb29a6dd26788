"""Cells told from empty droplets: exact twins of the formulas, fair p-values, planted cells found, planted soup left."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import dirichlet_multinomial, kstest

from livermet.inputs import emptydrops
from livermet.inputs.emptydrops import (
    Ambient,
    _kernel,
    adjust,
    empty_p_values,
    find_knee,
    fit_alpha,
    good_turing,
    log_likelihood,
)
from livermet.inputs.libraries import call_cells, is_raw
from livermet.inputs.urn import Urn, _before

N_GENES = 800
# Words of a text by how often they come (Gale and Sampson 1995, doi:10.1080/09296179508590051, table 1).
PROSODY = {1: 120, 2: 40, 3: 24, 4: 13, 5: 15, 6: 5, 7: 11, 8: 2, 9: 2, 10: 1, 12: 3, 14: 2, 15: 1, 16: 1, 17: 3, 19: 1,
           20: 3, 21: 2, 23: 3, 24: 3, 25: 3, 26: 2, 27: 2, 28: 1, 31: 2, 32: 2, 33: 1, 34: 2, 36: 2, 41: 3, 43: 1, 45: 3,
           46: 1, 47: 1, 50: 1, 71: 1, 84: 1, 101: 1, 105: 1, 121: 1, 124: 1, 146: 1, 162: 1, 193: 1, 199: 1, 224: 1,
           226: 1, 254: 1, 257: 1, 339: 1, 421: 1, 456: 1, 481: 1, 483: 1, 1140: 1, 1256: 1, 1322: 1, 1530: 1, 2131: 1,
           2395: 1, 6925: 1, 7846: 1}  # fmt: skip


def profile(seed: int, genes: int = N_GENES) -> np.ndarray:
    values = np.random.default_rng(seed).lognormal(0, 1.6, genes)
    return np.asarray(values / values.sum())


def draw(rng: np.random.Generator, share: np.ndarray, totals: np.ndarray, alpha: float) -> sp.csr_matrix:
    """Droplets, Dirichlet-multinomial."""
    return sp.csr_matrix(np.stack([rng.multinomial(n, rng.dirichlet(alpha * share)) for n in totals]).astype(np.int32))


def test_good_turing_against_the_published_example() -> None:
    counts = np.append(np.repeat(list(PROSODY), list(PROSODY.values())), [0, 0, 0])
    share = good_turing(counts)
    assert share.sum() == pytest.approx(1)
    assert share[-3:].sum() == pytest.approx(0.003883, abs=1e-6)
    assert share[0] * 30_902 == pytest.approx(0.7628, abs=1e-4)
    assert share[counts == 7846][0] == pytest.approx(0.2537, abs=1e-4)


def test_no_gene_is_impossible() -> None:
    for counts in ([0, 0, 0], [5, 0, 0], [4, 4, 4], [9, 7, 0], [1, 0, 3]):
        share = good_turing(np.array(counts))
        assert (share > 0).all()
        assert share.sum() == pytest.approx(1)


@pytest.mark.parametrize("alpha", [20.0, 900.0])
def test_likelihood_against_scipy(alpha: float) -> None:
    rng, share = np.random.default_rng(1), profile(1, 40)
    droplets = draw(rng, share, rng.integers(1, 200, 25), alpha)
    exact = [dirichlet_multinomial.logpmf(row, alpha * share, row.sum()) for row in droplets.toarray()]
    np.testing.assert_allclose(log_likelihood(droplets, Ambient(share, alpha)), exact, rtol=1e-9)


def test_p_values_against_brute_force() -> None:
    """Every droplet has its own 20,000 simulated ones, of exactly its size, drawn and judged by scipy."""
    rng, share, alpha = np.random.default_rng(2), profile(2, 30), 60.0
    droplets = draw(rng, 0.7 * share + 0.3 * share[::-1], np.array([15, 15, 40, 40, 90]), alpha)
    ambient = Ambient(share, alpha)
    found = empty_p_values(droplets, ambient, seed=3, n_simulations=20_000)
    own = log_likelihood(droplets, ambient)
    for row, p in enumerate(found):
        total = int(droplets[row].sum())
        simulated = rng.multinomial(total, rng.dirichlet(alpha * share, size=20_000))
        likelihood = log_likelihood(sp.csr_matrix(simulated), ambient)
        assert p == pytest.approx(((likelihood <= own[row] + 1e-9).sum() + 1) / 20_001, abs=0.015)


def test_p_values_where_every_likelihood_is_high() -> None:
    """Large droplets, few genes, hardly any width: all terms are above 0, and a cell must not be taken for soup."""
    rng, share = np.random.default_rng(3), profile(3, 40)
    ambient = Ambient(share, 1e6)
    sizes = rng.integers(900, 1000, 60)
    droplets = sp.vstack([draw(rng, share[::-1], sizes[:30], 1e6), draw(rng, share, sizes[30:], 1e6)], format="csr")
    found = empty_p_values(droplets, ambient, seed=3, n_simulations=2000)
    assert found.max() <= 1
    assert found[:30] == pytest.approx(np.full(30, 1 / 2001))
    assert kstest(found[30:], "uniform").pvalue > 0.01


def test_p_values_of_empty_droplets_are_uniform() -> None:
    rng, share = np.random.default_rng(4), profile(4)
    droplets = draw(rng, share, rng.integers(101, 500, 2500), 800.0)
    p_values = empty_p_values(droplets, Ambient(share, 800.0), seed=5, n_simulations=3000)
    assert kstest(p_values, "uniform").pvalue > 0.01
    for level in (0.01, 0.05, 0.5):
        assert (p_values <= level).mean() == pytest.approx(level, abs=4 * np.sqrt(level / 2500 + level / 3000))


def test_p_values_follow_the_seed_alone() -> None:
    rng, share = np.random.default_rng(6), profile(6)
    droplets, ambient = draw(rng, share, rng.integers(101, 300, 40), 500.0), Ambient(share, 500.0)
    first = empty_p_values(droplets, ambient, seed=1, n_simulations=200)
    np.testing.assert_array_equal(first, empty_p_values(droplets, ambient, seed=1, n_simulations=200))
    # In another order of the droplets each keeps its own.
    order = rng.permutation(40)
    np.testing.assert_array_equal(first[order], empty_p_values(droplets[order], ambient, seed=1, n_simulations=200))


@pytest.mark.parametrize("alpha", [100.0, 3000.0])
def test_width_of_empty_droplets_is_found(alpha: float) -> None:
    rng, share = np.random.default_rng(7), profile(7)
    droplets = draw(rng, share, rng.poisson(60, 3000) + 1, alpha)
    assert fit_alpha(droplets, share) == pytest.approx(alpha, rel=0.2)


def test_knee_of_a_curve_with_a_known_one() -> None:
    rng = np.random.default_rng(8)
    cells, empty = rng.lognormal(np.log(5000), 0.3, 1000), rng.lognormal(np.log(60), 0.5, 20_000)
    totals = np.concatenate([cells, empty]).astype(int)
    knee = find_knee(totals, 100)
    assert np.quantile(cells, 0.001) / 2 < knee < np.quantile(cells, 0.4)
    assert find_knee(np.array([150, 160]), 100) > 160  # no curve: nothing is taken for granted


@pytest.fixture(scope="module")
def planted() -> dict[str, np.ndarray | sp.csr_matrix]:
    """300 large cells, 80 small ones that only their genes tell from the 400 large empty droplets, 6,000 small empty ones."""
    rng = np.random.default_rng(9)
    large, small = profile(10), profile(11)
    soup = 0.5 * large + 0.5 * profile(12)
    alpha = 1500.0
    tested = sp.vstack(
        [
            draw(rng, large, rng.lognormal(np.log(4000), 0.3, 300).astype(int), 4000.0),
            draw(rng, 0.8 * small + 0.2 * soup, rng.integers(150, 500, 80), 4000.0),
            draw(rng, soup, rng.integers(101, 500, 400), alpha),
        ],
        format="csr",
    )
    empty = draw(rng, soup, rng.poisson(45, 6000), alpha)
    return {"tested": tested, "empty": empty, "kind": np.repeat(["large", "small", "empty"], [300, 80, 400])}


def test_small_cells_are_found_and_soup_is_not_taken_for_cells(
    planted: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    tested, kind = planted["tested"], planted["kind"]
    totals = np.asarray(tested.sum(axis=1)).ravel()
    sums = np.asarray(planted["empty"].sum(axis=0)).ravel()
    monkeypatch.setattr(emptydrops, "N_SIMULATIONS", 3000)
    p_values, is_cell, knee = call_cells(tested, totals, sums, planted["empty"], 1)
    assert knee > 500  # so that no small one is let through by size
    assert is_cell[kind == "large"].mean() > 0.99
    assert is_cell[kind == "small"].mean() > 0.95
    assert is_cell[kind == "empty"].sum() <= 1  # at a false discovery rate of .1 %
    assert np.isnan(p_values[totals >= knee]).all()
    assert np.isfinite(p_values[totals < knee]).all()
    assert kstest(p_values[kind == "empty"], "uniform").statistic < 0.12


def test_raw_matrix_is_told_by_its_droplets() -> None:
    rng = np.random.default_rng(13)
    cells, empty = rng.integers(500, 9000, 800), rng.poisson(30, 20_000)
    assert is_raw(np.concatenate([cells, empty, np.zeros(10**5, dtype=int)]))
    assert not is_raw(cells)
    assert not is_raw(np.concatenate([cells, empty[:300]]))  # a filtered matrix with some debris
    assert not is_raw(np.concatenate([cells, np.zeros(10**5, dtype=int)]))


def test_adjusted_by_hand() -> None:
    np.testing.assert_allclose(adjust(np.array([0.01, 0.02, 0.9, 0.03])), [0.04, 0.04, 0.9, 0.04])
    assert len(adjust(np.zeros(0))) == 0


@pytest.mark.parametrize("alpha", [3.0, 200.0])
def test_filled_droplets_are_dirichlet_multinomial_after_each_umi(alpha: float) -> None:
    """Moments of the likelihood, at several sizes, against droplets that numpy draws whole."""
    share, rng = profile(13, 60), np.random.default_rng(14)
    ambient = Ambient(share, alpha)
    filled = Urn(share, alpha).fill(8000, 120, rng)
    for size in (1, 2, 30, 120):
        whole = rng.multinomial(size, rng.dirichlet(alpha * share, size=8000))
        kernel = _kernel(sp.csr_matrix(whole), ambient)
        found = filled[:, size - 1]
        assert found.mean() == pytest.approx(kernel.mean(), abs=4 * kernel.std() * np.sqrt(2 / 8000))
        assert found.std() == pytest.approx(kernel.std(), rel=0.06)


def test_place_of_a_umi_among_those_of_its_gene() -> None:
    genes = np.random.default_rng(15).integers(0, 5, (7, 40))
    plain = [[(row[:place] == gene).sum() for place, gene in enumerate(row)] for row in genes]
    np.testing.assert_array_equal(_before(genes), plain)
    np.testing.assert_array_equal(_before(genes + 2**17), plain)
