"""Mice per arm: what the study was asked from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from livermet.keys import MOUSE
from livermet.plots.style import INK, canvas, look
from livermet.plots.words import words


def plot_design(samples: pd.DataFrame, factors: Mapping[str, list[str]], strata: list[str]) -> Figure:
    """Heat map of mice per arm, and of arms per stratum (batch, sex, ...) beside it.

    Parameters
    ----------
    samples
        One row a sample: mouse, the factors, the strata.
    factors
        Factor -> levels, reference first.
    strata
        Columns whose balance over the arms is shown; those absent or constant are left out.

    Returns
    -------
    Figure
        Numbers are distinct mice.
    """
    mice = samples.drop_duplicates(MOUSE)
    names = list(factors)
    column, rows = names[-1], names[:-1]
    shown = [name for name in strata if name in mice and name not in factors and mice[name].nunique() > 1]
    row_label = [" · ".join(words(level) for level in levels) for levels in mice[rows].astype(str).to_numpy()]
    frame = mice.assign(_row=row_label, _column=mice[column].astype(str))
    order = _row_order(factors, rows, frame["_row"])
    panels = [("Mice", frame)] + [
        (f"{words(name)} {level}", frame[frame[name] == level])
        for name in shown
        for level in sorted(frame[name].unique())
    ]
    columns = min(len(panels), 4)
    depth = int(np.ceil(len(panels) / columns))
    counts = [pd.crosstab(part["_row"], part["_column"]).reindex(index=order, columns=factors[column], fill_value=0)
              for _, part in panels]  # fmt: skip
    least = int(counts[0].to_numpy().min())
    with look():
        title = f"{len(mice)} mice in {counts[0].size} arms; the smallest arm has {least}"
        figure = canvas(1.15 + depth * (0.65 + 0.42 * len(order)), title)
        axes = np.atleast_1d(figure.subplots(depth, columns, sharex=True, sharey=True)).ravel()
        top = max(1, int(counts[0].to_numpy().max()))
        for axis, (name, _), count in zip(axes, panels, counts, strict=False):
            axis.imshow(count, cmap="Blues", vmin=0, vmax=top * 1.6, aspect="auto")
            for (line, place), number in np.ndenumerate(count.to_numpy()):
                axis.text(place, line, str(number), ha="center", va="center", color=INK, fontsize=10)
            axis.set_title(name)
            axis.set_xticks(np.arange(1, count.shape[1]) - 0.5, minor=True)
            axis.set_yticks(np.arange(1, len(order)) - 0.5, minor=True)
            axis.grid(which="minor", color="white", linewidth=2)
            axis.set_xticks(
                range(len(factors[column])), [words(level) for level in factors[column]], rotation=40, ha="right"
            )
            axis.set_yticks(range(len(order)), [label or words(column) for label in order])
            axis.tick_params(which="both", length=0)
            for spine in axis.spines.values():
                spine.set_visible(False)
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
    return figure


def _row_order(factors: Mapping[str, list[str]], rows: list[str], present: pd.Series) -> list[str]:
    labels = [""]
    for name in rows:
        labels = [f"{label} · {words(level)}" if label else words(level) for label in labels for level in factors[name]]
    return [label for label in labels if label in set(present)]
