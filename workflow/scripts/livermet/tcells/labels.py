"""The last word on every cell: its cluster, its lineage and, for a T cell, its state."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from livermet.keys import BESIDE, CELL, LEIDEN, LINEAGE, STATE, UNASSIGNED

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("livermet")


def select_tcells(lineages: pd.DataFrame, names: Collection[str]) -> pd.Index:
    """Cells of the lineages that count as T cells.

    Parameters
    ----------
    lineages
        Index cell, with ``lineage``.
    names
        Lineages taken.

    Returns
    -------
    Index
        Cells, in the order of the table.
    """
    return lineages.index[lineages[LINEAGE].isin(list(names))]


def take_tcells(counts: AnnData, labels: pd.DataFrame, lineages: Collection[str]) -> tuple[sparse.csr_matrix, pd.Index]:
    """Counts and names of the T cells, in the order of the counts."""
    chosen = np.flatnonzero(counts.obs_names.isin(select_tcells(labels, lineages)))
    if not len(chosen):
        log.info("there are no T cells in this study: their tables stay empty")
    return sparse.csr_matrix(counts.X)[chosen], pd.Index(counts.obs_names[chosen], name=CELL)


def label_cells(lineages: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """Join lineages and states.

    Parameters
    ----------
    lineages
        Index cell, all kept cells; ``leiden lineage`` and what stands beside them (``subset``, other opinions).
    states
        Index cell, the T cells; ``state``.

    Returns
    -------
    DataFrame
        Index as `lineages`; ``leiden lineage state``, all text, and what stands beside. The state of a cell that is not a T cell is its lineage,
        so that a population can name either; a T cell that was not called is ``unassigned``.

    Raises
    ------
    ValueError
        If a state belongs to a cell that is not in `lineages`.
    """
    strangers = states.index.difference(lineages.index)
    if len(strangers):
        raise ValueError(f"{len(strangers)} cells have a state and no lineage, such as {strangers[0]}")
    table = lineages[[LEIDEN, LINEAGE]].astype(str)
    table[STATE] = table[LINEAGE]
    table.loc[states.index, STATE] = states[STATE].fillna(UNASSIGNED).astype(str)
    return table.join(lineages[[name for name in BESIDE if name in lineages]])
