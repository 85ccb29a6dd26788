"""h5ad files: which of layers["counts"], X and raw holds the raw integers, and which column names the genes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.errors import InputError, Problem
from livermet.inputs.files import reading
from livermet.inputs.genes import is_ensembl
from livermet.inputs.integers import EXPECTED, REMEDY, as_counts, describe, first_offender

log = logging.getLogger("livermet")

PLACES = ("layers/counts", "X", "raw/X")  # in the order of preference
SYMBOL_COLUMNS = ("symbol", "gene_symbol", "gene_symbols", "gene_name", "gene_names", "feature_name", "gene_short_name")
TYPE_COLUMNS = ("feature_types", "feature_type")
SAMPLE_SIZE = 50_000
# Columns in which the usual tools say which droplets hold cells of two tags or donors: Seurat, hashsolo, demuxlet, vireo.
TAG_COLUMNS = (
    "hto_classification.global", "hto_classification_global", "multi_classification", "hashsolo_classification",
    "droplet.type", "droplet_type", "demuxlet", "demultiplexing", "donor_id", "hash_id",
)  # fmt: skip
DOUBLET_WORDS = frozenset({"doublet", "doublets", "multiplet", "multiplets", "dbl"})
NO_WORDS = frozenset({"", "negative", "unassigned", "ambiguous", "amb", "unknown", "nan", "none", "na"})
DOUBLET, SINGLET = "doublet", "singlet"


def first_values(item: Any) -> np.ndarray[Any, Any]:
    """Some of the first values of a matrix in an open h5ad, sparse or dense."""
    data = item["data"] if isinstance(item, h5py.Group) else item
    if data.ndim == 1:
        return np.asarray(data[:SAMPLE_SIZE])
    return np.asarray(data[: max(1, SAMPLE_SIZE // max(1, data.shape[1]))]).ravel()


def find_counts(path: str, file: Any) -> str:
    """Which matrix of an open h5ad holds raw counts, judged by its first values.

    Raises
    ------
    InputError
        Where none does; says what each place holds instead.
    """
    seen = []
    for place in PLACES:
        if place not in file:
            continue
        values = first_values(file[place])
        offender = first_offender(values)
        if offender is None:
            return place
        seen.append(f"{place} holds {describe(float(values[offender]))}")
    found = "; ".join(seen) or "no matrix"
    raise InputError(Problem(path, found, f'{EXPECTED}, in layers["counts"], X or raw', REMEDY))


def read_h5ad(path: str | Path) -> tuple[sp.csr_matrix, pd.Index, pd.DataFrame]:
    """Read the raw counts of an h5ad.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    tuple
        Cells x features csr (int32), barcodes, feature table with columns `id`, `symbol`, `type`.

    Raises
    ------
    InputError
        Where the file is broken or no matrix of it holds raw counts.
    """
    with reading(path), h5py.File(path, "r") as file:
        place = find_counts(str(path), file)
        element = file[place]
        matrix = anndata.io.read_elem(element)
        obs = anndata.io.read_elem(file["obs"])
        var = anndata.io.read_elem(file["raw/var" if place == "raw/X" else "var"])
    log.info("%s: raw counts taken from %s", path, place)
    counts = sp.csr_matrix(matrix)
    if counts.shape != (len(obs), len(var)):
        raise InputError(Problem(str(path), f"{place} is {counts.shape}, obs x var is {(len(obs), len(var))}"))
    features = feature_table(var)

    def locate(position: int) -> str:
        row = int(np.searchsorted(counts.indptr, position, side="right")) - 1
        return f"{path}, {place}, row {obs.index[row]}, column {features['symbol'].iloc[counts.indices[position]]}"

    data = as_counts(counts.data, locate)
    counts = sp.csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)
    counts.sum_duplicates()
    return counts, pd.Index(obs.index.astype(str)), features


def feature_table(var: pd.DataFrame) -> pd.DataFrame:
    """Ids, symbols and feature types out of a `var` table, wherever they stand.

    The id is the column (or the index) with the most Ensembl ids; the symbol a column that goes by one of the usual
    names, else the index.
    """
    text = {"": pd.Series(var.index.astype(str))}
    for name in var.columns:
        if var[name].dtype.kind in "OSU" or isinstance(var[name].dtype, pd.CategoricalDtype | pd.StringDtype):
            text[str(name)] = pd.Series(var[name].astype(str).to_numpy())
    shares = {name: is_ensembl(column).mean() if len(column) else 0.0 for name, column in text.items()}
    best = max(shares, key=lambda name: shares[name])
    identifier = best if shares[best] > 0.5 else ""
    lower = {name.lower(): name for name in text if name}
    named = next((lower[name] for name in SYMBOL_COLUMNS if name in lower and lower[name] != identifier), "")
    symbol = named  # the index where no column goes by a known name, even if that holds the ids
    kind = next((lower[name] for name in TYPE_COLUMNS if name in lower), None)
    return pd.DataFrame(
        {"id": text[identifier], "symbol": text[symbol], "type": "Gene Expression" if kind is None else text[kind]}
    )


def read_known_doublets(path: str | Path) -> pd.Series | None:
    """What multiplexing says of each barcode of an h5ad, from a column of `obs` that goes by a usual name.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    pandas.Series or None
        Index barcode: "doublet", "singlet" or "" (not told). None where no such column names a doublet.
    """
    with reading(path), h5py.File(path, "r") as file:
        obs = anndata.io.read_elem(file["obs"])
    for name in obs.columns:
        if str(name).lower() not in TAG_COLUMNS:
            continue
        words = obs[name].astype(str).str.strip().str.lower()
        if words.isin(DOUBLET_WORDS).any():
            said = np.select([words.isin(DOUBLET_WORDS), words.isin(NO_WORDS)], [DOUBLET, ""], SINGLET)
            log.info("%s: obs['%s'] knows %d doublets", path, name, (said == DOUBLET).sum())
            return pd.Series(said, index=obs.index.astype(str))
    return None
