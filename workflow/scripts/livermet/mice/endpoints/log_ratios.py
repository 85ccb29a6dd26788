"""Counts of cells as logarithms of ratios, each with the variance that counting alone gives it.

Three denominators are in use. The *geometric mean of all parts* (centred log-ratio; Aitchison 1982,
doi:10.1111/j.2517-6161.1982.tb01195.x) needs no choice, but moves with every part. A *declared reference population*
(additive log-ratio, ibid.) moves with that population alone. *All cells* (a share) is what a cell counter can turn into
numbers. All are in log2, with half a cell added to every count, so that nothing is lost where there are no cells.

Precision: with n cells of which a share p_j is part j, multinomial counts give Cov(log c_i, log c_j) =
([i = j] / p_i - 1) / n to first order. The constant drops out of a log-ratio, and for D parts

    Var(clr_i)          = [ (1 - 2 / D) / p_i + (1 / D^2) sum_j 1 / p_j ] / n
    Var(log c_i / c_r)  = 1 / (n p_i) + 1 / (n p_r)
    Var(log c_i / n)    = 1 / (n p_i) - 1 / n

(natural logarithms; divided by ln(2)^2 here). The shares are those that the design fits, not the mouse's own: a mouse that
happens to have few cells of a part must not weigh less for it, or every mean would lean upwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from livermet.mice.models.linear import Array

PSEUDOCOUNT = 0.5
MIN_MEAN_CELLS = 3.0  # a part with fewer cells a mouse is mostly zeros: it joins the others that are rare
RARE = "rare"  # the parts too small to stand alone, together
LN2_SQUARED = float(np.log(2) ** 2)


@dataclass(frozen=True)
class Ratios:
    """Log-ratios of several parts.

    Attributes
    ----------
    values
        Parts x units, log2; NaN where a unit was not measured.
    variance
        Parts x units: variance by counting, squared log2 units.
    """

    values: pd.DataFrame
    variance: Array


def centred_log_ratio(counts: pd.DataFrame) -> pd.DataFrame:
    """Centred log-ratios in log2, parts x units, of counts (units x parts) with half a cell added to each."""
    logs = _logs(counts)
    return logs.sub(logs.mean(axis=1), axis=0).T


def ratio_variance(shares: pd.DataFrame, totals: pd.Series) -> Array:
    """Counting variance of centred log-ratios (see the module), parts x units, squared log2 units.

    Parameters
    ----------
    shares
        Units x parts: expected shares.
    totals
        Cells of each unit.
    """
    inverse = 1 / shares.to_numpy()
    parts = inverse.shape[1]
    natural = ((1 - 2 / parts) * inverse + inverse.sum(axis=1, keepdims=True) / parts**2) / totals.to_numpy()[:, None]
    return np.asarray(natural.T / LN2_SQUARED)


def gather_rare(counts: pd.DataFrame) -> pd.DataFrame:
    """Put the parts with under `MIN_MEAN_CELLS` cells a mouse together; whatever the arm, so no arm is looked at."""
    rare = [part for part in counts if counts[part].mean() < MIN_MEAN_CELLS]
    kept = counts.drop(columns=rare)
    together = counts[rare].sum(axis=1)
    return kept.assign(**{RARE: together}) if together.any() else kept


def measure_centred(counts: pd.DataFrame, matrix: Array) -> Ratios:
    """Centred log-ratios of one set of parts.

    Parameters
    ----------
    counts
        Units x parts, mutually exclusive; a unit without cells is not measured. Rare parts are put together.
    matrix
        Units x columns: the design matrix.
    """
    counts = gather_rare(counts)
    totals = counts.sum(axis=1)
    values = centred_log_ratio(counts)
    values.loc[:, totals == 0] = np.nan
    seen = (totals > 0).to_numpy()
    shares = np.full((len(values.columns), len(values)), np.nan)
    fitted = _fit(values.to_numpy()[:, seen].T, matrix[seen]).T
    powers = 2.0 ** (fitted - fitted.max(axis=0))
    shares[seen] = (powers / powers.sum(axis=0)).T
    # No share is expected below what the pseudocount stands for.
    expected = pd.DataFrame(shares, index=counts.index, columns=counts.columns)
    padded = totals + PSEUDOCOUNT * counts.shape[1]
    expected = expected.clip(lower=PSEUDOCOUNT / padded, axis=0)
    return Ratios(values, ratio_variance(expected, padded))


def measure_against(counts: pd.DataFrame, reference: pd.Series, totals: pd.Series, matrix: Array) -> Ratios:
    """Additive log-ratios: every part over one reference.

    Parameters
    ----------
    counts
        Units x parts; none may share cells with the reference, but parts may share cells with each other.
    reference
        Index unit: cells of the reference.
    totals
        Index unit: all cells; a unit without any is not measured.
    matrix
        Units x columns: the design matrix.
    """
    values = _logs(counts).sub(_logs(reference.to_frame()).iloc[:, 0], axis=0)
    expected = _expected(counts, totals, matrix)
    against = _expected(reference.to_frame(), totals, matrix)
    return _blank(Ratios(values.T, (1 / expected + 1 / against).T / LN2_SQUARED), totals)


def measure_shares(counts: pd.DataFrame, totals: pd.Series, matrix: Array) -> Ratios:
    """Shares of all cells, as logarithms.

    Parameters
    ----------
    counts
        Units x parts; parts may share cells with each other.
    totals
        Index unit: all cells; a unit without any is not measured.
    matrix
        Units x columns: the design matrix.

    Notes
    -----
    A share falls when other cells come in. What is said of shares here is meant to be added to a change of the total
    (:mod:`livermet.mice.endpoints.totals`), never to stand alone.
    """
    values = _logs(counts).sub(np.log2(totals + 2 * PSEUDOCOUNT), axis=0)
    inverse = 1 / _expected(counts, totals, matrix) - 1 / (totals.to_numpy(dtype=float)[:, None] + 2 * PSEUDOCOUNT)
    return _blank(Ratios(values.T, np.maximum(inverse, 0.0).T / LN2_SQUARED), totals)


def _logs(counts: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(np.log2(counts.to_numpy() + PSEUDOCOUNT), index=counts.index, columns=counts.columns)


def _fit(values: Array, matrix: Array) -> Array:
    """What a design makes of values (units x parts) by least squares."""
    return np.asarray(matrix @ (np.linalg.pinv(matrix, rcond=1e-10) @ values))


def _expected(counts: pd.DataFrame, totals: pd.Series, matrix: Array) -> Array:
    """Cells that the design expects of each part, units x parts: its fitted share times the unit's cells."""
    seen = (totals > 0).to_numpy()
    padded = totals.to_numpy(dtype=float)[:, None] + 2 * PSEUDOCOUNT
    shares = np.full(counts.shape, np.nan)
    shares[seen] = 2.0 ** _fit((_logs(counts).to_numpy() - np.log2(padded))[seen], matrix[seen])
    return np.asarray(np.clip(shares * padded, PSEUDOCOUNT, padded))


def _blank(ratios: Ratios, totals: pd.Series) -> Ratios:
    """Ratios without the units that have no cells at all."""
    values = ratios.values.copy()
    values.loc[:, (totals == 0).to_numpy()] = np.nan
    return Ratios(values, ratios.variance)
