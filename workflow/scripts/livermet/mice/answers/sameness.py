"""Plain English for a question of sameness: the same, different, or cannot be said, and what it would take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from livermet import keys
from livermet.mice.answers.sentences import Result, Writer, capital, number, p_value


def say_sameness(
    record: Mapping[str, Any], thing: str, result: Result, writer: Writer, aside: str = "", odds: bool = False
) -> str:
    """A sentence on whether two arms are the same within the margin.

    Parameters
    ----------
    record
        The row of a test, with the columns of :mod:`livermet.mice.models.equivalence`.
    thing
        What was measured, in words.
    result
        The numbers; its adjusted p-value is that of the two one-sided tests.
    writer
        Knows the question and the names.
    aside
        What the difference is relative to, in words.
    odds
        Whether the logarithms are of odds.

    Returns
    -------
    str
        The p-value is named for what it is: a small one speaks for sameness.
    """
    arm, like = writer.sides(record[keys.QUESTION])
    within = f"{number(2 ** _number(record, keys.MARGIN))}-fold{' in odds' if odds else aside}"
    thing = capital(thing)
    if result.tier == keys.NOT_ESTIMABLE or not np.isfinite(result.estimate):
        reason = result.reason or "not measured"
        return f"{thing}: whether {arm} are like {like} cannot be answered: {reason}."
    about = f"{number(2 ** abs(result.estimate))}-fold {'higher' if result.estimate > 0 else 'lower'}"
    if result.tier == keys.DESCRIPTIVE or not np.isfinite(result.adjusted_p_value):
        return (
            f"Descriptive, not tested: {thing}: {about} in {arm} than in {like} ({result.mice}; no degrees of freedom are "
            f"left to say how sure this is)."
        )
    lead = "Exploratory: " if result.tier == keys.EXPLORATORY else ""
    return f"{lead}{thing}: {_verdict(record, result, writer, (arm, like), within, about)}"


def _verdict(
    record: Mapping[str, Any], result: Result, writer: Writer, sides: tuple[str, str], within: str, about: str
) -> str:
    arm, like = sides
    alpha = 1 - writer.confidence
    low, high = _number(record, keys.TOST_LOW), _number(record, keys.TOST_HIGH)
    margin = _number(record, keys.MARGIN)
    interval = f"{100 * (1 - 2 * alpha):g} % interval of the log2 difference {low:.2f} to {high:.2f}, margin {margin:g}"
    adjusted = f"adjusted {p_value(result.adjusted_p_value)} of the two one-sided tests"
    differs = _number(record, keys.DIFFERENCE_ADJUSTED) < alpha
    if result.adjusted_p_value < alpha:
        though = f", though not equal: {about}" if differs else ""
        return f"the same within {within} in {arm} as in {like}{though} ({interval}; {adjusted}; {result.mice})."
    if differs:
        ends = f"{writer.percent} CI of the log2 difference {result.ci_low:.2f} to {result.ci_high:.2f}"
        against = f"adjusted {p_value(_number(record, keys.DIFFERENCE_ADJUSTED))} against no difference"
        return f"different: {about} in {arm} than in {like} ({ends}; {against}; {result.mice})."
    why = "reaches beyond the margin" if max(-low, high) >= margin else f"lies within the margin, but {adjusted}"
    needed = _number(record, keys.MICE_NEEDED)
    mice = f"{needed:.0f} mice an arm" if np.isfinite(needed) else "no number of mice that could be had"
    return (
        f"whether {arm} are like {like} within {within} cannot be said: the {interval}, {why} ({about}; {result.mice}). "
        f"If there is no difference, {mice} would show it with 80 % power."
    )


def _number(record: Mapping[str, Any], column: str) -> float:
    return float(record.get(column, np.nan))
