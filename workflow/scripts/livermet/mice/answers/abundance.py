"""What stands behind a sentence on abundance: what the references say, and what it takes to speak of numbers of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.answers.sentences import Writer, capital, number, p_value
from livermet.mice.endpoints import references
from livermet.mice.endpoints.totals import ABSOLUTE, SHARE

COMPARED = ("effect", "difference", "synergy")  # kinds of question that a change is an answer to


def qualify(record: Mapping[str, Any], writer: Writer) -> str:
    """What is to be added to the sentence on one row of the composition table.

    Parameters
    ----------
    record
        The row: as :func:`livermet.mice.endpoints.composition.test_composition` gives it.
    writer
        Knows the questions, the names and the declared references.

    Returns
    -------
    str
        Sentences, or nothing: on a change that was shown, whether it holds against each reference, and under which
        changes of the total it is one of numbers; on every row, the number of cells where cells were counted.
    """
    kind = writer.questions[record[keys.QUESTION]]["kind"]
    if kind not in COMPARED or record[keys.TIER] == keys.NOT_ESTIMABLE:
        return ""
    called = _float(record, keys.ADJUSTED_P_VALUE) < 1 - writer.confidence
    counted = np.isfinite(_float(record, ABSOLUTE + keys.P_VALUE))
    parts = [
        against_references(record, writer) if called else "",
        in_numbers(record, writer) if counted else beyond_ratios(record, kind) if called else "",
    ]
    return " ".join(part for part in parts if part)


def against_references(record: Mapping[str, Any], writer: Writer) -> str:
    """Which references show the change, which do not; those that share cells with the population are passed over."""
    shown: list[str] = []
    missing: list[str] = []
    row = pd.DataFrame([record])
    for name in writer.design.settings.get("references", []):
        if references.column(name, keys.CI_LOW) not in record:
            continue
        verdict = references.holds(row, name).iloc[0]
        if not pd.isna(verdict):
            (shown if verdict else missing).append(writer.name(name))
    if shown and missing:
        return f"It holds against {_listed(shown, 'and')} but not against {_listed(missing, 'or')}."
    if missing:
        return f"It does not hold against {_listed(missing, 'or')}{' alone' if len(missing) == 1 else ''}."
    each = "" if len(shown) == 1 else ", each alone"
    return f"It holds against {_listed(shown, 'and')}{each}." if shown else ""


def beyond_ratios(record: Mapping[str, Any], kind: str) -> str:
    """The change of the total that would undo the conclusion, were it one of numbers."""
    up = _float(record, keys.LOG_FOLD_CHANGE) > 0
    limit = 2.0 ** -_float(record, SHARE + (keys.CI_LOW if up else keys.CI_HIGH))
    if not np.isfinite(limit):
        return ""
    safe = limit < 1 if up else limit > 1  # whether the conclusion stands if the total did not change
    fold = number(max(limit, 1 / limit))
    if kind != "effect":
        side, other = ("higher", "lower") if up else ("lower", "higher")
        if safe:
            return f"In number, too, it is {side}, unless the same comparison of all cells together is over {fold}-fold {other}."
        return f"In number it is {side} only if the same comparison of all cells together is over {fold}-fold {side}."
    rose, fell = ("rise", "fell") if up else ("loss", "rose")
    if safe:
        return f"It is a {rose} in number, too, unless all cells together {fell} over {fold}-fold."
    return f"It is a {rose} in number only if all cells together {'rose' if up else 'fell'} over {fold}-fold."


def in_numbers(record: Mapping[str, Any], writer: Writer) -> str:
    """The change in number, where the cells were counted."""
    estimate = _float(record, ABSOLUTE + keys.LOG_FOLD_CHANGE)
    adjusted = _float(record, ABSOLUTE + keys.ADJUSTED_P_VALUE)
    sign = 1.0 if estimate >= 0 else -1.0
    ends = sorted(2 ** (sign * _float(record, ABSOLUTE + end)) for end in (keys.CI_LOW, keys.CI_HIGH))
    sure = f"{writer.percent} CI {number(ends[0])} to {number(ends[1])}; adjusted {p_value(adjusted)}"
    fold = f"{number(2 ** abs(estimate))}-fold"
    thing = f"the number of {writer.name(record[keys.POPULATION])}"
    if adjusted >= 1 - writer.confidence:
        return f"No change in {thing} was shown ({fold} {'up' if estimate > 0 else 'down'}; {sure})."
    if writer.questions[record[keys.QUESTION]]["kind"] == "effect":
        return f"{capital(thing)} {'rose' if estimate > 0 else 'fell'} {fold} ({sure})."
    return f"For {thing} it is {fold} {'higher' if estimate > 0 else 'lower'} ({sure})."


def _float(record: Mapping[str, Any], column: str) -> float:
    value = record.get(column)
    return float("nan") if value is None or pd.isna(value) else float(value)


def _listed(names: Sequence[str], last: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"
