"""Signature scores of T-cell states: what each called state looks like."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from livermet.keys import STATE, UNASSIGNED
from livermet.plots.style import DIVERGING, STATES, blank, canvas, dark, look
from livermet.plots.words import words

PREFIX = "z:"
LIMIT = 4.0


def plot_state_scores(scores: pd.DataFrame, states: pd.DataFrame) -> Figure:
    """Heat map of the mean z of every signature (across) in every state (down).

    Parameters
    ----------
    scores
        Index cell; columns "z:<signature>" among others.
    states
        Index cell; state.
    """
    columns = [name for name in scores.columns if str(name).startswith(PREFIX)]
    if scores.empty or not columns:
        return blank("There are too few T cells to score.")
    called = states[STATE].reindex(scores.index).astype(str)
    mean = scores[columns].groupby(called).mean()
    mean.columns = [name.removeprefix(PREFIX) for name in columns]
    counts = called.value_counts()
    order = [name for name in STATES if name in mean.index and name != UNASSIGNED]
    order += [name for name in mean.index if name not in STATES]
    order += [UNASSIGNED] if UNASSIGNED in mean.index else []
    mean = mean.loc[order].dropna(axis=1, how="all")
    # Signatures in the order of the state in which they peak: a diagonal where states are what they are called.
    peak = mean.to_numpy().argmax(axis=0)
    mean = mean.iloc[:, np.lexsort((-mean.to_numpy().max(axis=0), peak))]
    share = 1 - counts.get(UNASSIGNED, 0) / len(called)
    with look():
        figure = canvas(
            2.6 + 0.27 * len(order),
            f"{share:.0%} of {len(called):,} T cells take one of {len(order) - (UNASSIGNED in order)} states",
        )
        axes = figure.subplots()
        drawn = axes.imshow(mean, cmap=DIVERGING, vmin=-LIMIT, vmax=LIMIT, aspect="auto")
        axes.set_xticks(
            range(mean.shape[1]),
            [words(name) for name in mean.columns],
            rotation=60,
            ha="right",
            rotation_mode="anchor",
        )
        axes.set_yticks(range(len(order)), [f"{words(name)}  ({counts[name]:,})" for name in order])
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        if mean.shape[1] <= 22:
            for (row, place), value in np.ndenumerate(mean.to_numpy()):
                shade = to_hex(drawn.to_rgba(value))
                axes.text(place, row, f"{value:.1f}", ha="center", va="center", fontsize=7,
                          color="white" if dark(shade) else "#334e68")  # fmt: skip
        bar = figure.colorbar(drawn, ax=axes, shrink=0.7, aspect=18, pad=0.01, extend="both")
        bar.set_label("Mean z of the signature")
        bar.outline.set_visible(False)
    return figure
