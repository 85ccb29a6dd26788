"""The map: the same again, groups apart, and the graph below it the library's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from livermet.cells.embedding.graph import find_neighbors, fuzzy_graph
from livermet.cells.embedding.layout import lay_out_cells


def make_groups(n_cells: int = 240) -> tuple[pd.DataFrame, sp.csr_matrix, np.ndarray]:
    rng = np.random.default_rng(0)
    groups = np.arange(n_cells) % 3
    points = (rng.normal(size=(n_cells, 6)) + groups[:, None] * 4).astype(np.float32)
    pca = pd.DataFrame(points, index=pd.Index([f"c{n}" for n in range(n_cells)], name="cell"))
    return pca, fuzzy_graph(*find_neighbors(points, n_neighbors=14)), groups


def test_groups_lie_apart_and_the_map_is_the_same_again() -> None:
    pca, graph, groups = make_groups()
    once = lay_out_cells(pca, graph, seed=1)
    again = lay_out_cells(pca, graph, seed=1)
    pd.testing.assert_frame_equal(once, again, check_exact=True)
    assert once.index.equals(pca.index)
    assert once.columns.tolist() == ["umap_1", "umap_2"]
    assert silhouette_score(once, groups) > 0.5


def test_fuzzy_graph_is_that_of_the_library() -> None:
    from umap.umap_ import fuzzy_simplicial_set

    points = np.random.default_rng(5).normal(size=(300, 6)).astype(np.float32)
    indices, distances = find_neighbors(points, n_neighbors=14)
    own = np.arange(300)[:, None]
    theirs, _, _ = fuzzy_simplicial_set(
        points,
        n_neighbors=15,
        random_state=np.random.RandomState(0),
        metric="euclidean",
        knn_indices=np.hstack([own, indices]),
        knn_dists=np.hstack([np.zeros((300, 1)), distances]).astype(np.float32),
    )[:3]
    assert abs(fuzzy_graph(indices, distances) - theirs.tocsr()).max() < 1e-4


@pytest.mark.parametrize("n_cells", [1, 2, 3, 5, 12])
def test_few_cells_have_a_place(n_cells: int) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(n_cells, 4)).astype(np.float32)
    graph = sp.csr_matrix((n_cells, n_cells), dtype=np.float32)
    if n_cells > 1:
        graph = fuzzy_graph(*find_neighbors(points, n_neighbors=14))
    umap = lay_out_cells(pd.DataFrame(points), graph, seed=0)
    assert umap.shape == (n_cells, 2)
    assert np.isfinite(umap.to_numpy()).all()


def test_a_graph_in_several_parts_is_laid_out_the_same_again_in_any_order_and_number_of_threads() -> None:
    pca, _, groups = make_groups()
    apart = (pca + 1000 * groups[:, None]).astype(np.float32)  # no edge between the three
    graph = fuzzy_graph(*find_neighbors(apart.to_numpy(), n_neighbors=14))
    assert connected_components(graph, directed=False)[0] == 3
    once = lay_out_cells(apart, graph, seed=1)
    with threadpool_limits(2):
        pd.testing.assert_frame_equal(lay_out_cells(apart, graph, seed=1), once, check_exact=True)
    moved = np.random.default_rng(3).permutation(len(apart))
    other = lay_out_cells(apart.iloc[moved], sp.csr_matrix(graph[moved][:, moved]), seed=1)
    pd.testing.assert_frame_equal(other.loc[once.index], once, check_exact=True)
    # It starts from the first two components: the part that was put between the others stays between them.
    centres = once.groupby(groups).mean().to_numpy()
    steps = np.diff(centres, axis=0)
    assert (steps[0] * steps[1]).sum() / np.linalg.norm(steps, axis=1).prod() > 0.5
    assert silhouette_score(once, groups) > 0.5
