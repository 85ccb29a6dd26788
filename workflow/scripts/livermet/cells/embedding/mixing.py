"""What bringing batches together gained, and what it cost: batches mixed, and biology kept (after scIB).

The measures follow Luecken et al. 2022 (doi:10.1038/s41592-021-01336-8). Theirs need cell types that are known beforehand.
Here the groups are found within each batch, before integration, so that no label that integration made judges it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.clusters.communities import best_run, to_igraph
from livermet.cells.clusters.stability import adjusted_rand_index, normalised_mutual_information
from livermet.cells.embedding.graph import find_neighbors, fuzzy_graph
from livermet.cells.embedding.groups import COLUMNS as GROUP_COLUMNS
from livermet.cells.embedding.groups import Laid, compare_groups, match_groups
from livermet.cells.embedding.neighbourhoods import Within, graph_connectivity, relative_lisi, structure_kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

PERPLEXITY = 30  # of LISI; with three times as many neighbours, as in its own software
WITHIN = 30  # neighbours of a cell within its batch
GRAPH = 14  # neighbours of a cell in a graph, itself not counted
MAX_CELLS = 4_000  # measured on; the same number of every batch, where it has as many
PER_BATCH = 300  # at least, however many batches there are
MIN_CELLS = 30  # of a batch that is grouped
RESOLUTION = 1.0
COLUMNS = ["measure", "before", "after", "best", "about", "meaning"]
BATCH, BIOLOGY = "batches mixed", "biology kept"
MEANINGS = {
    "batch_mixing": (BATCH, "batches among a cell's neighbours (iLISI): 0 its own only, 1 as in the whole study"),
    "graph_connectivity": (BATCH, "cells of a kind, whatever their batch, that hang together in the neighbour graph"),
    "structure_kept": (BIOLOGY, "share of a cell's neighbours within its batch that stay its neighbours"),
    "group_purity": (BIOLOGY, "a cell's neighbours within its batch are of its own group (cLISI): 0 as in the whole batch, 1 all"),
    "clusters_kept": (BIOLOGY, "clusters of each batch by itself, before and after: adjusted Rand index"),
    "clusters_kept_information": (BIOLOGY, "clusters of each batch by itself, before and after: shared information"),
}  # fmt: skip


@dataclass(frozen=True)
class Integration:
    """What :func:`measure_integration` finds.

    Attributes
    ----------
    measures
        One row a measure: `measure`, `before`, `after`, `best`, `about` (batches mixed, or biology kept), `meaning`. No
        rows with a single batch: there is nothing to bring together.
    groups
        One row a group of cells within a batch, see :func:`livermet.cells.embedding.groups.compare_groups`.
    """

    measures: pd.DataFrame
    groups: pd.DataFrame


def measure_integration(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    batches: NDArray[np.object_],
    expression: sp.csr_matrix,
    *,
    symbols: pd.Series,
    seed: int,
) -> Integration:
    """Measure what bringing batches together gained and cost.

    Parameters
    ----------
    before, after
        Cells x components; the same array where nothing was done.
    batches
        Batch of every cell (cells,).
    expression
        Cells x variable genes, log-normalised: what the groups' markers are read from.
    symbols
        Symbols of these genes, in their order.
    seed
        Seed of the cells that are measured on and of the groups within batches.

    Returns
    -------
    Integration
        Cells are laid among others by coordinates, but judged by expression: a group counts as laid among unlike cells
        where the genes that mark it in its own batch do not mark its new neighbours in theirs.
    """
    if len(np.unique(batches)) < 2:
        return nothing_to_measure()
    cells = choose_cells(batches, limit=max(MAX_CELLS, PER_BATCH * len(np.unique(batches))), seed=seed)
    batches, expression = batches[cells], sp.csr_matrix(expression[cells])
    old = _look(before[cells], batches)
    new = old if after is before else _look(after[cells], batches)
    labels = find_groups(old, batches, seed=seed)
    again = labels if new is old else find_groups(new, batches, seed=seed)
    laid = [Laid(view.everywhere[0][:, :WITHIN], view.within) for view in (old, new)]
    groups = compare_groups(
        expression,
        symbols,
        batches=batches,
        labels=labels,
        before=laid[0],
        after=laid[0] if new is old else laid[1],
    )
    kinds = match_groups(expression, batches=batches, labels=labels)
    values = {
        "batch_mixing": [batch_mixing(view.everywhere, batches) for view in (old, new)],
        "graph_connectivity": [graph_connectivity(view.everywhere[0][:, :GRAPH], kinds) for view in (old, new)],
        "structure_kept": [1.0, structure_kept(old.within, new.within)],
        "group_purity": [group_purity(view, labels, batches) for view in (old, new)],
        "clusters_kept": [1.0, _mean_within(adjusted_rand_index, labels, again, batches)],
        "clusters_kept_information": [1.0, _mean_within(normalised_mutual_information, labels, again, batches)],
    }
    rows = [(name, *values[name], 1.0, about, meaning) for name, (about, meaning) in MEANINGS.items()]
    return Integration(pd.DataFrame(rows, columns=COLUMNS), groups)


def nothing_to_measure() -> Integration:
    """Tables without rows."""
    return Integration(pd.DataFrame([], columns=COLUMNS), pd.DataFrame([], columns=GROUP_COLUMNS))


def choose_cells(batches: NDArray[np.object_], *, limit: int, seed: int) -> NDArray[np.int64]:
    """Cells to measure on: all, or an equal number of every batch, so that the cost does not grow with the study.

    Parameters
    ----------
    batches
        Batch of every cell (cells,).
    limit
        Most cells.
    seed
        Seed of the draw.

    Returns
    -------
    numpy.ndarray
        Places of the cells, ascending; a batch with fewer cells than its share keeps all and leaves the rest to others.
    """
    if len(batches) <= limit:
        return np.arange(len(batches))
    rng = np.random.default_rng(seed)
    each = sorted((np.flatnonzero(batches == batch) for batch in np.unique(batches)), key=len)
    chosen, left = [], limit
    for place, members in enumerate(each):
        share = min(len(members), left // (len(each) - place))
        chosen.append(rng.choice(members, size=share, replace=False))
        left -= share
    return np.sort(np.concatenate(chosen))


@dataclass(frozen=True)
class View:
    """Neighbours in one space.

    Attributes
    ----------
    everywhere
        Neighbours of every cell in the whole study, and their distances; cells x neighbours.
    within
        Batch's members, their neighbours among themselves (as places in `members`), and the distances.
    """

    everywhere: tuple[NDArray[np.int64], NDArray[np.float64]]
    within: list[Within]


def _look(points: NDArray[np.float32], batches: NDArray[np.object_]) -> View:
    within = []
    for batch in np.unique(batches):
        members = np.flatnonzero(batches == batch)
        # Half of a small batch at most: all of it would be the same neighbours whatever the space.
        n_neighbors = min(WITHIN, len(members) // 2)
        if n_neighbors:
            within.append((members, *find_neighbors(points[members], n_neighbors=n_neighbors)))
    return View(find_neighbors(points, n_neighbors=3 * PERPLEXITY), within)


def find_groups(view: View, batches: NDArray[np.object_], *, seed: int) -> NDArray[np.int64]:
    """Groups of cells within each batch (Leiden on the batch's own neighbours), numbered through; a small batch is one."""
    labels = np.zeros(len(batches), dtype=np.int64)
    start = 0
    known = {int(members[0]): (members, indices, distances) for members, indices, distances in view.within}
    for batch in np.unique(batches):
        members = np.flatnonzero(batches == batch)
        found = np.zeros(len(members), dtype=np.int64)
        if len(members) >= MIN_CELLS:
            _, indices, distances = known[int(members[0])]
            graph = fuzzy_graph(indices[:, :GRAPH], distances[:, :GRAPH])
            found, _ = best_run(to_igraph(graph), resolution=RESOLUTION, seed=seed, n_seeds=1)
        labels[members] = start + found
        start += int(found.max()) + 1
    return labels


def batch_mixing(neighbours: tuple[NDArray[np.int64], NDArray[np.float64]], batches: NDArray[np.object_]) -> float:
    """Mean LISI of the batches, from 0 (a cell's own only) to 1 (as in the whole study)."""
    _, codes = np.unique(batches, return_inverse=True)
    found, expected = relative_lisi(*neighbours, codes, perplexity=_perplexity(neighbours[0], PERPLEXITY))
    return float((found.mean() - 1) / (expected.mean() - 1))


def group_purity(view: View, labels: NDArray[np.int64], batches: NDArray[np.object_]) -> float:
    """Mean LISI of a batch's groups among neighbours within it, from 0 (as in the whole batch) to 1 (own group only)."""
    found, expected = [], []
    for members, indices, distances in view.within:
        codes = labels[members] - labels[members].min()
        if codes.max() == 0:
            continue
        here = relative_lisi(indices, distances, codes, perplexity=_perplexity(indices, WITHIN / 3))
        found.append(here[0])
        expected.append(here[1])
    if not found:
        return float("nan")
    return float(np.mean((np.concatenate(expected) - np.concatenate(found)) / (np.concatenate(expected) - 1)))


def _perplexity(indices: NDArray[np.int64], wanted: float) -> float:
    """As wanted, or a third of the neighbours where there are fewer."""
    return float(max(1.0, min(wanted, indices.shape[1] / 3)))


def _mean_within(
    measure: Callable[[NDArray[np.int64], NDArray[np.int64]], float],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    batches: NDArray[np.object_],
) -> float:
    """Agreement of two clusterings within each batch, averaged over batches by their cells."""
    values, sizes = [], []
    for batch in np.unique(batches):
        members = np.flatnonzero(batches == batch)
        values.append(measure(first[members] - first[members].min(), second[members] - second[members].min()))
        sizes.append(len(members))
    return float(np.average(values, weights=sizes))
