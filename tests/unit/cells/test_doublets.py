"""Doublets: planted ones found, clean samples left alone, the same answer every time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from tests.unit.cells.toy_sample import Toy, make_sample

from livermet.cells.doublets import Doublets, choose_threshold, draw_pairs, log_odds, posterior, score_doublets
from livermet.cells.sketch import find_clusters, fit_sketch, nearest

MIXED = {"lymphocyte": 250, "neutrophil": 120, "macrophage": 120, "platelet": 60}


def score(toy: Toy, seed: int = 1, per_1000: float = 0.05) -> Doublets:
    counts = toy.adata.X
    sketch = fit_sketch(counts)
    space = sketch.project(counts)
    labels = nearest(space, find_clusters(space, seed=seed), 1)[1][:, 0]
    return score_doublets(
        counts, sketch, labels, n_recovered=len(toy.kind), expected_doublet_rate_per_1000=per_1000, seed=seed
    )


def test_planted_doublets_are_found() -> None:
    toy = make_sample(MIXED, n_doublets=16)
    found = score(toy)
    assert average_precision_score(toy.is_doublet, found.score) > 0.8
    called = found.is_doublet
    assert (called & toy.is_doublet).sum() >= 11
    assert (called & ~toy.is_doublet).sum() <= 8
    assert ((found.score >= 0) & (found.score <= 1)).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_few_are_called_in_a_clean_sample(seed: int) -> None:
    found = score(make_sample(MIXED, seed=seed), seed=seed, per_1000=0.008)
    assert found.expected_rate == pytest.approx(0.0044)
    assert found.is_doublet.sum() <= 4  # 2.4 expected, and their chance


def test_nobody_is_called_among_cells_of_one_kind() -> None:
    found = score(make_sample({"lymphocyte": 300}), per_1000=0.05)
    assert found.is_doublet.sum() == 0


def test_too_few_cells_have_no_score() -> None:
    found = score(make_sample({"lymphocyte": 20, "macrophage": 20}))
    assert np.isnan(found.score).all()
    assert not found.is_doublet.any()


def test_same_seed_same_scores() -> None:
    toy = make_sample(MIXED, n_doublets=10)
    np.testing.assert_array_equal(score(toy, seed=4).score, score(toy, seed=4).score)
    assert not np.array_equal(score(toy, seed=4).score, score(toy, seed=5).score)


def test_pairs_are_of_different_cells_and_cover_all() -> None:
    pairs = draw_pairs(30, 5000, np.random.default_rng(0))
    assert (pairs[:, 0] != pairs[:, 1]).all()
    counts = np.bincount(pairs.ravel(), minlength=30)
    assert counts.min() > 0.75 * counts.mean()


def test_odds_against_brute_force() -> None:
    rng = np.random.default_rng(2)
    observed, simulated = rng.normal(size=(60, 3)).astype(np.float32), rng.normal(0.5, 1, (90, 3)).astype(np.float32)
    everyone = np.vstack([observed, simulated])
    expected = []
    for cell in range(len(everyone)):
        squares = ((everyone - everyone[cell]) ** 2).sum(axis=1).astype(float)
        order = [other for other in np.argsort(squares, kind="stable") if other != cell]
        near = squares[order[5]]
        values = []
        for k in (10, 10):  # both sizes are below the least number of neighbours here
            weights = np.exp(-squares[order[:k]] / near / 2)
            q = (weights[np.array(order[:k]) >= 60].sum() + 0.5) / (weights.sum() + 1)
            values.append(np.log(q / (1.5 * (1 - q))))
        expected.append(np.mean(values))
    np.testing.assert_allclose(log_odds(observed, simulated), expected, rtol=1e-3, atol=1e-4)


def test_posterior_is_bayes() -> None:
    rate, ratio = 0.04, np.array([0.1, 1.0, 30.0])
    np.testing.assert_allclose(posterior(np.log(ratio), rate), rate * ratio / (rate * ratio + 1 - rate))


def test_threshold_bounds_the_number_called() -> None:
    rng = np.random.default_rng(0)
    cells, doublets = rng.beta(1, 20, 1000), rng.beta(20, 1, 500)
    cells[:200] = rng.beta(20, 1, 200)  # a fifth looks like doublets, 1 % is expected
    assert (cells > choose_threshold(cells, doublets, 0.01)).sum() <= 10 + np.ceil(np.sqrt(10))
    assert (cells > choose_threshold(cells, doublets, 0.30)).sum() == pytest.approx(180, abs=15)
    assert np.isnan(choose_threshold(cells, rng.permutation(cells), 0.3))  # no different from the cells
