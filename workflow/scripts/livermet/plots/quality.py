"""Every barcode of every sample: UMIs, genes, mitochondrial share, and what was dropped for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from livermet.keys import KEPT, MITO, N_GENES, N_UMIS, SAMPLE
from livermet.plots.style import GREY, INK, PALE, arm_styles, blank, canvas, look
from livermet.plots.words import arm_of

PANELS = ((N_UMIS, "UMIs", "min_umis", True), (N_GENES, "Genes detected", "min_genes", True),
          (MITO, "Mitochondrial share", "max_mitochondrial_fraction", False))  # fmt: skip


def plot_quality(
    barcodes: pd.DataFrame, samples: pd.DataFrame, factors: Mapping[str, list[str]], limits: Mapping[str, float]
) -> Figure:
    """Distributions of three metrics, a row per sample.

    Parameters
    ----------
    barcodes
        One row an input barcode: sample, kept, n_umis, n_genes, mitochondrial_fraction.
    samples
        One row a sample: sample and the factors; its order is the figure's.
    factors
        Factor -> levels, reference first.
    limits
        The hard limits of the config's quality section.

    Returns
    -------
    Figure
        Violins of kept cells in the arm's colour, dropped barcodes as grey ticks, hard limits as dashed lines.
    """
    if barcodes.empty:
        return blank("No barcodes were read.")
    order = [name for name in samples[SAMPLE].astype(str) if name in set(barcodes[SAMPLE].astype(str))]
    styles = arm_styles(factors)
    arms = arm_of(samples.set_index(SAMPLE), factors)
    share = barcodes[KEPT].mean()
    with look():
        figure = canvas(
            1.3 + 0.24 * len(order),
            f"{int(barcodes[KEPT].sum()):,} of {len(barcodes):,} barcodes are kept ({share:.0%})",
        )
        axes = figure.subplots(1, len(PANELS), sharey=True)
        groups = dict(iter(barcodes.groupby(barcodes[SAMPLE].astype(str), sort=False)))
        for axis, (column, label, limit, log) in zip(axes, PANELS, strict=True):
            for row, sample in enumerate(order):
                _violin(axis, groups[sample], column, row, styles[arms[sample]].colour, log=log)
            if limit in limits:
                axis.axvline(limits[limit], color=INK, linewidth=0.9, linestyle=(0, (4, 2)))
            axis.set_xlabel(label)
            axis.grid(axis="x")
            if log:
                axis.set_xscale("log")
                axis.xaxis.set_major_formatter("{x:,.0f}")
                axis.xaxis.set_minor_formatter(NullFormatter())
        axes[0].set_yticks(range(len(order)), order)
        axes[0].set_ylim(len(order) - 0.4, -0.6)
    return figure


def _violin(axis: Axes, cells: pd.DataFrame, column: str, row: int, colour: str, *, log: bool) -> None:
    """A filled density of the kept cells with its median, and the dropped ones as ticks on the line below."""
    kept = cells[KEPT].to_numpy(dtype=bool)
    values = cells[column].to_numpy(dtype=float)
    dropped = values[~kept]
    if log:
        dropped = dropped[dropped > 0]
    axis.plot(dropped, np.full(len(dropped), row + 0.33), "|", color=GREY, markersize=3, markeredgewidth=0.5, alpha=0.6,
              rasterized=True)  # fmt: skip
    axis.axhline(row + 0.33, color=PALE, linewidth=0.5, zorder=0)
    inside = np.log10(np.maximum(values[kept], 1)) if log else values[kept]
    if len(inside) < 2:
        return
    # A histogram smoothed with a short kernel: a kernel density in effect, at a hundredth of its cost.
    low, high = inside.min(), inside.max()
    pad = max((high - low) * 0.05, 1e-6)
    counts, edges = np.histogram(inside, bins=60, range=(low - pad, high + pad))
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.2) ** 2)
    density = np.convolve(counts, kernel / kernel.sum(), mode="same")
    centres = (edges[:-1] + edges[1:]) / 2
    x = 10**centres if log else centres
    axis.fill_between(x, row + 0.25 - 0.72 * density / density.max(), row + 0.25, color=colour, alpha=0.75, linewidth=0)
    middle = np.median(inside)
    axis.plot(
        10**middle if log else middle,
        row + 0.1,
        "o",
        color="white",
        markeredgecolor=INK,
        markersize=3.2,
        markeredgewidth=0.8,
    )
