"""Subsets that neighbours do not tell apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from livermet.tcells.rivals import settle


def draw(n_cd8: int, n_cd4: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, sparse.csr_matrix]:
    """Counts of CD8 and CD4 genes (13 and 6 UMIs per 10,000, a fortieth of it in the other), neighbours at random."""
    rng = np.random.default_rng(seed)
    is_cd8 = np.arange(n_cd8 + n_cd4) < n_cd8
    totals = rng.lognormal(np.log(2500), 0.4, size=len(is_cd8))
    rates = np.where(is_cd8[:, None], [13, 0.15], [0.3, 6]) / 1e4
    counts = rng.poisson(totals[:, None] * rates * rng.gamma(2, 0.5, size=rates.shape))
    graph = sparse.random(len(is_cd8), len(is_cd8), 10 / len(is_cd8), format="csr", rng=rng)
    return counts, totals, is_cd8, sparse.csr_matrix(graph + graph.T)


def test_a_cells_own_counts_decide_among_mixed_neighbours() -> None:
    counts, totals, is_cd8, graph = draw(150, 150, seed=2)
    chance = settle(counts, totals, graph, expressed=0.5)
    np.testing.assert_allclose(chance.sum(axis=1), 1)
    sure = chance.max(axis=1) >= 0.8
    assert sure.mean() > 0.6
    assert ((chance[:, 0] > 0.5) == is_cd8)[sure].mean() > 0.96


def test_a_chance_is_what_it_says() -> None:
    """Of the cells given a chance between .6 and .8, about seven in ten are right."""
    counts, totals, is_cd8, graph = draw(2000, 2000, seed=3)
    chance = settle(counts, totals, graph, expressed=0.5)
    middle = (chance.max(axis=1) > 0.6) & (chance.max(axis=1) < 0.8)
    assert middle.sum() > 100
    assert ((chance[:, 0] > 0.5) == is_cd8)[middle].mean() == pytest.approx(0.7, abs=0.12)


def test_neighbours_decide_where_a_cell_shows_nothing() -> None:
    counts = np.array([[3, 0]] * 10 + [[0, 3]] * 10 + [[0, 0]] * 2)
    graph = sparse.lil_matrix((22, 22))
    graph[20, :10], graph[21, 10:20] = 1, 1
    graph[:10, :10], graph[10:20, 10:20] = 1, 1
    chance = settle(counts, np.full(22, 2000.0), sparse.csr_matrix(graph.maximum(graph.T)), expressed=0.5)
    assert chance[20, 0] > 0.9
    assert chance[21, 1] > 0.9


def test_a_subset_that_is_not_there_takes_nobody() -> None:
    """All cells are CD8; those that show nothing do not become the CD4 cells of the study."""
    counts, totals, _, graph = draw(300, 0, seed=4)
    assert (counts.sum(axis=1) == 0).sum() > 5
    chance = settle(counts, totals, graph, expressed=0.5)
    assert (chance[:, 1] > 0.5).mean() < 0.06


def test_no_cells() -> None:
    assert settle(np.zeros((0, 2)), np.zeros(0), sparse.csr_matrix((0, 0)), expressed=0.5).shape == (0, 2)
