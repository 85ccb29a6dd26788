"""What a cell's neighbours say: how many labels they carry, whether they hang together, whether they stayed."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

#: a batch's members, their neighbours among themselves (as places in the members), and the distances
Within = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def lisi(
    indices: NDArray[np.int64], distances: NDArray[np.float64], codes: NDArray[np.int64], *, perplexity: float
) -> NDArray[np.float64]:
    """Local inverse Simpson's index: how many labels a cell has about it (Korsunsky et al. 2019, doi:10.1038/s41592-019-0619-0).

    Neighbours weigh exp(-beta d), with beta such that the weights' entropy is that of `perplexity` equal neighbours.

    Parameters
    ----------
    indices, distances
        Cells x neighbours, nearest first.
    codes
        Label of every cell, from 0 (cells,).
    perplexity
        Effective number of neighbours, below the number that there are.

    Returns
    -------
    numpy.ndarray
        (cells,) from 1 to the number of labels.
    """
    weights = _weights(distances, perplexity)
    return 1 / _simpson(weights, codes[indices], int(codes.max()) + 1)


def relative_lisi(
    indices: NDArray[np.int64], distances: NDArray[np.float64], codes: NDArray[np.int64], *, perplexity: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """LISI, and what it would be on average were the labels dealt out at random.

    A cell with as many random neighbours as the perplexity sees somewhat fewer labels than there are: with label shares p
    and weights w, Simpson's index is sum p^2 + (1 - sum p^2) sum w^2 on average.

    Parameters
    ----------
    indices, distances, codes, perplexity
        As for :func:`lisi`.

    Returns
    -------
    found, expected
        (cells,) each.
    """
    weights = _weights(distances, perplexity)
    alike = ((np.bincount(codes) / len(codes)) ** 2).sum()
    expected = 1 / (alike + (1 - alike) * (weights**2).sum(axis=1))
    return 1 / _simpson(weights, codes[indices], int(codes.max()) + 1), expected


def _weights(distances: NDArray[np.float64], perplexity: float) -> NDArray[np.float64]:
    """Weights of the neighbours, exp(-beta d), with the entropy of `perplexity` equal ones; every row adds up to 1."""
    gaps = distances - distances[:, :1]
    low, high, beta = np.zeros(len(gaps)), np.full(len(gaps), np.inf), 1 / np.maximum(gaps.mean(axis=1), 1e-12)
    for _ in range(50):
        weights = np.exp(-beta[:, None] * gaps)
        total = weights.sum(axis=1)
        entropy = np.log(total) + beta * (weights * gaps).sum(axis=1) / total
        wide = entropy > np.log(perplexity)
        low, high = np.where(wide, beta, low), np.where(wide, high, beta)
        beta = np.where(np.isinf(high), beta * 2, (low + np.where(np.isinf(high), low, high)) / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _simpson(weights: NDArray[np.float64], around: NDArray[np.int64], n_labels: int) -> NDArray[np.float64]:
    """Chance that two neighbours, drawn by their weights, carry the same label."""
    simpson = np.zeros(len(weights))
    for code in range(n_labels):
        simpson += (weights * (around == code)).sum(axis=1) ** 2
    return simpson


def graph_connectivity(indices: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """Share of a label's cells in the largest connected part of its own graph, averaged over labels; negative labels are none."""
    from scipy.sparse.csgraph import connected_components

    n_cells, n_neighbors = indices.shape
    rows = np.repeat(np.arange(n_cells), n_neighbors)
    alike = (labels[rows] == labels[indices.ravel()]) & (labels[rows] >= 0)
    graph = sp.csr_matrix((np.ones(alike.sum()), (rows[alike], indices.ravel()[alike])), shape=(n_cells, n_cells))
    _, parts = connected_components(graph, directed=False)
    shares = [
        np.bincount(parts[labels == label]).max() / (labels == label).sum() for label in np.unique(labels) if label >= 0
    ]
    return float(np.mean(shares)) if shares else float("nan")


def structure_kept(
    before: list[Within],
    after: list[Within],
) -> float:
    """Share of every cell's neighbours within its own batch that are the same before and after, averaged over cells."""
    kept = [
        (old[:, :, None] == new[:, None, :]).any(axis=2).mean(axis=1)
        for (_, old, _), (_, new, _) in zip(before, after, strict=True)
    ]
    return float(np.concatenate(kept).mean()) if kept else float("nan")
