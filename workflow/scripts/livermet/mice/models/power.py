"""What a design can see: the smallest effect found with 80 % power, and the mice it would take to see a given one.

Both follow from the standard error of the estimate at hand and the noncentral t-distribution of its test (Cohen 1988,
Statistical Power Analysis; doi:10.4324/9780203771587). Everything here is vectorised over genes: the noncentrality that
reaches the wanted power depends on the degrees of freedom alone and is read off a fine grid.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import special

from livermet.mice.design.model import Contrast, Design

Array = npt.NDArray[np.float64]

POWER = 0.8
MAX_MICE = 1000  # beyond that "not with mice" is the answer
_MIN_DF, _MAX_DF, _GRID = 0.25, 300.0, 300


def noncentrality(df: npt.ArrayLike, confidence: float = 0.95, power: float = POWER) -> Array:
    """True effect in standard errors that a two-sided t-test finds with the wanted power.

    Parameters
    ----------
    df
        Degrees of freedom, any shape; infinity is the normal distribution.
    confidence
        1 - the level of the test.
    power
        Wanted probability of p < 1 - confidence on the side of the effect.

    Returns
    -------
    numpy.ndarray
        Same shape; NaN where df is not known or not positive.
    """
    df = np.asarray(df, dtype=float)
    places, shifts = _noncentrality_grid(confidence, power)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / np.where(df > 0, np.maximum(df, _MIN_DF), np.nan)
    return np.asarray(np.interp(inverse, places, shifts) + 0 * inverse)


@cache
def _noncentrality_grid(confidence: float, power: float) -> tuple[Array, Array]:
    """Noncentralities over 1 / df: nearly linear there, so that interpolation errs by less than one in a thousand."""
    places = np.geomspace(1 / _MAX_DF, 1 / _MIN_DF, _GRID)
    df = 1 / places
    shifts = special.nctdtrinc(df, 1 - power, special.stdtrit(df, 0.5 + confidence / 2))
    normal = special.ndtri(0.5 + confidence / 2) + special.ndtri(power)
    return np.concatenate([[0.0], places]), np.concatenate([[normal], shifts])


def minimum_detectable(
    standard_error: npt.ArrayLike, df: npt.ArrayLike, confidence: float = 0.95, power: float = POWER
) -> Array:
    """Smallest true effect that would be found with probability `power`.

    Parameters
    ----------
    standard_error, df
        Of the estimates, broadcast against each other.
    confidence, power
        As for :func:`noncentrality`.

    Returns
    -------
    numpy.ndarray
        In the unit of the standard errors; NaN without degrees of freedom.
    """
    return np.asarray(np.asarray(standard_error, dtype=float) * noncentrality(df, confidence, power))


def replication(contrast: Contrast, design: Design) -> tuple[float, int]:
    """How many mice an arm of a contrast has now, and how many arms would grow together.

    Parameters
    ----------
    contrast, design
        A question and the design that answers it.

    Returns
    -------
    mice
        In a full model the mean over the arms named that gives the variance of the contrast (harmonic, by squared
        weights); in an additive one, where every mouse counts for every question, the mean over all arms.
    arms
        Number of those arms.
    """
    if design.settings["model"] == "full":
        squares = {arm: weight**2 for arm, weight in contrast.weights.items()}
        if not squares or any(contrast.n_mice[arm] == 0 for arm in squares):
            return float("nan"), len(squares)
        variance = sum(square / contrast.n_mice[arm] for arm, square in squares.items())
        return sum(squares.values()) / variance, len(squares)
    return (float(np.mean(list(design.arms.values()))) if design.arms else float("nan")), len(design.arms)


def mice_per_arm_needed(
    standard_error: npt.ArrayLike,
    df: npt.ArrayLike,
    *,
    mice_now: float,
    n_arms: int,
    effect: float,
    confidence: float = 0.95,
    power: float = POWER,
) -> Array:
    """Mice in every arm of a question for which `effect` would be found with probability `power`.

    Parameters
    ----------
    standard_error, df
        Of the estimates at hand, one number each.
    mice_now, n_arms
        What :func:`replication` gives: the variance falls with the mice per arm, and each mouse added to one of the arms
        adds a degree of freedom.
    effect
        The effect of interest, in the unit of the standard errors.
    confidence, power
        As for :func:`noncentrality`.

    Returns
    -------
    numpy.ndarray
        Whole numbers from 2 on; infinity above 1,000; NaN where the standard error is not known.
    """
    error, df = np.broadcast_arrays(np.asarray(standard_error, dtype=float), np.asarray(df, dtype=float))

    def enough(mice: Array) -> npt.NDArray[np.bool_]:
        df_then = np.maximum(df + n_arms * (mice - mice_now), 1.0)
        with np.errstate(invalid="ignore"):
            return np.asarray(
                noncentrality(df_then, confidence, power) * error * np.sqrt(mice_now / mice) <= effect, dtype=bool
            )

    low, high = np.full(error.shape, 1.0), np.full(error.shape, float(MAX_MICE))
    unknown = ~(np.isfinite(error) & (df > 0)) | ~np.isfinite(mice_now)
    never = ~enough(high)
    while np.any(high - low > 1):  # `low` is too few (or 1), `high` is enough
        middle = np.floor((low + high) / 2)
        found = enough(middle)
        high, low = np.where(found, middle, high), np.where(found, low, middle)
    return np.where(unknown, np.nan, np.where(never, np.inf, np.maximum(high, 2.0)))
