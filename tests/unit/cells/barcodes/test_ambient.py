"""Ambient RNA: known shares are measured, with and without empty droplets, and what cannot be told is said."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from tests.unit.cells.toy_sample import KINDS, Toy, make_sample

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
from livermet.cells.barcodes.cellwise import SHARES as CELL_SHARES
from livermet.cells.barcodes.cellwise import _Said, cell_shares
from livermet.cells.barcodes.kinds import LEVELS, MAX_KINDS, Kind, learn_kinds, likelihoods
from livermet.cells.barcodes.silence import (
    CLEAR_SHARE,
    SHARES,
    Pile,
    expected_level,
    find_pile,
    mixtures,
    profile_likelihood,
)

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


def pile_of(toy: Toy) -> tuple[Pile, list[Kind]]:
    everyone = np.ones(len(toy.kind), dtype=bool)
    kinds = learn_kinds(toy.adata.X, labels_of(toy.kind), everyone, toy.empty["umis"].to_numpy(dtype=float))
    return find_pile([kind for kind in kinds if kind.speaks]), kinds


def test_without_soup_there_is_an_upper_bound_and_no_number() -> None:
    toy = make_sample(MIXED, rho=0.0)
    found = measure(toy)
    assert found.found_by == NOT_TOLD
    assert np.isnan(found.share).all()
    assert found.low == 0
    assert 0 < found.high < 0.01
    guessed = measure(toy, with_empty=False)
    assert guessed.found_by == NOT_TOLD
    assert found.high < guessed.high < 0.04  # kinds may burst less than others: the bound is wider


def test_cells_drowned_in_soup_have_no_number() -> None:
    """19 of 20 UMIs are soup (pure draws from it are no cells: such samples are set aside)."""
    toy = make_sample(MIXED, rho=0.0)
    rng = np.random.default_rng(0)
    own = rng.binomial(toy.adata.X.toarray(), 0.05)
    soup = np.stack([rng.multinomial(int(total * 0.95), toy.soup) for total in toy.adata.X.sum(axis=1).A1])
    counts = sp.csr_matrix((own + soup).astype(np.int32))
    everyone = np.ones(len(own), dtype=bool)
    found = ambient_share(counts, labels_of(toy.kind), soup_profile(counts, toy.empty["umis"].to_numpy()), everyone)
    assert found.found_by == NOT_TOLD
    assert found.high > 0.9


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


def test_a_small_cell_holds_more_of_soup_that_enters_every_droplet_alike() -> None:
    """Nothing but its UMIs: half of the usual ones, and the share is nearly twice as large; none where soup follows the cell."""
    rng = np.random.default_rng(0)
    totals = np.sort(np.rint(4000 * rng.lognormal(0, 0.3, 400)))
    counts = sp.csr_matrix(np.stack([totals, np.zeros(400)], axis=1))
    everyone = np.ones(400, dtype=bool)
    kind = Kind(
        np.arange(400), everyone, totals.mean(), totals.sum(), np.array([totals.sum(), 0.0]), np.zeros(0, dtype=int),
        np.zeros(0), np.zeros(0), 1.0,
    )  # fmt: skip
    found = {}
    for slope in (0.0, 1.0):
        pile = Pile(0.1, 0.09, 0.11, slope, 4000.0, 100.0, 0.05)
        share = cell_shares(counts, np.zeros(400, dtype=int), np.ones(2), [kind], pile, np.array([0.1]))
        assert (share * totals).sum() / totals.sum() == pytest.approx(0.1)
        found[slope] = np.polyfit(np.log(totals), np.log(share), 1)[0]
    assert found[1.0] == pytest.approx(-1, abs=0.15)
    assert found[0.0] == pytest.approx(0, abs=0.05)


def test_overdispersion_of_a_bin_is_told_by_moments() -> None:
    """What is silent scatters by chance, what is expressed by a gamma of variance .25: so it weighs less."""
    rng = np.random.default_rng(1)
    totals = rng.uniform(3000, 6000, 600)
    x, part = np.array([0.0, 0.3]), np.array([0.1, 0.1])
    mean = totals[:, None] * part * (0.1 + 0.9 * x)
    mean[:, 1] = totals * part[1] * (0.1 + 0.9 * x[1] * rng.gamma(4, 0.25, 600))
    beyond, squares = _Said(rng.poisson(mean).astype(float), part, x).unexplained(
        totals, np.full(600, 0.1), np.zeros(600)
    )
    assert beyond[0] / squares[0] == pytest.approx(0, abs=0.01)
    assert beyond[1] / squares[1] == pytest.approx(0.25 * (0.27 / 0.37) ** 2, rel=0.2)


def test_likelihood_of_a_cell_is_its_negative_binomial() -> None:
    from scipy.stats import nbinom, poisson

    found, part, x = np.array([[3.0, 9.0], [0.0, 40.0]]), np.array([0.02, 0.05]), np.array([0.0, 0.4])
    totals, more = np.array([2000.0, 5000.0]), np.array([0.05, 0.5])
    said = _Said(found, part, x)
    mean = totals[:, None, None] * part * (CELL_SHARES[:, None] + (1 - CELL_SHARES[:, None]) * x)
    exact = nbinom.logpmf(found[:, None, :], 1 / more, 1 / (1 + more * mean)).sum(axis=2)
    ours = said.likelihood(totals, more)
    np.testing.assert_allclose(ours - ours.max(1, keepdims=True), exact - exact.max(1, keepdims=True), atol=1e-8)
    exact = poisson.logpmf(found[:, None, :], mean).sum(axis=2)
    ours = said.silent_likelihood(totals)
    np.testing.assert_allclose(ours - ours.max(1, keepdims=True), exact - exact.max(1, keepdims=True), atol=1e-8)


def test_many_kinds_that_are_alike_are_taken_together() -> None:
    """Clusters of one kind of cell teach as one: no kind is mixed with another, and all cells are there."""
    toy = make_sample(MIXED, rho=0.10)
    labels = labels_of(toy.kind) * 10 + np.arange(len(toy.kind)) % 5
    kinds = learn_kinds(toy.adata.X, labels, np.ones(len(labels), dtype=bool), toy.empty["umis"].to_numpy(dtype=float))
    assert len(np.unique(labels)) > MAX_KINDS >= len(kinds) >= 4
    assert all(len(np.unique(toy.kind[kind.cells])) == 1 for kind in kinds)
    np.testing.assert_array_equal(np.sort(np.concatenate([kind.cells for kind in kinds])), np.arange(len(labels)))


def test_kinds_that_are_soup_for_the_most_part_do_not_decide() -> None:
    """A fifth of the large cells is soup, and four fifths of the small ones, whose silent genes are hidden: they have no say."""
    rng = np.random.default_rng(2)
    soup = rng.uniform(200, 600, 400)
    kinds = []
    for depth, share in ((8000.0, 0.2), (6000.0, 0.27), (2000.0, 0.8)):
        x = np.where(np.arange(400) % 4 == 0, 0, rng.lognormal(-1.5, 1.2, 400))
        found = rng.poisson(soup * (share + (1 - share) * x)).astype(float)
        none = np.zeros(0, dtype=int)
        kinds.append(Kind(none, none.astype(bool), depth, found.sum(), found, np.arange(400), found, soup, 1.0))
    pile = find_pile(kinds)
    assert pile.at(8000) == pytest.approx(0.2, rel=0.1)
    assert pile.at(2000) > CLEAR_SHARE
    assert pile.lean[2] == 0
    assert pile.lean[0] != 0 != pile.lean[1]


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


def test_mixture_is_fitted_as_a_brute_force_search_does() -> None:
    """The profile likelihood of twelve genes, the mixture by a general optimiser."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(3)
    soup = rng.uniform(200, 400, 12)
    truth = 0.1 + 0.9 * rng.lognormal(-3, 1.5, 12)
    likelihood = likelihoods(rng.poisson(soup * truth).astype(float), soup, 1.0)
    place = int(np.abs(SHARES - np.log(0.1)).argmin())
    value, weights = profile_likelihood(likelihood, np.array([place]))
    each = likelihood @ mixtures()[:, place, :]

    def loss(logits: np.ndarray) -> float:
        free = np.exp(logits - logits.max())
        return -float(np.log(each @ (free / free.sum())).sum())

    best = -min(minimize(loss, rng.normal(0, 1, each.shape[1]), method="L-BFGS-B").fun for _ in range(5))
    assert weights.sum() == pytest.approx(1, abs=1e-4)
    assert best - 0.2 < value[0] <= best + 1e-3  # 25 rounds of EM come that near


def test_pile_of_silent_genes_is_found_among_expressed_ones() -> None:
    """The likelihood of the share is highest where a quarter of the genes pile up, and has no top where none do."""
    rng = np.random.default_rng(0)
    soup = rng.uniform(200, 600, 400)
    places = np.arange(0, len(SHARES), 2)
    expressed = rng.lognormal(-1.5, 1.2, 400)
    for part, top in ((0.25, 0.05), (0.0, None)):
        x = np.where(np.arange(400) < 400 * part, 0, expressed)
        share = 0.05 if part else 0.0
        likelihood = likelihoods(rng.poisson(soup * (share + (1 - share) * x)).astype(float), soup, 1.0)
        value = profile_likelihood(likelihood, places)[0]
        if top:
            assert np.exp(SHARES[places[value.argmax()]]) == pytest.approx(top, rel=0.12)
            assert value.max() - value[0] > 20
        else:
            assert value.max() - value[0] < 2
            assert value[np.abs(SHARES[places] - np.log(0.05)).argmin()] < value[0] - 10


def test_what_a_kind_expresses_is_told_from_what_it_is_silent_for() -> None:
    toy = make_sample(MIXED, rho=0.10)
    pile, kinds = pile_of(toy)
    own = {name: set(range(400 + 80 * place, 480 + 80 * place)) for place, name in enumerate(KINDS)}
    for kind in kinds:
        name = toy.kind[kind.cells[0]]
        x = expected_level(kind.found, kind.soup, kind.odds, pile.at(kind.depth))
        mine = np.isin(kind.genes, list(own[name]))
        others = np.isin(kind.genes, [gene for other, genes in own.items() if other != name for gene in genes])
        assert x[mine].min() > 0.5
        # Of weak genes of the profile little is known: their level stays where the mixture has it.
        assert np.average(x[others], weights=kind.expected[others]) < 0.02
        assert (x[others] < 0.05).mean() > 0.8


@pytest.mark.parametrize("ambient", [0.10, 0.35])
def test_kinds_that_burst_more_are_weighed_by_what_the_pool_holds(ambient: float) -> None:
    """Without a raw matrix the lowest pile is that of the kind that burst least; the share is the mean of all piles."""
    toy = make_sample(
        MIXED,
        rho=ambient,
        burst={"lymphocyte": 0.5, "neutrophil": 1.0, "macrophage": 1.4, "platelet": 0.6},
        hepatocyte=0.0,
    )
    totals = toy.adata.X.sum(axis=1).A1
    everyone = np.ones(len(toy.kind), dtype=bool)
    soup = soup_profile(toy.adata.X, None)
    kinds = [k for k in learn_kinds(toy.adata.X, labels_of(toy.kind), everyone, soup.counts) if k.speaks]
    pile = find_pile(kinds)
    found = measure(toy, with_empty=False)
    truth = (toy.ambient * totals).sum() / totals.sum()
    assert pile.share < 0.75 * truth
    assert (found.share * totals).sum() / totals.sum() == pytest.approx(truth, rel=0.2)
    assert found.low <= truth <= found.high


@pytest.mark.parametrize(("per_droplet", "slope"), [(False, 0.0), (True, 1.0)])
def test_how_the_share_falls_with_depth_is_found(per_droplet: bool, slope: float) -> None:
    toy = make_sample(MIXED, rho=0.05, seed=3, per_droplet=per_droplet)
    pile, kinds = pile_of(toy)
    assert abs(pile.slope - slope) <= 0.25
    for kind in kinds:
        own = toy.ambient[kind.cells] @ toy.adata.X[kind.cells].sum(axis=1).A1 / kind.umis
        assert pile.at(kind.depth) == pytest.approx(own, rel=0.3)


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
