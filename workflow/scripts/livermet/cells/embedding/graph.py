"""Exact neighbours and the fuzzy neighbour graph, without compiling anything."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from numpy.typing import NDArray


def find_neighbors(points: NDArray[np.float32], *, n_neighbors: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Nearest other cells of every cell, exactly (faiss, flat index).

    Parameters
    ----------
    points
        Cells x dimensions.
    n_neighbors
        Neighbours of a cell, itself not counted; fewer where there are not so many other cells.

    Returns
    -------
    indices, distances
        Cells x neighbours, nearest first; Euclidean distances.
    """
    # It tells which processor extensions it tries, as if something had failed.
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    import faiss

    faiss.omp_set_num_threads(1)  # one thread: the order of a sum, and so a near tie, never depends on the machine
    n_cells = len(points)
    wanted = min(n_neighbors, n_cells - 1)
    # Distances come as |a|^2 + |b|^2 - 2ab in single precision: centred points lose fewest digits.
    centred = np.ascontiguousarray(points - points.mean(axis=0), dtype=np.float32)
    index = faiss.IndexFlatL2(centred.shape[1])
    index.add(centred)
    _, found = index.search(centred, wanted + 1)
    # With identical cells the first hit need not be the cell itself: strike it out wherever it stands.
    own = found == np.arange(n_cells)[:, None]
    own[~own.any(axis=1), -1] = True
    indices = found[~own].reshape(n_cells, wanted)
    exact = centred.astype(np.float64)
    distances = np.stack([np.linalg.norm(exact - exact[indices[:, rank]], axis=1) for rank in range(wanted)], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(indices, order, axis=1), np.take_along_axis(distances, order, axis=1)


def fuzzy_graph(indices: NDArray[np.int64], distances: NDArray[np.float64]) -> sp.csr_matrix:
    """Fuzzy union of every cell's neighbourhood: the graph of UMAP.

    The weight from i to j is exp(-(d_ij - rho_i) / sigma_i), with rho_i the distance to the nearest distinct neighbour
    and sigma_i such that the weights of a cell sum to log2 of the neighbourhood's size, itself counted; the union of
    both directions is a + b - ab (McInnes, Healy, Melville 2018, doi:10.21105/joss.00861). sigma is found by bisection
    for all cells at once in numpy: the library's own function is compiled anew in every process.

    Parameters
    ----------
    indices, distances
        Cells x neighbours, nearest first, the cell itself left out.

    Returns
    -------
    scipy.sparse.csr_matrix
        Cells x cells, symmetric, float32, weights in (0, 1], empty diagonal.
    """
    n_cells, n_neighbors = indices.shape
    rho = np.where(distances > 0, distances, np.inf).min(axis=1)
    rho[~np.isfinite(rho)] = 0.0
    gaps = np.maximum(distances - rho[:, None], 0.0)
    target = np.log2(n_neighbors + 1)
    low, high, sigma = np.zeros(n_cells), np.full(n_cells, np.inf), np.ones(n_cells)
    for _ in range(64):
        too_much = np.exp(-gaps / sigma[:, None]).sum(axis=1) > target
        high = np.where(too_much, sigma, high)
        low = np.where(too_much, low, sigma)
        sigma = np.where(np.isinf(high), sigma * 2, (low + np.where(np.isinf(high), low, high)) / 2)
    # A floor keeps cells with many identical neighbours from a graph of a single edge.
    mean = np.where(rho > 0, distances.mean(axis=1), distances.mean())
    sigma = np.maximum(sigma, np.maximum(1e-3 * mean, np.finfo(float).tiny))
    weights = np.exp(-gaps / sigma[:, None])
    directed = sp.csr_matrix(
        (weights.ravel(), (np.repeat(np.arange(n_cells), n_neighbors), indices.ravel())), shape=(n_cells, n_cells)
    )
    both = directed.multiply(directed.T)
    graph = sp.csr_matrix(directed + directed.T - both, dtype=np.float32)
    graph.eliminate_zeros()
    graph.sort_indices()
    return graph


def distance_matrix(indices: NDArray[np.int64], distances: NDArray[np.float64]) -> sp.csr_matrix:
    """Neighbour distances as a sparse matrix.

    Parameters
    ----------
    indices, distances
        Cells x neighbours.

    Returns
    -------
    scipy.sparse.csr_matrix
        Cells x cells, float32; row i holds the distances from cell i, identical neighbours as explicit zeros.
    """
    n_cells, n_neighbors = indices.shape
    pointers = np.arange(0, n_cells * n_neighbors + 1, n_neighbors)
    matrix = sp.csr_matrix(
        (distances.ravel().astype(np.float32), indices.ravel(), pointers), shape=(n_cells, n_cells), copy=True
    )
    matrix.sort_indices()
    return matrix
