"""The last word on every cell: its cluster, its lineage and, where it was called, its state."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from livermet.keys import BESIDE, CELL, LEIDEN, LINEAGE, PROGRAMMES, STATE, UNASSIGNED
from livermet.tcells.definitions import PROGRAMME

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


def take_cells(counts: AnnData, labels: pd.DataFrame, lineages: Collection[str]) -> tuple[sparse.csr_matrix, pd.Index]:
    """Counts and names of the cells of some lineages, in the order of the counts."""
    chosen = np.flatnonzero(counts.obs_names.isin(select_tcells(labels, lineages)))
    if not len(chosen):
        log.info("this study has no cell of %s: their tables stay empty", ", ".join(lineages))
    return sparse.csr_matrix(counts.X)[chosen], pd.Index(counts.obs_names[chosen], name=CELL)


def label_cells(lineages: pd.DataFrame, states: pd.DataFrame, macrophages: pd.DataFrame | None = None) -> pd.DataFrame:
    """Join lineages and states.

    Parameters
    ----------
    lineages
        Index cell, all kept cells; ``leiden lineage`` and what stands beside them (``subset``, other opinions).
    states
        Index cell, the T cells; ``state`` and a flag per programme.
    macrophages
        The same of the macrophages, where their states were called.

    Returns
    -------
    DataFrame
        Index as `lineages`; ``leiden lineage state programmes``, all text, and what stands beside. The state of a cell of which none was asked is
        its lineage, so that a population can name either; a T cell that was not called is ``unassigned``, and a macrophage
        that was not called keeps its lineage. ``programmes`` are those the cell shows, by name, empty for none.

    Raises
    ------
    ValueError
        If a state belongs to a cell that is not in `lineages`.
    """
    table = lineages[[LEIDEN, LINEAGE]].astype(str)
    table[STATE] = table[LINEAGE]
    table[PROGRAMMES] = ""
    for found, uncalled in ((states, UNASSIGNED), (macrophages, None)):
        if found is None:
            continue
        strangers = found.index.difference(lineages.index)
        if len(strangers):
            raise ValueError(f"{len(strangers)} cells have a state and no lineage, such as {strangers[0]}")
        named = found[STATE].fillna(UNASSIGNED).astype(str)
        lineage = table.loc[found.index, LINEAGE]
        table.loc[found.index, STATE] = named if uncalled else named.where(named != UNASSIGNED, lineage)
        table.loc[found.index, PROGRAMMES] = _join_programmes(found)
    return table.join(lineages[[name for name in BESIDE if name in lineages]])


def _join_programmes(states: pd.DataFrame) -> pd.Series:
    """Names of the programmes of each cell, joined by a space."""
    joined = pd.Series("", index=states.index)
    for column in states.columns[states.columns.str.startswith(PROGRAMME)]:
        joined += np.where(states[column], " " + column.removeprefix(PROGRAMME), "")
    return joined.str.strip()
