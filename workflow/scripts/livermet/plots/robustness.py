"""Does a headline hang on one mouse: each declared estimate with its interval, and what it is without each mouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from livermet.keys import ENDPOINT, ESTIMATE, PERMUTATION_P_VALUE, POPULATION, QUESTION, READOUT, SMALLEST_P
from livermet.plots.answers import make_line
from livermet.plots.intervals import Line, draw_lines
from livermet.plots.style import GREY, INK, blank, canvas, look
from livermet.report.numbers import p_value

RESCUE = "rescue"
KEYS = [QUESTION, ENDPOINT, POPULATION, READOUT]
STEADY, TURNED = INK, "#D55E00"  # the sign without a mouse: as with all of them, or turned
LIMIT = 1.6  # of the widest estimate: an interval beyond it ends in an arrow


def plot_robustness(
    answers: pd.DataFrame, left_out: pd.DataFrame, questions: Mapping[str, str], labels: Mapping[str, str]
) -> Figure:
    """Forest plot of the declared rows with their leave-one-mouse-out estimates.

    Parameters
    ----------
    answers
        The declared rows: question, endpoint, population, readout, estimate, ci_low, ci_high, adjusted_p_value, tier,
        permutation_p_value, smallest_p_attainable.
    left_out
        One row a declared row and mouse: the same four keys, mouse, estimate.
    questions
        Name -> the question in words, in the order of the figure.
    labels
        Mechanism read-out -> words for it.

    Returns
    -------
    Figure
        Log2 changes above, rescued shares below; a stroke is the estimate without one mouse.
    """
    panels = []
    for chosen in (answers[answers[ENDPOINT] != RESCUE], answers[answers[ENDPOINT] == RESCUE]):
        lines, rows = _lines(chosen, questions, labels)
        if any(line.drawn for line in lines):
            panels.append((lines, rows))
    if not panels:
        return blank("No endpoint is declared (design.endpoints), or none can be estimated.")
    points = {
        tuple(map(str, key)): group[ESTIMATE].dropna().to_numpy(dtype=float)
        for key, group in left_out.astype(dict.fromkeys(KEYS, str)).groupby(KEYS, sort=False)
    }
    drawn = [
        (line, _points(points, row))
        for lines, rows in panels
        for line, row in zip(lines, rows, strict=True)
        if line.drawn
    ]
    # What was shown to be the same (an equivalence) is no change.
    changed = [(line, found) for line, found in drawn if line.clear and (line.low > 0 or line.high < 0)]
    turned, clear = sum(bool((found * line.estimate < 0).any()) for line, found in changed), len(changed)
    with look():
        title = f"Without any one mouse: {clear - turned} of {clear} declared changes that were shown keep their sign"
        heights = [len(lines) for lines, _ in panels]
        figure = canvas(1.7 + 0.235 * sum(heights), title)
        axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axis, (lines, rows) in zip(axes, panels, strict=True):
            _draw(axis, lines, [_points(points, row) for row in rows], rows)
        handles = [
            Line2D([], [], color=colour, marker="|", markersize=9, markeredgewidth=1.6, linestyle="", label=label)
            for colour, label in ((STEADY, "without one mouse"), (TURNED, "without one mouse, sign turned"))
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=2, handletextpad=0.3)
    return figure


def _lines(
    answers: pd.DataFrame, questions: Mapping[str, str], labels: Mapping[str, str]
) -> tuple[list[Line], list[pd.Series | None]]:
    """Headings and estimates, and the row of the answers behind each (None for a heading)."""
    lines: list[Line] = []
    rows: list[pd.Series | None] = []
    for name, title in questions.items():
        part = answers[answers[QUESTION] == name]
        if len(part):
            lines += [Line(title), *(make_line(row, labels) for _, row in part.iterrows())]
            rows += [None, *(row for _, row in part.iterrows())]
    return lines, rows


def _points(points: Mapping[tuple[str, ...], np.ndarray], row: pd.Series | None) -> np.ndarray:
    return np.empty(0) if row is None else points.get(tuple(str(row[name]) for name in KEYS), np.empty(0))


def _draw(axis: Axes, lines: Sequence[Line], points: Sequence[np.ndarray], rows: Sequence[pd.Series | None]) -> None:
    """One panel: lines, strokes, and the p-value of the labels at the right."""
    is_rescue = any(row is not None and row[ENDPOINT] == RESCUE for row in rows)
    widest = max(abs(line.estimate) for line in lines if line.drawn)
    wide = max([widest, *(np.abs(found).max() for found in points if len(found))])
    edges = [abs(edge) for line in lines if line.drawn for edge in (line.low, line.high) if np.isfinite(edge)]
    reach = min(max([wide, *edges]), LIMIT * wide) * 1.05
    axis.axvline(0, color=INK, linewidth=0.9)
    if is_rescue:
        axis.axvline(1, color=GREY, linewidth=0.9, linestyle=(0, (2, 3)))
    draw_lines(axis, lines, -reach, reach, 0.0)
    for place, (line, found) in enumerate(zip(lines, points, strict=True)):
        if not line.drawn:
            continue
        for colour, chosen in ((STEADY, found * line.estimate >= 0), (TURNED, found * line.estimate < 0)):
            axis.plot(
                found[chosen],
                np.full(chosen.sum(), place),
                "|",
                color=colour,
                markersize=9,
                markeredgewidth=1.3,
                zorder=4,
            )
    for place, (line, row) in enumerate(zip(lines, rows, strict=True)):
        if line.drawn and row is not None and pd.notna(row[PERMUTATION_P_VALUE]):
            axis.text(1.01, place, _tell(row), transform=axis.get_yaxis_transform(), va="center", fontsize=8, color=INK)
    axis.text(
        1.01, -0.75, "labels exchanged", transform=axis.get_yaxis_transform(), va="bottom", fontsize=8, color=GREY
    )
    axis.set_xlabel(
        "Share of the damage that is undone" if is_rescue else "log2 change (of odds, for shares and ratios)"
    )


def _tell(row: pd.Series) -> str:
    """A p-value, and whether it is the smallest that the design can give."""
    value, smallest = float(row[PERMUTATION_P_VALUE]), float(row[SMALLEST_P])
    return f"p {p_value(value)}" + (", smallest" if value <= smallest * (1 + 1e-9) else "")
