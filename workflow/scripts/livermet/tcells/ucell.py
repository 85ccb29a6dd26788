"""UCell: a rank statistic of a signature within one cell; the second opinion on the states.

Source: Andreatta and Carmona 2021, doi:10.1016/j.csbj.2021.06.043. Genes of a cell are ranked by falling expression (ties
get their mean rank), ranks beyond `max_rank` count as ``max_rank + 1``. With the ranks r of the n genes of a set,
U = sum(r) - n (n + 1) / 2 and the score is 1 - U / (n max_rank), 0 where no gene is within `max_rank`. A set with down
genes scores max(0, up - down).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from livermet.keys import SYMBOL
from livermet.tcells.signatures import Signatures, resolve

UCELL = "ucell:"  # prefix of the columns
MAX_RANK = 1500
BLOCK = 500


def score_ucell(
    counts: sparse.csr_matrix,
    var: pd.DataFrame,
    *,
    collection: Signatures,
    names: Sequence[str],
    max_rank: int = MAX_RANK,
) -> pd.DataFrame:
    """UCell scores of cells.

    Parameters
    ----------
    counts
        Raw counts (whole numbers), cells x all genes of the study. Normalising a cell does not change its ranks.
    var
        The study's genes, with ``symbol``; genes of a set that the study lacks are left out of it.
    collection, names
        All sets, and those to score.
    max_rank
        Ranks beyond it are not told apart.

    Returns
    -------
    DataFrame
        Cells x `names` (index 0..n-1), float32, 0 to 1.
    """
    genes = resolve(collection, var[SYMBOL])
    chosen = [collection[name] for name in names]
    up = [genes.find_all(item.up) for item in chosen]
    down = [genes.find_all(item.down) for item in chosen]
    scores = np.zeros((counts.shape[0], len(names)), dtype=np.float32)
    for start in range(0, counts.shape[0], BLOCK):
        rows = slice(start, start + BLOCK)
        gains, silent = rank_gains(counts[rows], max_rank=max_rank)
        ranks = _sum_gains(gains, up), _sum_gains(gains, down)
        scores[rows] = np.maximum(
            _to_score(ranks[0], silent, up, max_rank) - _to_score(ranks[1], silent, down, max_rank), 0
        )
    return pd.DataFrame(scores, columns=list(names))


def rank_gains(counts: sparse.csr_matrix, *, max_rank: int) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    """How far each expressed gene stands above the silent genes of its cell.

    Counts are few distinct whole numbers, so ranks come from a histogram of each cell and nothing is sorted.

    Parameters
    ----------
    counts
        Cells x genes.
    max_rank
        Ranks beyond it are not told apart.

    Returns
    -------
    gains : csr_matrix of float64
        Rank of the silent genes minus rank of the gene, at the places where a gene is expressed.
    silent : ndarray, (cells,)
        Rank of the silent genes, at most ``max_rank + 1``.
    """
    n_cells, n_genes = counts.shape
    row = np.repeat(np.arange(n_cells), np.diff(counts.indptr))
    # Counts as codes 0, 1, ..., so that a cell with one huge count does not make the histogram huge.
    values = counts.data.astype(np.int64)
    present = np.zeros(int(values.max(initial=0)) + 1, dtype=bool)
    present[values] = True
    code = (np.cumsum(present) - 1)[values]
    expressed = values > 0
    width = int(present.sum())
    histogram = np.bincount(row * width + code, weights=expressed, minlength=n_cells * width).reshape(n_cells, width)
    above = histogram[:, ::-1].cumsum(axis=1)[:, ::-1] - histogram
    rank = np.minimum(above + (histogram + 1) / 2, max_rank + 1)
    n_expressed = histogram.sum(axis=1)
    silent = np.minimum((n_expressed + 1 + n_genes) / 2, max_rank + 1)
    gains = np.where(expressed, silent[row] - rank[row, code], 0.0)
    return sparse.csr_matrix((gains, counts.indices, counts.indptr), shape=counts.shape), silent


def _sum_gains(gains: sparse.csr_matrix, places: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Sum of the gains over the genes of each set, (cells, sets)."""
    rows = np.concatenate([*places, np.zeros(0, dtype=np.int64)])
    columns = np.repeat(np.arange(len(places)), [len(item) for item in places])
    members = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(gains.shape[1], len(places)))
    return np.asarray((gains @ members).todense())


def _to_score(
    gains: NDArray[np.float64], silent: NDArray[np.float64], places: Sequence[NDArray[np.int64]], max_rank: int
) -> NDArray[np.float64]:
    """From summed gains to UCell scores, (cells, sets); 0 for a set without genes."""
    n = np.array([len(item) for item in places], dtype=np.float64)
    rank_sum = n * silent[:, None] - gains
    u = rank_sum - n * (n + 1) / 2
    score = 1 - u / (np.maximum(n, 1) * max_rank)
    return np.where((n == 0) | (rank_sum >= n * (max_rank + 1)), 0.0, score)
