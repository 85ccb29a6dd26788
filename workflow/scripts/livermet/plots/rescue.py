"""How much of the damage a treatment undoes: 0 is none of it, 1 is all of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from livermet.keys import CI_HIGH, CI_LOW, ESTIMATE, POPULATION, QUESTION, TIER
from livermet.plots.style import GREY, HUES, INK, TIERS, blank, canvas, look
from livermet.plots.words import words

LOW, HIGH = -1.5, 2.5


def plot_rescue(rescue: pd.DataFrame, questions: Mapping[str, str]) -> Figure:
    """Intervals of the rescue index, a line a read-out.

    Parameters
    ----------
    rescue
        One row a question x read-out: question, population, readout, estimate, ci_low, ci_high, tier.
    questions
        Name -> the question in words, in the order of the figure.

    Returns
    -------
    Figure
        Intervals that leave the frame end in an arrow; "not estimable" where the damage is not separated from 0.
    """
    if rescue.empty:
        return blank("No rescue was asked for.")
    shown = [name for name in questions if name in set(rescue[QUESTION])]
    lines: list[tuple[str, pd.Series | None]] = []
    for name in shown:
        lines.append((questions[name], None))
        lines += [(_label(row), row) for _, row in rescue[rescue[QUESTION] == name].iterrows()]
    with look():
        figure = canvas(1.5 + 0.33 * len(lines), "How much of the damage is undone")
        axis = figure.subplots()
        axis.axvspan(0, 1, color="#f0f5fa", zorder=0)
        for at, label in ((0.0, "none"), (1.0, "all of it")):
            axis.axvline(at, color=INK, linewidth=0.9)
            axis.text(at, -0.75, label, ha="center", va="bottom", fontsize=8.5)
        for place, (_, row) in enumerate(lines):
            if row is not None:
                _draw_interval(axis, place, row)
        axis.set_yticks(range(len(lines)), [label for label, _ in lines])
        for tick, (_, row) in zip(axis.get_yticklabels(), lines, strict=True):
            tick.set_fontweight("bold" if row is None else "normal")
        axis.set_xlim(LOW, HIGH)
        axis.set_ylim(len(lines) - 0.4, -0.7)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.set_xlabel("Rescue: repair over damage, with its interval")
    return figure


def _label(row: pd.Series) -> str:
    readout = str(row["readout"])
    return words(row[POPULATION]) if readout == row[POPULATION] else f"{words(row[POPULATION])}: {words(readout)}"


def _draw_interval(axis, place: int, row: pd.Series) -> None:  # type: ignore[no-untyped-def]
    estimate = float(row[ESTIMATE]) if pd.notna(row[ESTIMATE]) else np.nan
    if not np.isfinite(estimate) or str(row.get(TIER)) == "not estimable":
        axis.text(0.5, place, "not estimable", ha="center", va="center", color=GREY, fontstyle="italic", fontsize=8.5)
        return
    colour = TIERS.get(str(row.get(TIER)), HUES[2])
    low, high = (float(row[name]) if pd.notna(row[name]) else np.nan for name in (CI_LOW, CI_HIGH))
    start = low if np.isfinite(low) and low > LOW else LOW
    end = high if np.isfinite(high) and high < HIGH else HIGH
    axis.plot([start, end], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
    if start == LOW:
        axis.plot(LOW, place, "<", color=colour, clip_on=False, markersize=6)
    if end == HIGH:
        axis.plot(HIGH, place, ">", color=colour, clip_on=False, markersize=6)
    if LOW < estimate < HIGH:
        axis.plot(estimate, place, "o", color=colour, markersize=7)
