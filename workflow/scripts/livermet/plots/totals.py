"""From ratios to numbers: under which change of the total number of cells a population is fewer, or more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from livermet.keys import (
    ADJUSTED_P_VALUE,
    HOLDS_ABOVE,
    HOLDS_BELOW,
    LOG_FOLD_CHANGE,
    POPULATION,
    QUESTION,
    REFERENCES_AGREE,
)
from livermet.plots.style import GREY, INK, blank, canvas, look
from livermet.plots.words import words, wrapped

REACH = 3.0  # log2: totals from an eighth to eightfold
FEWER, MORE, OPEN = "#2166ac", "#b2182b", "#eef0f2"
PALE_FEWER, PALE_MORE = "#d6e5f1", "#f9ddd2"
TICKS = {-3.0: "⅛", -2.0: "¼", -1.0: "½", 0.0: "1", 1.0: "2", 2.0: "4", 3.0: "8"}
HEADING = 38  # characters in a line of a panel's title


def plot_totals(composition: pd.DataFrame, questions: Mapping[str, str], populations: Sequence[str]) -> Figure:
    """A panel a question, a line a population: left of it fewer cells are shown, right of it more.

    Parameters
    ----------
    composition
        Rows of the population level: question, population, log_fold_change, adjusted_p_value, references_agree,
        share_log_fold_change, share_ci_low, share_ci_high (log2), holds_if_total_above, holds_if_total_below, and where
        cells were counted total_log_fold_change, total_ci_low, total_ci_high.
    questions
        Name -> the question in words, in the order of the figure.
    populations
        In the order of the lines.

    Returns
    -------
    Figure
        Strong colour where a change of the ratio was shown and the change in number follows; hatched where a reference
        does not agree; pale where no change of the ratio was shown. Axes are log2 changes of the total.
    """
    known = composition[composition["share_ci_low"].notna() & composition["share_ci_high"].notna()]
    shown = [name for name in questions if (known[QUESTION] == name).any()]
    if not shown:
        return blank("No abundance has an interval.", "No conclusion to hold against a change of the total")
    columns = min(3, len(shown))
    rows = int(np.ceil(len(shown) / columns))
    with look():
        figure = canvas(1.2 + rows * (0.75 + 0.21 * len(populations)), _title(known))
        axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
        for place, (axis, name) in enumerate(zip(axes, shown, strict=False)):
            _draw_question(axis, known[known[QUESTION] == name], populations)
            axis.set_title(wrapped(questions[name], HEADING), fontsize=7.6)
            axis.xaxis.set_tick_params(labelbottom=place + columns >= len(shown))
        for axis in axes[len(shown) :]:
            axis.set_visible(False)
        lowest = axes[(rows - 1) * columns + (len(shown) - (rows - 1) * columns - 1) // 2]
        lowest.set_xlabel("Change of all cells together, in number (fold)")
        _draw_legend(figure, known)
    return figure


def _title(known: pd.DataFrame) -> str:
    rises, losses = known[HOLDS_ABOVE].dropna(), known[HOLDS_BELOW].dropna()
    bears = np.concatenate([1 / rises.to_numpy(dtype=float), losses.to_numpy(dtype=float)])
    if not len(bears):
        return "No change of abundance was shown; what the total would have to do for one in number"
    safe = int((bears > 1).sum())
    weakest = f"; the weakest bears {bears[bears > 1].min():.1f}-fold" if safe else ""
    return f"{safe} of {len(bears)} changes shown hold in number if the total stayed the same{weakest}"


def _draw_question(axis: Axes, part: pd.DataFrame, populations: Sequence[str]) -> None:
    """Zones of every population: fewer up to -ci_high, open up to -ci_low, more beyond."""
    table = part.drop_duplicates(POPULATION).set_index(POPULATION).reindex(list(populations))
    places = np.arange(len(table))
    first, last, still = (
        -table[f"share_{name}"].to_numpy(dtype=float) for name in ("ci_high", "ci_low", LOG_FOLD_CHANGE)
    )
    first, last = np.clip(first, -REACH, REACH), np.clip(last, -REACH, REACH)
    fell, rose = (table[name].notna().to_numpy() for name in (HOLDS_BELOW, HOLDS_ABOVE))
    doubtful = (table[REFERENCES_AGREE].astype("boolean") == False).fillna(False).to_numpy(dtype=bool)  # noqa: E712 - NA stays NA
    edges = np.column_stack([np.full(len(table), -REACH), first, last, np.full(len(table), REACH)])
    boxes, colours, hatched = [], [], []
    for line in np.flatnonzero(np.isfinite(first)):
        zones = [_box(start, end, int(line)) for start, end in pairwise(edges[line])]
        boxes += zones
        colours += [FEWER if fell[line] else PALE_FEWER, OPEN, MORE if rose[line] else PALE_MORE]
        if doubtful[line] and (fell[line] or rose[line]):
            hatched.append(zones[0] if fell[line] else zones[-1])
    axis.add_collection(PolyCollection(boxes, facecolors=colours, linewidths=0))
    axis.add_collection(PolyCollection(hatched, facecolors="none", edgecolors="white", hatch="/////", linewidths=0))
    axis.plot(still, places, "|", color=INK, markersize=6, markeredgewidth=1.1)
    axis.axvline(0, color=INK, linewidth=0.9)
    _draw_measured(axis, table)
    axis.set_xlim(-REACH, REACH)
    axis.set_ylim(len(table) - 0.4, -0.6)
    axis.set_xticks(list(TICKS), list(TICKS.values()))
    axis.set_yticks(places, [words(name) for name in table.index])
    axis.tick_params(axis="y", length=0, labelsize=7.8)
    axis.spines["left"].set_visible(False)


def _box(start: float, end: float, line: int) -> list[tuple[float, float]]:
    """A zone of one line."""
    low, high = line - 0.39, line + 0.39
    return [(start, low), (end, low), (end, high), (start, high)]


def _draw_measured(axis: Axes, table: pd.DataFrame) -> None:
    """The change of the total where cells were counted."""
    if "total_log_fold_change" not in table or table["total_log_fold_change"].isna().all():
        return
    middle, low, high = (float(table[f"total_{name}"].dropna().iloc[0]) if table[f"total_{name}"].notna().any() else np.nan
                         for name in (LOG_FOLD_CHANGE, "ci_low", "ci_high"))  # fmt: skip
    if np.isfinite(low) and np.isfinite(high):
        axis.axvspan(max(low, -REACH), min(high, REACH), color="#E69F00", alpha=0.3, linewidth=0)
    axis.axvline(float(np.clip(middle, -REACH, REACH)), color="#E69F00", linewidth=1.6)


def _draw_legend(figure: Figure, known: pd.DataFrame) -> None:
    called = known[ADJUSTED_P_VALUE].notna() & (known[HOLDS_ABOVE].notna() | known[HOLDS_BELOW].notna())
    handles: list[Patch | Line2D] = [
        Patch(color=FEWER, label="fewer, as its ratio fell"),
        Patch(color=MORE, label="more, as its ratio rose"),
        Patch(color=PALE_FEWER, label="would be fewer"),
        Patch(color=PALE_MORE, label="would be more"),
        Patch(color=OPEN, label="open"),
        Line2D([], [], color=INK, marker="|", linestyle="", markersize=8, label="number unchanged"),
    ]
    if (known.loc[called, REFERENCES_AGREE].astype("boolean") == False).any():  # noqa: E712 - NA stays NA
        handles.append(Patch(facecolor=GREY, edgecolor="white", hatch="/////", label="a reference does not agree"))
    if "total_log_fold_change" in known and known["total_log_fold_change"].notna().any():
        handles.append(Line2D([], [], color="#E69F00", linewidth=2, label="total as counted, with interval"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, handletextpad=0.5, columnspacing=1.4)
