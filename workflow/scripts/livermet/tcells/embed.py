"""The T cells by themselves: chosen by lineage, embedded anew where there are enough of them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from livermet.cells.embedding.embed import embed_cells
from livermet.cells.embedding.layout import COLUMNS, lay_out_cells
from livermet.cells.embedding.mixing import nothing_to_measure
from livermet.keys import CELL, SYMBOL
from livermet.tcells.definitions import load_states
from livermet.tcells.labels import select_tcells
from livermet.tcells.signatures import load, resolve

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("livermet")


class TCellEmbedding(NamedTuple):
    """The T cells by themselves.

    Attributes
    ----------
    pca
        Index cell, the T cells; no rows where there are none.
    connectivities
        T cells x T cells.
    integration, groups
        What bringing batches together did within the T cells, as in :class:`livermet.cells.embedding.embed.Embedding`; no rows where
        the study's own embedding was taken.
    """

    pca: pd.DataFrame
    connectivities: sparse.csr_matrix
    integration: pd.DataFrame
    groups: pd.DataFrame


def embed_tcells(
    counts: AnnData,
    labels: pd.DataFrame,
    *,
    study_pca: pd.DataFrame,
    study_connectivities: sparse.csr_matrix,
    signatures: Mapping[str, Any],
    states: Mapping[str, Any],
    lineages: Collection[str],
    min_cells: int,
    n_top_genes: int,
    n_pcs: int,
    n_neighbors: int,
    integrate: str,
    batch_key: str,
    seed: int,
    measure: bool = True,
) -> TCellEmbedding:
    """Embed the T cells in a space of their own.

    The study's components tell lineages apart; within T cells the genes that vary are others. There are few of them, and
    what each knows of a cell's state is little: so genes count by how much they vary, and those of the states' signatures
    have a say in any case.

    Parameters
    ----------
    counts
        Raw counts of all kept cells.
    labels
        Index cell, with ``lineage``.
    study_pca, study_connectivities
        Embedding of all kept cells, in the order of `counts`.
    signatures, states
        Content of the signatures and of the state definitions.
    lineages
        Lineages that count as T cells.
    min_cells
        With fewer T cells, their rows of the study's embedding are taken.
    n_top_genes, n_pcs, n_neighbors, integrate, batch_key, seed, measure
        As in :func:`livermet.cells.embedding.embed.embed_cells`.

    Returns
    -------
    TCellEmbedding
    """
    chosen = np.flatnonzero(counts.obs_names.isin(select_tcells(labels, lineages)))
    if len(chosen) < max(min_cells, 3):
        log.info("%d T cells, fewer than %d: the study's own embedding is used for them", len(chosen), min_cells)
        nothing = nothing_to_measure()
        return TCellEmbedding(
            study_pca.iloc[chosen],
            sparse.csr_matrix(study_connectivities[chosen][:, chosen]),
            nothing.measures,
            nothing.groups,
        )
    found = embed_cells(
        counts[chosen].copy(),
        n_top_genes=n_top_genes,
        n_pcs=n_pcs,
        n_neighbors=n_neighbors,
        integrate=integrate,
        batch_key=batch_key,
        seed=seed,
        measure=measure,
        weigh=True,
        markers=find_markers(counts.var, signatures, states),
    )
    return TCellEmbedding(found.pca, found.connectivities, found.integration, found.groups)


def find_markers(var: pd.DataFrame, signatures: Mapping[str, Any], states: Mapping[str, Any]) -> list[str]:
    """Genes of a study that any state or programme is called by.

    Parameters
    ----------
    var
        The study's genes, with ``symbol``.
    signatures, states
        Content of the signatures and of the state definitions.

    Returns
    -------
    list of str
        Symbols as the study writes them. No outcome is among them: no definition may hold one.
    """
    collection = load(signatures)
    called_by = [collection[name] for name in load_states(states, collection).called_by()]
    places = resolve(collection, var[SYMBOL]).find_all(gene for item in called_by for gene in (*item.up, *item.down))
    return [str(symbol) for symbol in var[SYMBOL].iloc[places]]


def lay_out_tcells(pca: pd.DataFrame, connectivities: sparse.csr_matrix, *, seed: int) -> pd.DataFrame:
    """Lay the T cells out in the plane, also where there are none.

    Parameters
    ----------
    pca, connectivities
        From :func:`embed_tcells`.
    seed
        Seed of the layout.

    Returns
    -------
    DataFrame
        Index cell; ``umap_1 umap_2``.
    """
    if pca.empty:
        log.info("there are no T cells to lay out")
        return pd.DataFrame(np.zeros((0, 2), dtype=np.float32), index=pd.Index([], name=CELL), columns=COLUMNS)
    return lay_out_cells(pca, connectivities, seed=seed)
