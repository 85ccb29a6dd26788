"""The states of a study's T cells: from its tables to the calls."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from scipy import sparse

from livermet.keys import SYMBOL
from livermet.tcells.definitions import load_states
from livermet.tcells.labels import take_tcells
from livermet.tcells.scoring import make_control_sets
from livermet.tcells.signatures import load, resolve
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
    """Call the states of a study's T cells.

    Parameters
    ----------
    counts, labels, signatures, states, bins, lineages, n_control_sets
        As for :func:`score_tcells`.
    scores
        From :func:`score_tcells`.
    connectivities
        T cells x T cells, in the order of `scores`.
    min_z
        What the best state of a cell has to reach.

    Returns
    -------
    dict
        ``states``: index cell, ``t_subset state best_z second_state agreement``; ``summary``: one row a state.
    """
    collection = load(signatures)
    definitions = load_states(states, collection)
    matrix, cells = take_tcells(counts, labels, lineages)
    if not cells.equals(scores.index) or connectivities.shape[0] != len(cells):
        raise ValueError("the scores and the graph are of other T cells than the lineages say")
    genes = resolve(collection, counts.var[SYMBOL])
    absent = [symbol for symbol in definitions.gate_genes() if genes.find(symbol) is None]
    if absent:
        log.warning("genes that gates look at are not in the study, so they open none: %s", ", ".join(absent))
    names = [item.signature for item in definitions.states]
    sets = make_control_sets(
        collection, list(dict.fromkeys(names)), bins=bins, var=counts.var, n_control_sets=n_control_sets
    )
    calls = call_states(
        matrix,
        counts.var,
        sets=sets,
        ucell=scores[[f"{UCELL}{name}" for name in names]],
        connectivities=connectivities,
        collection=collection,
        states=definitions,
        min_z=min_z,
    )
    return {"states": calls, "summary": summarise(calls, definitions)}
