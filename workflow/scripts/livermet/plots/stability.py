"""Which clusters come out of which as the resolution rises, and how well each holds when cells are left out."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from livermet.plots.style import GREY, HUES, INK, PALE, blank, canvas, look

#: verdict on a cluster -> colour, from holding to not
VERDICTS = {
    "highly stable": "#0072B2",
    "stable": "#56B4E9",
    "a pattern, its members doubtful": "#E69F00",
    "not to be relied on": "#D55E00",
    "too few cells to say": "#c3cad1",
}
LEAST = 0.05  # of a cluster's cells: what comes from a parent with less of them is not drawn
LARGEST = 420.0  # points squared: the node of the largest cluster
SWEEPS = 6


def plot_stability(stability: pd.DataFrame, clusters: pd.DataFrame, cluster_stability: pd.DataFrame) -> Figure:
    """A clustering tree (Zappia and Oshlack 2018, doi:10.1093/gigascience/giy083), stability beside it.

    Parameters
    ----------
    stability
        One row a resolution: resolution, n_clusters, stability, stability_sd, seed_stability, chosen.
    clusters
        Index cell; leiden_<resolution> for each resolution.
    cluster_stability
        One row a resolution and cluster: resolution, cluster, n_cells, verdict.

    Returns
    -------
    Figure
        Rows are resolutions, the coarsest on top. Left: nodes are clusters, their area their cells, their colour how well
        they hold; lines lead to where a cluster's cells come from, the darker the larger the share of its cells. Right:
        adjusted Rand index under subsampling (mean, standard deviation) and from seed to seed.
    """
    if stability.empty:
        return blank("No clustering was tried.")
    table = stability.sort_values("resolution", ignore_index=True)
    chosen = table[table["chosen"].astype(bool)].iloc[0]
    with look():
        figure = canvas(
            1.5 + 0.75 * len(table),
            f"Resolution {chosen['resolution']:g} is taken: {int(chosen['n_clusters'])} clusters, "
            f"agreement {chosen['stability']:.2f} when cells are left out",
        )
        tree, beside = figure.subplots(1, 2, sharey=True, width_ratios=(3.2, 1))
        for axes in (tree, beside):
            place = float(table.index[table["chosen"].astype(bool)][0])
            axes.axhspan(place - 0.42, place + 0.42, color=PALE, alpha=0.6, linewidth=0, zorder=0)
        _draw_tree(tree, table, clusters, cluster_stability)
        _draw_agreement(beside, table)
        handles = [
            Line2D([], [], linestyle="", marker="o", color=colour, markersize=6, label=verdict)
            for verdict, colour in VERDICTS.items()
            if (cluster_stability["verdict"] == verdict).any()
        ]
        handles += beside.get_legend_handles_labels()[0]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, handletextpad=0.3, columnspacing=1.2)
    return figure


def order_tree(tables: list[pd.DataFrame]) -> list[list[str]]:
    """Order of the clusters of each resolution such that lines between neighbouring ones cross little.

    Parameters
    ----------
    tables
        For each pair of neighbouring resolutions: clusters of the coarser x clusters of the finer, cells that they share.

    Returns
    -------
    list of list of str
        Clusters from left to right, one list a resolution: each row is sorted by where its cells lie in the row above, then
        in the row below, a few times over.
    """
    # Clusters are numbered by size: to begin with, the largest stand at the left.
    rows = [sorted(map(str, names), key=int) for names in (tables[0].index, *(table.columns for table in tables))]
    for _ in range(SWEEPS):
        for place, table in enumerate(tables):
            rows[place + 1] = _by_mean_place(table, rows[place])
        for place, table in reversed(list(enumerate(tables))):
            rows[place] = _by_mean_place(table.T, rows[place + 1])
    for place, table in enumerate(tables):
        rows[place + 1] = _by_mean_place(table, rows[place])
    return rows


def _by_mean_place(table: pd.DataFrame, above: list[str]) -> list[str]:
    """Columns of a table in the order of the mean place of their cells in the row above."""
    weights = table.loc[above].to_numpy(dtype=float)
    centre = (np.linspace(0, 1, len(above))[:, None] * weights).sum(axis=0) / np.maximum(weights.sum(axis=0), 1)
    return [str(table.columns[place]) for place in np.argsort(centre, kind="stable")]


def _draw_tree(axes: Axes, table: pd.DataFrame, clusters: pd.DataFrame, cluster_stability: pd.DataFrame) -> None:
    names = [f"leiden_{value:g}" for value in table["resolution"]]
    shared = [
        pd.crosstab(clusters[one].astype(str), clusters[two].astype(str)) for one, two in itertools.pairwise(names)
    ]
    rows = order_tree(shared) if shared else [sorted(clusters[names[0]].astype(str).unique(), key=int)]
    across = [dict(zip(row, (np.arange(len(row)) + 0.5) / len(row), strict=True)) for row in rows]
    for depth, part in enumerate(shared):
        share = part / part.sum(axis=0)
        for parent in part.index:
            for child in part.columns:
                if share.loc[parent, child] >= LEAST:
                    axes.plot([across[depth][parent], across[depth + 1][child]], [depth, depth + 1], color=INK, zorder=1,
                              alpha=float(0.12 + 0.6 * share.loc[parent, child]), linewidth=0.8 + 1.4 * float(share.loc[parent, child]))  # fmt: skip
    largest = float(cluster_stability["n_cells"].max())
    for depth, value in enumerate(table["resolution"]):
        part = cluster_stability[cluster_stability["resolution"] == value].astype({"cluster": str}).set_index("cluster")
        part = part.loc[rows[depth]]
        x = [across[depth][name] for name in rows[depth]]
        axes.scatter(x, np.full(len(x), depth), s=30 + LARGEST * part["n_cells"].to_numpy() / largest, zorder=2,
                     c=[VERDICTS[verdict] for verdict in part["verdict"]], edgecolors="white", linewidths=0.8)  # fmt: skip
        for name, place in zip(rows[depth], x, strict=True):
            text = axes.annotate(name, (place, depth), xytext=(0, 13), textcoords="offset points", ha="center", va="center",
                                 fontsize=7, color=INK)  # fmt: skip
            text.set_path_effects([patheffects.withStroke(linewidth=2.2, foreground="white")])
    axes.set_ylim(len(table) - 0.5, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.set_yticks(
        range(len(table)),
        [f"{row['resolution']:g}\n{int(row['n_clusters'])} clusters" for _, row in table.iterrows()],
    )
    axes.set_ylabel("Leiden resolution")
    axes.spines["bottom"].set_visible(False)
    axes.set_title("Clusters, and where their cells come from")


def _draw_agreement(axes: Axes, table: pd.DataFrame) -> None:
    places = np.arange(len(table))
    axes.errorbar(table["stability"], places, xerr=table["stability_sd"].fillna(0), color=HUES[2], marker="o", markersize=5,
                  linestyle="", linewidth=1.3, capsize=3, label="cells left out")  # fmt: skip
    axes.plot(table["seed_stability"], places, linestyle="", marker="D", markersize=5, markerfacecolor="none",
              markeredgecolor=GREY, markeredgewidth=1.2, label="another seed")  # fmt: skip
    low = float(min((table["stability"] - table["stability_sd"].fillna(0)).min(), table["seed_stability"].min()))
    axes.set_xlim(max(-0.05, min(0.85, low - 0.06)), 1.02)
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.grid(axis="x")
    axes.set_title("Adjusted Rand index")
