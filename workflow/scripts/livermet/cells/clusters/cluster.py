"""Groups of like cells: Leiden at several resolutions, and which of them holds when cells are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.clusters.communities import best_run, run_leiden, to_igraph
from livermet.cells.clusters.stability import adjusted_rand_index, best_jaccard, judge, mean_of, spread_of
from livermet.keys import CELL, LEIDEN

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 0.025


@dataclass(frozen=True)
class Clustering:
    """What :func:`cluster_cells` finds.

    Attributes
    ----------
    clusters
        Index `cell`; `leiden` (the chosen resolution) and `leiden_<resolution>` for each, as text.
    stability
        One row a resolution: `resolution`, `n_clusters`, `smallest`, `stability` and `stability_sd` (adjusted Rand index
        under subsampling), `seed_stability` (adjusted Rand index from seed to seed), `chosen`.
    cluster_stability
        One row a resolution and cluster: `resolution`, `cluster`, `n_cells`, `jaccard`, `jaccard_sd` (similarity to the
        most like cluster of a subsample), `verdict` in words.
    """

    clusters: pd.DataFrame
    stability: pd.DataFrame
    cluster_stability: pd.DataFrame


@dataclass(frozen=True)
class Held:
    """What is found again of the clusters of one resolution when cells are left out.

    Attributes
    ----------
    rand
        (subsamples,) adjusted Rand index.
    jaccard
        Subsamples x clusters, best Jaccard similarity.
    """

    rand: NDArray[np.float64]
    jaccard: NDArray[np.float64]


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

    Leiden with modularity (Traag, Waltman, van Eck 2019, doi:10.1038/s41598-019-41695-z), the best of three runs by
    modularity. The stability of a resolution is the mean adjusted Rand index between the clustering of the whole graph
    and that of the graph of a random share of the cells. Taking the single most stable resolution would nearly always
    take the coarsest, since a few far-apart groups are found whatever is left out; so the finest resolution is taken
    whose stability, one standard deviation below its mean, is still within .025 of the best mean: the most detail that
    holds about as well as anything does. How well each single cluster holds is told beside it, by its Jaccard
    similarity to the most like cluster of every subsample (Hennig 2007, doi:10.1016/j.csda.2006.11.025).

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
    whole = to_igraph(graph)
    labels, agreement = {}, {}
    for value in tried:
        labels[value], agreement[value] = best_run(whole, resolution=value, seed=seed)
    held = measure_stability(graph, labels, n_subsamples=n_subsamples, fraction=subsample_fraction, seed=seed)
    mean = {value: mean_of(held[value].rand) for value in tried}
    deviation = {value: spread_of(held[value].rand) for value in tried}
    chosen = resolution if resolution is not None else choose_resolution(mean, deviation)
    table = pd.DataFrame(
        [
            {
                "resolution": value,
                "n_clusters": int(labels[value].max()) + 1,
                "smallest": int(np.bincount(labels[value]).min()),
                "stability": mean[value],
                "stability_sd": deviation[value],
                "seed_stability": agreement[value],
                "chosen": value == chosen,
            }
            for value in tried
        ]
    )
    back = np.argsort(order, kind="stable")
    clusters = pd.DataFrame({LEIDEN: labels[chosen][back].astype(str)}, index=pd.Index(cells, name=CELL))
    for value in tried:
        clusters[f"{LEIDEN}_{value:g}"] = labels[value][back].astype(str)
    return Clustering(clusters, table, pd.concat([_each_cluster(value, labels[value], held[value]) for value in tried]))


def _each_cluster(resolution: float, labels: NDArray[np.int64], held: Held) -> pd.DataFrame:
    """One row a cluster: its size and how well it holds."""
    jaccard = [mean_of(values) for values in held.jaccard.T]
    return pd.DataFrame(
        {
            "resolution": resolution,
            "cluster": [str(number) for number in range(len(jaccard))],
            "n_cells": np.bincount(labels),
            "jaccard": jaccard,
            "jaccard_sd": [spread_of(values) for values in held.jaccard.T],
            "verdict": [judge(value) for value in jaccard],
        }
    )


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
    """Leiden clusters of a weighted graph, the best of three runs by modularity, numbered by size.

    Parameters
    ----------
    graph
        Cells x cells, symmetric weights.
    resolution
        Higher gives more clusters.
    seed
        Seed of the order in which cells are moved; the other runs take seeds that follow from it.

    Returns
    -------
    numpy.ndarray
        (cells,) int; 0 is the largest cluster, of equal ones that with the earlier first cell.
    """
    return best_run(to_igraph(graph), resolution=resolution, seed=seed)[0]


def measure_stability(
    graph: sp.csr_matrix,
    labels: dict[float, NDArray[np.int64]],
    *,
    n_subsamples: int,
    fraction: float,
    seed: int,
) -> dict[float, Held]:
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
        Resolution -> :class:`Held`: the adjusted Rand index of every subsample, the Jaccard similarity of every cluster.
    """
    rng = np.random.default_rng(seed)
    n_cells = graph.shape[0]
    size = int(np.clip(round(fraction * n_cells), min(2, n_cells), n_cells))
    found = {
        value: Held(np.full(n_subsamples, np.nan), np.full((n_subsamples, int(whole.max()) + 1), np.nan))
        for value, whole in labels.items()
    }
    for number in range(n_subsamples):
        drawn = np.sort(rng.choice(n_cells, size=size, replace=False))
        part = to_igraph(sp.csr_matrix(graph[drawn][:, drawn]))
        for value, whole in labels.items():
            # Another seed each time, so that the algorithm's own chance counts as instability too.
            again = run_leiden(part, resolution=value, seed=seed + 1 + number)
            found[value].rand[number] = adjusted_rand_index(whole[drawn], again)
            found[value].jaccard[number] = best_jaccard(whole[drawn], again, n_clusters=int(whole.max()) + 1)
    return found
