"""Specification curves: what each headline would have been, had other choices been made on the way to it.

After Simonsohn, Simmons & Nelson 2020 (doi:10.1038/s41562-020-0912-z): above, the estimates of all specifications from the
lowest to the highest; below, the choices that made each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from livermet.keys import (
    CI_HIGH,
    CI_LOW,
    CLEAR,
    ENDPOINT,
    ESTIMATE,
    FAILURE,
    IS_DEFAULT,
    N_SPECIFICATIONS,
    POPULATION,
    QUESTION,
    READOUT,
    SHARE_SAME_VERDICT,
)
from livermet.multiverse.grid import CHOICES, DOUBLETS, INTEGRATE, MADS, RESOLUTION, SPECIFICATION
from livermet.plots.answers import make_line
from livermet.plots.style import GREY, INK, PALE, TIERS, WIDTH, blank, canvas, look
from livermet.plots.words import wrapped

HEADLINE = [QUESTION, POPULATION, ENDPOINT, READOUT]
SHOWN, OWN, ABSENT = TIERS["confirmatory"], "#D55E00", "#c3cad1"
MOST_COLUMNS = 5
# Inches.
LEFT, RIGHT, GAP, TOP, BOTTOM = 1.12, 0.08, 0.34, 0.44, 0.7
HEADING, TITLE, CURVE, LEVEL, BETWEEN = 0.25, 0.4, 0.8, 0.09, 0.14
MOST_NAMED = 4
LEVELS = {
    MADS: lambda level: f"outliers at {level:g} MADs",
    DOUBLETS: lambda level: {"remove": "doublets removed", "keep": "doublets kept"}.get(level, f"doublets: {level}"),
    INTEGRATE: lambda level: {"none": "batches left alone"}.get(level, f"batches: {level}"),
    RESOLUTION: lambda level: f"resolution {level:g}",
}


@dataclass(frozen=True)
class Ladder:
    """The rows of the lower panels: every level of every choice that varies.

    Attributes
    ----------
    rows
        (choice, level), from top to bottom.
    """

    rows: tuple[tuple[str, Any], ...]

    @property
    def height(self) -> float:
        """In inches."""
        return LEVEL * len(self.rows)

    @property
    def labels(self) -> list[str]:
        """Levels in words."""
        return [LEVELS[choice](level) for choice, level in self.rows]


def plot_curves(
    estimates: pd.DataFrame,
    summary: pd.DataFrame,
    specifications: pd.DataFrame,
    mechanism: pd.DataFrame,
    design: Mapping[str, Any],
) -> Figure:
    """Specification curves of all headlines, question by question.

    Parameters
    ----------
    estimates, summary, specifications
        As :func:`livermet.mice.checks.multiverse.collect_multiverse` gives them, also read back from text.
    mechanism
        Read-outs with their words: readout, label.
    design
        Content of design.json.

    Returns
    -------
    Figure
        Blue where a change was shown; a diamond is the study's own specification, filled where it shows one; a cross has no
        answer.
    """
    if estimates.empty:
        return blank("No headline was declared.")
    for table in (estimates, summary):
        table[HEADLINE] = table[HEADLINE].fillna("")
    labels = mechanism.astype({READOUT: str, "label": str}).drop_duplicates(READOUT).set_index(READOUT)["label"]
    questions = [name for name in design["questions"] if name in set(summary[QUESTION])]
    ladder = _ladder(specifications)
    columns = min(MOST_COLUMNS, int(summary.groupby(QUESTION).size().max()))
    with look():
        page = _Page(summary, questions, ladder, columns, _title(summary, len(specifications)))
        for name in questions:
            page.head(str(design["questions"][name]["sentence"]) or name)
            for place, (_, row) in enumerate(summary[summary[QUESTION] == name].iterrows()):
                curve = estimates[(estimates[HEADLINE] == row[HEADLINE]).all(axis=1)]
                above, below = page.panel(place)
                draw_curve(above, curve)
                draw_choices(below, curve, ladder, named=place % columns == 0)
                above.set_title(_panel_title(curve, row, dict(labels)), fontsize=7, linespacing=1.15, pad=3)
            page.turn()
        page.finish(_failures(specifications))
    return page.figure


def order_curve(curve: pd.DataFrame) -> pd.DataFrame:
    """Specifications of one headline from the lowest estimate to the highest, those without one last."""
    return curve.sort_values([ESTIMATE, SPECIFICATION], kind="stable", na_position="last", ignore_index=True)


def draw_curve(axis: Axes, curve: pd.DataFrame) -> None:
    """Estimates and intervals of one headline, sorted.

    Parameters
    ----------
    axis
        Where to.
    curve
        One row a specification: estimate, ci_low, ci_high, clear, is_default.
    """
    curve = order_curve(curve)
    places, known = np.arange(len(curve)), curve[ESTIMATE].notna().to_numpy()
    colours = _colours(curve)
    axis.axhline(0, color=INK, linewidth=0.7)
    if known.any():
        values = curve[ESTIMATE].to_numpy(dtype=float)
        # A boundless interval must not flatten the curve: it ends at the frame.
        widths = (curve[CI_HIGH] - curve[CI_LOW]).replace(np.inf, np.nan)
        reach = float(np.nanmax(np.abs(values))) + (0.7 * float(widths.median()) if widths.notna().any() else 0.3)
        low = np.maximum(curve[CI_LOW].fillna(-np.inf), -reach)
        high = np.minimum(curve[CI_HIGH].fillna(np.inf), reach)
        axis.vlines(places[known], low[known], high[known], colors=colours[known], linewidth=1.0, alpha=0.55)
        axis.scatter(places[known], values[known], s=5, c=colours[known], zorder=3, linewidths=0)
        edge = 0.06 * reach
        axis.set_ylim(min(low[known].min(), 0) - edge, max(high[known].max(), 0) + edge)
    axis.scatter(places[~known], np.zeros((~known).sum()), s=10, c=ABSENT, marker="x", linewidths=0.8, zorder=3)
    own = curve.index[curve[IS_DEFAULT].to_numpy(dtype=bool) & known]
    face = [OWN if curve.loc[place, CLEAR] else "white" for place in own]
    axis.scatter(own, curve.loc[own, ESTIMATE], s=20, c=face, edgecolors=OWN, marker="D", zorder=4, linewidths=1.1)
    axis.set_xlim(-1, len(curve))
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(labelsize=6.5, length=2, pad=1.5)
    axis.grid(axis="y")


def draw_choices(axis: Axes, curve: pd.DataFrame, ladder: Ladder, named: bool) -> None:
    """The choices behind each estimate, in the order of the curve."""
    curve = order_curve(curve)
    colours = _colours(curve)
    for height, (choice, level) in enumerate(ladder.rows):
        places = np.flatnonzero((curve[choice] == level).to_numpy())
        axis.vlines(places, height - 0.36, height + 0.36, colors=colours[places], linewidth=1.1)
        if height and ladder.rows[height - 1][0] != choice:
            axis.axhline(height - 0.5, color=PALE, linewidth=0.8)
    axis.set_xlim(-1, len(curve))
    axis.set_ylim(len(ladder.rows) - 0.5, -0.5)
    axis.set_xticks([])
    axis.set_yticks(range(len(ladder.rows)), ladder.labels if named else [""] * len(ladder.rows), fontsize=6.2)
    axis.tick_params(axis="y", length=0, pad=2)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _colours(curve: pd.DataFrame) -> np.ndarray:
    shown = np.where(curve[CLEAR].to_numpy(dtype=bool), SHOWN, GREY)
    shown = np.where(curve[ESTIMATE].isna(), ABSENT, shown)
    return np.where(curve[IS_DEFAULT].to_numpy(dtype=bool), OWN, shown)


def _ladder(specifications: pd.DataFrame) -> Ladder:
    rows = [
        (choice, level)
        for choice in CHOICES if specifications[choice].nunique() > 1
        for level in sorted(specifications[choice].unique())
    ]  # fmt: skip
    return Ladder(tuple(rows))


def _title(summary: pd.DataFrame, n_specifications: int) -> str:
    steady = int((summary[SHARE_SAME_VERDICT] > 1 - 1e-9).sum())
    return f"{steady} of {len(summary)} headlines say the same in every one of {n_specifications} specifications"


def _panel_title(curve: pd.DataFrame, row: pd.Series, labels: Mapping[str, str]) -> str:
    label = make_line(curve.iloc[0], labels).label
    number = round(float(row[SHARE_SAME_VERDICT]) * int(row[N_SPECIFICATIONS]))
    return f"{_shortened(wrapped(label, 27), 2)}\n{number} of {row[N_SPECIFICATIONS]} say the same"


def _shortened(text: str, n_lines: int) -> str:
    lines = text.split("\n")
    return "\n".join(lines[:n_lines]) + (" …" if len(lines) > n_lines else "")


def _failures(specifications: pd.DataFrame) -> str:
    """Specifications that gave no answer, by name; the table has the rest and the reasons."""
    failed = list(specifications.loc[specifications[FAILURE].fillna("") != "", SPECIFICATION])
    if not failed:
        return ""
    more = f" and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
    return f"{len(failed)} of {len(specifications)} failed: {'; '.join(failed[:MOST_NAMED])}{more} (see tables/multiverse/specifications.tsv)"


class _Page:
    """Places panels by hand, in inches: a layout engine would take a minute over a hundred of them."""

    def __init__(
        self, summary: pd.DataFrame, questions: Sequence[str], ladder: Ladder, columns: int, title: str
    ) -> None:
        self.ladder, self.columns = ladder, columns
        sizes = summary.groupby(QUESTION).size()
        self.row = TITLE + CURVE + ladder.height + BETWEEN
        n_rows = sum(-(-int(sizes[name]) // columns) for name in questions)
        self.height = TOP + BOTTOM + HEADING * len(questions) + self.row * n_rows
        self.width = (WIDTH - LEFT - RIGHT + GAP) / columns - GAP
        self.figure = canvas(self.height, title)
        self.figure.set_layout_engine("none")
        self.figure.suptitle(
            title, x=0.008, y=1 - 0.1 / self.height, ha="left", va="top", fontsize=11.5, fontweight="bold", color=INK
        )
        self.at, self.rows_used = TOP, 0

    def head(self, text: str) -> None:
        """A question above its panels."""
        y = 1 - (self.at + HEADING / 2) / self.height
        band = {"facecolor": "#eff1f4", "edgecolor": "none", "pad": 2.5}
        self.figure.text(0.012, y, text, fontsize=8.5, fontweight="bold", va="center", bbox=band)
        self.at += HEADING
        self.rows_used = 0

    def panel(self, place: int) -> tuple[Axes, Axes]:
        """Curve and choices of the next headline of a question."""
        line, column = divmod(place, self.columns)
        self.rows_used = line + 1
        left = LEFT + column * (self.width + GAP)
        top = self.at + line * self.row + TITLE
        return self._axes(left, top, CURVE), self._axes(left, top + CURVE + 0.02, self.ladder.height)

    def turn(self) -> None:
        """Go on below the panels of the last question."""
        self.at += self.rows_used * self.row

    def finish(self, failures: str) -> None:
        """Legend, and what gave no answer."""
        handles = [
            Line2D(
                [], [], linestyle="", marker="D", color=OWN, markersize=4.5, label="the study's own (filled: shown)"
            ),
            Line2D([], [], color=SHOWN, marker="o", markersize=3, label="a change is shown"),
            Line2D([], [], color=GREY, marker="o", markersize=3, label="no change is shown"),
            Line2D([], [], linestyle="", marker="x", color=ABSENT, markersize=4.5, label="no answer"),
        ]
        place = (0.0, 0.3 / self.height)
        self.figure.legend(handles=handles, loc="lower left", bbox_to_anchor=place, ncols=4, fontsize=8)
        if failures:
            self.figure.text(0.012, 0.06 / self.height, wrapped(failures, 150), fontsize=7, color=INK, va="bottom")

    def _axes(self, left: float, top: float, height: float) -> Axes:
        bottom = 1 - (top + height) / self.height
        return self.figure.add_axes((left / WIDTH, bottom, self.width / WIDTH, height / self.height))
