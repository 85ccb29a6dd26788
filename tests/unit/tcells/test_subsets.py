"""Subsets, told by each cell's own counts and its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from livermet.tcells.definitions import OTHER, States, Subset
from livermet.tcells.signatures import GeneIndex
from livermet.tcells.subsets import Chances, settle

CD8 = Subset(name="CD8", marks=("Cd8a", "Cd8b1"), key=("Cd8b1",))
CD4 = Subset(name="CD4", marks=("Cd4",), key=("Cd4",))
PAIR = GeneIndex(["Cd8a", "Cd8b1", "Cd4", "Rest"], {})


def draw(n_cd8: int, n_cd4: int, seed: int) -> tuple[sparse.csr_matrix, np.ndarray, sparse.csr_matrix]:
    """CD8 and CD4 cells (5 and 8, and 6 UMIs per 10,000; a fortieth of it in the other), neighbours at random."""
    rng = np.random.default_rng(seed)
    is_cd8 = np.arange(n_cd8 + n_cd4) < n_cd8
    totals = rng.lognormal(np.log(2500), 0.4, size=len(is_cd8))
    rates = np.where(is_cd8[:, None], [5, 8, 0.15], [0.1, 0.2, 6]) / 1e4
    own = rng.poisson(totals[:, None] * rates * rng.gamma(1 / 2.5, 2.5, size=rates.shape))
    counts = np.column_stack([own, totals.astype(int) - own.sum(axis=1)])
    graph = sparse.random(len(is_cd8), len(is_cd8), 10 / len(is_cd8), format="csr", rng=rng)
    return sparse.csr_matrix(counts), is_cd8, sparse.csr_matrix(graph + graph.T)


def test_a_cells_own_counts_decide_among_mixed_neighbours() -> None:
    counts, is_cd8, graph = draw(150, 150, seed=2)
    found = settle(counts, PAIR, graph, (CD8, CD4))
    np.testing.assert_allclose(found.chance.sum(axis=1), 1)
    told = found.certain()
    sure = told != OTHER
    assert sure.mean() > 0.5
    assert ((told == "CD8") == is_cd8)[sure].mean() > 0.96


def test_a_chance_is_what_it_says() -> None:
    """Of the cells given a chance between .6 and .8, about seven in ten are right."""
    counts, is_cd8, graph = draw(2000, 2000, seed=3)
    chance = settle(counts, PAIR, graph, (CD8, CD4)).chance
    middle = (chance.max(axis=1) > 0.6) & (chance.max(axis=1) < 0.8)
    assert middle.sum() > 100
    assert ((chance[:, 0] > 0.5) == is_cd8)[middle].mean() == pytest.approx(0.7, abs=0.12)


def test_neighbours_decide_where_a_cell_shows_nothing() -> None:
    own = np.array([[1, 2, 0]] * 10 + [[0, 0, 3]] * 10 + [[0, 0, 0]] * 2)
    counts = sparse.csr_matrix(np.column_stack([own, 2000 - own.sum(axis=1)]))
    graph = sparse.lil_matrix((22, 22))
    graph[20, :10], graph[21, 10:20] = 1, 1
    graph[:10, :10], graph[10:20, 10:20] = 1, 1
    told = settle(counts, PAIR, sparse.csr_matrix(graph.maximum(graph.T)), (CD8, CD4)).certain()
    assert told.tolist() == ["CD8"] * 10 + ["CD4"] * 10 + ["CD8", "CD4"]


def test_a_subset_that_is_not_there_takes_nobody() -> None:
    """All cells are CD8; those that show nothing do not become the CD4 cells of the study."""
    counts, _, graph = draw(300, 0, seed=4)
    assert (counts[:, :3].sum(axis=1) == 0).sum() > 5
    found = settle(counts, PAIR, graph, (CD8, CD4))
    assert found.names == ("CD8",)
    assert set(found.certain()) == {"CD8"}


def test_every_subset_of_the_plan_is_told_apart(states: States) -> None:
    """Forty cells of each subset and three hundred of CD8; a fifth of each cell's neighbours are anybody."""
    rng = np.random.default_rng(5)
    levels = {
        "CD8": "Cd8a 4 Cd8b1 8 Trac 5",
        "CD4": "Cd4 4 Trac 5",
        "gamma_delta": "Trdc 8 Tcrg-C1 6 Tcrg-C2 3 Tcrg-C4 2 Cd8a 1",
        "NKT": "Trac 5 Zbtb16 1.5 Klrb1c 2.5 Trav11 .8 Traj18 .4 Cd4 1",
        "MAIT": "Trac 5 Zbtb16 1.8 Trav1 1.5 Traj33 .5",
    }
    symbols = list(dict.fromkeys(gene for item in states.subsets for gene in item.marks))
    truth = np.repeat(list(levels), [300, 120, 40, 40, 40])
    rates = np.full((len(truth), len(symbols)), 0.02)
    for name, text in levels.items():
        words = text.split()
        for gene, level in zip(words[::2], words[1::2], strict=True):
            rates[truth == name, symbols.index(gene)] = float(level)
    totals = rng.lognormal(np.log(3500), 0.35, size=len(truth))
    own = rng.poisson(totals[:, None] * rates / 1e4 * rng.gamma(2, 0.5, size=rates.shape))
    counts = sparse.csr_matrix(np.column_stack([own, totals.astype(int)]))
    graph = sparse.lil_matrix((len(truth), len(truth)))
    for cell, name in enumerate(truth):
        graph[cell, rng.choice(np.flatnonzero(truth == name), size=12)] = 1.0
        graph[cell, rng.choice(len(truth), size=3)] = 1.0
    found = settle(counts, GeneIndex([*symbols, "Rest"], {}), sparse.csr_matrix(graph.maximum(graph.T)), states.subsets)
    told, likelier = found.certain(), found.likelier()
    for name in levels:
        mine = told[truth == name]
        assert (mine == name).mean() > 0.5, name
        assert ((mine != name) & (mine != OTHER)).mean() < 0.05, name
        assert (likelier[truth == name] == name).mean() > 0.8, name


def test_helper_cells_with_a_stray_receptor_make_no_rare_subset(states: States) -> None:
    """Polyclonal T cells use Trav1, too: one in fifty shows it, and none of them is MAIT."""
    rng = np.random.default_rng(6)
    symbols = list(dict.fromkeys(gene for item in states.subsets for gene in item.marks))
    rates = np.full((400, len(symbols)), 0.01)
    rates[:, symbols.index("Cd4")], rates[:, symbols.index("Trac")] = 4, 5
    rates[:8, symbols.index("Trav1")] = 6
    own = rng.poisson(0.35 * rates * rng.gamma(2, 0.5, size=rates.shape))
    counts = sparse.csr_matrix(np.column_stack([own, np.full(400, 3500)]))
    graph = sparse.random(400, 400, 10 / 400, format="csr", rng=rng)
    found = settle(counts, GeneIndex([*symbols, "Rest"], {}), sparse.csr_matrix(graph + graph.T), states.subsets)
    assert (found.certain() == "MAIT").sum() == 0


def test_no_cells_and_no_genes() -> None:
    empty = settle(sparse.csr_matrix((0, 4)), PAIR, sparse.csr_matrix((0, 0)), (CD8, CD4))
    assert empty.certain().shape == (0,)
    blind = settle(sparse.csr_matrix(np.ones((3, 1))), GeneIndex(["Actb"], {}), sparse.csr_matrix((3, 3)), (CD8, CD4))
    assert blind.certain().tolist() == blind.likelier().tolist() == [OTHER] * 3


def test_likelier_is_more_than_all_others_together() -> None:
    chances = Chances(("A", "B", "C"), np.array([[0.9, 0.1, 0.0], [0.55, 0.25, 0.2], [0.4, 0.3, 0.3]]))
    assert chances.certain().tolist() == ["A", OTHER, OTHER]
    assert chances.likelier().tolist() == ["A", "A", OTHER]
