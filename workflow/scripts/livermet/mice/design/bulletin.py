"""The doctor's findings as plain text, for the terminal: what is about to be computed, and what it can tell."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from livermet import keys

WIDTH = 118
MARGIN = 12  # columns of the headings at the left


def write_bulletin(findings: Mapping[str, Any], study: str) -> str:
    """The findings in aligned lines.

    Parameters
    ----------
    findings
        See :meth:`livermet.mice.design.doctor.Findings.to_dict`.
    study
        Its name.

    Returns
    -------
    str
        Two lines a question that is confirmatory; what stands in the way of the others, and what would mend it, beside them.
    """
    lines = [f"The design of study {study}: what {findings['n_mice']} mice can tell", *_arms(findings["arms"])]
    lines += _entry("model", f"{findings['model']}: {findings['formula']}")
    df = findings["residual_df"]
    lines += _entry("", f"{findings['n_units']} units, rank {findings['rank']}, {df} residual degrees of freedom")
    if findings["dropped"]:
        lines += _entry("repeats", f"left out, being sums of others: {', '.join(findings['dropped'])}")
    for place, sentence in enumerate(findings["aliasing"] or ["no effect asked about goes with a batch, sex or lane"]):
        lines += _entry("aliasing" if not place else "", sentence)
    for place, note in enumerate(findings["notes"]):
        lines += _entry("mind" if not place else "", note)
    lines.append(
        f"{'questions':<{MARGIN}}{count_tiers(findings)}; least p: what exchanging labels of mice can give at best"
    )
    for verdict in findings["verdicts"]:
        lines += _question(verdict)
    return "\n".join(lines)


def count_tiers(findings: Mapping[str, Any]) -> str:
    """How many questions there are of every tier: "9 confirmatory, 2 exploratory"."""
    tiers = [verdict["tier"] for verdict in findings["verdicts"]]
    return ", ".join(f"{tiers.count(tier)} {tier}" for tier in keys.TIERS if tier in tiers)


def _arms(arms: Mapping[str, Any]) -> list[str]:
    """Mice of every arm, in columns."""
    labels = [" ".join(row["label"]) or "mice" for row in arms["rows"]]
    left = max(len(label) for label in labels) + 2
    wide = [max(len(name), 3) + 2 for name in arms["columns"]]
    lines = [" " * (MARGIN + left) + "".join(f"{name:>{w}}" for name, w in zip(arms["columns"], wide, strict=True))]
    for label, row in zip(labels, arms["rows"], strict=True):
        numbers = "".join(f"{number:>{w}}" for number, w in zip(row["numbers"], wide, strict=True))
        lines.append(f"{'':<{MARGIN}}{label:<{left}}{numbers}")
    lines[0] = f"{'mice':<{MARGIN}}" + lines[0][MARGIN:]
    return lines


def _question(verdict: Mapping[str, Any]) -> list[str]:
    """Name, tier and mice; formula; where they say more, the contrast, the reason and the remedy."""
    mice = " + ".join(f"{len(names)}" for names in verdict["mice"].values())
    least = "" if verdict["smallest_p"] is None else f", least p {verdict['smallest_p']:.2g}"
    lines = [f"  {verdict['name']}: {verdict['tier']} ({mice} mice{least})"]
    lines += _entry("", verdict["formula"])
    if verdict["vector"] and not _says_the_same(verdict):
        lines += _entry("", f"contrast {verdict['vector']}")
    if verdict["tier"] != keys.CONFIRMATORY:
        lines += _entry("  because", verdict["because"])
    if verdict["advice"]:
        lines += _entry("  next", verdict["advice"])
    return lines


def _says_the_same(verdict: Mapping[str, Any]) -> bool:
    """Whether the contrast is the formula again: every arm named once, with a weight of one."""
    if verdict["kind"] == "rescue":
        return True  # two contrasts, both told by the questions that it is made of
    weights = verdict["vector"].split()[::2]
    columns = verdict["vector"].split()[1::2]
    words = verdict["formula"].replace("(", " ").replace(")", " ").split()
    return all(weight in ("+1", "-1") for weight in weights) and set(columns) == set(words) - {"+", "-", "/"}


def _entry(heading: str, text: str) -> list[str]:
    """A heading in the margin, the text beside it in as many lines as it takes."""
    told = textwrap.wrap(text, WIDTH - MARGIN, break_on_hyphens=False, break_long_words=False)
    return [f"{heading if not place else '':<{MARGIN}}{line}" for place, line in enumerate(told)]
