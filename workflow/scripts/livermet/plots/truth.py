"""The demo only: what was planted against what was found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from livermet.plots.style import GREY, HUES, INK, blank, canvas, look
from livermet.plots.words import words

FOUND, MISSED = HUES[2], HUES[5]


def plot_truth(truth: pd.DataFrame) -> Figure:
    """Planted effects against their estimates, and the scores of what has no size.

    Parameters
    ----------
    truth
        quantity, planted (NaN for a score), found, detail, verdict ("found" or "missed").

    Returns
    -------
    Figure
        Left: planted against found, on the line of perfect recovery where they agree. Right: scores from 0 to 1.
    """
    if truth.empty:
        return blank("Nothing was planted.")
    scores = truth[truth["planted"].isna()]
    # The slopes over many genes ("gene effects") are no effects of their own; they stand in the table.
    is_effect = (
        (truth["planted"].abs() > 0) & truth["found"].notna() & ~truth["quantity"].str.startswith("gene effects")
    )
    effects = truth[is_effect]
    met = int((truth["verdict"] == "found").sum())
    with look():
        figure = canvas(4.3, f"{met} of {len(truth)} planted quantities are found within their criterion")
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        kinds = effects["quantity"].map(lambda text: "rescue" if text.startswith("rescue") else "log2 effect")
        shown = [0.0, 1.0, *effects["planted"], *effects["found"]]  # no effect at all may have been estimable
        limits = [min(shown) - 0.3, max(shown) + 0.3]
        left.plot(limits, limits, color=GREY, linewidth=0.9)
        for kind, marker in (("log2 effect", "o"), ("rescue", "D")):
            part = effects[kinds == kind]
            colours = np.where(part["verdict"] == "found", FOUND, MISSED)
            left.scatter(part["planted"], part["found"], c=colours, marker=marker, s=34, linewidths=0, alpha=0.85)
            if len(part):
                left.plot([], [], marker, color=INK, linestyle="", markersize=5, label=kind)
        for label, colour in (("found", FOUND), ("missed", MISSED)):
            left.plot([], [], "s", color=colour, linestyle="", markersize=6, label=label)
        left.legend(loc="upper left")
        left.set(xlim=limits, ylim=limits, xlabel="Planted", ylabel="Found", title="Effects and rescues")
        left.grid()
        for place, (_, row) in enumerate(scores.iterrows()):
            colour = FOUND if row["verdict"] == "found" else MISSED
            right.plot([0, row["found"]], [place, place], color=colour, linewidth=1.6)
            right.plot(row["found"], place, "o", color=colour, markersize=7)
            right.text(0, place - 0.3, words(row["quantity"]), fontsize=8.5, va="bottom")
            right.text(min(row["found"] + 0.03, 1.03), place, f"{row['found']:.2f}", va="center", fontsize=8.5)
        right.set(xlim=(0, 1.14), ylim=(len(scores) - 0.4, -0.85), yticks=[], title="Scores")
        right.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
        right.spines["left"].set_visible(False)
    return figure
