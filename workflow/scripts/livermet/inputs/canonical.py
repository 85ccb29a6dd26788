"""The canonical form of a sample: what every later step reads, whatever the input was."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from livermet.errors import InputError, Problem
from livermet.inputs.annotated import read_known_doublets
from livermet.inputs.genes import identify_genes
from livermet.inputs.names import check_barcodes
from livermet.inputs.readers import read_counts
from livermet.keys import BARCODE, CELL, IS_HAEMO, IS_MITO, IS_RIBO, KNOWN_DOUBLET, SAMPLE

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("livermet")


def read_sample(path: str | Path, *, sample: str, species: str) -> AnnData:
    """Read one sample into the canonical form.

    Parameters
    ----------
    path
        Input in any format of :func:`livermet.inputs.readers.read_counts`.
    sample
        The sample's id.
    species
        The species that the config names.

    Returns
    -------
    AnnData
        X csr int32 raw counts, all barcodes of the input in its order; `obs_names` "<sample>_<barcode>", obs `sample`
        and `barcode`, and `known_doublet` where multiplexing tells (:func:`livermet.inputs.annotated.read_known_doublets`);
        `var` as :func:`livermet.inputs.genes.identify_genes` gives it.

    Raises
    ------
    InputError
        Where the input cannot be read, has no cell, or names a barcode twice.
    """
    return canonicalise(read_counts(path), path, sample=sample, species=species)


def canonicalise(adata: AnnData, path: str | Path, *, sample: str, species: str) -> AnnData:
    """The canonical form of counts that are read: see :func:`read_sample`."""
    where = f"sample '{sample}', {path}"
    barcodes = adata.obs_names.astype(str)
    check_barcodes(where, barcodes)
    if not adata.n_vars:
        raise InputError(
            Problem(where, "no gene", "at least one gene", "Give the feature table that the counts belong to")
        )
    if not adata.X.nnz:
        raise InputError(
            Problem(where, "every count is 0", "counts", "Was the sample sequenced? Leave it out of the sheet")
        )
    names = pd.Index([f"{sample}_{barcode}" for barcode in barcodes], name=CELL)
    adata.obs = pd.DataFrame({SAMPLE: sample, BARCODE: np.asarray(barcodes, dtype=object)}, index=names)
    known = read_known_doublets(path) if str(path).endswith(".h5ad") else None
    if known is not None:
        adata.obs[KNOWN_DOUBLET] = known.reindex(barcodes).to_numpy(dtype=object)
    canonical = identify_genes(adata, species, where)
    marked = canonical.var[[IS_MITO, IS_RIBO, IS_HAEMO]].sum()
    log.info("%s: %d genes; %s", where, canonical.n_vars, ", ".join(f"{n} {name}" for name, n in marked.items()))
    return canonical
