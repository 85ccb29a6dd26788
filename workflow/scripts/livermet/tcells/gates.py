"""Gates: which subset a cell belongs to and which states it may have, from what its neighbourhood expresses.

A single cell misses most transcripts of a receptor or a transcription factor; its neighbours in the graph have them. Gates
therefore look at the mean over a neighbourhood, in UMIs per 10,000: a mean of rates, unlike a mean of logarithms, does not
drift with depth, so one level serves deep and shallow samples.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from livermet.tcells.definitions import OTHER, Evidence, State, States, Subset
from livermet.tcells.rivals import settle
from livermet.tcells.signatures import GeneIndex

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
PER = 1e4
CERTAIN = 0.8  # chance from which on a cell is one of the rivals: four to one


def neighbour_average(connectivities: sparse.csr_matrix, *, own_weight: float) -> sparse.csr_matrix:
    """Matrix that averages a cell with its neighbours.

    Parameters
    ----------
    connectivities
        Cells x cells, non-negative weights.
    own_weight
        Weight of the cell itself; a cell without neighbours keeps all of it.

    Returns
    -------
    csr_matrix of float64
        Rows sum to 1.
    """
    sums = np.asarray(connectivities.sum(axis=1), dtype=np.float64).ravel()
    share = np.divide(1 - own_weight, sums, out=np.zeros_like(sums), where=sums > 0)
    own = np.where(sums > 0, own_weight, 1.0)
    return sparse.csr_matrix(sparse.diags(share) @ connectivities + sparse.diags(own))


def smooth(smoother: sparse.csr_matrix, values: Floats, *, steps: int) -> Floats:
    """Average values over neighbourhoods, `steps` times.

    Parameters
    ----------
    smoother
        From :func:`neighbour_average`.
    values
        Cells x columns.
    steps
        1 reaches the neighbours, 2 their neighbours, too.

    Returns
    -------
    ndarray, (cells, columns)
    """
    for _ in range(steps):
        values = smoother @ values
    return np.asarray(values)


def gate_levels(counts: sparse.csr_matrix, genes: GeneIndex, symbols: list[str]) -> Floats:
    """UMIs per 10,000 of the gates' genes.

    Parameters
    ----------
    counts
        Raw counts, cells x all genes of the study.
    genes
        The study's genes.
    symbols
        Of the gates.

    Returns
    -------
    ndarray, (cells, symbols)
        Zero for a gene that the study lacks, and in cells without counts.
    """
    places = [genes.find(symbol) for symbol in symbols]
    present = [place for place in places if place is not None]
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    scale = np.divide(PER, totals, out=np.zeros_like(totals), where=totals > 0)
    values = np.zeros((counts.shape[0], len(symbols)))
    known = [number for number, place in enumerate(places) if place is not None]
    values[:, known] = counts[:, present].toarray() * scale[:, None]
    return values


def assign_subsets(levels: pd.DataFrame, subsets: tuple[Subset, ...], *, expressed: float) -> NDArray[np.object_]:
    """Name the first subset whose evidence holds, ``other`` where none does.

    Parameters
    ----------
    levels
        Cells x symbols, smoothed UMIs per 10,000.
    subsets
        In order.
    expressed
        Level that evidence has to reach where it names none of its own.

    Returns
    -------
    ndarray of str, (cells,)
    """
    found = np.full(len(levels), OTHER, dtype=object)
    for subset in reversed(subsets):
        holds = all_hold(levels, subset.requires, expressed=expressed)
        for gene in subset.above:
            holds &= _level(levels, subset.requires[0]) > subset.factor * levels[gene].to_numpy()
        found[holds] = subset.name
    return found


def settle_rivals(
    subset: NDArray[np.object_],
    counts: sparse.csr_matrix,
    genes: GeneIndex,
    connectivities: sparse.csr_matrix,
    *,
    states: States,
) -> NDArray[np.object_]:
    """Settle the cells of rival subsets by their own counts; those that show too little become ``other``.

    Parameters
    ----------
    subset
        From :func:`assign_subsets`.
    counts
        Raw counts, cells x all genes of the study.
    genes
        The study's genes.
    connectivities
        Cells x cells, weights of the neighbour graph.
    states
        The definitions.

    Returns
    -------
    ndarray of str, (cells,)
    """
    names = np.array(states.rivals, dtype=object)
    cells = np.flatnonzero(np.isin(subset, names))
    if len(names) < 2 or not len(cells):
        return subset
    told_by = {item.name: genes.find_all(item.requires[0].genes) for item in states.subsets}
    own = np.column_stack([np.asarray(counts[:, told_by[name]].sum(axis=1)).ravel()[cells] for name in names])
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()[cells]
    chance = settle(own, totals, sparse.csr_matrix(connectivities[cells][:, cells]), expressed=states.expressed)
    settled = subset.copy()
    settled[cells] = np.where(chance.max(axis=1) >= CERTAIN, names[chance.argmax(axis=1)], OTHER)
    return settled


def allow_states(
    levels: pd.DataFrame, subset: NDArray[np.object_], states: tuple[State, ...], *, expressed: float
) -> Flags:
    """Say which states the gates leave open to each cell, (cells, states).

    Parameters
    ----------
    levels, expressed
        As for :func:`assign_subsets`.
    subset
        From :func:`assign_subsets`.
    states
        In order.
    """
    allowed = np.zeros((len(levels), len(states)), dtype=bool)
    for column, state in enumerate(states):
        inside = np.isin(subset, state.subsets) if state.subsets else np.ones(len(levels), dtype=bool)
        inside &= all_hold(levels, state.requires, expressed=expressed)
        for gene in state.above:
            inside &= _level(levels, state.requires[0]) > levels[gene].to_numpy()
        for evidence in state.lacks:
            inside &= ~all_hold(levels, (evidence,), expressed=expressed)
        allowed[:, column] = inside
    return allowed


def all_hold(levels: pd.DataFrame, pieces: tuple[Evidence, ...], *, expressed: float) -> Flags:
    """Whether every piece of evidence holds, (cells,)."""
    holds = np.ones(len(levels), dtype=bool)
    for piece in pieces:
        holds &= _level(levels, piece) >= (expressed if piece.at_least is None else piece.at_least)
    return holds


def _level(levels: pd.DataFrame, evidence: Evidence) -> Floats:
    """Expression of the most expressed gene of an evidence."""
    return np.asarray(levels[list(evidence.genes)].to_numpy().max(axis=1), dtype=np.float64)
