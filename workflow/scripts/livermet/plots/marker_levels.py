"""Level of marker genes in every lineage: the table behind the marker figure, so that restyling needs no counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.lineages.markers import read_markers, take_panel
from livermet.keys import GENE, LINEAGE, N_CELLS, UNASSIGNED

if TYPE_CHECKING:
    from anndata import AnnData

MIN_CELLS = 10
TARGET_SUM = 1e4
COLUMNS = [LINEAGE, GENE, "of", N_CELLS, "mean", "share"]


def measure_markers(counts: AnnData, labels: pd.DataFrame, markers: dict[str, Any], n_genes: int = 3) -> pd.DataFrame:
    """Level of the most telling marker genes of the lineages that a study has.

    Parameters
    ----------
    counts
        Cells x genes, raw counts in X; `var` has `symbol`.
    labels
        Index cell; lineage.
    markers
        Content of the marker file.
    n_genes
        Genes for each lineage: those that set it apart most from the lineage with most of them otherwise.

    Returns
    -------
    pandas.DataFrame
        One row a lineage x gene: lineage, gene, of (the lineage that the gene speaks for), n_cells, mean (log of counts
        per ten thousand plus one, over the lineage's pooled cells), share (of its cells with a count).
    """
    known = read_markers(markers)
    panel = take_panel(counts, known)
    lineage = labels[LINEAGE].reindex(counts.obs_names).astype(str)
    sizes = lineage.value_counts()
    names = [str(name) for name in sizes.index if sizes[name] >= MIN_CELLS]
    codes = pd.Index(names).get_indexer(pd.Index(lineage))
    inside = np.flatnonzero(codes >= 0)
    members = sp.csr_matrix((np.ones(len(inside)), (codes[inside], inside)), shape=(len(names), len(codes)))
    depth = np.maximum(np.asarray(members @ panel.totals), 1.0)
    sums = np.asarray((members @ panel.counts).todense())
    shown = np.asarray((members @ (panel.counts > 0).astype(float)).todense())
    mean = pd.DataFrame(np.log1p(TARGET_SUM * sums / depth[:, None]), index=names, columns=panel.symbols)
    share = pd.DataFrame(shown / sizes[names].to_numpy()[:, None], index=names, columns=panel.symbols)
    rows = []
    for of in names:
        if of == UNASSIGNED:
            continue
        for gene in _telling(of, {g for one in known.sets if one.lineage == of for g in one.up}, share, n_genes):
            rows += [(name, gene, of, int(sizes[name]), mean.at[name, gene], share.at[name, gene]) for name in names]
    return pd.DataFrame(rows, columns=COLUMNS)


def _telling(of: str, genes: set[str], share: pd.DataFrame, number: int) -> list[str]:
    """Genes that set a lineage apart: expressed by many of its cells and by few of any other's."""
    present = sorted(genes & set(share.columns))
    others = [name for name in share.index if name not in (of, UNASSIGNED)]
    own = share[present].to_numpy()[share.index.get_loc(of)]
    elsewhere = share[present].reindex(others).to_numpy().max(axis=0, initial=0.0)
    ranked = [present[place] for place in np.argsort(elsewhere - own, kind="stable") if own[place] > 0]
    return ranked[:number]
