"""Which genes an embedding is built from: variable within batches, and about the cell rather than its clone or sex."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.keys import IS_HAEMO, IS_MITO, IS_RIBO, SYMBOL

if TYPE_CHECKING:
    from numpy.typing import NDArray

HIGHLY_VARIABLE = "highly_variable"
RANK = "highly_variable_rank"
N_BATCHES = "highly_variable_n_batches"
MIN_BATCH_CELLS = 50  # a smaller batch has no say in which genes vary: a handful of cells makes any gene stand out
EXCLUDED, VARIANCE = "excluded", "standardised_variance"

# Rearranged segments tell a clone from its sister, not a cell type from another (a digit must follow: `Ighd` is the
# constant region of IgD and stays). Constant regions stay as well.
SEGMENTS = re.compile(r"^(Ig[hkl][vdj]|Tr[abdg][vdj]|Tcrg-V)\d", re.IGNORECASE)
# Expressed by every cell of one sex: two sexes in a study would otherwise split each cell type in two.
SEX = frozenset({"Xist", "Tsix", "Ddx3y", "Eif2s3y", "Kdm5d", "Uty"})


def exclusion_reasons(var: pd.DataFrame) -> pd.Series:
    """Say why a gene may not shape the embedding; empty where it may.

    Mitochondrial, ribosomal and haemoglobin genes follow the quality of a droplet (damage, size, soup) more than the
    identity of the cell; V(D)J segments follow clones; Xist and the Y chromosome follow the mouse's sex.

    Parameters
    ----------
    var
        Genes, with `symbol` and, where known, `mitochondrial`, `ribosomal` and `haemoglobin`.

    Returns
    -------
    pandas.Series
        Text, one per gene.
    """
    symbols = var[SYMBOL].astype(str)
    reasons = pd.Series("", index=var.index, name=EXCLUDED, dtype=object)
    reasons[symbols.isin(SEX).to_numpy()] = "sex"
    reasons[symbols.str.match(SEGMENTS).to_numpy()] = "V(D)J segment"
    for column in (IS_HAEMO, IS_RIBO, IS_MITO):
        if column in var:
            reasons[var[column].to_numpy(dtype=bool)] = column
    return reasons


def rank_genes(
    counts: sp.csr_matrix, var: pd.DataFrame, *, batches: NDArray[np.object_], n_top_genes: int
) -> pd.DataFrame:
    """Highly variable genes by the variance of clipped standardised counts, within each batch (`seurat_v3`).

    For gene g the standard deviation expected from its mean comes from a loess fit of log10 variance on log10 mean
    (degree 2, span .3); counts are standardised with it and clipped at the square root of the number of cells; genes are
    ranked by the variance that remains. Genes in the top `n_top_genes` of most batches, by median rank, win
    (Stuart, Butler et al. 2019, doi:10.1016/j.cell.2019.05.031). It is done here rather than through scanpy because
    scanpy's stops with "near singularities" on a sparse batch of some hundred cells, and compiles for seconds. Batches of
    fewer than 50 cells have no vote; where all are as small, they are taken for one. Neither the order of the cells nor
    that of the genes changes anything: ties go by gene id.

    Parameters
    ----------
    counts
        Cells x genes, raw counts.
    var
        Genes, as :func:`exclusion_reasons` wants them.
    batches
        Batch of every cell (cells,).
    n_top_genes
        How many genes to take.

    Returns
    -------
    pandas.DataFrame
        Index as `var`; `symbol`, `excluded`, `highly_variable_rank` (median rank over batches, NaN outside the top of
        every batch), `highly_variable_n_batches`, `standardised_variance` (mean over batches), `highly_variable`.
    """
    reasons = exclusion_reasons(var)
    members = [np.flatnonzero(batches == batch) for batch in np.unique(batches)]
    voting = [cells for cells in members if len(cells) >= MIN_BATCH_CELLS] or [np.arange(counts.shape[0])]
    variances = np.stack([standardised_variance(sp.csr_matrix(counts[cells])) for cells in voting])
    by_id = np.argsort(var.index.to_numpy(dtype=str), kind="stable")
    allowed = (reasons == "").to_numpy()[by_id]
    # A gene that may not be taken must not use up a rank either.
    order = np.argsort(np.where(allowed, -variances[:, by_id], np.inf), axis=1, kind="stable")
    ranks = np.argsort(order, axis=1, kind="stable").astype(float)
    ranks[(ranks >= n_top_genes) | (variances[:, by_id] <= 0) | ~allowed] = np.nan
    table = pd.DataFrame({SYMBOL: var[SYMBOL].astype(str).to_numpy(), EXCLUDED: reasons.to_numpy()}, index=var.index)
    table = table.iloc[by_id]
    table[N_BATCHES] = np.isfinite(ranks).sum(axis=0)
    table[RANK] = pd.DataFrame(ranks).median(axis=0).to_numpy()
    table[VARIANCE] = variances.mean(axis=0)[by_id]
    top = table.sort_values([RANK, N_BATCHES], ascending=[True, False], na_position="last", kind="stable")
    chosen = top.index[top[RANK].notna()][:n_top_genes]
    table[HIGHLY_VARIABLE] = table.index.isin(chosen)
    return table.iloc[np.argsort(by_id, kind="stable")]


def standardised_variance(counts: sp.csr_matrix) -> NDArray[np.float64]:
    """Variance of the clipped standardised counts of every gene, 0 where a gene does not vary.

    Parameters
    ----------
    counts
        Cells x genes, raw counts of one batch.

    Returns
    -------
    numpy.ndarray
        (genes,), 1 where a gene varies as its mean lets expect.
    """
    n_cells, n_genes = counts.shape
    if n_cells < 2:
        return np.zeros(n_genes)
    values = counts.data.astype(np.float64)
    mean = np.bincount(counts.indices, values, n_genes) / n_cells
    square = np.bincount(counts.indices, values**2, n_genes)
    variance = (square - n_cells * mean**2) / (n_cells - 1)
    varies = variance > 1e-12
    result = np.zeros(n_genes)
    if not varies.any():
        return result
    deviation = np.ones(n_genes)
    deviation[varies] = np.sqrt(10 ** _expected_log_variance(np.log10(mean[varies]), np.log10(variance[varies])))
    # Counts at the ceiling are counted rather than added up: sums of whole numbers are exact in any order of the cells.
    ceiling = deviation * np.sqrt(n_cells) + mean
    over = values > ceiling[counts.indices]
    n_over = np.bincount(counts.indices, over, n_genes)
    values[over] = 0
    total = np.bincount(counts.indices, values, n_genes) + n_over * ceiling
    square = np.bincount(counts.indices, values**2, n_genes) + n_over * ceiling**2
    spread = (n_cells * mean**2 + square - 2 * total * mean) / ((n_cells - 1) * deviation**2)
    result[varies] = spread[varies]
    return result


def _expected_log_variance(log_mean: NDArray[np.float64], log_variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Loess of log10 variance on log10 mean.

    With few cells most genes share a handful of means (1/n, 2/n, ...), so that a local window can hold a single value
    and the local parabola has no solution: the window is then widened, and at last the count noise itself (variance =
    mean) is expected.
    """
    from skmisc.loess import loess

    # In the order of their values, so that the order of the genes in the table changes no digit of the fit.
    order = np.lexsort((log_variance, log_mean))
    back = np.argsort(order, kind="stable")
    log_mean, log_variance = log_mean[order], log_variance[order]
    for span in (0.3, 0.5, 0.75, 1.0):
        try:
            model = loess(log_mean, log_variance, span=span, degree=2)
            model.fit()
        except ValueError:
            continue
        fitted = np.asarray(model.outputs.fitted_values, dtype=np.float64)
        if np.isfinite(fitted).all():
            return fitted[back]
    return log_mean[back]
