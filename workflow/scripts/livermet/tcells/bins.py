"""The frozen expression reference: which genes are alike enough in expression to stand in for each other.

A score against matched controls is only comparable between studies, samples and depths when the matching does not come
from the cells that are scored. The bins are therefore learnt once, from leucocytes of a published mouse data set, and
kept in ``resources/expression_bins.tsv``: 800 lung CD45+ cells of two healthy and two tumour-bearing mice, 200 each of T,
B, NK cells and neutrophils, from Zilionis et al. 2019 (GEO GSE127465, doi:10.1016/j.immuni.2019.03.009).
:func:`learn_bins` with its defaults is the function that made that table.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from livermet.cells.embedding.normalise import log_normalise
from livermet.errors import InputError, Problem
from livermet.keys import GENE_ID, SYMBOL

BIN = "bin"


def learn_bins(
    counts: sparse.csr_matrix,
    symbols: pd.Index,
    gene_ids: pd.Index,
    *,
    min_genes: int = 40,
    ratio: float = 1.2,
    min_cells: int = 5,
) -> pd.DataFrame:
    """Rank genes by their mean expression in reference leucocytes and cut the ranks into bins of like expression.

    Bins are cut from the top down: one is full when it holds `min_genes` and spans a ratio of `ratio`. Bins of equal size
    would put a gene of 3 UMIs per 10,000 beside one of 100, and the spread of such controls would hide any signature.

    Parameters
    ----------
    counts
        Raw counts of the reference, leucocytes x genes.
    symbols, gene_ids
        Of the genes, in order.
    min_genes
        Genes that a bin holds at least.
    ratio
        Highest over lowest mean expression that a bin spans at least.
    min_cells
        A gene seen in fewer reference cells is left out of the table.

    Returns
    -------
    DataFrame
        ``symbol gene_id bin``, one row a gene, sorted by symbol; bin 1 holds the least expressed genes.

    Notes
    -----
    Leucocytes of every kind are the reference, not T cells alone: most T cells at rest are naive, so that naive genes
    would be matched with what naive cells express and no cell could ever stand out as naive.

    Binning by mean expression to find controls follows Tirosh et al. 2016 (doi:10.1126/science.aad0501); freezing the
    bins outside the study is what makes the score of a cell independent of the other cells in it.
    """
    level = np.asarray(log_normalise(counts).mean(axis=0)).ravel()
    seen = np.bincount(counts.indices, weights=counts.data > 0, minlength=counts.shape[1]) >= min_cells
    table = pd.DataFrame({SYMBOL: symbols[seen], GENE_ID: gene_ids[seen], "level": level[seen]})
    table = table.sort_values(["level", SYMBOL], kind="stable", ignore_index=True).drop_duplicates(SYMBOL)
    table[BIN] = cut_bins(table["level"].to_numpy(), min_genes=min_genes, ratio=ratio)
    return table.sort_values(SYMBOL, ignore_index=True)[[SYMBOL, GENE_ID, BIN]]


def cut_bins(levels: NDArray[np.float64], *, min_genes: int, ratio: float) -> NDArray[np.int64]:
    """Cut ascending levels into bins, from the top down.

    Parameters
    ----------
    levels
        Mean expression, ascending, above 0.
    min_genes, ratio
        A bin is full when it has so many genes and spans so much.

    Returns
    -------
    ndarray of int, (genes,)
        Bin of each, 1 the lowest; genes too few for a bin of their own join the lowest full one.
    """
    number = np.zeros(len(levels), dtype=np.int64)
    current, top = 0, len(levels) - 1
    for place in range(len(levels) - 1, -1, -1):
        if top - place >= min_genes and levels[top] >= ratio * levels[place] and place + 1 >= min_genes:
            current, top = current + 1, place
        number[place] = current
    return current - number + 1


def check_bins(bins: pd.DataFrame) -> pd.DataFrame:
    """Refuse a reference table that lacks a column or names a gene twice.

    Parameters
    ----------
    bins
        ``symbol gene_id bin``.

    Returns
    -------
    DataFrame
        The same table.

    Raises
    ------
    InputError
        With every problem found.
    """
    absent = [name for name in (SYMBOL, GENE_ID, BIN) if name not in bins]
    if absent:
        raise InputError(Problem("expression bins", f"no column {', '.join(absent)}", expected="symbol, gene_id, bin"))
    repeated = bins.loc[bins[SYMBOL].duplicated(), SYMBOL]
    if len(repeated):
        raise InputError(Problem("expression bins", f"{', '.join(repeated.head(5))} stand there more than once"))
    return bins
