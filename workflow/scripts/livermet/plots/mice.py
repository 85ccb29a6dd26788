"""Every mouse a dot: quantities measured once a mouse, arm by arm."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from livermet.plots.style import INK, arm_legend, arm_styles, blank, canvas, jitter, look
from livermet.plots.words import arm_order, wrapped


def plot_mice(
    table: pd.DataFrame,
    factors: Mapping[str, list[str]],
    *,
    title: str,
    labels: Mapping[str, str],
    log: bool = False,
    columns: int = 5,
) -> Figure:
    """Small multiples, one a quantity: mice as dots, the arm's mean as a bar.

    Parameters
    ----------
    table
        One row a mouse and quantity: quantity, arm, value. NaN where a mouse was not measured.
    factors
        Factor -> levels, reference first.
    title
        What is seen.
    labels
        Quantity -> its heading; the order of the panels.
    log
        Draw on a log axis, the mean then the geometric one; zeros lie on the floor.
    columns
        Panels in a row.

    Returns
    -------
    Figure
        Arms in the order of the factors' levels.
    """
    shown = [name for name in labels if table.loc[table["quantity"] == name, "value"].notna().any()]
    if not shown:
        return blank("Nothing was measured in any mouse.", title)
    arms = arm_order(factors, table["arm"].unique())
    columns = min(columns, len(shown))
    rows = int(np.ceil(len(shown) / columns))
    with look():
        figure = canvas(1.25 + 1.95 * rows, title)
        axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
        for axis, name in zip(axes, shown, strict=False):
            _draw_arms(axis, table[table["quantity"] == name], arms, factors, log=log)
            axis.set_title(wrapped(labels[name], 120 // columns), fontsize=8.2)
        for axis in axes[len(shown) :]:
            axis.set_visible(False)
        arm_legend(figure, arms, factors, columns=min(4, len(arms)))
    return figure


def _draw_arms(axis: Axes, part: pd.DataFrame, arms: list[str], factors: Mapping[str, list[str]], *, log: bool) -> None:
    styles = arm_styles(factors)
    positive = part.loc[part["value"] > 0, "value"]
    floor = float(positive.min()) / 2 if log and len(positive) else None
    group = len(list(factors.values())[-1]) if len(factors) > 1 else 0
    for place, arm in enumerate(arms):
        values = part.loc[part["arm"] == arm, "value"].dropna().sort_values().to_numpy(dtype=float)
        if not len(values):
            continue
        drawn = np.maximum(values, floor) if floor is not None else values
        style = styles[arm]
        axis.plot(place + jitter(len(drawn), 0.22), drawn, style.marker, color=style.colour, markerfacecolor=style.face,
                  markersize=4.6, markeredgewidth=1.2, zorder=3)  # fmt: skip
        mean = float(np.exp(np.log(drawn).mean())) if floor is not None else float(values.mean())
        axis.plot([place - 0.36, place + 0.36], [mean, mean], color=INK, linewidth=1.5, solid_capstyle="butt", zorder=4)
        if group and place and place % group == 0:
            axis.axvline(place - 0.5, color="#cbd2d9", linewidth=0.8)
    if log and floor is not None:
        axis.set_yscale("log")
        drawn = part.loc[part["value"].notna(), "value"].clip(lower=floor)
        # On a narrow range, powers of ten leave no tick in sight.
        narrow = drawn.max() / drawn.min() < 8
        axis.yaxis.set_major_locator(
            MaxNLocator(4, steps=[1, 2, 5, 10]) if narrow else LogLocator(subs=(1.0, 2.0, 5.0))
        )
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}" if value >= 0.01 else f"{100 * value:g}%")
        axis.yaxis.set_minor_locator(NullLocator())
    axis.set_xticks([])
    axis.set_xlim(-0.7, len(arms) - 0.3)
    axis.grid(axis="y")
    axis.margins(y=0.08)
