"""limma's moderated t-tests of weighted genes: the second opinion on every gene, the first where mice repeat.

edgeR's quasi-likelihood knows no random effect. Where a question spans tissues and a mouse has several units, its genes are
therefore estimated by limma-voom with the mouse as block: voom, the correlation within a mouse, both once more with each
other's result, and generalised least squares (the way of limma's User's Guide, section 18.1.9; Smyth, Michaud & Scott
2005, doi:10.1093/bioinformatics/bti270).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from livermet import keys
from livermet.mice.models.blocks import whitener, within_mouse_correlation
from livermet.mice.models.libraries import Libraries, voom
from livermet.mice.models.linear import squeeze

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ModeratedFit:
    """Weighted least squares of every gene, with variances that genes share.

    Attributes
    ----------
    coefficients
        Genes x columns.
    covariance
        Genes x columns x columns, for a residual variance of 1.
    variance, df
        Posterior residual variance of each gene and its degrees of freedom.
    mean
        Mean value of each gene.
    """

    coefficients: Array
    covariance: Array
    variance: Array
    df: Array
    mean: Array

    def estimate(self, contrast: Array) -> tuple[Array, Array]:
        """Changes and their standard errors: the exact ones, not what `contrasts.fit` approximates for weighted genes."""
        unscaled = np.einsum("p,gpq,q->g", contrast, self.covariance, contrast)
        return self.coefficients @ contrast, np.sqrt(unscaled * self.variance)

    def table(self, contrast: Array, confidence: float) -> pd.DataFrame:
        """One row a gene, with the columns of :func:`livermet.mice.models.quasi_likelihood.quasi_likelihood_interval`."""
        change, error = self.estimate(contrast)
        half = special.stdtrit(self.df, 0.5 + confidence / 2) * error
        return pd.DataFrame(
            {
                keys.LOG_FOLD_CHANGE: change,
                keys.STANDARD_ERROR: error,
                "df": self.df,
                keys.CI_LOW: change - half,
                keys.CI_HIGH: change + half,
                keys.P_VALUE: 2 * stats.t.sf(np.abs(change / error), self.df),
                keys.MEAN_LOG_CPM: self.mean,
            }
        )


def fit_moderated(values: Array, weights: Array, matrix: Array, whiten: Array | None = None) -> ModeratedFit:
    """Fit every gene by weighted, or generalised, least squares and moderate the variances (Smyth 2004).

    Parameters
    ----------
    values, weights
        Genes x units: log2 CPM and precisions, as voom gives them.
    matrix
        Units x columns, of full rank, with residual degrees of freedom.
    whiten
        Units x units, as :func:`livermet.mice.models.blocks.whitener` gives it; None where units are independent.

    Returns
    -------
    ModeratedFit
        doi:10.2202/1544-6115.1027.
    """
    root = np.sqrt(weights)
    y = root * values
    if whiten is None:
        information = np.einsum("gu,up,uq->gpq", weights, matrix, matrix)
        projected = (root * y) @ matrix
    else:
        y = y @ whiten.T
        x = whiten @ (root[:, :, None] * matrix)
        information = x.transpose(0, 2, 1) @ x
        projected = np.einsum("gup,gu->gp", x, y)
    covariance = np.linalg.inv(information)
    coefficients = np.einsum("gpq,gq->gp", covariance, projected)
    df = matrix.shape[0] - matrix.shape[1]
    residuals = root * (values - coefficients @ matrix.T)
    residuals = residuals if whiten is None else residuals @ whiten.T
    variance = (residuals**2).sum(axis=1) / df
    return ModeratedFit(coefficients, covariance, *squeeze(variance, df), values.mean(axis=1))


def second_opinion(values: Array, weights: Array, matrix: Array, contrasts: Array) -> tuple[Array, Array]:
    """limma's moderated t-tests of several contrasts, all genes at once.

    Parameters
    ----------
    values, weights, matrix
        As for :func:`fit_moderated`.
    contrasts
        Contrasts x columns.

    Returns
    -------
    changes, p_values
        Contrasts x genes.
    """
    fit = fit_moderated(values, weights, matrix)
    found = [fit.estimate(contrast) for contrast in np.atleast_2d(contrasts)]
    changes, errors = (np.array(part) for part in zip(*found, strict=True))
    return changes, np.asarray(2 * stats.t.sf(np.abs(changes / errors), fit.df))


def fit_blocked(libraries: Libraries, matrix: Array, blocks: Sequence[str]) -> tuple[ModeratedFit, float]:
    """limma-voom with the mouse as block.

    Parameters
    ----------
    libraries
        As :func:`livermet.mice.models.libraries.normalise` gives them.
    matrix
        Units x columns, with residual degrees of freedom.
    blocks
        The mouse of each unit.

    Returns
    -------
    fit
        Of every gene.
    correlation
        Of two units of a mouse.
    """
    values, weights, correlation = voom_blocked(libraries, matrix, blocks)
    return fit_moderated(values, weights, matrix, whitener(blocks, correlation)), correlation


def voom_blocked(libraries: Libraries, matrix: Array, blocks: Sequence[str]) -> tuple[Array, Array, float]:
    """Values and precisions, genes x units, and the correlation within a mouse, each estimated twice."""
    values, weights = voom(libraries, matrix)
    correlation = within_mouse_correlation(values, matrix, blocks, weights)
    values, weights = voom(libraries, matrix, blocks, correlation)
    return values, weights, within_mouse_correlation(values, matrix, blocks, weights)
