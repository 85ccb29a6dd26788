"""Whole numbers need not be counts, and fractions need not be corrected counts: what the values of single cells give away.

Of the genes that a droplet or well catches, most are caught once: the smallest count of a cell is 1. Division by the cell's
total makes of that one molecule a number of the cell's own, and of all others whole multiples of it; a log hides that only
until it is undone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

ENOUGH = 20  # entries that make a cell worth a look
N_CELLS = 5  # such cells needed
MOST_CELLS = 50  # looked at
LOGS_END = 20.0  # no log of a normalised count is larger; in a thousand entries some count is
HIGHEST = 500.0  # e to that is a number still, and no log of a count
SCALES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "counts divided by their cell's total": lambda values: values,
    "logs of counts divided by their cell's total": lambda values: np.expm1(np.minimum(values, HIGHEST)),
    "logs (base 2) of counts divided by their cell's total": lambda values: np.exp2(np.minimum(values, HIGHEST)) - 1,
}


def cells_of(cells: NDArray[np.integer], values: NDArray[np.number]) -> list[NDArray[np.float64]]:
    """Values above 0 of some cells that have at least 20, spread evenly.

    Parameters
    ----------
    cells, values
        Shape (entries,): which cell an entry belongs to, and the entry.
    """
    above = values > 0
    cells, values = cells[above], values[above]
    if cells.size and (np.diff(cells) < 0).any():
        order = np.argsort(cells, kind="stable")
        cells, values = cells[order], values[order]
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    groups = [part for part in np.split(values, starts[1:]) if len(part) >= ENOUGH]
    return [part.astype(np.float64) for part in groups[:: max(1, len(groups) // MOST_CELLS)]]


def rows_of(counts: sp.csr_matrix) -> list[NDArray[np.float64]]:
    """As :func:`cells_of`, of a matrix cells x genes without stored zeros."""
    rows = np.flatnonzero(np.diff(counts.indptr) >= ENOUGH)
    chosen = rows[:: max(1, len(rows) // MOST_CELLS)]
    return [counts.data[counts.indptr[row] : counts.indptr[row + 1]].astype(np.float64) for row in chosen]


def unlike_counts(groups: list[NDArray[np.float64]]) -> str:
    """What gives whole numbers away as no counts; "" where nothing does.

    Parameters
    ----------
    groups
        Values of single cells, as :func:`cells_of` gives them.
    """
    if len(groups) < N_CELLS:
        return ""
    smallest = np.array([part.min() for part in groups])
    if (smallest > 1).mean() <= 0.5:
        return ""
    return (
        f"whole numbers that are no counts: in {(smallest > 1).sum()} of {len(groups)} cells looked at no gene was seen once "
        f"(the smallest number of a cell is {np.median(smallest):g}), as of counts scaled to a total and rounded"
    )


def scale_of(groups: list[NDArray[np.float64]]) -> str:
    """What fractions are, where they are normalised values and not corrected counts; "" where they are not.

    Parameters
    ----------
    groups
        As in :func:`unlike_counts`; values are not negative.
    """
    broken = [part for part in groups if (part != np.rint(part)).mean() > 0.9]
    if len(groups) < N_CELLS or len(broken) < 0.5 * len(groups):
        return ""
    for name, undo in SCALES.items():
        if np.mean([_is_multiple(undo(part)) for part in broken]) > 0.8:
            return name
    every = np.concatenate(broken)
    return "logs or the like" if len(every) >= 1000 and every.max() < LOGS_END else ""


def _is_multiple(values: NDArray[np.float64]) -> bool:
    """Whether nearly all values of a cell are whole multiples of its smallest."""
    ratios = values / values.min()
    ratios = ratios[ratios < 50]  # beyond, single precision does not tell
    return bool((np.abs(ratios - np.rint(ratios)) < 0.01).mean() > 0.95)
