"""The headline estimates of every question, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from livermet.keys import CI_HIGH, CI_LOW, CONFIRMATORY, ESTIMATE, NOT_ESTIMABLE, POPULATION, QUESTION, TIER, TIERS
from livermet.plots.style import GREY, INK, PALE, blank, canvas, look
from livermet.plots.style import TIERS as TIER_COLOURS
from livermet.plots.words import words

UNIT, READOUT = "unit", "readout"


def plot_answers(answers: pd.DataFrame, questions: Mapping[str, str]) -> Figure:
    """Forest plot: one block a unit, questions as headings, a line an estimate.

    Parameters
    ----------
    answers
        The headline rows: question, population, readout, estimate, unit, ci_low, ci_high, tier.
    questions
        Name -> the question in words, in the order of the figure.

    Returns
    -------
    Figure
        Colour is the evidence tier; open dots where the interval contains no change.
    """
    if answers.empty:
        return blank("No question has a headline estimate.")
    blocks = [(unit, _lines(part, questions)) for unit, part in answers.groupby(UNIT, sort=False)]
    heights = [len(lines) for _, lines in blocks]
    clear = int(((answers[CI_LOW] > 0) | (answers[CI_HIGH] < 0)).sum())
    with look():
        figure = canvas(1.6 + 0.235 * sum(heights) + 0.5 * len(blocks),
                        f"{clear} of {len(answers)} headline estimates have an interval that excludes no change")  # fmt: skip
        axes = np.atleast_1d(figure.subplots(len(blocks), 1, height_ratios=heights))
        for axis, (unit, lines) in zip(axes, blocks, strict=True):
            _draw_block(axis, lines)
            axis.set_xlabel(words(unit))
        present = [tier for tier in TIERS if tier in set(answers[TIER])]
        handles = [Line2D([], [], color=TIER_COLOURS[tier], marker="o", label=tier) for tier in present]
        figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), handletextpad=0.4)
    return figure


def _lines(part: pd.DataFrame, questions: Mapping[str, str]) -> list[tuple[str, pd.Series | None]]:
    """Headings and estimates from top to bottom."""
    lines: list[tuple[str, pd.Series | None]] = []
    known = [name for name in questions if name in set(part[QUESTION])]
    for name in [*known, *(name for name in part[QUESTION].unique() if name not in questions)]:
        lines.append((questions.get(name, name), None))
        for _, row in part[part[QUESTION] == name].iterrows():
            lines.append((_label(row), row))
    return lines


def _label(row: pd.Series) -> str:
    population, readout = str(row[POPULATION]), str(row[READOUT])
    return words(population) if readout in (population, "") else f"{words(population)}: {words(readout)}"


def _draw_block(axis: Axes, lines: list[tuple[str, pd.Series | None]]) -> None:
    finite = [
        float(row[name])
        for _, row in lines
        if row is not None
        for name in (ESTIMATE, CI_LOW, CI_HIGH)
        if np.isfinite(row[name])
    ]
    low, high = (min([*finite, 0.0]), max([*finite, 0.0])) if finite else (-1.0, 1.0)
    # A single boundless interval must not squeeze all others: beyond this they end in an arrow.
    reach = (
        1.35 * max(abs(float(row[ESTIMATE])) for _, row in lines if row is not None and np.isfinite(row[ESTIMATE]))
        + 1.5
        if finite
        else 1
    )
    low, high = max(low, -reach), min(high, reach)
    pad = 0.04 * (high - low)
    axis.set_xlim(low - pad, high + pad)
    axis.axvline(0, color=INK, linewidth=0.9)
    for place, (_label, row) in enumerate(lines):
        if row is None:
            axis.axhline(place, color=PALE, linewidth=9, zorder=0)
            continue
        colour = TIER_COLOURS.get(str(row[TIER]), GREY)
        if str(row[TIER]) == NOT_ESTIMABLE or not np.isfinite(row[ESTIMATE]):
            axis.text(0, place, "  not estimable", va="center", color=GREY, fontsize=8.5, fontstyle="italic")
            continue
        start, end = _clipped(row[CI_LOW], low), _clipped(row[CI_HIGH], high)
        axis.plot([start, end], [place, place], color=colour, linewidth=1.8, solid_capstyle="butt")
        for edge, limit, marker in ((row[CI_LOW], low, "<"), (row[CI_HIGH], high, ">")):
            if not np.isfinite(edge) or abs(edge) > abs(limit):
                axis.plot(limit, place, marker, color=colour, markersize=5)
        clear = row[CI_LOW] > 0 or row[CI_HIGH] < 0
        axis.plot(
            row[ESTIMATE],
            place,
            "o",
            color=colour,
            markerfacecolor=colour if clear else "white",
            markersize=6,
            markeredgewidth=1.4,
        )
    axis.set_yticks(range(len(lines)), [label for label, _ in lines])
    for tick, (_, row) in zip(axis.get_yticklabels(), lines, strict=True):
        tick.set_fontweight("bold" if row is None else "normal")
    axis.set_ylim(len(lines) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")


def _clipped(edge: float, limit: float) -> float:
    if not np.isfinite(edge):
        return limit
    return max(edge, limit) if limit < 0 else min(edge, limit)


__all__ = ["CONFIRMATORY", "plot_answers"]
