"""What cells as replicates would have claimed, beside what the mice support."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from livermet.keys import QUESTION
from livermet.plots.style import GREY, HUES, INK, blank, canvas, look
from livermet.plots.words import words, wrapped

CELLS, MICE = HUES[5], HUES[2]
COUNTS = ["called_by_cells", "called_by_mice", "called_by_both"]


def add_up_calls(calls: pd.DataFrame) -> pd.DataFrame:
    """Calls of every question, over its populations.

    Parameters
    ----------
    calls
        One row a question x population, as :mod:`livermet.mice.checks.cells_as_replicates` counts them.

    Returns
    -------
    pandas.DataFrame
        Index question, in the order given: n_populations, called by cells, mice, both; share_unsupported (NaN where cells
        call nothing); judged_calls, false_by_cells, false_share (NaN where no truth is known).
    """
    compared = calls[calls["called_by_cells"].notna()]
    judged = compared["judged_by_truth"].astype(bool)
    marked = compared.assign(
        n_populations=1,
        judged_calls=compared["called_by_cells"].where(judged, 0),
        false_by_cells=compared["false_by_cells"].fillna(0),
    )
    columns = ["n_populations", *COUNTS, "judged_calls", "false_by_cells"]
    total = marked.groupby(QUESTION, sort=False, observed=True)[columns].sum().astype(int)
    total["share_unsupported"] = 1 - total["called_by_both"] / total["called_by_cells"].where(
        total["called_by_cells"] > 0
    )
    total["false_share"] = total["false_by_cells"] / total["judged_calls"].where(total["judged_calls"] > 0)
    return total


def plot_pseudoreplication(calls: pd.DataFrame, asked: Mapping[str, str]) -> Figure:
    """Genes called per question by either unit of replication, and how many of the cell-level calls do not hold.

    Parameters
    ----------
    calls
        One row a question x population.
    asked
        Question -> the question in words.
    """
    total = add_up_calls(calls)
    if total.empty:
        return blank("No effect question has enough cells on both sides.")
    cells, mice = int(total["called_by_cells"].sum()), int(total["called_by_mice"].sum())
    with look():
        figure = canvas(
            1.5 + 0.48 * len(total),
            f"Cells as replicates would have made {cells:,} gene calls; mice support {mice:,}",
        )
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
        _draw_counts(left, total)
        _draw_shares(right, total)
        left.set_yticks(range(len(total)), [wrapped(asked.get(str(name), words(name)), 46) for name in total.index])
        left.set_ylim(len(total) - 0.5, -0.5)
    return figure


def _draw_counts(axes: Axes, total: pd.DataFrame) -> None:
    for place, (_, row) in enumerate(total.iterrows()):
        axes.plot([row["called_by_mice"], row["called_by_cells"]], [place, place], color=GREY, linewidth=1.2, zorder=1)
    places = np.arange(len(total))
    for column, colour, marker, label in (
        ("called_by_cells", CELLS, "X", "cells as replicates"),
        ("called_by_mice", MICE, "o", "mice as replicates"),
    ):
        axes.scatter(total[column], places, color=colour, marker=marker, s=46, linewidths=0, label=label, zorder=2)
        for place, number in enumerate(total[column]):
            axes.annotate(f"{number:,}", (number, place), xytext=(0, 6), textcoords="offset points", ha="center",
                          fontsize=8, color=colour)  # fmt: skip
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(-0.4, max(10.0, 3.0 * float(total[COUNTS].to_numpy().max())))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("Gene x population pairs called at a false discovery rate of 5 %")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_title("What is called")
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2, handletextpad=0.2)


def _draw_shares(axes: Axes, total: pd.DataFrame) -> None:
    places = np.arange(len(total))
    axes.barh(places, total["share_unsupported"].fillna(0), height=0.5, color="#e8c3ae")
    for place, (share, false) in enumerate(zip(total["share_unsupported"], total["false_share"], strict=True)):
        text = "nothing called" if np.isnan(share) else f"{share:.0%} not supported"
        axes.text(0.02, place, text, va="center", fontsize=8.5, color=INK)
        if not np.isnan(false):
            axes.plot([false, false], [place - 0.32, place + 0.32], color=CELLS, linewidth=2.4)
    if total["false_share"].notna().any():
        axes.plot([], [], color=CELLS, linewidth=2.4, label="known to be false, of the calls that the truth can judge")
        axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower right", handletextpad=0.5)
    axes.set_xlim(0, 1.04)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel("Share of the cell-level calls")
    axes.tick_params(axis="y", length=0)
    axes.set_title("What does not hold")
