"""A sample a row: cells kept, what was dropped and why, ambient RNA, doublets."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from livermet.keys import AMBIENT, DROP_REASON, IS_DOUBLET, KEPT, SAMPLE
from livermet.plots.style import GREY, arm_legend, arm_styles, blank, canvas, look
from livermet.plots.words import arm_of, arm_order, words

REASONS = ("#0072B2", "#E69F00", "#CC79A7", "#009E73", "#D55E00", "#56B4E9", "#8a94a0", "#332288")


def _say(ambient: pd.Series) -> str:
    """Ambient RNA in words; samples where it cannot be told are counted."""
    told = ambient.dropna()
    if told.empty:
        return "how much ambient RNA is in them cannot be told"
    untold = f" (in {len(ambient) - len(told)} it cannot be told)" if len(told) < len(ambient) else ""
    return f"ambient RNA makes up {told.min():.1%} to {told.max():.1%} of a sample's cells{untold}"


def share_dropped(barcodes: pd.DataFrame) -> pd.DataFrame:
    """Share of a sample's barcodes dropped for each reason.

    Parameters
    ----------
    barcodes
        One row an input barcode: sample, kept, drop_reason.

    Returns
    -------
    pandas.DataFrame
        Samples x reasons, the commonest reason first; a barcode dropped for several counts under the first named.
    """
    first = barcodes[DROP_REASON].fillna("").astype(str).str.split(";").str[0].str.replace(r" \(.*", "", regex=True)
    table = pd.crosstab(barcodes[SAMPLE].astype(str), first.where(~barcodes[KEPT].astype(bool), ""), normalize="index")
    table = table.drop(columns="", errors="ignore")
    return table[table.sum().sort_values(ascending=False, kind="stable").index]


def plot_samples(barcodes: pd.DataFrame, samples: pd.DataFrame, factors: Mapping[str, list[str]]) -> Figure:
    """Four panels beside each other, a row per sample.

    Parameters
    ----------
    barcodes
        One row an input barcode: sample, kept, drop_reason, is_doublet, ambient_fraction.
    samples
        One row a sample: sample and the factors; its order is the figure's.
    factors
        Factor -> levels, reference first.
    """
    if barcodes.empty:
        return blank("No barcodes were read.")
    groups = barcodes.groupby(barcodes[SAMPLE].astype(str), sort=False)
    order = [name for name in samples[SAMPLE].astype(str) if name in groups.groups]
    arms, styles = arm_of(samples.set_index(SAMPLE), factors), arm_styles(factors)
    kept = groups[KEPT].sum()
    ambient = barcodes[barcodes[KEPT].astype(bool)].groupby(SAMPLE)[AMBIENT].mean().reindex(order)
    doublets = (
        barcodes.assign(_called=barcodes[IS_DOUBLET].astype(float))
        .groupby(barcodes[SAMPLE].astype(str))["_called"]
        .mean()
    )
    reasons = share_dropped(barcodes)
    rows = range(len(order))
    with look():
        figure = canvas(
            1.9 + 0.22 * len(order),
            f"Samples keep {int(kept.min()):,} to {int(kept.max()):,} cells; {_say(ambient)}",
        )
        axes = figure.subplots(1, 4, sharey=True)
        for row, name in zip(rows, order, strict=True):
            style = styles[arms[name]]
            for axis, value in ((axes[0], kept[name]), (axes[2], ambient[name]), (axes[3], doublets[name])):
                axis.plot([0, value], [row, row], color=style.colour, linewidth=1.2, alpha=0.5)
                axis.plot(value, row, style.marker, color=style.colour, markerfacecolor=style.face, markeredgewidth=1.4,
                          markersize=5.5)  # fmt: skip
        left = pd.Series(0.0, index=order)
        for place, reason in enumerate(reasons):
            width = reasons[reason].reindex(order, fill_value=0.0)
            axes[1].barh(
                list(rows), width, left=left, height=0.65, color=REASONS[place % len(REASONS)], label=words(reason)
            )
            left = left + width
        for axis, title in zip(
            axes, ("Cells kept", "Dropped, by reason", "Ambient RNA", "Doublets called"), strict=True
        ):
            axis.set_title(title)
            axis.set_xlim(left=0)
            axis.grid(axis="x")
        for axis in axes[1:]:
            axis.xaxis.set_major_formatter(
                lambda value, _: f"{value:.0%}" if value >= 0.1 or value == 0 else f"{value:.1%}".replace(".0%", "%")
            )
            axis.locator_params(axis="x", nbins=4)
        if len(reasons.columns):
            axes[1].legend(
                loc="upper center", bbox_to_anchor=(0.5, -0.06 - 0.5 / len(order)), fontsize=8, handlelength=1
            )
        axes[0].set_yticks(list(rows), order)
        axes[0].set_ylim(len(order) - 0.4, -0.6)
        axes[0].tick_params(axis="y", length=0)
        for axis in axes:
            axis.spines["left"].set_color(GREY)
        arm_legend(figure, arm_order(factors, arms[order]), factors)
    return figure
