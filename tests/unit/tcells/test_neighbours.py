"""Cells that have neighbours in common."""

import numpy as np
import pytest
from scipy import sparse

from livermet.tcells.neighbours import MIN_CELLS, MIN_SHARED, find_neighbourhoods, share_neighbours


def graph_of(n_cells: int, edges: list[tuple[int, int]], weight: float = 0.3) -> sparse.csr_matrix:
    rows, columns = np.array(edges).T
    one_way = sparse.csr_matrix((np.full(len(edges), weight), (rows, columns)), shape=(n_cells, n_cells))
    return sparse.csr_matrix(one_way + one_way.T)


def test_weight_is_the_jaccard_index_of_the_neighbours_each_cell_with_itself() -> None:
    shared = share_neighbours(graph_of(4, [(0, 1), (1, 2), (2, 3)])).toarray()
    # {0, 1} and {0, 1, 2}: two of three; {0, 1} and {1, 2, 3}: one of four; {0, 1} and {2, 3}: none.
    expected = np.array(
        [[0, 2 / 3, 1 / 4, 0], [2 / 3, 0, 1 / 2, 1 / 4], [1 / 4, 1 / 2, 0, 2 / 3], [0, 1 / 4, 2 / 3, 0]]
    )
    np.testing.assert_allclose(shared, expected)


def test_weights_of_the_graph_and_their_scale_do_not_count() -> None:
    graph = sparse.random(60, 60, density=0.1, random_state=1, format="csr")
    graph = sparse.csr_matrix(graph + graph.T)
    other = graph.copy()
    other.data = np.linspace(0.01, 5, other.nnz)
    other = sparse.csr_matrix(other.maximum(other.T))
    assert (share_neighbours(graph) != share_neighbours(other)).nnz == 0


def test_is_symmetric_without_a_cell_itself() -> None:
    graph = sparse.random(80, 80, density=0.05, random_state=2, format="csr")
    shared = share_neighbours(sparse.csr_matrix(graph + graph.T))
    assert shared.nnz > 0
    assert abs(shared - shared.T).max() == 0
    assert not shared.diagonal().any()
    assert shared.data.min() >= MIN_SHARED


def test_a_bridge_between_two_dense_groups_is_no_neighbourhood() -> None:
    """Two cells that are neighbours by accident and share no one else are dropped; their own groups are kept whole."""
    size = 20
    group = [(i, j) for i in range(size) for j in range(i)]
    edges = [*group, *((i + size, j + size) for i, j in group), (0, size)]
    shared = share_neighbours(graph_of(2 * size, edges))
    assert shared[0, size] == 0
    assert (shared[0, 1:size].toarray() > 0.9).all()
    assert shared[:size, size:].nnz == 0


def test_a_cell_that_shares_too_little_with_any_keeps_its_neighbours() -> None:
    """Cell 0 hangs on one of forty that all know each other: it shares two of 41 with that one, and one with the others."""
    size = 40
    clique = [(i, j) for i in range(1, size + 1) for j in range(1, i)]
    shared = share_neighbours(graph_of(size + 1, [(0, 1), *clique]))
    assert shared[0].indices.tolist() == [1]
    assert shared[0, 1] == shared[1, 0] == pytest.approx(0.3)
    assert shared[2, 3] == pytest.approx(1)


@pytest.mark.parametrize("n_cells", [0, 1, 5])
def test_no_edges(n_cells: int) -> None:
    shared = share_neighbours(sparse.csr_matrix((n_cells, n_cells)))
    assert shared.shape == (n_cells, n_cells)
    assert shared.nnz == 0


def test_few_cells_keep_their_nearest_neighbours() -> None:
    few = graph_of(MIN_CELLS - 1, [(cell, cell + 1) for cell in range(MIN_CELLS - 2)])
    many = graph_of(MIN_CELLS, [(cell, cell + 1) for cell in range(MIN_CELLS - 1)])
    assert find_neighbourhoods(few, share_neighbours(few)) is few
    shared = share_neighbours(many)
    assert find_neighbourhoods(many, shared) is shared
    assert shared[0, 2] == pytest.approx(1 / 4)
