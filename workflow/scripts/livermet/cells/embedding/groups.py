"""Groups of cells within a batch: did integration keep each together, and did it lay it among its like?

A group that only one batch holds has no like in the others. A correction that is too strong lays it among cells of another
kind all the same; the coordinates cannot tell, but the genes can: what marks the group in its own batch does not mark
its new neighbours in theirs. Markers are differences within a batch, so that the batch effect itself cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.embedding.neighbourhoods import Within

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_MARKERS = 30
N_SHOWN = 5
MIN_CELLS = 10  # of a group that is judged
LOW = 0.25  # quantile of a batch's groups that a gene's ground level is read at
DISTINCT = 0.5  # natural log: a group whose markers stand out less is no kind of its own
LAID_AMONG = 0.25  # of the neighbours from other batches that a full mixture would bring
ALIKE = 0.5  # of a group's own marker signal in its new neighbours
PURE = 0.5
MATCHED = 0.5
NOT_DONE = "batches were not brought together"
COLUMNS = [
    "batch", "group", "n_cells", "markers", "distinct", "purity_before", "purity_after", "mixed_before", "mixed_after",
    "markers_shared", "over_corrected", "verdict",
]  # fmt: skip


@dataclass(frozen=True)
class Fate:
    """What integration did with a group: see :func:`compare_groups`."""

    n_cells: int
    distinct: float
    purity_before: float
    purity_after: float
    mixed_before: float
    mixed_after: float
    markers_shared: float


@dataclass(frozen=True)
class Laid:
    """Where cells lie in one space.

    Attributes
    ----------
    everywhere
        Cells x neighbours in the whole study.
    within
        For every batch: its members, their neighbours among themselves (places in `members`), the distances.
    """

    everywhere: NDArray[np.int64]
    within: list[Within]


def compare_groups(
    expression: sp.csr_matrix,
    symbols: pd.Series,
    *,
    batches: NDArray[np.object_],
    labels: NDArray[np.int64],
    before: Laid,
    after: Laid,
) -> pd.DataFrame:
    """Say of every group within a batch how it fared.

    Parameters
    ----------
    expression
        Cells x variable genes, log-normalised.
    symbols
        Symbols of the genes.
    batches
        Batch of every cell (cells,).
    labels
        Group of every cell, numbered through all batches (cells,).
    before, after
        Neighbours before and after integration.

    Returns
    -------
    pandas.DataFrame
        One row a group. `distinct`: mean log fold change (natural log) of its 30 markers over the ground level of its batch,
        in the half of its cells that did not choose them. `purity_*`: share of its cells' neighbours within the batch
        that are of the group. `mixed_*`: neighbours from other batches, as a share of what a full mixture would bring.
        `markers_shared`: the markers' mean log fold change in those neighbours, over that in the group; 1 for the same
        kind of cell, about 0 for another. `over_corrected`, `verdict` in words.
    """
    ground = _ground(expression, batches, labels)
    rows = []
    for label in np.unique(labels):
        cells = np.flatnonzero(labels == label)
        batch = batches[cells[0]]
        first, second = (cells[::2], cells[1::2]) if len(cells) > 1 else (cells, cells)
        markers = np.argsort(-(_mean(expression, first) - ground[batch]), kind="stable")[:N_MARKERS]
        distinct = float((_mean(expression, second) - ground[batch])[markers].mean())
        # A group of twelve has twelve neighbours of its own at most: farther ones say nothing of where it lies.
        near = [laid.everywhere[cells][:, : max(len(cells) - 1, 1)] for laid in (before, after)]
        others = near[1][batches[near[1]] != batch]
        shared = float("nan")
        if len(others) and distinct > 0:
            shared = _signal(expression, others, markers, batches, ground) / distinct
        fate = Fate(
            n_cells=len(cells),
            distinct=distinct,
            purity_before=_purity(before, labels, label),
            purity_after=_purity(after, labels, label),
            mixed_before=_mixed(near[0], batches, batch),
            mixed_after=_mixed(near[1], batches, batch),
            markers_shared=shared,
        )
        verdict, wrong = judge(fate) if after is not before else (NOT_DONE, False)
        rows.append(
            {
                "batch": str(batch),
                "group": int(label - labels[batches == batch].min()),
                "markers": " ".join(symbols.iloc[markers[:N_SHOWN]].astype(str)),
                **vars(fate),
                "over_corrected": wrong,
                "verdict": verdict,
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def judge(fate: Fate) -> tuple[str, bool]:
    """How a group fared, in words, and whether it was over-corrected.

    Parameters
    ----------
    fate
        What was measured.

    Returns
    -------
    verdict : str
    over_corrected : bool
        Where it came apart among other cells of its batch, or lies among cells of other batches that do not carry half of
        its marker signal. Groups of fewer than ten cells, and those whose markers hardly stand out, are not judged.
    """
    if fate.n_cells < MIN_CELLS:
        return "too few cells to say", False
    if not fate.distinct >= DISTINCT:
        return "not told apart from the rest of its batch", False
    if fate.purity_after < PURE * fate.purity_before:
        return "over-corrected: came apart among other cells of its own batch", True
    if fate.mixed_after < LAID_AMONG:
        return "by itself: nothing like it in other batches, or not brought to it", False
    if fate.markers_shared < ALIKE:
        return "over-corrected: laid among unlike cells of other batches", True
    return "among its like", False


def match_groups(
    expression: sp.csr_matrix, *, batches: NDArray[np.object_], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Kinds of cells that several batches hold: groups that are each other's most like by their markers.

    Parameters
    ----------
    expression, batches, labels
        As for :func:`compare_groups`.

    Returns
    -------
    numpy.ndarray
        (cells,) number of the kind, -1 where a group has no like in another batch. Two groups are matched where the
        correlation of their changes over their batches' ground levels is at least .5 and the highest for both.
    """
    from scipy.sparse.csgraph import connected_components

    ground = _ground(expression, batches, labels)
    names = np.unique(labels)
    home = np.array([batches[labels == label][0] for label in names], dtype=object)
    changes = np.array([_mean(expression, np.flatnonzero(labels == label)) for label in names])
    changes -= np.array([ground[batch] for batch in home])
    changes -= changes.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(changes, axis=1)
    alike = (changes @ changes.T) / np.maximum(np.outer(norms, norms), 1e-12)
    matched = np.zeros(alike.shape, dtype=bool)
    for one in np.unique(home):
        for other in np.unique(home[home > one]):
            rows, columns = np.flatnonzero(home == one), np.flatnonzero(home == other)
            part = alike[np.ix_(rows, columns)]
            mutual = (part == part.max(axis=1, keepdims=True)) & (part == part.max(axis=0)) & (part >= MATCHED)
            matched[np.ix_(rows, columns)] = mutual
    _, kinds = connected_components(sp.csr_matrix(matched), directed=False)
    single = np.bincount(kinds)[kinds] == 1
    return np.where(single, -1, kinds)[np.searchsorted(names, labels)]


def _ground(
    expression: sp.csr_matrix, batches: NDArray[np.object_], labels: NDArray[np.int64]
) -> dict[object, NDArray[np.float64]]:
    """Level of every gene in the groups of a batch that hardly express it; each group counts once, whatever its size."""
    return {
        batch: np.quantile(
            [_mean(expression, np.flatnonzero(labels == label)) for label in np.unique(labels[batches == batch])],
            LOW,
            axis=0,
        )
        for batch in np.unique(batches)
    }


def _mean(expression: sp.csr_matrix, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(expression[cells].mean(axis=0), dtype=np.float64).ravel()


def _purity(laid: Laid, labels: NDArray[np.int64], label: int) -> float:
    """Share of the neighbours of a group's cells that are of the group; no more of them than it has other cells."""
    for members, indices, _ in laid.within:
        own = labels[members] == label
        if own.any():
            nearest = indices[own][:, : max(int(own.sum()) - 1, 1)]
            return float(own[nearest].mean())
    return float("nan")


def _mixed(neighbours: NDArray[np.int64], batches: NDArray[np.object_], batch: object) -> float:
    """Share of neighbours from other batches over their share of all cells."""
    return float((batches[neighbours] != batch).mean() / (batches != batch).mean())


def _signal(
    expression: sp.csr_matrix,
    cells: NDArray[np.int64],
    markers: NDArray[np.int64],
    batches: NDArray[np.object_],
    ground: dict[object, NDArray[np.float64]],
) -> float:
    """Mean change of the markers in cells of several batches, each over the ground level of its own; a cell as often as it is named."""
    places, weights = np.unique(cells, return_counts=True)
    part = sp.csr_matrix(expression[places][:, markers])
    level = np.asarray(part.mean(axis=1)).ravel()
    base = np.array([ground[batch][markers].mean() for batch in batches[places]])
    return float(np.average(level - base, weights=weights))
