"""T-cell states: gates first, then the signature that stands out most, and no state where none does."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from livermet.cells.normalise import log_normalise
from livermet.keys import N_CELLS, STATE, SYMBOL, UNASSIGNED
from livermet.tcells.definitions import OTHER, Evidence, State, States, Subset
from livermet.tcells.scoring import ControlSets, score_neighbourhoods
from livermet.tcells.signatures import GeneIndex, Signatures, resolve

T_SUBSET, BEST_Z, SECOND_STATE, AGREEMENT = "t_subset", "best_z", "second_state", "agreement"
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def call_states(
    counts: sparse.csr_matrix,
    var: pd.DataFrame,
    *,
    sets: ControlSets,
    ucell: pd.DataFrame,
    connectivities: sparse.csr_matrix,
    collection: Signatures,
    states: States,
    min_z: float,
) -> pd.DataFrame:
    """Call the state of every T cell.

    Gates say which states a cell may have, from expression smoothed over the neighbour graph; among those the state wins
    whose signature has the highest z-score in the same smoothed expression; below `min_z` the cell stays unassigned. The
    scores of single cells are not touched: smoothing is part of the call alone.

    Parameters
    ----------
    counts
        Raw counts, T cells x all genes.
    var
        The study's genes, with ``symbol``.
    sets
        Control sets of the states' signatures.
    ucell
        Index cell, UCell scores: one column a state, in the order of the definitions.
    connectivities
        T cells x T cells, symmetric weights of the neighbour graph.
    collection, states
        Gene sets (for their aliases) and definitions.
    min_z
        Standard deviations of the control sets that the best state has to reach.

    Returns
    -------
    DataFrame
        Index as `ucell`; ``t_subset state best_z second_state agreement``. ``best_z`` is the neighbourhood's z of the best
        state that the gates allow, NaN where they allow none, and ``second_state`` the next best (empty where there is
        none); ``agreement`` says whether UCell, smoothed and standardised over the T cells, picks the same.
    """
    smoother = neighbour_average(connectivities, own_weight=states.own_weight)
    smooth = smoother @ _gate_expression(counts, resolve(collection, var[SYMBOL]), states.gate_genes())
    levels = pd.DataFrame(smooth, columns=states.gate_genes())
    subset = assign_subsets(levels, states.subsets)
    allowed = allow_states(levels, subset, states.states)
    names = np.array([item.name for item in states.states], dtype=object)
    fallback = np.array([item.fallback for item in states.states])
    columns = [item.signature for item in states.states]
    z = score_neighbourhoods(counts, sets, smoother)[columns].to_numpy(dtype=np.float64)
    ranks = _standardise(smoother @ ucell.to_numpy(dtype=np.float64))
    order, ranked = rank_states(z, allowed, fallback=fallback, min_z=min_z)
    second = np.where(np.isfinite(ranked[:, 1]), names[order[:, 1]], "") if len(names) > 1 else np.full(len(z), "")
    called = ranked[:, 0] >= min_z
    identity = allowed & (fallback == fallback[order[:, 0]][:, None])
    other = np.where(identity, ranks, -np.inf).argmax(axis=1)
    return pd.DataFrame(
        {
            T_SUBSET: subset,
            STATE: np.where(called, names[order[:, 0]], UNASSIGNED),
            BEST_Z: np.where(np.isfinite(ranked[:, 0]), ranked[:, 0], np.nan).astype(np.float32),
            SECOND_STATE: second,
            AGREEMENT: called & (other == order[:, 0]),
        },
        index=ucell.index,
    )


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


def assign_subsets(levels: pd.DataFrame, subsets: tuple[Subset, ...]) -> NDArray[np.object_]:
    """Name the first subset whose evidence holds, ``other`` where none does.

    Parameters
    ----------
    levels
        Cells x symbols, smoothed log-normalised expression.
    subsets
        In order.

    Returns
    -------
    ndarray of str, (cells,)
    """
    found = np.full(len(levels), OTHER, dtype=object)
    for subset in reversed(subsets):
        holds = _all_hold(levels, subset.requires)
        for gene in subset.above:
            holds &= _level(levels, subset.requires[0]) > subset.factor * levels[gene].to_numpy()
        found[holds] = subset.name
    return found


def allow_states(levels: pd.DataFrame, subset: NDArray[np.object_], states: tuple[State, ...]) -> Flags:
    """Say which states the gates leave open to each cell, (cells, states)."""
    allowed = np.zeros((len(levels), len(states)), dtype=bool)
    for column, state in enumerate(states):
        inside = np.isin(subset, state.subsets) if state.subsets else np.ones(len(levels), dtype=bool)
        allowed[:, column] = inside & _all_hold(levels, state.requires)
    return allowed


def rank_states(z: Floats, allowed: Flags, *, fallback: Flags, min_z: float) -> tuple[NDArray[np.int64], Floats]:
    """Order the states of each cell, the best first.

    Identities come before fallback states as long as one of them reaches `min_z`.

    Parameters
    ----------
    z
        Cells x states.
    allowed
        Cells x states.
    fallback
        Of each state.
    min_z
        What the best has to reach.

    Returns
    -------
    order : ndarray
        Cells x states, places of the states.
    ranked : ndarray
        Their z, -inf where a state is not allowed.
    """
    value = np.where(allowed, z, -np.inf)
    identified = np.any(value[:, ~fallback] >= min_z, axis=1)
    # A fallback state goes last where an identity was found, whatever its z.
    key = np.where(identified[:, None] & fallback & allowed, np.finfo(float).min, value)
    order = np.argsort(-key, axis=1, kind="stable")
    return order, np.take_along_axis(value, order, axis=1)


def summarise(calls: pd.DataFrame, states: States) -> pd.DataFrame:
    """Count the calls of every state, those without a cell included.

    Parameters
    ----------
    calls
        From :func:`call_states`.
    states
        The definitions.

    Returns
    -------
    DataFrame
        ``state n_cells share median_z agreement``; the last two are NaN for a state without cells.
    """
    rows = []
    for name in [*(item.name for item in states.states), UNASSIGNED]:
        mine = calls[calls[STATE] == name]
        share = len(mine) / len(calls) if len(calls) else 0.0
        median = mine[BEST_Z].median() if len(mine) else np.nan
        rows.append((name, len(mine), share, median, mine[AGREEMENT].mean() if len(mine) else np.nan))
    return pd.DataFrame(rows, columns=[STATE, N_CELLS, "share", "median_z", AGREEMENT])


def _gate_expression(counts: sparse.csr_matrix, genes: GeneIndex, symbols: list[str]) -> Floats:
    """Log-normalised expression of the gates' genes, (cells, symbols); zero for a gene that the study lacks."""
    places = [genes.find(symbol) for symbol in symbols]
    present = [place for place in places if place is not None]
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    values = np.zeros((counts.shape[0], len(symbols)))
    known = [number for number, place in enumerate(places) if place is not None]
    values[:, known] = log_normalise(counts[:, present], totals=totals).toarray()
    return values


def _level(levels: pd.DataFrame, evidence: Evidence) -> Floats:
    """Expression of the most expressed gene of an evidence."""
    return np.asarray(levels[list(evidence.genes)].to_numpy().max(axis=1), dtype=np.float64)


def _all_hold(levels: pd.DataFrame, pieces: tuple[Evidence, ...]) -> Flags:
    holds = np.ones(len(levels), dtype=bool)
    for piece in pieces:
        holds &= _level(levels, piece) >= piece.at_least
    return holds


def _standardise(values: Floats) -> Floats:
    """Centre and scale columns: UCell scores of different sets have different ranges."""
    if not len(values):
        return values
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0))
