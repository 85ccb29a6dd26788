"""How well each clustering resolution holds when cells are left out."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from livermet.plots.style import GREY, HUES, INK, blank, canvas, look


def plot_stability(stability: pd.DataFrame) -> Figure:
    """Mean agreement under subsampling, with its spread, against resolution.

    Parameters
    ----------
    stability
        One row a resolution: resolution, n_clusters, stability, stability_sd, chosen.
    """
    if stability.empty:
        return blank("No clustering was tried.")
    table = stability.sort_values("resolution")
    chosen = table[table["chosen"].astype(bool)].iloc[0]
    with look():
        figure = canvas(
            3.1, f"Resolution {chosen['resolution']:g} is taken: {int(chosen['n_clusters'])} clusters, "
            f"agreement {chosen['stability']:.2f} when cells are left out", width=7.2,
        )  # fmt: skip
        axes = figure.subplots()
        axes.errorbar(table["resolution"], table["stability"], yerr=table["stability_sd"].fillna(0), color=HUES[2],
                      marker="o", markersize=5, linewidth=1.3, capsize=3)  # fmt: skip
        axes.plot(chosen["resolution"], chosen["stability"], "o", markersize=12, markerfacecolor="none",
                  markeredgecolor=INK, markeredgewidth=1.3)  # fmt: skip
        for _, row in table.iterrows():
            axes.annotate(f"{int(row['n_clusters'])} clusters", (row["resolution"], row["stability"]), xytext=(0, -30),
                          textcoords="offset points", ha="center", fontsize=8.5, color=GREY)  # fmt: skip
        low = float((table["stability"] - table["stability_sd"].fillna(0)).min())
        axes.set_ylim(max(0.0, min(0.85, low - 0.06)), 1.015)
        axes.margins(x=0.12)
        axes.set_xticks(table["resolution"], [f"{value:g}" for value in table["resolution"]])
        axes.set_xlabel("Leiden resolution")
        axes.set_ylabel("Adjusted Rand index\n(mean ± SD of subsamples)")
        axes.grid(axis="y")
    return figure
