"""Tissues of one mouse are alike: the correlation within a mouse, and how least squares take it into account.

One correlation is shared by all rows of a kind (duplicate correlation; Smyth, Michaud & Scott 2005,
doi:10.1093/bioinformatics/bti270). Values and design are then multiplied by the inverse of the Cholesky factor of the
correlation matrix of the units, after which units are independent and every method for independent units is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import linalg

Array = npt.NDArray[np.float64]

MAX_CORRELATION = 0.99  # a perfect one cannot be inverted
MIN_RESIDUAL_DF = 3  # with fewer the correlation cannot be told from the residuals
MAX_ROWS = 1000  # the trimmed mean over these is known to two hundredths, and each costs a mixed model


def are_repeated(blocks: Sequence[str]) -> bool:
    """Whether some mouse has several units, and there are several mice."""
    return 1 < len(set(blocks)) < len(blocks)


def can_be_judged(blocks: Sequence[str], residual_df: int) -> bool:
    """Whether effects can have an error: residuals there are, and enough for a correlation where mice repeat.

    Without knowing how alike the units of a mouse are, every p-value between mice would be too small.
    """
    return residual_df >= (MIN_RESIDUAL_DF if are_repeated(blocks) else 1)


def within_mouse_correlation(
    values: Array, matrix: Array, blocks: Sequence[str], weights: Array | None = None
) -> float:
    """Correlation of two units of the same mouse, shared by all rows.

    Parameters
    ----------
    values
        Rows x units, finite.
    matrix
        Units x columns, of full rank.
    blocks
        The mouse of each unit.
    weights
        Rows x units: precisions; None for equal ones.

    Returns
    -------
    float
        Between 0 and .99; 0 where no mouse has several units. A negative correlation of a mouse with itself is noise.
    """
    if not are_repeated(blocks) or not len(values):
        return 0.0
    # Rows come in no order that matters here; evenly spaced by level they stand for weak and strong ones alike.
    order = np.argsort(values.mean(axis=1), kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), MAX_ROWS)).astype(int))]
    return consensus(values[chosen], matrix, blocks, None if weights is None else weights[chosen])


def consensus(values: Array, matrix: Array, blocks: Sequence[str], weights: Array | None) -> float:
    """limma's consensus correlation of all rows (NaN in values or weights: not measured), kept between 0 and .99."""
    from pylimma import duplicate_correlation

    found = duplicate_correlation(values, matrix, block=np.asarray(blocks), weights=weights)
    return float(np.clip(np.nan_to_num(found["consensus_correlation"]), 0.0, MAX_CORRELATION))


def correlations(blocks: Sequence[str], correlation: float) -> Array:
    """Units x units: 1 with themselves, `correlation` within a mouse, 0 elsewhere."""
    names = np.asarray(blocks)
    same = names[:, None] == names[None, :]
    return np.asarray(np.where(same, correlation, 0.0) + (1 - correlation) * np.eye(len(names)))


def whitener(blocks: Sequence[str], correlation: float) -> Array:
    """Matrix by which values (units x ...) are multiplied so that units of a mouse become independent.

    Parameters
    ----------
    blocks
        The mouse of each unit.
    correlation
        Within a mouse, below 1.

    Returns
    -------
    numpy.ndarray
        Units x units, lower triangular; the identity at a correlation of 0.
    """
    factor = np.linalg.cholesky(correlations(blocks, correlation))
    return np.asarray(linalg.solve_triangular(factor, np.eye(len(factor)), lower=True))
