"""Cells where UMAP lays them: by label, by batch, and an arm at a time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from livermet.keys import UNASSIGNED
from livermet.plots.style import GREY, HUES, INK, PALE, WIDTH, bare, blank, canvas, colour_of, look
from livermet.plots.words import arm_order, arm_words, words

X, Y = "umap_1", "umap_2"


def plot_labels(
    layout: pd.DataFrame, labels: pd.Series, colours: Mapping[str, str], title: str, beside: Mapping[str, pd.Series]
) -> Figure:
    """A large layout coloured by label, with the labels where the cells lie, and small ones by batch or the like.

    Parameters
    ----------
    layout
        Index cell; umap_1, umap_2.
    labels
        Index cell: lineage or state.
    colours
        Known label -> colour.
    title
        What is seen.
    beside
        Heading -> a grouping of the cells (index cell), each drawn small at the right.

    Returns
    -------
    Figure
        Points are rasterised in PDF.
    """
    if layout.empty:
        return blank("There is no layout: too few cells.", title)
    labels = labels.reindex(layout.index).fillna(UNASSIGNED).astype(str)
    sizes = labels.value_counts()
    palette = colour_of(sizes.index, colours)
    extras = {name: groups for name, groups in beside.items() if groups.nunique() > 1}
    with look():
        figure = canvas(float(np.clip(0.6 + 0.66 * WIDTH * _ratio(layout), 4.0, 7.0)), title)
        if extras:
            grid = figure.add_gridspec(len(extras), 2, width_ratios=(2.1, 1))
            main = figure.add_subplot(grid[:, 0])
            small = [figure.add_subplot(grid[row, 1]) for row in range(len(extras))]
        else:
            main, small = figure.subplots(), []
        _points(main, layout, labels.map(palette), _dot(len(layout)))
        _name_groups(main, layout, labels, palette)
        for axis, (name, groups) in zip(small, extras.items(), strict=True):
            groups = groups.reindex(layout.index).astype(str)
            levels = sorted(groups.unique())
            hues = dict(zip(levels, HUES[1:], strict=False)) if len(levels) < len(HUES) else colour_of(levels, {})
            _points(axis, layout, groups.map(hues), 0.5 * _dot(len(layout)))
            axis.set_title(name)
            for level, colour in list(hues.items())[:8]:
                axis.plot([], [], "o", color=colour, markersize=4, label=words(level))
            if len(hues) <= 8:
                axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handletextpad=0.1, borderpad=0, fontsize=8)
    return figure


def plot_arms(
    layout: pd.DataFrame,
    arms: pd.Series,
    labels: pd.Series,
    colours: Mapping[str, str],
    factors: Mapping[str, list[str]],
) -> Figure:
    """The same layout once an arm: its cells in colour over all cells in grey.

    Every arm shows the same number of cells, so that what looks denser is a larger share and not a larger sample.

    Parameters
    ----------
    layout
        Index cell; umap_1, umap_2.
    arms
        Index cell: the arm (levels joined by dots).
    labels
        Index cell: lineage.
    colours
        Known label -> colour.
    factors
        Factor -> levels, reference first.
    """
    if layout.empty:
        return blank("There is no layout: too few cells.")
    arms = arms.reindex(layout.index)
    labels = labels.reindex(layout.index).fillna(UNASSIGNED).astype(str)
    order = arm_order(factors, arms.unique())
    number = int(arms.value_counts().reindex(order).min())
    palette = colour_of(labels.unique(), colours)
    columns = len(list(factors.values())[-1])
    rows = int(np.ceil(len(order) / columns))
    rng = np.random.default_rng(0)  # which cells are shown, nothing else
    with look():
        panel = WIDTH / columns * min(_ratio(layout), 1.4)
        title = f"Where each arm's cells lie: {number:,} cells of every arm, coloured by lineage"
        figure = canvas(1.1 + (panel + 0.4) * rows, title)
        axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
        for axis, arm in zip(axes, order, strict=False):
            cells = layout.index[(arms == arm).to_numpy()]
            shown = layout.loc[cells[np.sort(rng.permutation(len(cells))[:number])]]
            _points(axis, layout, PALE, 0.4 * _dot(len(layout)))
            _points(axis, shown, labels.loc[shown.index].map(palette), 0.9 * _dot(len(layout)))
            axis.set_title(arm_words(arm, factors).replace(" · ", "\n", 1), fontsize=9)
        for axis in axes[len(order) :]:
            axis.set_visible(False)
        sizes = labels.value_counts()
        for name in sizes.index:
            axes[0].plot([], [], "o", color=palette[name], markersize=4.5, label=words(name))
        figure.legend(loc="outside lower center", ncols=5, handletextpad=0.1, columnspacing=1.2, fontsize=8)
    return figure


def _ratio(layout: pd.DataFrame) -> float:
    """Height of the layout over its width."""
    return float(np.ptp(layout[Y]) / max(np.ptp(layout[X]), 1e-9))


def _dot(count: int) -> float:
    """Size of a point: smaller where there are more."""
    return float(np.clip(40_000 / max(count, 1), 0.6, 14))


def _points(axis: Axes, layout: pd.DataFrame, colour: pd.Series | str, size: float) -> None:
    # In an order that follows no sample: the last drawn lies on top.
    order = np.random.default_rng(0).permutation(len(layout))
    shades = colour if isinstance(colour, str) else colour.to_numpy()[order]
    axis.scatter(
        layout[X].to_numpy()[order], layout[Y].to_numpy()[order], c=shades, s=size, linewidths=0, rasterized=True
    )
    axis.set_aspect("equal")
    bare(axis)


def _name_groups(axis: Axes, layout: pd.DataFrame, labels: pd.Series, palette: Mapping[str, str]) -> None:
    """Write each label at the median of its cells, moved apart where two would touch."""
    places = layout[[X, Y]].groupby(labels).median()
    counts = labels.value_counts()
    places = places.loc[[name for name in counts.index if name != UNASSIGNED and counts[name] >= 5]]
    y = _spread(places, float(np.ptp(layout[X])), float(np.ptp(layout[Y])))
    for name, height in zip(places.index, y, strict=True):
        text = axis.text(places.loc[name, X], height, f"{words(name)}  {counts[name]:,}", ha="center", va="center",
                         fontsize=8.5, color=INK, fontweight="bold")  # fmt: skip
        text.set_path_effects([patheffects.withStroke(linewidth=2.6, foreground="white")])
        if abs(height - places.loc[name, Y]) > 0.02 * np.ptp(layout[Y]):
            axis.plot([places.loc[name, X]] * 2, [places.loc[name, Y], height], color=GREY, linewidth=0.6, zorder=3)
    if UNASSIGNED in palette and (labels == UNASSIGNED).any():
        axis.text(
            0.0, 0.0, f"unassigned  {counts[UNASSIGNED]:,} (grey)", transform=axis.transAxes, color=GREY, fontsize=8.5
        )


def _spread(places: pd.DataFrame, width: float, height: float) -> np.ndarray:
    """Heights of labels so that no two of them overlap: those that would are pushed apart, a little at a time."""
    x, y = places[X].to_numpy(dtype=float), places[Y].to_numpy(dtype=float).copy()
    near, gap = 0.3 * width, 0.045 * height
    for _ in range(60):
        order = np.argsort(y, kind="stable")
        moved = False
        for low, high in itertools.pairwise(order):
            short = gap - (y[high] - y[low])
            if short > 1e-9 and abs(x[high] - x[low]) < near:
                y[low] -= short / 2
                y[high] += short / 2
                moved = True
        if not moved:
            break
    return y
