"""Are two arms the same within a margin? Two one-sided tests (Schuirmann 1987, doi:10.1007/BF01068419).

That no difference was shown says nothing about sameness: with few mice nothing is ever shown. Here the burden is turned
round: the hypothesis to be refuted is that the arms differ by the margin or more, on either side, and few mice can refute
nothing. Refuting both sides at level alpha is the same as an interval of level 1 - 2 alpha that lies within the margin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from livermet import keys
from livermet.mice.design.questions import EQUIVALENCE
from livermet.mice.models.linear import Array, adjust
from livermet.mice.models.power import POWER, mice_per_arm_needed

TESTS = (keys.EQUIVALENCE_P_VALUE, keys.TOST_LOW, keys.TOST_HIGH)
COLUMNS = (keys.MARGIN, *TESTS, keys.EQUIVALENT, keys.DIFFERENCE_P_VALUE, keys.DIFFERENCE_ADJUSTED)
SIGNATURE = "signature"


def tost(
    estimate: npt.ArrayLike,
    standard_error: npt.ArrayLike,
    df: npt.ArrayLike,
    margin: npt.ArrayLike,
    confidence: float = 0.95,
) -> dict[str, Array]:
    """Test that a difference lies within a margin.

    Parameters
    ----------
    estimate, standard_error, df
        Of the differences, broadcast against each other.
    margin
        Largest difference that still counts as the same, above 0, in the unit of the estimates.
    confidence
        1 - alpha.

    Returns
    -------
    dict
        ``equivalence_p_value``: the larger of the two one-sided p-values. ``tost_ci_low``, ``tost_ci_high``: the interval
        of level 1 - 2 alpha. NaN without degrees of freedom.
    """
    difference, error, margin = (np.asarray(value, dtype=float) for value in (estimate, standard_error, margin))
    half = stats.t.ppf(confidence, df) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        above = stats.t.sf((difference + margin) / error, df)
        below = stats.t.cdf((difference - margin) / error, df)
    return dict(zip(TESTS, (np.maximum(above, below), difference - half, difference + half), strict=True))


def mice_for_equivalence(
    standard_error: npt.ArrayLike,
    df: npt.ArrayLike,
    *,
    mice_now: float,
    n_arms: int,
    margin: float,
    confidence: float = 0.95,
    power: float = POWER,
) -> Array:
    """Mice per arm for which sameness would be shown with probability `power` if the true difference were 0.

    Both one-sided tests must reject; at a difference of 0 each fails as often as the other, so each is given half of
    1 - power (Phillips 1990, doi:10.1007/BF01063556, whose noncentral t is exact up to both failing at once).

    Parameters
    ----------
    standard_error, df, mice_now, n_arms
        As for :func:`livermet.mice.models.power.mice_per_arm_needed`.
    margin
        Above 0, in the unit of the standard errors.
    confidence, power
        1 - alpha of the test, and the wanted probability.

    Returns
    -------
    numpy.ndarray
        As :func:`livermet.mice.models.power.mice_per_arm_needed` gives them.
    """
    return mice_per_arm_needed(
        standard_error,
        df,
        mice_now=mice_now,
        n_arms=n_arms,
        effect=margin,
        confidence=2 * confidence - 1,
        power=(1 + power) / 2,
    )


def find_margin(question: str, settings: Mapping[str, Any], endpoint: str = "") -> float:
    """The margin of an equivalence question: its own, that for gene sets where it has one, else the effect of interest."""
    asked = next(item for item in settings["questions"] if item["name"] == question)
    own = (asked["signature_margin"] if endpoint == SIGNATURE else None) or asked["margin"]
    return float(own or settings["effect_of_interest"])


def turn(table: pd.DataFrame, margin: float, confidence: float, estimate: str = keys.ESTIMATE) -> pd.DataFrame:
    """Put the test for sameness in place of the test for a difference.

    Parameters
    ----------
    table
        Columns `estimate`, standard_error, df, p_value (of a difference).
    margin
        In the unit of the estimates.
    confidence
        1 - alpha.
    estimate
        Name of the column with the differences.

    Returns
    -------
    pandas.DataFrame
        With :data:`COLUMNS` but the verdict added; `p_value` is that of sameness and is adjusted as such, that of a
        difference moves to `difference_p_value`.
    """
    found = tost(table[estimate], table[keys.STANDARD_ERROR], table["df"], margin, confidence)
    known = table[keys.P_VALUE].notna().to_numpy()
    found = {name: np.where(known, values, np.nan) for name, values in found.items()}
    turned = table.rename(columns={keys.P_VALUE: keys.DIFFERENCE_P_VALUE}).assign(**found)
    turned[keys.MARGIN] = margin
    turned[keys.P_VALUE] = turned[keys.EQUIVALENCE_P_VALUE]
    return turned


def judge(table: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Say what adjusted p-values of sameness come to, and adjust those of a difference within each question.

    Parameters
    ----------
    table
        Columns question, adjusted_p_value, and where an equivalence was asked those of :func:`turn`.
    confidence
        1 - alpha.

    Returns
    -------
    pandas.DataFrame
        With all of :data:`COLUMNS`. `equivalent`: the same within the margin, or not shown; missing where not asked or not tested.
    """
    table = table.reindex(columns=[*table.columns, *(column for column in COLUMNS if column not in table)])
    shown = (table[keys.ADJUSTED_P_VALUE] < 1 - confidence).astype("boolean")
    difference = table[keys.DIFFERENCE_P_VALUE].astype(float).groupby(table[keys.QUESTION]).transform(adjust)
    shown = shown.where(table[keys.EQUIVALENCE_P_VALUE].notna())
    return table.assign(**{keys.EQUIVALENT: shown, keys.DIFFERENCE_ADJUSTED: difference})


def is_equivalence(kind: str) -> bool:
    """Whether a kind of question asks for sameness."""
    return kind == EQUIVALENCE
