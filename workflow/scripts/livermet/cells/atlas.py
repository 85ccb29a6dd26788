"""One AnnData for people: counts, normalised expression, labels and coordinates, as scverse tools expect them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet import __version__
from livermet.cells.barcodes.correct import UNCORRECTED
from livermet.cells.embedding.normalise import TARGET_SUM, log_normalise
from livermet.keys import (
    AMBIENT,
    BATCH,
    BESIDE,
    CELL,
    IS_DOUBLET,
    LEIDEN,
    LINEAGE,
    METRICS,
    MOUSE,
    N_GENES,
    N_UMIS,
    PHASE,
    PROGRAMMES,
    SAMPLE,
    STATE,
    SYMBOL,
    TISSUE,
)

if TYPE_CHECKING:
    from anndata import AnnData

CONTRACT = (SAMPLE, MOUSE, "site", "treatment", TISSUE, BATCH)
NOT_RECORDED = "not_recorded"
LABELS = (LEIDEN, LINEAGE, STATE, PROGRAMMES)
OF_WHAT_IS_LEFT = (N_UMIS, N_GENES, AMBIENT)
GENE_COLUMNS = ("highly_variable", "highly_variable_rank")


def assemble_atlas(
    counts: AnnData,
    labels: pd.DataFrame,
    barcodes: pd.DataFrame,
    pca: pd.DataFrame,
    umap: pd.DataFrame,
    clusters: pd.DataFrame,
    genes: pd.DataFrame,
    connectivities: sp.csr_matrix,
    distances: sp.csr_matrix,
    *,
    study: str,
    species: str,
    n_neighbors: int,
    programmes: pd.DataFrame | None = None,
) -> AnnData:
    """Put everything known about the kept cells into one AnnData.

    Parameters
    ----------
    counts
        Cells x genes, raw counts in X; `obs` holds the sheet's columns.
    labels
        Index `cell`; `leiden`, `lineage`, `state`, `programmes`.
    barcodes
        Index `cell`, at least the kept ones; quality metrics.
    pca, umap
        Index `cell`; components and the two map coordinates.
    clusters
        Index `cell`; `leiden_<resolution>` for every resolution tried.
    genes
        Index gene id; which genes the embedding used.
    connectivities, distances
        Cells x cells, in the order of `pca`.
    study, species, n_neighbors
        Written to `uns`.
    programmes
        Index `cell`; stress and cell-cycle scores, and the phase.

    Returns
    -------
    anndata.AnnData
        X: log(1 + counts per ten thousand), float32 CSR; `layers["counts"]`: the integers that everything rests on, int32
        CSR; `layers["uncorrected"]`: as they were read, where they were corrected for ambient RNA; `obs`: the sheet's
        columns, quality, `leiden`, `lineage`, `state` and the other resolutions, text as categories; `obsm["X_pca"]`,
        `obsm["X_umap"]`; `obsp` and `uns["neighbors"]` as scanpy writes them; `uns["livermet"]`, which says, too, whether
        the counts are as they were read. `n_umis`, `n_genes` and `ambient_fraction` are those of `counts`.
    """
    import anndata

    raw = sp.csr_matrix(counts.X, dtype=np.int32)
    raw.sort_indices()
    cells = counts.obs_names
    layers = {"counts": raw}
    if UNCORRECTED in counts.layers:
        layers[UNCORRECTED] = sp.csr_matrix(counts.layers[UNCORRECTED], dtype=np.int32)
    position = pca.index.get_indexer(cells)
    same = bool((position == np.arange(len(cells))).all())
    atlas = anndata.AnnData(
        X=log_normalise(raw),
        layers=layers,
        obs=_describe_cells(counts.obs, labels, barcodes, clusters, programmes, UNCORRECTED in layers),
        var=_describe_genes(counts.var, genes),
        obsm={
            "X_pca": pca.reindex(cells).to_numpy(dtype=np.float32),
            "X_umap": umap.reindex(cells).to_numpy(dtype=np.float32),
        },
        obsp={
            key: matrix if same else sp.csr_matrix(matrix[position][:, position])
            for key, matrix in (("connectivities", connectivities), ("distances", distances))
        },
    )
    atlas.uns = {
        "livermet": {
            "version": __version__,
            "study": study,
            "species": species,
            "counts": "corrected for ambient RNA" if UNCORRECTED in layers else "as they were read",
        },
        "log1p": {},  # tells scanpy that X is on the natural log scale
        "neighbors": {
            "connectivities_key": "connectivities",
            "distances_key": "distances",
            "params": {"n_neighbors": n_neighbors, "method": "umap", "use_rep": "X_pca", "metric": "euclidean"},
        },
        "normalisation": {"target_sum": TARGET_SUM},
    }
    return atlas


def _describe_cells(
    obs: pd.DataFrame,
    labels: pd.DataFrame,
    barcodes: pd.DataFrame,
    clusters: pd.DataFrame,
    programmes: pd.DataFrame | None,
    corrected: bool,
) -> pd.DataFrame:
    """Columns of `obs`: contract first, then the sheet's others, quality, programmes, other resolutions."""
    cells = obs.index
    table = pd.DataFrame(index=pd.Index(cells.astype(object), name=CELL))
    for column in CONTRACT:
        # What the sheet does not say is said to be missing, so that the same script reads the atlas of every study.
        table[column] = (
            _categories(obs[column].to_numpy()) if column in obs else pd.Categorical([NOT_RECORDED] * len(obs))
        )
    for column in (column for column in LABELS if column in labels):
        table[column] = _categories(labels[column].reindex(cells).to_numpy())
    for column in (column for column in BESIDE if column in labels):
        values = labels[column].reindex(cells)
        table[column] = values.to_numpy() if values.dtype == bool else pd.Categorical(values.astype(str).to_numpy())
    for column in (column for column in METRICS if column in barcodes):
        # Of corrected counts, the table of the barcodes describes them as they were read; obs, what is left.
        source = obs if corrected and column in OF_WHAT_IS_LEFT else barcodes
        table[column] = source[column].reindex(cells).to_numpy()
    if IS_DOUBLET in barcodes:
        table[IS_DOUBLET] = barcodes[IS_DOUBLET].reindex(cells).to_numpy(dtype=bool)
    programmes = pd.DataFrame(index=cells) if programmes is None else programmes
    for column in map(str, programmes.columns):
        values = programmes[column].reindex(cells)
        table[column] = _categories(values.to_numpy()) if column == PHASE else values.to_numpy(dtype=np.float32)
    for column in map(str, clusters.columns):
        if column.startswith(f"{LEIDEN}_"):
            table[column] = _categories(clusters[column].reindex(cells).to_numpy())
    for column in map(str, obs.columns):
        if column in table or column.endswith("path"):
            continue
        values = obs[column]
        is_text = not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values))
        table[column] = _categories(values.to_numpy()) if is_text else values
    return table


def _describe_genes(var: pd.DataFrame, genes: pd.DataFrame) -> pd.DataFrame:
    """Columns of `var`: what the counts say, and what the embedding used; text as plain objects."""
    table = var.copy()
    table.index = pd.Index(var.index.astype(object), name=var.index.name)
    for column in (column for column in GENE_COLUMNS if column in genes):
        table[column] = genes[column].reindex(var.index).to_numpy()
    for column in table.columns:
        if isinstance(table[column].dtype, pd.StringDtype) or column == SYMBOL:
            table[column] = table[column].astype(str).astype(object)
    return table


def _categories(values: pd.Series | np.ndarray) -> pd.Categorical:
    """Text categories in a natural order: "2" before "10"."""
    texts = pd.Series(np.asarray(values, dtype=object)).fillna(NOT_RECORDED).astype(str)
    levels = sorted(texts.unique(), key=lambda text: (not text.isdigit(), int(text) if text.isdigit() else 0, text))
    return pd.Categorical(texts.to_numpy(dtype=object), categories=np.asarray(levels, dtype=object))
