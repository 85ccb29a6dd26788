"""Gates: which states a cell may have, from its subset and from what its neighbourhood expresses.

A single cell misses most transcripts of a receptor or a transcription factor; its neighbours in the graph have them. Gates
therefore look at the mean over a neighbourhood, in UMIs per 10,000: a mean of rates, unlike a mean of logarithms, does not
drift with depth, so one level serves deep and shallow samples.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from livermet.tcells.definitions import OTHER, Evidence, State
from livermet.tcells.signatures import GeneIndex
from livermet.tcells.subsets import Chances

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
PER = 1e4


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


def allow_states(levels: pd.DataFrame, chances: Chances, states: tuple[State, ...], *, expressed: float) -> Flags:
    """Say which states the gates leave open to each cell.

    A cell whose subset is certain may have that subset's states. One whose subset is not may have the states of ``other``
    and, where one subset is likelier than the rest together, that one's: a state that stands out settles the subset with it.
    Naive CD4 and CD8 cells share their signature, so that nothing would be settled: a state whose signature speaks for a
    state of ``other``, too, stays closed to cells of uncertain subset.

    Parameters
    ----------
    levels
        Cells x symbols, smoothed UMIs per 10,000.
    chances
        Subset of each cell.
    states
        In order.
    expressed
        Level that evidence has to reach where it names none of its own.

    Returns
    -------
    ndarray of bool, (cells, states)
    """
    certain, likelier = chances.certain(), chances.likelier()
    unsettling = {state.signature for state in states if OTHER in state.subsets}
    allowed = np.zeros((len(levels), len(states)), dtype=bool)
    for column, state in enumerate(states):
        inside = np.isin(certain, state.subsets) if state.subsets else np.ones(len(levels), dtype=bool)
        if state.subsets and state.signature not in unsettling:
            inside |= (certain == OTHER) & np.isin(likelier, state.subsets)
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
