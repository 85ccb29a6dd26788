"""Groups of like cells: Leiden at several resolutions, and which of them holds when cells are left out."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.keys import CELL, LEIDEN

if TYPE_CHECKING:
    import igraph
    from numpy.typing import NDArray

TOLERANCE = 0.05
N_ITERATIONS = 2  # more change the modularity in the fifth digit


@dataclass(frozen=True)
class Clustering:
    """What :func:`cluster_cells` finds.

    Attributes
    ----------
    clusters
        Index `cell`; `leiden` (the chosen resolution) and `leiden_<resolution>` for each, as text.
    stability
        One row a resolution: `resolution`, `n_clusters`, `stability`, `stability_sd`, `smallest`, `chosen`.
    """

    clusters: pd.DataFrame
    stability: pd.DataFrame


def cluster_cells(
    connectivities: sp.csr_matrix,
    cells: pd.Index,
    *,
    resolutions: list[float],
    resolution: float | None,
    n_subsamples: int,
    subsample_fraction: float,
    seed: int,
) -> Clustering:
    """Cluster the neighbour graph at several resolutions and choose one by its stability.

    Leiden with modularity (Traag, Waltman, van Eck 2019, doi:10.1038/s41598-019-41695-z). The stability of a resolution
    is the mean adjusted Rand index between the clustering of the whole graph and that of the graph of a random share of
    the cells. Taking the single most stable resolution would nearly always take the coarsest, since a few far-apart
    groups are found whatever is left out; so the finest resolution is taken whose stability, one standard deviation
    below its mean, is still within .05 of the best mean: the most detail that holds about as well as anything does.

    Parameters
    ----------
    connectivities
        Cells x cells, symmetric weights.
    cells
        Names of the cells. Cells are clustered in the order of their names, so that the order of samples in the sheet
        changes nothing.
    resolutions
        Resolutions to try.
    resolution
        Resolution to take whatever its stability (it is tried as well); None to choose.
    n_subsamples
        Subsamples per resolution.
    subsample_fraction
        Share of the cells in a subsample.
    seed
        Seed of Leiden and of the subsamples.

    Returns
    -------
    Clustering
        Labels of every resolution, "0" the largest cluster, and the table the choice was made from.
    """
    tried = sorted({float(value) for value in [*resolutions, *([resolution] if resolution is not None else [])]})
    order = np.argsort(cells.to_numpy(dtype=str), kind="stable")
    graph = sp.csr_matrix(connectivities)[order][:, order]
    whole = _to_igraph(graph)
    labels = {value: _number_by_size(_leiden(whole, resolution=value, seed=seed)) for value in tried}
    agreement = measure_stability(graph, labels, n_subsamples=n_subsamples, fraction=subsample_fraction, seed=seed)
    mean = {value: float(np.mean(agreement[value])) for value in tried}
    deviation = {value: float(np.std(agreement[value], ddof=1)) for value in tried}
    chosen = resolution if resolution is not None else choose_resolution(mean, deviation)
    table = pd.DataFrame(
        [
            {
                "resolution": value,
                "n_clusters": int(labels[value].max()) + 1,
                "smallest": int(np.bincount(labels[value]).min()),
                "stability": mean[value],
                "stability_sd": deviation[value],
                "chosen": value == chosen,
            }
            for value in tried
        ]
    )
    back = np.argsort(order, kind="stable")
    clusters = pd.DataFrame({LEIDEN: labels[chosen][back].astype(str)}, index=pd.Index(cells, name=CELL))
    for value in tried:
        clusters[f"{LEIDEN}_{value:g}"] = labels[value][back].astype(str)
    return Clustering(clusters=clusters, stability=table)


def choose_resolution(
    stability: dict[float, float], deviation: dict[float, float], *, tolerance: float = TOLERANCE
) -> float:
    """Finest resolution that is about as stable as the most stable one, and steadily so.

    Parameters
    ----------
    stability, deviation
        Mean and standard deviation over subsamples of every resolution's agreement.
    tolerance
        Loss of stability (adjusted Rand index) that more detail may cost.

    Returns
    -------
    float
        The finest resolution whose mean minus one standard deviation is within `tolerance` of the best mean; the most
        stable one where none is.
    """
    best = max(stability.values())
    steady = [value for value in stability if stability[value] - deviation[value] >= best - tolerance]
    return max(steady) if steady else max(value for value in stability if stability[value] == best)


def find_clusters(graph: sp.csr_matrix, *, resolution: float, seed: int) -> NDArray[np.int64]:
    """Leiden clusters of a weighted graph, numbered by size.

    Parameters
    ----------
    graph
        Cells x cells, symmetric weights.
    resolution
        Higher gives more clusters.
    seed
        Seed of the order in which cells are moved.

    Returns
    -------
    numpy.ndarray
        (cells,) int; 0 is the largest cluster, of equal ones that with the earlier first cell.
    """
    return _number_by_size(_leiden(_to_igraph(graph), resolution=resolution, seed=seed))


def measure_stability(
    graph: sp.csr_matrix,
    labels: dict[float, NDArray[np.int64]],
    *,
    n_subsamples: int,
    fraction: float,
    seed: int,
) -> dict[float, list[float]]:
    """Agreement of each resolution's clusters with those found when cells are left out.

    Parameters
    ----------
    graph
        Cells x cells, symmetric weights.
    labels
        Clusters of the whole graph for every resolution.
    n_subsamples
        Subsamples; the same ones for every resolution.
    fraction
        Share of the cells in each.
    seed
        Seed of the draws.

    Returns
    -------
    dict
        Resolution -> adjusted Rand index of every subsample.
    """
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(seed)
    n_cells = graph.shape[0]
    size = int(np.clip(round(fraction * n_cells), min(2, n_cells), n_cells))
    found: dict[float, list[float]] = {value: [] for value in labels}
    for number in range(n_subsamples):
        drawn = np.sort(rng.choice(n_cells, size=size, replace=False))
        part = _to_igraph(sp.csr_matrix(graph[drawn][:, drawn]))
        for value, whole in labels.items():
            # Another seed each time, so that the algorithm's own chance counts as instability too.
            again = _leiden(part, resolution=value, seed=seed + 1 + number)
            found[value].append(float(adjusted_rand_score(whole[drawn], again)))
    return found


def _to_igraph(graph: sp.csr_matrix) -> igraph.Graph:
    """Undirected igraph graph of a symmetric matrix."""
    import igraph

    upper = sp.triu(graph, k=1, format="coo")
    edges = np.column_stack([upper.row, upper.col]).astype(np.int64)
    built = igraph.Graph(n=graph.shape[0], edges=edges, directed=False)
    built.es["weight"] = upper.data.astype(float).tolist()
    return built


def _leiden(graph: igraph.Graph, *, resolution: float, seed: int) -> NDArray[np.int64]:
    """Leiden memberships, seeded."""
    import igraph

    igraph.set_random_number_generator(random.Random(seed))  # noqa: S311 - igraph takes this kind only
    try:
        found = graph.community_leiden(
            objective_function="modularity", weights="weight", resolution=resolution, n_iterations=N_ITERATIONS
        )
    finally:
        igraph.set_random_number_generator(random)
    return np.asarray(found.membership, dtype=np.int64)


def _number_by_size(membership: NDArray[np.int64]) -> NDArray[np.int64]:
    """Renumber clusters: the largest is 0; of equal ones, that with the earlier first cell."""
    _, first, codes, sizes = np.unique(membership, return_index=True, return_inverse=True, return_counts=True)
    ranks = np.empty(len(sizes), dtype=np.int64)
    ranks[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return ranks[codes]
