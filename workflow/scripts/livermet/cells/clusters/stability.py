"""How well clusters hold: when cells are left out, from seed to seed, and cluster by cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Guidance for mean Jaccard similarities under resampling (Hennig 2007, doi:10.1016/j.csda.2006.11.025, and its software fpc).
VERDICTS = ((0.85, "highly stable"), (0.75, "stable"), (0.6, "a pattern, its members doubtful"))
DISSOLVES = "not to be relied on"
NOT_MEASURED = "too few cells to say"


def contingency(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cells of every pair of clusters of two clusterings of the same cells.

    Parameters
    ----------
    first, second
        (cells,) cluster numbers, from 0.

    Returns
    -------
    numpy.ndarray
        Clusters of the first x clusters of the second.
    """
    n_first, n_second = (int(codes.max(initial=-1)) + 1 for codes in (first, second))
    return np.bincount(first * n_second + second, minlength=n_first * n_second).reshape(n_first, n_second)


def adjusted_rand_index(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Agreement of two clusterings over pairs of cells, corrected for chance (Hubert, Arabie 1985, doi:10.1007/BF01908075).

    It is written out because importing a library for it takes a CPU-second in a job of four.

    Parameters
    ----------
    first, second
        (cells,) cluster numbers, from 0.

    Returns
    -------
    float
        1 for the same clusters, about 0 for unrelated ones.
    """
    table = contingency(first, second).astype(np.float64)
    together, rows, columns = (_pairs(sizes) for sizes in (table, table.sum(axis=1), table.sum(axis=0)))
    expected = rows * columns / max(_pairs(table.sum()), 1.0)
    largest = (rows + columns) / 2
    return float((together - expected) / (largest - expected)) if largest > expected else 1.0


def normalised_mutual_information(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Mutual information of two clusterings over the mean of their entropies.

    Parameters
    ----------
    first, second
        (cells,) cluster numbers, from 0.

    Returns
    -------
    float
        0 (independent) to 1 (the same); 1 where neither tells anything apart.
    """
    shares = contingency(first, second) / max(len(first), 1)
    outer = shares.sum(axis=1)[:, None] * shares.sum(axis=0)[None, :]
    filled = shares > 0
    information = float((shares[filled] * np.log(shares[filled] / outer[filled])).sum())
    entropies = [_entropy(shares.sum(axis=axis)) for axis in (0, 1)]
    return information / (sum(entropies) / 2) if sum(entropies) > 0 else 1.0


def best_jaccard(whole: NDArray[np.int64], again: NDArray[np.int64], *, n_clusters: int) -> NDArray[np.float64]:
    """How much of every cluster is found again: its Jaccard similarity to the cluster that is most like it.

    Parameters
    ----------
    whole
        Clusters of the whole study, of the cells drawn (cells,).
    again
        Clusters found among the cells drawn (cells,).
    n_clusters
        Clusters of the whole study.

    Returns
    -------
    numpy.ndarray
        (clusters,) from 0 to 1; NaN where none of a cluster's cells was drawn.
    """
    shared = contingency(whole, again).astype(np.float64)
    union = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None, :] - shared
    found = np.full(n_clusters, np.nan)
    best = (shared / np.maximum(union, 1.0)).max(axis=1, initial=0.0)
    found[: len(best)] = np.where(shared.sum(axis=1) > 0, best, np.nan)
    return found


def judge(jaccard: float) -> str:
    """A mean Jaccard similarity in words."""
    if not np.isfinite(jaccard):
        return NOT_MEASURED
    return next((words for limit, words in VERDICTS if jaccard >= limit), DISSOLVES)


def mean_of(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Mean of what was measured, NaN where nothing was."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else float("nan")


def spread_of(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Standard deviation of what was measured, NaN with fewer than two values."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def _pairs(sizes: NDArray[np.float64] | np.float64) -> float:
    return float((np.asarray(sizes) * (np.asarray(sizes) - 1) / 2).sum())


def _entropy(shares: NDArray[np.float64]) -> float:
    filled = shares[shares > 0]
    return float(-(filled * np.log(filled)).sum())
