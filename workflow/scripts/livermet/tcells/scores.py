"""Both scores of every cell of a compartment (T cells, macrophages), in one table."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from livermet.tcells.controls import make_control_sets
from livermet.tcells.definitions import load_states
from livermet.tcells.labels import take_cells
from livermet.tcells.scoring import SCORE, Z, score_cells
from livermet.tcells.signatures import ENOUGH, SIGNATURE, cover, load
from livermet.tcells.ucell import UCELL, score_ucell

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("livermet")


def score_states(
    counts: AnnData,
    labels: pd.DataFrame,
    *,
    signatures: Mapping[str, Any],
    states: Mapping[str, Any],
    bins: pd.DataFrame,
    lineages: Collection[str],
    n_control_sets: int,
) -> dict[str, pd.DataFrame]:
    """Score the cells of some lineages on every set that the state definitions name.

    Parameters
    ----------
    counts
        Raw counts of all kept cells.
    labels
        Index cell, with ``lineage``.
    signatures, states
        Content of the signatures and of the state definitions.
    bins
        The frozen expression reference.
    lineages
        Lineages whose cells are scored.
    n_control_sets
        Control sets behind each z-score.

    Returns
    -------
    dict
        ``scores``: index cell, float32 columns ``z:<signature>``, ``score:<signature>`` and ``ucell:<signature>``;
        ``coverage``: ``signature n_genes n_found share enough missing``.
    """
    collection = load(signatures)
    names = load_states(states, collection).signatures()
    matrix, cells = take_cells(counts, labels, lineages)
    sets = make_control_sets(collection, names, bins=bins, var=counts.var, n_control_sets=n_control_sets)
    score, z = score_cells(matrix, sets)
    ucell = score_ucell(matrix, counts.var, collection=collection, names=names)
    table = pd.concat([z.add_prefix(Z), score.add_prefix(SCORE), ucell.add_prefix(UCELL)], axis=1).set_index(cells)
    coverage = cover(collection, counts.var, names=names)
    for row in coverage[~coverage[ENOUGH]].itertuples():
        log.warning("signature %s: %d of %d genes are in the study", getattr(row, SIGNATURE), row.n_found, row.n_genes)
    log.info("%d cells scored on %d signatures", len(table), len(names))
    return {"scores": table, "coverage": coverage}
