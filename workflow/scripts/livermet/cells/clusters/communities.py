"""Leiden communities of a weighted graph: the best of a few seeded runs, numbered by size."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from livermet.cells.clusters.stability import adjusted_rand_index, mean_of

if TYPE_CHECKING:
    import igraph
    from numpy.typing import NDArray

N_ITERATIONS = 2  # more change the modularity in the fifth digit
N_SEEDS = 3  # runs of a resolution: the best is taken, and their agreement is told
APART = 10_007  # between the seeds of runs, far from those of subsamples: no run repeats another's chances


def to_igraph(graph: sp.csr_matrix) -> igraph.Graph:
    """Undirected igraph graph of a symmetric matrix, edge attribute `weight`."""
    import igraph

    upper = sp.triu(graph, k=1, format="coo")
    edges = np.column_stack([upper.row, upper.col]).astype(np.int64)
    built = igraph.Graph(n=graph.shape[0], edges=edges, directed=False)
    built.es["weight"] = upper.data.astype(float).tolist()
    return built


def run_leiden(graph: igraph.Graph, *, resolution: float, seed: int) -> NDArray[np.int64]:
    """Leiden with modularity, once (Traag, Waltman, van Eck 2019, doi:10.1038/s41598-019-41695-z).

    Parameters
    ----------
    graph
        As :func:`to_igraph` gives it.
    resolution
        Higher gives more clusters.
    seed
        Seed of the order in which cells are moved.

    Returns
    -------
    numpy.ndarray
        (cells,) int; 0 is the largest cluster, of equal ones that with the earlier first cell.
    """
    import igraph

    igraph.set_random_number_generator(random.Random(seed))  # noqa: S311 - igraph takes this kind only # nosec B311
    try:
        found = graph.community_leiden(
            objective_function="modularity", weights="weight", resolution=resolution, n_iterations=N_ITERATIONS
        )
    finally:
        igraph.set_random_number_generator(random)
    return number_by_size(np.asarray(found.membership, dtype=np.int64))


def best_run(
    graph: igraph.Graph, *, resolution: float, seed: int, n_seeds: int = N_SEEDS
) -> tuple[NDArray[np.int64], float]:
    """Clusters of the run with the highest modularity, so that less of them is owed to the seed.

    Parameters
    ----------
    graph, resolution
        As for :func:`run_leiden`.
    seed
        Of the first run; the others' follow from it.
    n_seeds
        Runs.

    Returns
    -------
    clusters : numpy.ndarray
        (cells,) int, numbered by size.
    agreement : float
        Mean adjusted Rand index of the other runs with it; 1 where there is nothing to run.
    """
    runs = [run_leiden(graph, resolution=resolution, seed=seed)]
    if not graph.ecount():
        return runs[0], 1.0
    runs += [run_leiden(graph, resolution=resolution, seed=seed + APART * number) for number in range(1, n_seeds)]
    quality = [graph.modularity(run.tolist(), weights="weight", resolution=resolution) for run in runs]
    best = int(np.argmax(quality))
    others = [adjusted_rand_index(runs[best], run) for number, run in enumerate(runs) if number != best]
    return runs[best], mean_of(others)


def number_by_size(membership: NDArray[np.int64]) -> NDArray[np.int64]:
    """Renumber clusters: the largest is 0; of equal ones, that with the earlier first cell."""
    _, first, codes, sizes = np.unique(membership, return_index=True, return_inverse=True, return_counts=True)
    ranks = np.empty(len(sizes), dtype=np.int64)
    ranks[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return ranks[codes]
