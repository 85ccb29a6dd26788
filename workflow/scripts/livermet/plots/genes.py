"""Genes that change: how many for every question and population, and which."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from livermet.keys import ADJUSTED_P_VALUE, GENE, LOG_FOLD_CHANGE, P_VALUE, POPULATION, QUESTION
from livermet.plots.style import GREY, INK, LINEAGES, PALE, STATES, blank, canvas, look
from livermet.plots.words import words

ALPHA = 0.05
SPARE = ("#66CCEE", "#F0A58F", "#BBCC33", "#DDAA33", "#99DDFF", "#44BB99", "#661100", "#1f2933", "#FFAABB")
MAX_PANELS = 6
LABELLED = 7


def count_genes(expression: pd.DataFrame, alpha: float = ALPHA) -> pd.DataFrame:
    """Genes with an adjusted p-value below `alpha`.

    Parameters
    ----------
    expression
        One row a question x population x gene.
    alpha
        False discovery rate.

    Returns
    -------
    pandas.DataFrame
        One row a question x population that was tested: n_tested, n_up, n_down.
    """
    below = expression[ADJUSTED_P_VALUE] < alpha
    marked = expression.assign(
        n_tested=expression[P_VALUE].notna(),
        n_up=below & (expression[LOG_FOLD_CHANGE] > 0),
        n_down=below & (expression[LOG_FOLD_CHANGE] < 0),
    )
    return (
        marked.groupby([QUESTION, POPULATION], sort=False, observed=True)[["n_tested", "n_up", "n_down"]]
        .sum()
        .reset_index()
    )


def plot_gene_counts(expression: pd.DataFrame, questions: list[str], populations: list[str]) -> Figure:
    """Heat map of the number of genes below a false discovery rate of 5 %: questions down, populations across.

    Parameters
    ----------
    expression
        One row a question x population x gene.
    questions, populations
        Order of the rows and columns.
    """
    counts = count_genes(expression)
    if counts.empty:
        return blank("No gene was tested.")
    rows = [name for name in questions if name in set(counts[QUESTION])]
    columns = [name for name in populations if name in set(counts[POPULATION])]
    table = counts[counts["n_tested"] > 0].set_index([QUESTION, POPULATION])
    up, down = (
        table[name].unstack().reindex(index=rows, columns=columns).to_numpy(dtype=float) for name in ("n_up", "n_down")
    )
    total = up + down
    with look():
        figure = canvas(1.9 + 0.36 * len(rows), f"Genes that change (adjusted p < {ALPHA:g}), rising / falling")
        axes = figure.subplots()
        axes.imshow(np.where(total > 0, total, np.nan), cmap="Blues", norm=LogNorm(1, max(300.0, 3 * float(np.nan_to_num(total).max()))),
                    aspect="auto")  # fmt: skip
        for (row, column), value in np.ndenumerate(total):
            text = "–" if np.isnan(value) else f"{up[row, column]:.0f} / {down[row, column]:.0f}" if value else "0"
            axes.text(column, row, text, ha="center", va="center", fontsize=8.5, color=INK if value else GREY)
        axes.set_xticks(range(len(columns)), [words(name) for name in columns], rotation=35, ha="right")
        axes.set_yticks(range(len(rows)), [words(name) for name in rows])
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def plot_volcanoes(expression: pd.DataFrame, questions: Mapping[str, str], populations: list[str]) -> Figure:
    """Effect against evidence for the first questions, all populations in one panel.

    Parameters
    ----------
    expression
        One row a question x population x gene.
    questions
        Name -> the question in words, in the order in which they are asked.
    populations
        Populations in their order.

    Returns
    -------
    Figure
        Genes below a false discovery rate of 5 % as dots in their population's colour, the rest as a grey density.
    """
    tested = expression[expression[P_VALUE].notna()]
    shown = [name for name in questions if name in set(tested[QUESTION])][:MAX_PANELS]
    if not shown:
        return blank("No gene has a p-value.")
    palette = population_colours(populations)
    below = tested[tested[QUESTION].isin(shown) & (tested[ADJUSTED_P_VALUE] < ALPHA)]
    columns = min(3, len(shown))
    rows = int(np.ceil(len(shown) / columns))
    with look():
        figure = canvas(
            1.3 + 2.9 * rows,
            f"{len(below):,} gene changes pass a false discovery rate of 5 % in {len(shown)} questions",
        )
        axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True)).ravel()
        for axis, name in zip(axes, shown, strict=False):
            _volcano(axis, tested[tested[QUESTION] == name], palette)
            axis.set_title(words(name))
        for axis in axes[len(shown) :]:
            axis.set_visible(False)
        for place, axis in enumerate(axes[: len(shown)]):
            axis.set_xlabel("log2 fold change" if place + columns >= len(shown) else "")
            axis.set_ylabel("−log10 p" if place % columns == 0 else "")
        present = [name for name in populations if name in set(below[POPULATION])]
        for name in present:
            axes[0].plot([], [], "o", color=palette[name], markersize=5, label=words(name))
        if present:
            figure.legend(loc="outside lower center", ncols=5, handletextpad=0.1, columnspacing=1.2)
    return figure


def _volcano(axis: Axes, genes: pd.DataFrame, palette: Mapping[str, str]) -> None:
    x = genes[LOG_FOLD_CHANGE].clip(-6, 6).to_numpy(dtype=float)
    y = -np.log10(np.maximum(genes[P_VALUE].to_numpy(dtype=float), 1e-300))
    below = (genes[ADJUSTED_P_VALUE] < ALPHA).to_numpy()
    top = max(4.0, float(y.max()) * 1.08)
    counts, _, _ = np.histogram2d(x[~below], y[~below], bins=(110, 70), range=((-6.2, 6.2), (0, top)))
    axis.imshow(np.where(counts > 0, counts, np.nan).T, extent=(-6.2, 6.2, 0, top), origin="lower", cmap="Greys",
                norm=LogNorm(0.15, max(10.0, counts.max() * 8)), aspect="auto", interpolation="nearest")  # fmt: skip
    axis.scatter(x[below], y[below], c=genes.loc[below, POPULATION].map(palette).to_list(), s=13, linewidths=0, alpha=0.85,
                 rasterized=True)  # fmt: skip
    axis.axvline(0, color=PALE, linewidth=0.8, zorder=0)
    _name_genes(axis, genes[below], x[below], y[below])
    axis.set_xlim(-6.2, 6.2)
    axis.set_ylim(0, top)
    if not below.any():
        axis.text(0.5, 0.94, "no gene passes", transform=axis.transAxes, ha="center", color=GREY, fontsize=8.5)


def _name_genes(axis: Axes, genes: pd.DataFrame, x: np.ndarray, y: np.ndarray) -> None:
    """Name the strongest, each gene once and never two names on each other."""
    taken: list[tuple[float, float]] = []
    named: set[str] = set()
    height = axis.get_ylim()[1]
    for place in np.argsort(-y, kind="stable"):
        symbol = str(genes[GENE].iloc[place])
        if symbol in named or any(abs(x[place] - a) < 2.6 and abs(y[place] - b) < 0.055 * height for a, b in taken):
            continue
        # Away from the middle, but towards it at the edges: no name leaves the panel.
        right = 0 <= x[place] < 3.5 or x[place] < -3.5
        axis.annotate(symbol, (x[place], y[place]), xytext=(4 if right else -4, 1), textcoords="offset points",
                      ha="left" if right else "right", fontsize=7.5, fontstyle="italic", color=INK)  # fmt: skip
        taken.append((x[place], y[place]))
        named.add(symbol)
        if len(taken) == LABELLED:
            return


def population_colours(populations: list[str]) -> dict[str, str]:
    """The colour of its lineage or state, or another one where a population before it has that already."""
    own, spare = {**STATES, **LINEAGES}, [colour for colour in SPARE if colour not in LINEAGES.values()]
    found: dict[str, str] = {}
    for name in populations:
        colour = own.get(name)
        found[name] = colour if colour and colour not in found.values() else spare.pop(0) if spare else GREY
    return found
