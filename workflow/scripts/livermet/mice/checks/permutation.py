"""How large a statistic the mouse labels alone can bring about: a null beside every p-value of a model.

The statistic is the |t| of the same fit, weights and prior variance held as they were found. With three mice against
three there are 20 labellings and each has a mirror image, so that no two-sided p-value can be below .10: the smallest p
attainable is always told beside the p-value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import linalg

from livermet.mice.checks.relabelling import Relabelling
from livermet.mice.models.linear import MIN_ROWS_TO_MODERATE, RowFit

Array = npt.NDArray[np.float64]

TIE = 1e-7  # relative: mirror images have the same |t| but for rounding


@dataclass(frozen=True)
class Prior:
    """What all rows know of the residual variance: `df` degrees of freedom (0: nothing, infinite: all) at `variance`."""

    df: float = 0.0
    variance: float = 1.0

    def moderate(self, variance: Array, df: float) -> Array:
        """Posterior variances (Smyth 2004, doi:10.2202/1544-6115.1027)."""
        if np.isinf(self.df):
            return np.full_like(variance, self.variance)
        return np.asarray((self.df * self.variance + df * variance) / (self.df + df))


@dataclass(frozen=True)
class Model:
    """A linear model of the units at hand.

    Attributes
    ----------
    matrix
        Units x columns, of full rank.
    stays
        Which columns belong to covariates.
    vector
        The contrast.
    weights
        One number a unit.
    correlation
        Units x units: of the units of one mouse with each other.
    """

    matrix: Array
    stays: npt.NDArray[np.bool_]
    vector: Array
    weights: Array = field(default_factory=lambda: np.ones(0))
    correlation: Array | None = None

    def whiten(self, values: Array) -> Array:
        """Units x anything, brought to equal variance and no correlation."""
        root = np.sqrt(self.weights / self.weights.mean()) if len(self.weights) else np.ones(len(values))
        scaled = values * root[:, None]
        if self.correlation is None or np.array_equal(self.correlation, np.eye(len(values))):
            return np.asarray(scaled)
        factor = np.linalg.cholesky(self.correlation)
        return np.asarray(linalg.solve_triangular(factor, scaled, lower=True))


def statistics(values: Array, model: Model, ways: Relabelling) -> Iterator[tuple[Array, Array, float]]:
    """Fit every labelling.

    Parameters
    ----------
    values
        Rows x units, all measured.
    model
        The model of these units.
    ways
        Their labellings.

    Yields
    ------
    estimate, variance, unscaled
        Of every row: the contrast and the residual variance; of all: the variance of the contrast for a residual variance
        of 1. The first is the labelling seen.
    """
    y = model.whiten(values.T)
    if not ways.residuals:
        for order in ways.orders:
            matrix = np.where(model.stays, model.matrix, model.matrix[order])
            yield _Fit(model.whiten(matrix), model.vector)(y)
        return
    # What the model without the contrast fits has neither contrast nor residual in the whole one: only residuals move.
    matrix = model.whiten(model.matrix)
    basis = np.linalg.qr(matrix @ linalg.null_space(model.vector[None, :]))[0]
    residuals, fit = y - basis @ (basis.T @ y), _Fit(matrix, model.vector)
    for order in ways.orders:
        yield fit(residuals[order])


class _Fit:
    """Least squares of many columns on one matrix."""

    def __init__(self, matrix: Array, vector: Array) -> None:
        self.q, r = np.linalg.qr(matrix)
        self.along = linalg.solve_triangular(r, vector, trans="T")
        self.df = matrix.shape[0] - matrix.shape[1]

    def __call__(self, y: Array) -> tuple[Array, Array, float]:
        """Contrast and residual variance of every column of `y`, and the unscaled variance of the contrast."""
        effects = self.q.T @ y
        rest = np.einsum("ur,ur->r", y, y) - np.einsum("cr,cr->r", effects, effects)
        return self.along @ effects, np.maximum(rest, 0.0) / self.df, float(self.along @ self.along)


@dataclass(frozen=True)
class Null:
    """Where a statistic stands among all labellings.

    Attributes
    ----------
    p_value
        Share of the labellings, the one seen included, whose |t| is as large: exact if all were gone through, else
        (1 + as large) / (1 + sampled) (Phipson & Smyth 2010, doi:10.2202/1544-6115.1585).
    smallest
        The smallest p-value that this design can give: the share of labellings that are the one seen or its mirror image.
    n
        Labellings other than the one seen.
    """

    p_value: float
    smallest: float
    n: int


def permute(values: Array, model: Model, ways: Relabelling, prior: Prior, seed: int) -> Null:
    """The null of one row.

    Parameters
    ----------
    values
        One number a unit.
    model, ways
        The model of these units and their labellings.
    prior
        What moderates the residual variance.
    seed
        Of a row of noise that is put through the same labellings: whatever ties with the labelling seen does so by
        the symmetry of the design, not by chance.

    Returns
    -------
    Null
        NaN where no degree of freedom is left.
    """
    df = float(len(values) - model.matrix.shape[1])
    if df <= 0:
        return Null(np.nan, np.nan, 0)
    noise = np.random.default_rng(seed).normal(size=len(values))
    both = np.vstack([values, noise])
    t = np.array([
        np.abs(estimate) / np.sqrt(unscaled * prior.moderate(variance, df))
        for estimate, variance, unscaled in statistics(both, model, ways)
    ])  # fmt: skip
    seen, mirror = t[:, 0] >= t[0, 0] * (1 - TIE), np.abs(t[:, 1] - t[0, 1]) <= TIE * t[0, 1]
    return Null(float(seen.mean()), float(mirror.mean()), len(ways.orders) - 1)


def find_prior(fit: RowFit, row: int, moderate: bool) -> Prior:
    """What all rows know together of one row's residual variance.

    Parameters
    ----------
    fit
        The rows, not moderated.
    row
        Place of the row: its variance is expected to be the larger, the lower its weights.
    moderate
        False for rows of different kinds, which say nothing of each other.

    Returns
    -------
    Prior
        Nothing (0 df) where rows are not moderated or too few.
    """
    fitted = (fit.residual_df > 0) & (fit.variance > 0)
    if not moderate or fitted.sum() < MIN_ROWS_TO_MODERATE:
        return Prior()
    from pylimma import squeeze_var  # a second of import, for those who need it

    found = squeeze_var((fit.variance * fit.precision)[fitted], fit.residual_df[fitted])
    return Prior(float(np.max(found["df_prior"])), float(np.max(found["var_prior"])) / float(fit.precision[row]))
