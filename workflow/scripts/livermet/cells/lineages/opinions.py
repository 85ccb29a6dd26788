"""A second opinion on every cell, from its own markers alone: it knows no cluster's name.

For each lineage: how much likelier are the markers that the cell shows and lacks if it expresses them than if it does
not? Clusters average over many cells and are right more often; where a cell's own markers speak clearly for another
lineage, the cell is flagged, and where they do so for many cells of a cluster, the cluster deserves a look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.lineages.strays import MOVE_LOG_ODDS, depth_bins, detection_rates
from livermet.keys import OPINIONS_DIFFER, SECOND_OPINION, UNASSIGNED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from livermet.cells.lineages.markers import Markers, Panel

CLEAR = MOVE_LOG_ODDS  # what the best lineage must have over none and over the next
ON_RATE = 3e-4  # counts per count of depth of a marker in its own lineage, at least
SOUP = 0.1  # of a gene's level where it is loudest: what a cell that does not express it may hold


def judge_cells(panel: Panel, codes: NDArray[np.int64], markers: Markers) -> NDArray[np.object_]:
    """Lineage that each cell's own markers speak for.

    A marker shows with chance 1 - exp(-N r) in a cell of depth N. Where it is expressed, r is its rate in the cluster
    with most of it; where not, what soup can leave. A set's log odds are summed over its genes, those named by several
    lineages weighing less; genes against the lineage count the other way round.

    Parameters
    ----------
    panel
        Counts of the marker genes.
    codes
        Number of every cell's cluster (cells,): only for how strongly genes are expressed where they are.
    markers
        The sets that are offered.

    Returns
    -------
    numpy.ndarray
        Lineage of every cell; `unassigned` where none is a hundred times likelier than no lineage and than the next.
    """
    shown = sp.csr_matrix(panel.counts > 0, dtype=np.float64)
    clusters = np.unique(codes)
    rates = np.array([detection_rates(shown[codes == k], panel.totals[codes == k]) for k in clusters])
    on = np.maximum(rates.max(axis=0), ON_RATE)
    # Not the quietest cluster's: where all cells are of one lineage, all clusters express its genes.
    off = SOUP * on
    direction = _directions(panel, markers)
    odds = np.zeros((len(codes), direction.shape[1]))
    for cells, depth in depth_bins(panel.totals):
        there, not_there = np.clip(-np.expm1(-depth * np.stack([on, off])), 1e-9, 0.98)
        present, absent = np.log(there / not_there), np.log((1 - there) / (1 - not_there))
        odds[cells] = shown[cells] @ ((present - absent)[:, None] * direction) + absent @ direction
    return _call(_best_kind(odds, markers), sorted({one.lineage for one in markers.sets}))


def compare_opinions(lineages: pd.Series, second: NDArray[np.object_]) -> pd.DataFrame:
    """The second opinion beside the call.

    Parameters
    ----------
    lineages
        Index `cell`; the call.
    second
        From :func:`judge_cells` (cells,).

    Returns
    -------
    pandas.DataFrame
        Index `cell`; `second_opinion`, and `opinions_differ`: whether both name a lineage, and not the same.
    """
    said = (second != UNASSIGNED) & (lineages.to_numpy() != UNASSIGNED)
    return pd.DataFrame(
        {SECOND_OPINION: second, OPINIONS_DIFFER: said & (second != lineages.to_numpy())}, index=lineages.index
    )


def agreement(called: NDArray[np.object_], second: NDArray[np.object_]) -> float:
    """Share of the cells with both opinions whose opinions are the same; NaN where there is no such cell."""
    both = (called != UNASSIGNED) & (second != UNASSIGNED)
    return float((called[both] == second[both]).mean()) if both.any() else float("nan")


def _directions(panel: Panel, markers: Markers) -> NDArray[np.float64]:
    """Genes x sets: the weight of a gene that speaks for the set, minus it where it speaks against."""
    place = {symbol: number for number, symbol in enumerate(panel.symbols)}
    weights = markers.weights()
    table = np.zeros((len(panel.symbols), len(markers.sets)))
    for column, one in enumerate(markers.sets):
        for gene in one.up:
            if gene in place:
                table[place[gene], column] = weights[gene]
        for gene in one.down:
            if gene in place:
                table[place[gene], column] = -1.0
    return table


def _best_kind(odds: NDArray[np.float64], markers: Markers) -> NDArray[np.float64]:
    names = np.array([one.lineage for one in markers.sets], dtype=object)
    return np.column_stack([odds[:, names == name].max(axis=1) for name in sorted(set(names))])


def _call(odds: NDArray[np.float64], names: list[str]) -> NDArray[np.object_]:
    best = odds.argmax(axis=1)
    ranked = np.sort(np.column_stack([odds, np.zeros(len(odds))]), axis=1)
    lead = ranked[:, -1] - ranked[:, -2]
    top = odds[np.arange(len(odds)), best]
    return np.where((top >= CLEAR) & (lead >= CLEAR), np.asarray(names, dtype=object)[best], UNASSIGNED)
