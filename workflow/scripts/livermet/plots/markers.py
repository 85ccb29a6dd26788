"""Marker genes per lineage: how many of its cells express each, and how strongly."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from livermet.keys import GENE, LINEAGE, N_CELLS, UNASSIGNED
from livermet.plots.style import INK, LINEAGES, blank, canvas, look
from livermet.plots.words import words


def plot_markers(markers: pd.DataFrame) -> Figure:
    """Dot plot: lineages down, genes across.

    Parameters
    ----------
    markers
        One row a lineage x gene: lineage, gene, of (the lineage the gene speaks for), n_cells, mean (log counts per ten
        thousand), share (of cells with at least one count).

    Returns
    -------
    Figure
        Colour is the mean scaled to each gene's maximum, area the share of cells.
    """
    if markers.empty:
        return blank("No marker gene is among the counts.")
    order = [name for name in LINEAGES if name in set(markers["of"])]
    order += [name for name in markers["of"].unique() if name not in order]
    rows = order + [name for name in markers[LINEAGE].unique() if name not in order and name != UNASSIGNED]
    rows += [UNASSIGNED] if UNASSIGNED in set(markers[LINEAGE]) else []
    genes = list(dict.fromkeys(gene for name in order for gene in markers.loc[markers["of"] == name, GENE]))
    unique = markers.drop_duplicates([LINEAGE, GENE])
    mean = unique.pivot(index=LINEAGE, columns=GENE, values="mean").reindex(index=rows, columns=genes)
    share = unique.pivot(index=LINEAGE, columns=GENE, values="share").reindex(index=rows, columns=genes)
    cells = unique.groupby(LINEAGE)[N_CELLS].first()
    scaled = mean / mean.max().replace(0, np.nan)
    x, y = np.meshgrid(range(len(genes)), range(len(rows)))
    with look():
        figure = canvas(
            1.5 + 0.27 * len(rows), f"The genes that name the {len(order)} lineages, and where else they are expressed"
        )
        axes = figure.subplots()
        drawn = axes.scatter(x, y, s=115 * share.to_numpy(), c=scaled.fillna(0).to_numpy(), cmap="Purples", vmin=-0.15, vmax=1,
                             edgecolors="#9aa5b1", linewidths=0.3)  # fmt: skip
        axes.set_xticks(range(len(genes)), genes, rotation=90, fontstyle="italic", fontsize=8)
        axes.set_yticks(range(len(rows)), [f"{words(name)}  ({cells[name]:,})" for name in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(-0.7, len(genes) - 0.3)
        axes.tick_params(length=0)
        axes.grid(color="#f0f2f4")
        for level in (0.2, 0.6, 1.0):
            axes.scatter([], [], s=115 * level, c="#b6b0d8", edgecolors="#9aa5b1", linewidths=0.3, label=f"{level:.0%}")
        axes.legend(title="Cells with the gene", loc="upper left", bbox_to_anchor=(1.0, 1.0), labelcolor=INK)
        bar = figure.colorbar(drawn, ax=axes, shrink=0.5, aspect=14, pad=0.01, anchor=(0.0, 0.0))
        bar.set_label("Mean, share of the\ngene's maximum")
        bar.outline.set_visible(False)
        bar.ax.set_ylim(0, 1)
    return figure
