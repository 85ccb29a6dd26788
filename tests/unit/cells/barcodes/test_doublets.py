"""Doublets: planted ones found, clean samples left alone, the same answer every time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from tests.unit.cells.toy_sample import Toy, make_sample

from livermet.cells.barcodes.doublet_evidence import log_odds, pair_gain, weigh
from livermet.cells.barcodes.doublets import Doublets, choose_threshold, draw_pairs, posterior, score_doublets
from livermet.cells.barcodes.sketch import find_clusters, fit_sketch, nearest

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
    toy = make_sample(MIXED, n_doublets=40, seed=3)
    found = score(toy, per_1000=0.15)
    assert average_precision_score(toy.is_doublet, found.score) > 0.95
    called = found.is_doublet
    assert (called & toy.is_doublet).sum() >= 30
    assert (called & ~toy.is_doublet).sum() <= 2
    assert found.estimated_rate == pytest.approx(40 / 550, rel=0.4)
    assert ((found.score >= 0) & (found.score <= 1)).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_few_are_called_in_a_clean_sample_whatever_is_expected(seed: int) -> None:
    found = score(make_sample(MIXED, seed=seed), seed=seed, per_1000=0.2)
    assert found.expected_rate == pytest.approx(0.11)
    assert found.is_doublet.mean() < 0.01
    assert found.estimated_rate < 0.01


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
    np.testing.assert_allclose(log_odds(observed, simulated, 90), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(log_odds(observed, simulated, 7), expected[:67], rtol=1e-3, atol=1e-4)


def test_gain_of_a_second_kind_against_brute_force() -> None:
    rng = np.random.default_rng(5)
    means = rng.normal(0, 4, (3, 4))
    labels = np.repeat([0, 1, 2, 3], [30, 30, 30, 2])  # two cells make no kind
    observed = np.vstack([means[label % 3] + rng.normal(0, 0.5, 4) for label in labels]).astype(np.float32)
    points = np.vstack([(means[0] + means[1]) / 2, means[2], rng.normal(0, 4, (6, 4))]).astype(np.float32)
    centres = [observed[labels == kind].mean(axis=0).astype(float) for kind in range(3)]
    expected = []
    for point in points:
        single = min(((point - centre) ** 2).sum() for centre in centres)
        double = min(
            ((point - share * one - (1 - share) * other) ** 2).sum()
            for one in centres for other in centres for share in np.linspace(0, 1, 2001)
        )  # fmt: skip
        expected.append(np.log(single / double))
    gain = pair_gain(points, observed, labels)
    np.testing.assert_allclose(gain, expected, atol=0.02)
    assert gain[0] > 3 > gain[1]
    assert pair_gain(points, observed, np.zeros(92, dtype=int)).tolist() == [0.0] * 8


def test_weights_are_those_of_a_logistic_regression() -> None:
    rng = np.random.default_rng(6)
    features = np.vstack([rng.normal(0, 1, (400, 2)), rng.normal([1.5, 0], 1, (300, 2))])
    truth = np.repeat([0, 1], [400, 300])
    spread = features[:400].std(axis=0)
    scaled = (features - features[:400].mean(axis=0)) / spread
    weights = np.repeat([0.5 / 400, 0.5 / 300], [400, 300]) * 700
    reference = LogisticRegression(C=1 / (0.01 * 700), tol=1e-10, max_iter=1000)
    reference.fit(scaled, truth, sample_weight=weights)
    np.testing.assert_allclose(weigh(features, 400), reference.decision_function(scaled), atol=1e-4)


def test_posterior_is_bayes() -> None:
    rate, ratio = 0.04, np.array([0.1, 1.0, 30.0])
    np.testing.assert_allclose(posterior(np.log(ratio), rate), rate * ratio / (rate * ratio + 1 - rate))


def test_threshold_bounds_the_number_called() -> None:
    rng = np.random.default_rng(0)
    cells, doublets = rng.beta(1, 20, 1000), rng.beta(20, 1, 500)
    cells[:200] = rng.beta(20, 1, 200)  # a fifth looks like doublets, 1 % is expected
    threshold, estimated = choose_threshold(cells, doublets, 0.01)
    assert (cells > threshold).sum() <= 10 + np.ceil(np.sqrt(10))
    assert estimated == pytest.approx(0.2, abs=0.03)
    assert (cells > choose_threshold(cells, doublets, 0.30)[0]).sum() == pytest.approx(195, abs=8)


def test_share_of_doublets_is_estimated_and_none_called_where_none_are() -> None:
    rng = np.random.default_rng(1)
    cells, doublets = rng.normal(0, 1, 3000), rng.normal(3, 1, 1000)
    _, estimated = choose_threshold(cells, doublets, 0.10)
    assert estimated < 0.003
    cells[:240] = rng.normal(3, 1, 240)
    threshold, estimated = choose_threshold(cells, doublets, 0.30)
    assert estimated == pytest.approx(0.08, abs=0.02)
    called = cells > threshold
    assert called[:240].mean() > 0.7
    assert called[:240].sum() / called.sum() > 0.7
    assert (cells > choose_threshold(cells, doublets, 0.30, times=2)[0]).sum() > called.sum()
