"""How much of the damage a treatment undoes: 0 is none of it, 1 is all of it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from livermet.keys import QUESTION
from livermet.plots.answers import make_line
from livermet.plots.intervals import Line, draw_lines
from livermet.plots.style import INK, blank, canvas, look

LOW, HIGH = -1.5, 2.5


def plot_rescue(answers: pd.DataFrame, questions: Mapping[str, str]) -> Figure:
    """Intervals of the rescue index, a line a read-out.

    Parameters
    ----------
    answers
        The rescue rows of the answers: question, population, endpoint, readout, estimate, ci_low, ci_high, tier.
    questions
        Name -> the question in words, in the order of the figure.

    Returns
    -------
    Figure
        Intervals that leave the frame end in an arrow; "not estimable" where the damage is not separated from 0.
    """
    lines: list[Line] = []
    for name, title in questions.items():
        part = answers[answers[QUESTION] == name]
        if len(part):
            lines.append(Line(title))
            lines += [make_line(row, {}) for _, row in part.iterrows()]
    if not lines:
        return blank("No rescue was asked for.")
    estimable = [line for line in lines if line.drawn]
    whole = sum(line.low <= 1 <= line.high for line in estimable if line.low > 0)
    partial = sum(line.low > 0 for line in estimable)
    n_readouts = sum(bool(line.tier) for line in lines)
    with look():
        title = f"{partial} of {n_readouts} read-outs show a rescue; {whole} of them leave room for all of it"
        figure = canvas(1.5 + 0.33 * len(lines), title)
        axis = figure.subplots()
        axis.axvspan(0, 1, color="#f0f5fa", zorder=-1)
        for at, label in ((0.0, "none"), (1.0, "all of it")):
            axis.axvline(at, color=INK, linewidth=0.9)
            axis.text(at, -0.7, label, ha="center", va="bottom", fontsize=8.5)
        draw_lines(axis, lines, LOW, HIGH, 0.5)
        axis.set_xlabel("Share of the damage that is undone")
    return figure
