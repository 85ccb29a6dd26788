"""The declared estimates of every question, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from livermet.keys import (
    ADJUSTED_P_VALUE,
    CI_HIGH,
    CI_LOW,
    ENDPOINT,
    ESTIMATE,
    POPULATION,
    QUESTION,
    READOUT,
    TIER,
    TIERS,
)
from livermet.plots.intervals import Line, draw_lines
from livermet.plots.style import INK, blank, canvas, look
from livermet.plots.style import TIERS as TIER_COLOURS
from livermet.plots.words import capital, words

ALPHA = 0.05


def plot_answers(
    answers: pd.DataFrame, questions: Mapping[str, str], labels: Mapping[str, str], *, leads: bool = False
) -> Figure:
    """Forest plot on the log2 scale: questions as headings, a line an estimate.

    Parameters
    ----------
    answers
        The rows to draw: question, population, endpoint, readout, estimate, ci_low, ci_high, adjusted_p_value, tier.
    questions
        Name -> the question in words, in the order of the figure.
    labels
        Mechanism read-out -> words for it.
    leads
        Whether these rows were picked after looking, which the title then says.

    Returns
    -------
    Figure
        Colour is the evidence tier; dots are open where no change was shown.
    """
    lines: list[Line] = []
    for name, title in questions.items():
        part = answers[answers[QUESTION] == name]
        if len(part):
            lines.append(Line(title))
            lines += [make_line(row, labels) for _, row in part.iterrows()]
    shown = [line for line in lines if line.drawn]
    if not shown:
        return blank("No question has a declared estimate.")
    # A single boundless interval must not squeeze all others: beyond this they end in an arrow.
    reach = 1.3 * max(abs(line.estimate) for line in shown) + 0.6
    low, high = (
        side * min(reach, 1.04 * max([0.25, *(side * edge for edge in edges if np.isfinite(edge))]))
        for side, edges in ((-1, [line.low for line in shown]), (1, [line.high for line in shown]))
    )
    clear = sum(line.clear for line in shown)
    n_questions = sum(not line.tier for line in lines)
    with look():
        kind = "leads, picked after looking," if leads else "declared estimates"
        title = f"{clear} of {len(shown)} {kind} of {n_questions} questions show a change (adjusted p < {ALPHA:g})"
        figure = canvas(1.5 + 0.235 * len(lines), title)
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=0.9)
        draw_lines(axes, lines, low, high, 0.0)
        axes.set_xlabel("log2 change (of odds, for shares and ratios)")
        present = [tier for tier in TIERS if tier in {line.tier for line in lines}]
        handles = [Line2D([], [], color=TIER_COLOURS[tier], marker="o", label=tier) for tier in present]
        figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), handletextpad=0.4)
    return figure


def make_line(row: pd.Series, labels: Mapping[str, str]) -> Line:
    """One row of the answers as a line of a figure."""
    estimate, low, high = (float(row[name]) if pd.notna(row[name]) else np.nan for name in (ESTIMATE, CI_LOW, CI_HIGH))
    adjusted = float(row[ADJUSTED_P_VALUE]) if pd.notna(row[ADJUSTED_P_VALUE]) else np.nan
    # A rescue has no p-value of its own: its interval decides.
    clear = adjusted < ALPHA if np.isfinite(adjusted) else row[ENDPOINT] == "rescue" and (low > 0 or high < 0)
    return Line(_label(row, labels), estimate, low, high, str(row[TIER]), bool(clear))


def _label(row: pd.Series, labels: Mapping[str, str]) -> str:
    population = words(row[POPULATION])
    readout = "" if pd.isna(row[READOUT]) else str(row[READOUT])
    if readout in labels:
        return capital(labels[readout])
    if row[ENDPOINT] == "expression":
        return f"{population}: {readout} (gene)" if readout else f"{population}: genes"
    return f"{population}: {words(readout)}" if readout else population
