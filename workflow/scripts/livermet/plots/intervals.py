"""Estimates with their intervals, one a line, under headings: the part that forest plots share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import blended_transform_factory

from livermet.keys import NOT_ESTIMABLE
from livermet.plots.style import GREY, TIERS
from livermet.plots.words import wrapped


@dataclass(frozen=True)
class Line:
    """An estimate with its limits (NaN or infinite where there is none), or a heading where `tier` is empty.

    `clear` says whether a change was shown; its dot is filled.
    """

    label: str
    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan
    tier: str = ""
    clear: bool = False

    @property
    def drawn(self) -> bool:
        """Whether there is an estimate to draw."""
        return bool(np.isfinite(self.estimate)) and self.tier != NOT_ESTIMABLE


def draw_lines(axis: Axes, lines: Sequence[Line], low: float, high: float, nowhere: float) -> None:
    """Draw lines from top to bottom.

    Parameters
    ----------
    axis
        Where to.
    lines
        Headings and estimates.
    low, high
        The frame; an interval that leaves it ends in an arrow, and so does an estimate beyond it.
    nowhere
        Where "not estimable" is written.
    """
    for place, line in enumerate(lines):
        if not line.tier:
            _draw_heading(axis, place, line.label)
            continue
        if not line.drawn:
            axis.text(
                nowhere, place, "not estimable", ha="center", va="center", color=GREY, fontsize=8.5, style="italic"
            )
            continue
        colour = TIERS.get(line.tier, GREY)
        start = line.low if line.low >= low else low  # a limit that is NaN or -inf is beyond the frame, too
        end = line.high if line.high <= high else high
        axis.plot([start, end], [place, place], color=colour, linewidth=1.9, solid_capstyle="butt")
        for edge, beyond, marker in ((low, start == low, "<"), (high, end == high, ">")):
            if beyond:
                axis.plot(edge, place, marker, color=colour, markersize=5.5, clip_on=False)
        if low <= line.estimate <= high:
            face = colour if line.clear else "white"
            axis.plot(line.estimate, place, "o", color=colour, markerfacecolor=face, markersize=6, markeredgewidth=1.4)
    axis.set_xlim(low, high)
    axis.set_ylim(len(lines) - 0.4, -0.6)
    axis.set_yticks(range(len(lines)), [wrapped(line.label, 54) if line.tier else "" for line in lines])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")


def _draw_heading(axis: Axes, place: int, label: str) -> None:
    """A band over the whole width, labels included: a question beside the frame would squeeze what there is to see."""
    whole = blended_transform_factory(axis.figure.transFigure, axis.transData)
    band = Rectangle((0.006, place - 0.44), 0.988, 0.88, transform=whole, clip_on=False, color="#eff1f4", zorder=2.4)
    text = Text(0.012, place, label, transform=whole, va="center", fontweight="bold", fontsize=9, zorder=2.5)
    for artist in (band, text):
        artist.set_in_layout(False)
        axis.add_artist(artist)
    text.set_clip_on(False)
