"""Signatures that change: effect and evidence for every population and question."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from livermet.keys import ADJUSTED_P_VALUE, ESTIMATE, LOG_FOLD_CHANGE, POPULATION, QUESTION
from livermet.plots.style import DIVERGING, INK, blank, canvas, look
from livermet.plots.words import words

SIGNATURE = "signature"
ALPHA = 0.05
MAX_QUESTIONS = 4
MAX_SIGNATURES = 26
LIMIT = 1.5


def plot_pathways(pathways: pd.DataFrame, questions: Mapping[str, str], populations: list[str]) -> Figure:
    """Heat map: signatures down, populations across, a block for each of the first questions.

    Parameters
    ----------
    pathways
        One row a question x population x signature: estimate or log_fold_change (mean over its genes), adjusted_p_value.
    questions
        Name -> the question in words, in the order in which they are asked.
    populations
        Order of the columns.

    Returns
    -------
    Figure
        Colour is the estimate, a dot an adjusted p-value below .05; hatched where a signature was not tested.
    """
    if pathways.empty:
        return blank("No signature was tested.")
    effect = ESTIMATE if ESTIMATE in pathways else LOG_FOLD_CHANGE
    shown = [name for name in questions if name in set(pathways[QUESTION])][:MAX_QUESTIONS]
    table = pathways[pathways[QUESTION].isin(shown)]
    columns = [name for name in populations if name in set(table[POPULATION])]
    best = table.groupby(SIGNATURE)[ADJUSTED_P_VALUE].min().sort_values(kind="stable")
    passing = int((best < ALPHA).sum())
    rows = list(best.index[:MAX_SIGNATURES])
    strength = table.groupby(SIGNATURE)[effect].mean()
    rows.sort(key=lambda name: -strength[name])
    with look():
        title = f"{passing} of {len(best)} signatures change in at least one population (adjusted p < {ALPHA:g})"
        figure = canvas(2.2 + 0.22 * len(rows), title)
        axes = np.atleast_1d(figure.subplots(1, len(shown), sharey=True))
        for axis, name in zip(axes, shown, strict=True):
            part = table[table[QUESTION] == name]
            value = part.pivot_table(index=SIGNATURE, columns=POPULATION, values=effect, observed=True)
            p = part.pivot_table(index=SIGNATURE, columns=POPULATION, values=ADJUSTED_P_VALUE, observed=True)
            value, p = value.reindex(index=rows, columns=columns), p.reindex(index=rows, columns=columns)
            axis.patch.set(facecolor="white", edgecolor="#dfe4e8", hatch="////", linewidth=0)
            drawn = axis.imshow(value, cmap=DIVERGING, vmin=-LIMIT, vmax=LIMIT, aspect="auto")
            line, place = np.nonzero((p < ALPHA).to_numpy())
            axis.plot(place, line, "o", color=INK, markersize=2.6)
            axis.set_xticks(range(len(columns)), [words(column) for column in columns], rotation=90, fontsize=8)
            axis.tick_params(length=0)
            axis.set_title(words(name), fontsize=9)
            for spine in axis.spines.values():
                spine.set_visible(False)
        axes[0].set_yticks(range(len(rows)), [words(name) for name in rows], fontsize=8)
        bar = figure.colorbar(drawn, ax=axes, shrink=0.5, aspect=22, pad=0.01, extend="both")
        bar.set_label("Mean log2 fold change of its genes")
        bar.outline.set_visible(False)
    return figure
