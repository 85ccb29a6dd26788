"""One way to estimate contrasts of quantities measured once a mouse: weighted least squares, moderated where it can be.

Every row (a population's abundance, a mechanism read-out, a signature score) is fitted on its own to the mice it was
measured in. Rows of one kind share what they know of the residual variance through limma's empirical Bayes (Smyth 2004,
doi:10.2202/1544-6115.1027), by `pylimma.squeeze_var`. The least squares are solved here, row by row: `contrasts_fit`
takes the covariance of the coefficients from the unweighted design, which is only an approximation once each row has
weights of its own, and a rescue needs the exact joint covariance of two contrasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import linalg, stats

from livermet import keys
from livermet.mice.models.blocks import are_repeated, consensus, correlations
from livermet.mice.models.power import minimum_detectable

Array = npt.NDArray[np.float64]

MIN_ROWS_TO_MODERATE = 5  # fewer rows say too little about how variances scatter
STATISTICS = (
    keys.ESTIMATE,
    keys.STANDARD_ERROR,
    "df",
    "t",
    keys.CI_LOW,
    keys.CI_HIGH,
    keys.P_VALUE,
    keys.MDE,
    "residual_df",
)


@dataclass(frozen=True)
class RowFit:
    """Linear models of several rows.

    Attributes
    ----------
    names
        Row names.
    coefficients
        Rows x columns of the design.
    covariance
        Rows x columns x columns: covariance of the coefficients for a residual variance of 1.
    projection
        Rows x columns x columns: projection onto the row space of the row's design; what it moves is not estimable.
    variance
        Residual variance of each row, moderated or not; NaN where nothing is left to estimate it from.
    residual_df, total_df
        Degrees of freedom of the row's residuals, and of its variance with what the prior adds.
    used
        Rows x units: which units a row was fitted to.
    precision
        Mean weight of each row: how sure it is expected to be beside the others.
    """

    names: tuple[str, ...]
    coefficients: Array
    covariance: Array
    projection: Array
    variance: Array
    residual_df: Array
    total_df: Array
    used: npt.NDArray[np.bool_]
    precision: Array

    def joint(self, row: int, contrasts: Array) -> tuple[Array, Array]:
        """Estimates of several contrasts (k x columns) in one row, with their covariance; NaN where not estimable."""
        contrasts = np.atleast_2d(np.asarray(contrasts, dtype=float))
        moved = np.abs(contrasts @ self.projection[row] - contrasts).max(axis=1)
        lost = moved > 1e-6 * np.abs(contrasts).max(axis=1)
        estimates = contrasts @ self.coefficients[row]
        covariance = self.variance[row] * contrasts @ self.covariance[row] @ contrasts.T
        estimates[lost] = np.nan
        covariance[lost, :] = np.nan
        covariance[:, lost] = np.nan
        return estimates, covariance

    def estimate(self, contrast: Array, confidence: float = 0.95) -> pd.DataFrame:
        """One contrast in every row.

        Parameters
        ----------
        contrast
            One number a column of the design.
        confidence
            Level of the interval; the smallest detectable effect is that of a test at 1 - confidence.

        Returns
        -------
        pandas.DataFrame
            Index: row names; columns `STATISTICS`. Without residual degrees of freedom only the estimate stands.
        """
        rows = [self.joint(row, contrast) for row in range(len(self.names))]
        estimate = np.array([row[0][0] for row in rows])
        error = np.sqrt(np.array([row[1][0, 0] for row in rows]))
        df = np.where(np.isfinite(error), self.total_df, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = estimate / error
        half = stats.t.ppf(0.5 + confidence / 2, df) * error
        return pd.DataFrame(
            {
                keys.ESTIMATE: estimate,
                keys.STANDARD_ERROR: error,
                "df": df,
                "t": t,
                keys.CI_LOW: estimate - half,
                keys.CI_HIGH: estimate + half,
                keys.P_VALUE: 2 * stats.t.sf(np.abs(t), df),
                keys.MDE: minimum_detectable(error, df, confidence),
                "residual_df": self.residual_df,
            },
            index=pd.Index(self.names, name="row"),
            columns=list(STATISTICS),
        )


def fit_rows(
    values: pd.DataFrame,
    matrix: Array,
    weights: Array | None = None,
    moderate: bool = True,
    blocks: Sequence[str] | None = None,
) -> RowFit:
    """Fit the same design to every row by weighted least squares.

    Parameters
    ----------
    values
        Rows x units; NaN where a unit was not measured.
    matrix
        Units x columns: the design matrix, of any rank.
    weights
        Rows x units: precisions, up to one factor for all of them; None for equal ones.
    moderate
        Squeeze the residual variances of the rows towards each other (done with five rows or more), each relative to what
        its weights expect: a rare population counts with more noise than a common one, and is not to be taken for as
        sure.
    blocks
        The mouse of each unit. Where a mouse has several units they are correlated, by one correlation that all rows
        share (Smyth, Michaud & Scott 2005, doi:10.1093/bioinformatics/bti270), and the least squares are generalised.

    Returns
    -------
    RowFit
        The fits, in the order of the rows.
    """
    y = values.to_numpy(dtype=float)
    x = np.asarray(matrix, dtype=float)
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=float)
    used = np.isfinite(y) & np.isfinite(w) & (w > 0)
    correlation = block_correlation(np.where(used, y, np.nan), x, w, blocks)
    fits = [_fit_row(y[row][use], x[use], w[row][use], correlation[np.ix_(use, use)]) for row, use in enumerate(used)]
    columns = x.shape[1]
    residual_df = np.array([fit[4] for fit in fits], dtype=float)
    precision = np.array([w[row][use].mean() if use.any() else 1.0 for row, use in enumerate(used)])
    relative, total_df = _moderate(np.array([fit[3] for fit in fits]) * precision, residual_df, moderate)
    return RowFit(
        names=tuple(str(name) for name in values.index),
        coefficients=np.array([fit[0] for fit in fits]).reshape(-1, columns),
        covariance=np.array([fit[1] for fit in fits]).reshape(-1, columns, columns),
        projection=np.array([fit[2] for fit in fits]).reshape(-1, columns, columns),
        variance=relative / precision,
        residual_df=residual_df,
        total_df=total_df,
        used=used,
        precision=precision,
    )


def _fit_row(y: Array, x: Array, w: Array, correlation: Array) -> tuple[Array, Array, Array, float, float]:
    """Coefficients, their unscaled covariance, row-space projection, residual variance and its degrees of freedom."""
    columns = x.shape[1]
    if not len(y):
        return np.full(columns, np.nan), np.full((columns, columns), np.nan), np.zeros((columns, columns)), np.nan, 0.0
    root = np.sqrt(w / w.mean())
    factor = np.linalg.cholesky(correlation)
    scaled = linalg.solve_triangular(factor, x * root[:, None], lower=True)
    whitened = linalg.solve_triangular(factor, y * root, lower=True)
    inverse = np.linalg.pinv(scaled, rcond=1e-10)
    coefficients = inverse @ whitened
    df = len(y) - np.linalg.matrix_rank(scaled)
    residuals = whitened - scaled @ coefficients
    variance = float(residuals @ residuals / df) if df > 0 else np.nan
    return coefficients, inverse @ inverse.T, inverse @ scaled, variance, float(df)


def block_correlation(y: Array, x: Array, w: Array, blocks: Sequence[str] | None) -> Array:
    """Correlation of the units: 1 with themselves, the consensus correlation within a mouse, 0 elsewhere."""
    if blocks is None or not are_repeated(blocks):
        return np.eye(y.shape[1])
    return correlations(blocks, consensus(y, x, blocks, np.where(w > 0, w, np.nan)))


def _moderate(variance: Array, df: Array, moderate: bool) -> tuple[Array, Array]:
    """Posterior variances and total degrees of freedom; rows without residual df borrow nothing."""
    fitted = (df > 0) & (variance > 0)
    total = np.where(df > 0, df, np.nan)
    if not moderate or fitted.sum() < MIN_ROWS_TO_MODERATE:
        return variance, total
    posterior = variance.copy()
    posterior[fitted], total[fitted] = squeeze(variance[fitted], df[fitted])
    return posterior, total


def squeeze(variance: Array, df: Array | float) -> tuple[Array, Array]:
    """Empirical Bayes moderation (Smyth 2004, doi:10.2202/1544-6115.1027).

    Parameters
    ----------
    variance
        Residual variances of rows of one kind.
    df
        Their degrees of freedom, one for each or one for all.

    Returns
    -------
    posterior, df_total
        Posterior variances and their degrees of freedom, one a row.
    """
    from pylimma import squeeze_var  # a second of import, for those who need it

    df = np.broadcast_to(np.asarray(df, dtype=float), variance.shape)
    squeezed = squeeze_var(variance, df)
    # limma's own cap: a variance cannot be known better than all rows together know it.
    total = np.minimum(df + np.asarray(squeezed["df_prior"], dtype=float), df.sum())
    return np.asarray(squeezed["var_post"], dtype=float), total


def precision_weights(values: pd.DataFrame, sampling_variance: Array, matrix: Array) -> Array:
    """Weights 1 / (sampling variance + variance between mice).

    Counting noise differs between mice, the noise between mice does not. Weighing by counting noise alone would let the
    mouse with the most cells decide, though its biology is no better known than another's; the variance between mice,
    estimated by moments from the residuals of the unweighted fits (DerSimonian & Laird 1986,
    doi:10.1016/0197-2456(86)90046-2, with a design in place of the mean) and shared by the rows as their median, bounds
    every weight from above.

    Parameters
    ----------
    values
        Rows x units; NaN where not measured.
    sampling_variance
        Rows x units: variance of each value by counting alone, in the squared unit of the values.
    matrix
        Units x columns: the design matrix.

    Returns
    -------
    numpy.ndarray
        Rows x units, comparable between rows; 0 where not measured.
    """
    y = values.to_numpy(dtype=float)
    between = []
    for row, variance in zip(y, sampling_variance, strict=True):
        use = np.isfinite(row) & np.isfinite(variance)
        x = matrix[use]
        hat = x @ np.linalg.pinv(x, rcond=1e-10)
        df = use.sum() - np.linalg.matrix_rank(x) if use.any() else 0
        if df > 0:
            residuals = row[use] - hat @ row[use]
            noise = (1 - np.diag(hat)) @ variance[use]
            between.append((residuals @ residuals - noise) / df)
    shared = max(float(np.median(between)), 0.0) if between else 0.0
    return np.where(np.isfinite(y) & np.isfinite(sampling_variance), 1 / (sampling_variance + shared), 0.0)


def adjust(p_values: Sequence[float] | pd.Series | Array) -> Array:
    """Benjamini-Hochberg (1995, doi:10.1111/j.2517-6161.1995.tb02031.x) over the p-values that there are."""
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        adjusted[known] = stats.false_discovery_control(p[known], method="bh")
    return adjusted


def adjust_within_question(table: pd.DataFrame, p_value: str = keys.P_VALUE) -> pd.Series:
    """:func:`adjust` each question's p-values among themselves; index as the table's."""
    adjusted: pd.Series = table.groupby(keys.QUESTION, observed=True)[p_value].transform(adjust)
    return adjusted
