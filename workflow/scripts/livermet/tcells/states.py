"""States: gates first, then the signature that stands out most, and no state where none does."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from livermet.cells.clusters.communities import run_leiden, to_igraph
from livermet.keys import N_CELLS, STATE, SYMBOL, UNASSIGNED
from livermet.tcells.controls import ControlSets
from livermet.tcells.definitions import PROGRAMME, States
from livermet.tcells.gates import (
    Flags,
    Floats,
    allow_states,
    gate_levels,
    neighbour_average,
    smooth,
)
from livermet.tcells.neighbours import find_neighbourhoods, share_neighbours
from livermet.tcells.programmes import flag_programmes
from livermet.tcells.scoring import score_neighbourhoods
from livermet.tcells.signatures import Signatures, resolve
from livermet.tcells.subsets import settle

SUBSET, BEST_Z, SECOND_STATE, AGREEMENT, NOTE = "subset", "best_z", "second_state", "agreement", "note"
#: UMIs that cells are held to for a call. More than for a score, which must not drift with depth: a call needs the power,
#: and cells of fewer UMIs count as they are.
CALL_DEPTH = 2000
RESOLUTION = 1.0  # of the clusters that the middle of the compartment is taken over


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
    barred: Collection[str] = (),
) -> pd.DataFrame:
    """Call the state of every cell of a compartment (T cells, or macrophages), and flag its programmes.

    Subset and gates say which states a cell may have, the gates from expression smoothed over the cells with which it shares
    neighbours (:func:`livermet.tcells.neighbours.find_neighbourhoods`); among those the state wins whose signature has the highest z-score in the same smoothed expression
    (:func:`livermet.tcells.scoring.score_neighbourhoods`); below `min_z` the cell stays unassigned. The
    scores of single cells are not touched: smoothing is part of the call alone. Programmes are the cell's own and are not
    smoothed.

    Parameters
    ----------
    counts
        Raw counts, cells x all genes.
    var
        The study's genes, with ``symbol``.
    sets
        Control sets of everything that is called by a signature (:meth:`States.called_by`).
    ucell
        Index cell, UCell scores: one column a state, in the order of the definitions.
    connectivities
        Cells x cells, symmetric weights of the neighbour graph.
    collection, states
        Gene sets (for their aliases) and definitions.
    min_z
        Standard deviations of the control sets that the best state has to reach.
    barred
        States that the study has too few genes for: they are not called.

    Returns
    -------
    DataFrame
        Index as `ucell`; ``subset state best_z second_state agreement`` and ``programme:<name>``. ``best_z`` is the
        neighbourhood's z of the best state that the gates allow, NaN where they allow none, and ``second_state`` the next
        best (empty where there is none); ``agreement`` says whether UCell, smoothed and standardised over the cells,
        picks the same.
    """
    shared = share_neighbours(connectivities)
    graph = find_neighbourhoods(connectivities, shared)
    smoother = neighbour_average(graph, own_weight=states.own_weight)
    genes = resolve(collection, var[SYMBOL])
    raw = gate_levels(counts, genes, states.gate_genes())
    levels = pd.DataFrame(smooth(smoother, raw, steps=states.steps), columns=states.gate_genes())
    # Subsets are few and wide: what shares neighbours with a cell is a good witness of them however few cells there are.
    chances = settle(counts, genes, shared, states.subsets)
    allowed = allow_states(levels, chances, states.states, expressed=states.expressed)
    names = np.array([item.name for item in states.states], dtype=object)
    fallback = np.array([bool(item.fallback) for item in states.states])
    allowed[:, np.isin(names, list(barred))] = False
    own, near = score_neighbourhoods(counts, sets, smoother, find_groups(graph), steps=states.steps, depth=CALL_DEPTH)
    z = near[[item.signature for item in states.states]].to_numpy(dtype=np.float64)
    flags = _flags(own, states, np.where(allowed & ~fallback, z, -np.inf), names, min_z=min_z, barred=barred)
    for column in np.flatnonzero(fallback):
        shown = flags[states.states[column].fallback].to_numpy()
        # A flag is the cell's own; its neighbourhood need not show the programme, so that its z says nothing against it.
        allowed[:, column] &= shown
        z[:, column] = np.where(shown, np.maximum(z[:, column], min_z), z[:, column])
    ranks = _standardise(smooth(smoother, ucell.to_numpy(dtype=np.float64), steps=states.steps))
    order, ranked = rank_states(z, allowed, fallback=fallback, min_z=min_z)
    second = np.where(np.isfinite(ranked[:, 1]), names[order[:, 1]], "") if len(names) > 1 else np.full(len(z), "")
    called = ranked[:, 0] >= min_z
    identity = allowed & (fallback == fallback[order[:, 0]][:, None])
    other = np.where(identity, ranks, -np.inf).argmax(axis=1)
    table = {
        SUBSET: chances.certain(),
        STATE: np.where(called, names[order[:, 0]], UNASSIGNED),
        BEST_Z: np.where(np.isfinite(ranked[:, 0]), ranked[:, 0], np.nan).astype(np.float32),
        SECOND_STATE: second,
        AGREEMENT: called & (other == order[:, 0]),
    }
    return pd.concat([pd.DataFrame(table), flags.add_prefix(PROGRAMME)], axis=1).set_index(ucell.index)


def find_groups(connectivities: sparse.csr_matrix) -> NDArray[np.int64]:
    """Leiden clusters of the cells at the usual resolution, (cells,): what the middle of the compartment is taken over."""
    if not connectivities.nnz:
        return np.zeros(connectivities.shape[0], dtype=np.int64)
    return run_leiden(to_igraph(connectivities), resolution=RESOLUTION, seed=0)


def _flags(
    own: pd.DataFrame,
    states: States,
    identity: Floats,
    names: NDArray[np.object_],
    *,
    min_z: float,
    barred: Collection[str],
) -> pd.DataFrame:
    """Cells x programmes: which each cell shows, given the z of the identities open to it."""
    best = identity.argmax(axis=1)
    found = np.where(identity[np.arange(len(best)), best] >= min_z, names[best], UNASSIGNED)
    z = own[[item.signature for item in states.programmes]].to_numpy()
    flags = flag_programmes(z, found, states.programmes, min_z=min_z)
    columns = [item.name for item in states.programmes]
    table = pd.DataFrame(flags, columns=columns)
    table[[name for name in columns if name in barred]] = False
    return table


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


def summarise(calls: pd.DataFrame, states: States, notes: dict[str, str] | None = None) -> pd.DataFrame:
    """Count the calls of every state, those without a cell included.

    Parameters
    ----------
    calls
        From :func:`call_states`.
    states
        The definitions.
    notes
        State or programme -> why it could not be called in this study.

    Returns
    -------
    DataFrame
        ``state n_cells share median_z agreement``, the share of its cells that show each programme, and ``note``; all but
        the first three are NaN for a state without cells.
    """
    notes = notes or {}
    flags = [PROGRAMME + item.name for item in states.programmes]
    rows = []
    for name in [*(item.name for item in states.states), UNASSIGNED]:
        mine = calls[calls[STATE] == name]
        share = len(mine) / len(calls) if len(calls) else 0.0
        means = [mine[column].mean() if len(mine) else np.nan for column in (AGREEMENT, *flags)]
        rows.append(
            (name, len(mine), share, mine[BEST_Z].median() if len(mine) else np.nan, *means, notes.get(name, ""))
        )
    table = pd.DataFrame(rows, columns=[STATE, N_CELLS, "share", "median_z", AGREEMENT, *flags, NOTE])
    for item in states.programmes:
        if item.name in notes:
            table[PROGRAMME + item.name] = np.nan
    return table


def _standardise(values: Floats) -> Floats:
    """Centre and scale columns: UCell scores of different sets have different ranges."""
    if not len(values):
        return values
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0))
