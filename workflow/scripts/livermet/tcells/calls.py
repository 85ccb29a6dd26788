"""The states of a compartment of a study (its T cells, its macrophages): from tables to calls."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from livermet.keys import STATE, SYMBOL, UNASSIGNED
from livermet.tcells.controls import make_control_sets
from livermet.tcells.definitions import Called, Evidence, State, States, load_states
from livermet.tcells.gates import PER
from livermet.tcells.labels import take_cells
from livermet.tcells.scores import score_states
from livermet.tcells.signatures import (
    ENOUGH,
    MIN_SHARE,
    N_FOUND,
    N_GENES_IN_SET,
    SIGNATURE,
    Signatures,
    cover,
    load,
    resolve,
)
from livermet.tcells.states import call_states, summarise
from livermet.tcells.ucell import UCELL

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("livermet")


def name_states(
    counts: AnnData,
    labels: pd.DataFrame,
    *,
    scores: pd.DataFrame,
    connectivities: sparse.csr_matrix,
    signatures: Mapping[str, Any],
    states: Mapping[str, Any],
    bins: pd.DataFrame,
    lineages: Collection[str],
    n_control_sets: int,
    min_z: float,
) -> dict[str, pd.DataFrame]:
    """Call the states of the cells of some lineages.

    Parameters
    ----------
    counts, labels, signatures, states, bins, lineages, n_control_sets
        As for :func:`livermet.tcells.scores.score_states`.
    scores
        From there.
    connectivities
        Cells x cells, in the order of `scores`.
    min_z
        What the best state of a cell has to reach.

    Returns
    -------
    dict
        ``states``: index cell, ``subset state best_z second_state agreement`` and a flag per programme; ``summary``: one
        row a state, with the reason where the study has too few genes for it, and the level of each outcome gene (Fas,
        Fasl) in UMIs per 10,000 of the state's cells together: read out, since it defines nothing.
    """
    collection = load(signatures)
    definitions = load_states(states, collection)
    matrix, cells = take_cells(counts, labels, lineages)
    if not cells.equals(scores.index) or connectivities.shape[0] != len(cells):
        raise ValueError("the scores and the graph are of other cells than the lineages say")
    notes = find_missing(collection, definitions, counts.var)
    for name, note in notes.items():
        log.warning("%s is not called: %s", name, note)
    sets = make_control_sets(
        collection, definitions.called_by(), bins=bins, var=counts.var, n_control_sets=n_control_sets
    )
    calls = call_states(
        matrix,
        counts.var,
        sets=sets,
        ucell=scores[[f"{UCELL}{item.signature}" for item in definitions.states]],
        connectivities=connectivities,
        collection=collection,
        states=definitions,
        min_z=min_z,
        barred=notes,
    )
    summary = summarise(calls, definitions, notes)
    return {"states": calls, "summary": summary.join(read_outcomes(matrix, counts.var, calls, collection, definitions))}


def read_outcomes(
    counts: sparse.csr_matrix, var: pd.DataFrame, calls: pd.DataFrame, collection: Signatures, states: States
) -> pd.DataFrame:
    """Level of each outcome gene in the cells of each state.

    Parameters
    ----------
    counts, var
        Raw counts of the cells called, and the study's genes.
    calls
        From :func:`livermet.tcells.states.call_states`.
    collection, states
        Gene sets (for their aliases) and definitions.

    Returns
    -------
    DataFrame
        Rows as in :func:`livermet.tcells.states.summarise`, a column a gene: UMIs per 10,000 of all UMIs of the state's
        cells; NaN without cells and for a gene that the study lacks.
    """
    genes = resolve(collection, var[SYMBOL])
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    names = [*(item.name for item in states.states), UNASSIGNED]
    table = pd.DataFrame(index=range(len(names)), columns=list(states.outcomes), dtype=np.float64)
    for gene in states.outcomes:
        place = genes.find(gene)
        own = counts[:, place].toarray().ravel() if place is not None else np.full(len(totals), np.nan)
        for row, name in enumerate(names):
            mine = (calls[STATE] == name).to_numpy()
            if totals[mine].sum() > 0:
                table.loc[row, gene] = own[mine].sum() / totals[mine].sum() * PER
    return table


def name_compartment(
    counts: AnnData,
    labels: pd.DataFrame,
    *,
    study_connectivities: sparse.csr_matrix,
    signatures: Mapping[str, Any],
    states: Mapping[str, Any],
    bins: pd.DataFrame,
    lineages: Collection[str],
    n_control_sets: int,
    min_z: float,
) -> dict[str, pd.DataFrame]:
    """Score and call the cells of some lineages on the study's own neighbour graph, without an embedding of their own.

    Parameters
    ----------
    counts, labels, signatures, states, bins, lineages, n_control_sets, min_z
        As for :func:`name_states`.
    study_connectivities
        Kept cells x kept cells, in the order of `counts`.

    Returns
    -------
    dict
        ``scores coverage states summary``, as from :func:`livermet.tcells.scores.score_states` and :func:`name_states`.
    """
    shared: dict[str, Any] = {
        "signatures": signatures, "states": states, "bins": bins, "lineages": lineages, "n_control_sets": n_control_sets,
    }  # fmt: skip
    found = score_states(counts, labels, **shared)
    chosen = np.flatnonzero(counts.obs_names.isin(found["scores"].index))
    graph = sparse.csr_matrix(study_connectivities)[chosen][:, chosen]
    return found | name_states(counts, labels, scores=found["scores"], connectivities=graph, min_z=min_z, **shared)


def find_missing(collection: Signatures, states: States, var: pd.DataFrame) -> dict[str, str]:
    """Say which states and programmes a study has too few genes for.

    Parameters
    ----------
    collection, states
        Gene sets and definitions.
    var
        The study's genes, with ``symbol``.

    Returns
    -------
    dict
        State or programme -> why it is not called: less than 60 % of its set is in the study, or none of the genes that
        one of its gates asks for.
    """
    genes = resolve(collection, var[SYMBOL])
    coverage = cover(collection, var, names=states.called_by()).set_index(SIGNATURE)
    notes: dict[str, str] = {}
    for item in states.called:
        n_found, n_genes = coverage[N_FOUND][item.signature], coverage[N_GENES_IN_SET][item.signature]
        if not coverage[ENOUGH][item.signature]:
            notes[item.name] = (
                f"{n_found} of {n_genes} genes of {item.signature} are in the study, and {MIN_SHARE:.0%} are needed"
            )
            continue
        closed = [one for one in _gates(item, states) if not len(genes.find_all(one.genes))]
        if closed:
            notes[item.name] = f"its gate asks for {' or '.join(closed[0].genes)}, and the study has no such gene"
    return notes


def _gates(item: Called, states: States) -> list[Evidence]:
    """Evidence without which a state cannot be; of several subsets, any one would do."""
    if not isinstance(item, State):
        return []
    keys = {subset.name: subset.key for subset in states.subsets}
    own = keys.get(item.subsets[0], ()) if len(item.subsets) == 1 else ()
    return [*item.requires, *(Evidence(genes=(gene,)) for gene in own)]
