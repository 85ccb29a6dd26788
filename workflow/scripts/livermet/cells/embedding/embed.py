"""From counts to a neighbour graph: normalise, choose genes, PCA, bring batches together, find neighbours.

Nothing here compiles or imports numba; the layout for the eye is made apart (`layout`), and nothing is computed from it.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.embedding.backends import require
from livermet.cells.embedding.components import find_components, scale_genes
from livermet.cells.embedding.genes import EXCLUDED, HIGHLY_VARIABLE, VARIANCE, rank_genes
from livermet.cells.embedding.graph import distance_matrix, find_neighbors, fuzzy_graph
from livermet.cells.embedding.integration import merge_batches
from livermet.cells.embedding.mixing import Integration, measure_integration
from livermet.cells.embedding.normalise import log_normalise
from livermet.errors import InputError, Problem
from livermet.keys import CELL, SYMBOL

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from livermet.files.counts import Counts

__all__ = ["Embedding", "embed_cells", "find_components", "one_thread", "scale_genes"]

MIN_CELLS = 3


@dataclass(frozen=True)
class Embedding:
    """What :func:`embed_cells` finds.

    Attributes
    ----------
    pca
        Index `cell`, columns `pc_1` ...: principal components, batches brought together where asked.
    genes
        Index gene id: how variable each gene is, whether it was used, why not.
    connectivities, distances
        Cells x cells: the fuzzy neighbour graph (symmetric) and the neighbour distances.
    integration
        How well batches mix and how much of each batch's own structure is kept, before and after.
    groups
        The groups of cells within each batch: whether they stayed together, and among whom they were laid.
    """

    pca: pd.DataFrame
    genes: pd.DataFrame
    connectivities: sp.csr_matrix
    distances: sp.csr_matrix
    integration: pd.DataFrame
    groups: pd.DataFrame


def embed_cells(
    counts: AnnData | Counts,
    *,
    n_top_genes: int,
    n_pcs: int,
    n_neighbors: int,
    integrate: str,
    batch_key: str,
    seed: int,
    measure: bool = True,
    weigh: bool = False,
    markers: Collection[str] = (),
) -> Embedding:
    """Embed cells in a space where neighbours are alike.

    Everything is computed in the order of the cells' and genes' names and in one thread, so that neither the order of
    samples in the sheet nor the number of cores changes a digit.

    Parameters
    ----------
    counts
        Cells x genes, raw counts in X; `obs` may hold `batch_key`.
    n_top_genes
        Highly variable genes to use.
    n_pcs
        Principal components to keep; fewer where cells or genes are fewer.
    n_neighbors
        Size of a neighbourhood, the cell itself counted (as in scanpy and umap).
    integrate
        "harmony" or "none"; "scanorama" or "scvi" where installed.
    batch_key
        Column of `obs` with the batch; genes are ranked within batches, and integration removes what differs between them.
    seed
        Seed of what integration draws; the rest is deterministic.
    measure
        Whether to measure what integration gained and cost.
    weigh
        Let every gene count by how much more it varies than its mean lets expect, instead of all alike. Within one
        compartment most genes that may shape the embedding vary by counting noise alone, and brought to unit variance they
        drown the few that do not.
    markers
        Symbols of genes that shape the embedding, whether or not they are among the most variable.

    Returns
    -------
    Embedding
        Tables and matrices in the order of the cells.

    Raises
    ------
    InputError
        With fewer than three cells, where no gene varies, or where the way of integration is not installed.
    """
    require(integrate)
    if counts.n_obs < MIN_CELLS:
        raise InputError(
            Problem(
                "cells that passed quality control",
                f"{counts.n_obs}",
                f"at least {MIN_CELLS}",
                "Look at the drop reasons in tables/cells.parquet and loosen `quality`",
            )
        )
    order = np.argsort(counts.obs_names.to_numpy(dtype=str), kind="stable")
    with one_thread():
        found = _embed(
            sp.csr_matrix(counts.X),
            counts.var,
            order,
            _batches(counts.obs, batch_key),
            n_top_genes=n_top_genes,
            n_pcs=n_pcs,
            n_neighbors=n_neighbors,
            integrate=integrate,
            seed=seed,
            measure=measure,
            weigh=weigh,
            markers=markers,
        )
    back = np.argsort(order, kind="stable")
    pca = pd.DataFrame(
        found.merged[back],
        index=pd.Index(counts.obs_names, name=CELL),
        columns=[f"pc_{number}" for number in range(1, found.merged.shape[1] + 1)],
    )
    return Embedding(
        pca=pca,
        genes=found.genes,
        connectivities=_in_order(found.connectivities, back),
        distances=_in_order(found.distances, back),
        integration=found.integration.measures,
        groups=found.integration.groups,
    )


@dataclass(frozen=True)
class _Found:
    """An embedding in the order of the cells' names."""

    merged: NDArray[np.float32]
    genes: pd.DataFrame
    connectivities: sp.csr_matrix
    distances: sp.csr_matrix
    integration: Integration


def _embed(
    matrix: sp.csr_matrix,
    var: pd.DataFrame,
    order: NDArray[np.int64],
    batches: NDArray[np.object_],
    *,
    n_top_genes: int,
    n_pcs: int,
    n_neighbors: int,
    integrate: str,
    seed: int,
    measure: bool,
    weigh: bool,
    markers: Collection[str],
) -> _Found:
    genes = rank_genes(matrix, var, batches=batches, n_top_genes=n_top_genes)
    wanted = genes[SYMBOL].isin(list(markers)) & (genes[EXCLUDED] == "") & (genes[VARIANCE] > 0)
    chosen = np.flatnonzero((genes[HIGHLY_VARIABLE] | wanted).to_numpy())
    if len(chosen) < 2:
        raise InputError(Problem("counts", "no gene varies between cells", remedy="Check that the counts are complete"))
    chosen = chosen[np.argsort(var.index.to_numpy(dtype=str)[chosen], kind="stable")]
    batches, totals = batches[order], np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()[order]
    variable = sp.csr_matrix(matrix[:, chosen][order])
    variable.sort_indices()
    expression = log_normalise(variable, totals=totals)
    weights = np.sqrt(genes[VARIANCE].to_numpy(dtype=np.float64)[chosen]) if weigh else None
    plain = find_components(expression, n_pcs=n_pcs, weights=weights)
    merged = plain
    if integrate != "none" and len(np.unique(batches)) > 1:
        merged = merge_batches(plain, batches, method=integrate, counts=variable, seed=seed)
    indices, distances = find_neighbors(merged, n_neighbors=n_neighbors - 1)
    told = batches if measure else np.full(len(batches), "all", dtype=object)
    return _Found(
        merged=merged,
        genes=genes,
        connectivities=fuzzy_graph(indices, distances),
        distances=distance_matrix(indices, distances),
        integration=measure_integration(plain, merged, told, expression, symbols=genes[SYMBOL].iloc[chosen], seed=seed),
    )


def _in_order(matrix: sp.csr_matrix, back: NDArray[np.int64]) -> sp.csr_matrix:
    """A cells x cells matrix with rows and columns in the order of the input again."""
    moved = sp.csr_matrix(matrix[back][:, back])
    moved.sort_indices()
    return moved


def one_thread() -> AbstractContextManager[object]:
    """Matrix products on one thread: with several, a sum may be added up in another order and end in another last digit."""
    import faiss  # noqa: F401 - brings a library of its own, which is found only once it is loaded
    from threadpoolctl import threadpool_limits

    return cast("AbstractContextManager[object]", threadpool_limits(limits=1))


def _batches(obs: pd.DataFrame, batch_key: str) -> NDArray[np.object_]:
    """Batch of every cell as text; one batch where the column is absent or partly empty."""
    if batch_key not in obs or obs[batch_key].isna().any():
        return np.full(len(obs), "all", dtype=object)
    return obs[batch_key].astype(str).to_numpy(dtype=object)
