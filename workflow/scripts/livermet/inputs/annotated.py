"""h5ad files: which of layers["counts"], X and raw holds the raw integers, and which column names the genes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.errors import InputError, Problem
from livermet.inputs.genes import count_gene_like, is_ensembl
from livermet.inputs.h5ad_matrices import first_entries, matrix_shape, read_matrix
from livermet.inputs.h5ad_tables import Table
from livermet.inputs.hdf5 import open_h5
from livermet.inputs.integers import CORRECTED, EXPECTED, REMEDY, explain, first_offender
from livermet.inputs.names import check_names, find_kinds
from livermet.inputs.plausible import cells_of, scale_of, unlike_counts

log = logging.getLogger("livermet")

H5AD = "an .h5ad as anndata writes it"
PLACES = ("layers/counts", "layers/raw_counts", "X", "raw/X")  # in the order of preference
SYMBOL_COLUMNS = ("symbol", "gene_symbol", "gene_symbols", "gene_name", "gene_names", "feature_name", "gene_short_name")
TYPE_COLUMNS = ("feature_types", "feature_type")
# Columns in which the usual tools say which droplets hold cells of two tags or donors: Seurat, hashsolo, demuxlet, vireo.
TAG_COLUMNS = (
    "hto_classification.global", "hto_classification_global", "multi_classification", "hashsolo_classification",
    "droplet.type", "droplet_type", "demuxlet", "demultiplexing", "donor_id", "hash_id",
)  # fmt: skip
DOUBLET_WORDS = frozenset({"doublet", "doublets", "multiplet", "multiplets", "dbl"})
NO_WORDS = frozenset({"", "negative", "unassigned", "ambiguous", "amb", "unknown", "nan", "none", "na"})
DOUBLET, SINGLET = "doublet", "singlet"


def find_counts(path: str, file: Any, corrected: bool = False) -> str:
    """Which matrix of an open h5ad holds raw counts, judged by its first values.

    Parameters
    ----------
    path
        Named in messages.
    file
        The open h5ad.
    corrected
        Fractions are taken, too, where they are not normalised values.

    Raises
    ------
    InputError
        Where none does; says what each place holds instead.
    """
    seen, remedy = [], REMEDY
    for place in PLACES:
        if place not in file:
            continue
        found, mend = _unfit(*first_entries(path, place, file[place]), corrected)
        if not found:
            return place
        seen.append(f"{place} holds {found}")
        remedy = mend if mend == CORRECTED else remedy
    found = "; ".join(seen) or "no matrix"
    raise InputError(Problem(path, found, f'{EXPECTED}, in layers["counts"], X or raw', remedy))


def _unfit(cells: np.ndarray[Any, Any], values: np.ndarray[Any, Any], corrected: bool) -> tuple[str, str]:
    """Why values cannot be counts, and the remedy; "" where they can."""
    offender = first_offender(values, corrected)
    if offender is not None:
        return explain(values, offender, cells)
    groups = cells_of(cells, values)
    if values.dtype.kind == "f" and first_offender(values) is not None:
        scale = scale_of(groups)
        return (f"fractional values, which are {scale} and no corrected counts" if scale else "", REMEDY)
    return unlike_counts(groups), REMEDY


def read_h5ad(
    path: str | Path, corrected: bool = False
) -> tuple[sp.csr_matrix, pd.Index, pd.DataFrame, list[tuple[str, str]]]:
    """Read the raw counts of an h5ad.

    Parameters
    ----------
    path
        The file.
    corrected
        Take fractions, too.

    Returns
    -------
    tuple
        Cells x features csr (int32; float64 where fractions are taken), barcodes, feature table with columns `id`, `symbol`,
        `type`, and what is to be told (what, evidence).

    Raises
    ------
    InputError
        Where the file is broken, not to be trusted, or no matrix of it holds raw counts.
    """
    path = str(path)
    with open_h5(path, H5AD) as file:
        place = find_counts(path, file, corrected)
        barcodes = Table(file["obs"]).index()
        features = feature_table(Table(file["raw/var" if place == "raw/X" else "var"]).frame())
        check_names(path, barcodes.tolist(), "barcode")
        check_names(path, [one or two for one, two in zip(features["id"], features["symbol"], strict=True)], "feature")
        check_sides(path, place, matrix_shape(path, place, file[place]), len(barcodes), barcodes, features)
        counts = read_matrix(path, place, file[place], barcodes, features["symbol"].to_numpy(), corrected)
        others = [name for name in PLACES if name in file and name != place]
    log.info("%s: raw counts taken from %s", path, place)
    told = []
    if place != "X" and others:
        told.append(
            (f"Counts were taken from {_spell(place)} of the h5ad, not from X.", f"it also has {', '.join(others)}")
        )
    return counts, pd.Index(barcodes), features, told


def _spell(place: str) -> str:
    return 'layers["' + place.split("/")[1] + '"]' if place.startswith("layers/") else "raw"


def check_sides(
    path: str, place: str, shape: tuple[int, int], n_obs: int, barcodes: np.ndarray[Any, Any], features: pd.DataFrame
) -> None:
    """Refuse a matrix that does not fit its tables, or that stands on its side.

    Parameters
    ----------
    path, place
        Named in messages.
    shape
        Of the matrix.
    n_obs
        Rows of obs.
    barcodes
        Names of the first of them, or of all.
    features
        As :func:`feature_table` gives them.

    Raises
    ------
    InputError
        With both shapes, or names of both sides.
    """
    if shape != (n_obs, len(features)):
        raise InputError(
            Problem(
                f"{path}, {place}",
                f"its shape is {shape}, obs and var have {n_obs} and {len(features)} rows",
                "one row a cell of obs, one column a gene of var",
                "Write the file anew with anndata",
            )
        )
    rows, columns = (count_gene_like([str(name) for name in names[:2000]]) for names in (barcodes, features["symbol"]))
    if rows >= 3 and rows > 5 * columns and not is_ensembl(features["id"][:100]).any():
        raise InputError(
            Problem(
                path,
                f"obs is named like genes ({', '.join(map(str, barcodes[:3]))}), var like cells",
                "cells in obs and genes in var",
                "Turn it round: adata.T",
            )
        )


def feature_table(var: pd.DataFrame) -> pd.DataFrame:
    """Ids, symbols and feature types out of a `var` table, wherever they stand.

    The id is the column (or the index) with the most Ensembl ids; the symbol a column that goes by one of the usual
    names, else the index.

    Parameters
    ----------
    var
        Columns of text under the index.
    """
    text = {"": pd.Series(var.index.astype(str))} | {str(name): pd.Series(var[name].to_numpy()) for name in var}
    step = max(1, len(var) // 2000)
    shares = {name: is_ensembl(column[::step]).mean() if len(column) else 0.0 for name, column in text.items()}
    best = max(shares, key=lambda name: shares[name])
    identifier = best if shares[best] > 0.5 else ""
    lower = {name.lower(): name for name in text if name}
    named = next((lower[name] for name in SYMBOL_COLUMNS if name in lower and lower[name] != identifier), "")
    # The index where no column goes by a known name, even if that holds the ids; "nan" is what text makes of no symbol.
    symbol = text[named].where(text[named] != "nan", "")
    kind = next((lower[name] for name in TYPE_COLUMNS if name in lower), None)
    kinds = find_kinds(text[identifier], symbol, None if kind is None else text[kind].tolist())
    return pd.DataFrame({"id": text[identifier], "symbol": symbol, "type": kinds})


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
    with open_h5(path, H5AD) as file:
        obs = Table(file["obs"])
        barcodes = obs.index()
        columns = {name: obs.text(name) for name in obs.columns if name.lower() in TAG_COLUMNS}
    for name, values in columns.items():
        if values is None:
            continue
        words = pd.Series(values).astype(str).str.strip().str.lower()
        if words.isin(DOUBLET_WORDS).any():
            said = np.select([words.isin(DOUBLET_WORDS), words.isin(NO_WORDS)], [DOUBLET, ""], SINGLET)
            log.info("%s: obs['%s'] knows %d doublets", path, name, (said == DOUBLET).sum())
            return pd.Series(said, index=pd.Index(barcodes))
    return None
