"""How well labels, scores and neighbourhoods agree with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score
from sklearn.neighbors import NearestNeighbors

Floats = npt.NDArray[np.float64]
Labels = Sequence[str] | npt.NDArray[Any]

NEIGHBORS = 30


def right(called: Labels, truth: Labels, accepted: dict[str, tuple[str, ...]]) -> npt.NDArray[np.bool_]:
    """Cells whose call is one that their truth accepts."""
    return np.array([call in accepted.get(name, (name,)) for call, name in zip(called, truth, strict=True)])


def per_class_f1(
    called: Labels, truth: Labels, accepted: dict[str, tuple[str, ...]], *, min_cells: int = 1
) -> dict[str, float]:
    """F1 of each true class: twice the right calls over its cells and the cells called so.

    Parameters
    ----------
    called, truth
        Of each cell.
    accepted
        True class -> calls that are right for it; itself where it has no entry.
    min_cells
        Classes with fewer true cells are left out.

    Returns
    -------
    dict
        A wrong call counts against its cell's class and against the class that the call names.
    """
    calls, names = np.asarray(called, dtype=object), np.asarray(truth, dtype=object)
    fine = right(calls, names, accepted)
    found = {}
    for name in np.unique(names.astype(str)):
        own = names == name
        if own.sum() < min_cells:
            continue
        means = set(accepted.get(name, (name,)))
        wrongly = (~fine & np.isin(calls.astype(str), list(means)) & ~own).sum()
        hits = (fine & own).sum()
        found[name] = float(2 * hits / max(own.sum() + hits + wrongly, 1))
    return found


def macro_f1(called: Labels, truth: Labels, accepted: dict[str, tuple[str, ...]], *, min_cells: int = 1) -> float:
    """Mean of :func:`per_class_f1` over the true classes."""
    return float(np.mean(list(per_class_f1(called, truth, accepted, min_cells=min_cells).values())))


def auprc(truth: Any, score: Any) -> float:
    """Area under precision over recall (average precision)."""
    return float(average_precision_score(np.asarray(truth, dtype=bool), np.asarray(score, dtype=float)))


def lisi(points: Any, labels: Labels, *, within: Labels | None = None) -> float:
    """Inverse Simpson index of labels among the 30 nearest cells, 0 (one label) to 1 (as in the whole), mean over cells.

    Parameters
    ----------
    points
        Cells x dimensions.
    labels
        Of each cell.
    within
        Neighbours are sought among cells of the same class here, and what the whole is counts there: mixing is not asked
        of cells that have no counterpart. Classes with fewer than 60 cells, or with one label, are left out.

    Returns
    -------
    float
        Integration LISI where labels are batches, one minus cell-type LISI's purity where they are cell types
        (Korsunsky et al. 2019, doi:10.1038/s41592-019-0619-0, with a plain neighbourhood).
    """
    points, names = np.asarray(points, dtype=float), np.asarray(labels, dtype=object)
    groups = np.asarray(within, dtype=object) if within is not None else np.full(len(names), "all", dtype=object)
    total, n_cells = 0.0, 0
    for group in np.unique(groups.astype(str)):
        members = np.flatnonzero(groups == group)
        levels, codes = np.unique(names[members].astype(str), return_inverse=True)
        if len(members) < 2 * NEIGHBORS or len(levels) < 2:
            continue
        overall = np.bincount(codes) / len(codes)
        expected = 1 / (overall**2).sum()
        if expected < 1.1:  # a handful of cells of a second label: nothing to mix
            continue
        found = NearestNeighbors(n_neighbors=NEIGHBORS + 1).fit(points[members]).kneighbors(return_distance=False)
        shares = np.stack([(codes[found] == level).mean(axis=1) for level in range(len(levels))], axis=1)
        total += float(((1 / (shares**2).sum(axis=1) - 1) / (expected - 1)).sum())
        n_cells += len(members)
    return total / n_cells if n_cells else float("nan")
