"""A reference for a second opinion on cells: labelled cells, mean profiles, or a CellTypist model, pinned by checksum."""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.errors import InputError, Problem
from livermet.inputs.files import reading
from livermet.inputs.hdf5 import open_h5

log = logging.getLogger("livermet")

PICKLES = (".pkl", ".pickle", ".joblib")
TABLES = (".tsv", ".csv", ".txt", ".tsv.gz", ".csv.gz", ".txt.gz")
TARGET_SUM = 1e4
SYMBOL_COLUMNS = ("symbol", "gene_symbol", "gene_symbols", "gene_name", "feature_name")
LOGGED_BELOW = 50.0  # natural logs of counts per ten thousand do not reach this; means of counts do
MIN_LABELLED = 5
CELLTYPIST = "celltypist>=1.7.1,<1.8"  # as in pyproject.toml
_MODELS = "CELLTYPIST_FOLDER"  # where CellTypist keeps what it downloads


def check_reference(path: str, sha256: str, *, label: str, allow_pickle: bool) -> list[Problem]:
    """What speaks against a reference before it is opened.

    Parameters
    ----------
    path
        The file.
    sha256
        Its checksum as the config pins it.
    label
        For an h5ad, the column of obs that holds the labels.
    allow_pickle
        Whether the config allows a pickle to be loaded, which runs whatever code is in it.

    Returns
    -------
    list of Problem
        Empty where nothing does.
    """
    where = "config annotate.reference"
    name = Path(path).name.lower()
    if not Path(path).is_file():
        return [Problem(f"{where}.path", f"there is no '{path}'", remedy="Mend the path")]
    if not name.endswith((".h5ad", *PICKLES, *TABLES)):
        return [
            Problem(f"{where}.path", f"'{path}'", "an .h5ad, a .tsv or .csv of mean profiles, or a CellTypist .pkl")
        ]
    problems = []
    with Path(path).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        problems.append(
            Problem(
                f"{where}.sha256", f"the file's is {found}", f"{sha256}, as the config says",
                "Look where the file came from before you pin another checksum",
            )
        )  # fmt: skip
    if name.endswith(PICKLES) and not allow_pickle:
        problems.append(
            Problem(
                f"{where}.path", f"'{path}' is a pickle: loading it runs whatever code is in it", "`allow_pickle: true`",
                "Set it only for a file from a source that you trust; an .h5ad or a table needs no such trust",
            )
        )  # fmt: skip
    if name.endswith(PICKLES) and find_spec("celltypist") is None:
        problems.append(_not_installed(path))
    if name.endswith(".h5ad") and not label:
        problems.append(Problem(f"{where}.label", "missing", "the column of obs that holds the labels"))
    return problems


def read_reference(settings: Mapping[str, Any] | None) -> Any:
    """Open the reference that the config names.

    Parameters
    ----------
    settings
        Resolved section `annotate.reference`; None where there is none.

    Returns
    -------
    pandas.DataFrame or object or None
        Mean profiles, or a CellTypist model.

    Raises
    ------
    InputError
        Where the file is not the one that was pinned, may not be loaded, or cannot be read.
    """
    if settings is None:
        return None
    problems = check_reference(**settings)
    if problems:
        raise InputError(problems)
    path = str(settings["path"])
    return load_celltypist(path) if path.lower().endswith(PICKLES) else read_profiles(path, label=settings["label"])


def read_profiles(path: str, *, label: str) -> pd.DataFrame:
    """Mean profiles of a reference's labels.

    Parameters
    ----------
    path
        An .h5ad of labelled cells (raw counts or log-normalised), or a table with a gene a row and a label a column.
    label
        For an h5ad, the column of obs that holds the labels.

    Returns
    -------
    pandas.DataFrame
        Gene symbols x labels, log scale. Labels of fewer than five cells are left out; genes of one symbol are averaged.

    Raises
    ------
    InputError
        Where the file cannot be read or has fewer than two labels.
    """
    profiles = _profiles_of_cells(path, label) if path.lower().endswith(".h5ad") else _read_table(path)
    profiles = profiles.groupby(level=0).mean()
    if profiles.shape[1] < 2:
        raise InputError(
            Problem(path, f"{profiles.shape[1]} labels with {MIN_LABELLED} cells or more", "two labels at least")
        )
    return profiles


def load_celltypist(path: str) -> Any:
    """A CellTypist model, where CellTypist is installed.

    Parameters
    ----------
    path
        The file: no name of a model that CellTypist would fetch or take from its own folder.

    Returns
    -------
    celltypist.models.Model

    Raises
    ------
    InputError
        Where it is not installed, or the file is not such a model.
    """
    models = _import_models(path)
    log.warning("loading the pickle %s, whose checksum the config pins: loading it runs the code in it", path)
    try:
        # Absolute: a bare name is looked up, and fetched, among CellTypist's own models first.
        model = models.Model.load(str(Path(path).absolute()))
        log.info("a model of %d cell types and %d genes", len(model.cell_types), len(model.features))
    except Exception as error:  # whatever a pickle may raise
        raise InputError(
            Problem(path, f"cannot be read ({' '.join(str(error).split())})", "a model that CellTypist has written")
        ) from error
    return model


def _import_models(path: str) -> Any:
    """CellTypist makes a folder in the home folder when it is imported: it gets one that goes again."""
    kept = os.environ.get(_MODELS)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[_MODELS] = folder
        try:
            return importlib.import_module("celltypist.models")
        except ImportError:
            raise InputError(_not_installed(path)) from None
        finally:
            os.environ.pop(_MODELS)
            if kept is not None:
                os.environ[_MODELS] = kept


def _not_installed(path: str) -> Problem:
    return Problem(
        "config annotate.reference.path", f"'{path}' is a CellTypist model, and CellTypist is not installed",
        remedy=f"`make extras` installs it in .venv (elsewhere: pip install '{CELLTYPIST}' in the environment that runs the "
        "jobs), or give labelled cells (.h5ad) or mean profiles (.tsv)",
    )  # fmt: skip


def _profiles_of_cells(path: str, label: str) -> pd.DataFrame:
    import anndata

    with open_h5(path, "labelled cells, an .h5ad"):
        adata = anndata.read_h5ad(path)
    if label not in adata.obs:
        raise InputError(Problem(path, f"obs has no column '{label}'", f"one of {', '.join(map(str, adata.obs))}"))
    matrix = sp.csr_matrix(adata.layers.get("counts", adata.X), dtype=np.float64)
    if not len(matrix.data) or float(matrix.data.min()) < 0:
        raise InputError(Problem(path, "no values, or negative ones (scaled data)", "counts, or their logs"))
    if np.array_equal(matrix.data[:50_000], np.round(matrix.data[:50_000])):
        totals = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1.0)
        matrix = sp.csr_matrix(sp.diags(TARGET_SUM / totals) @ matrix)
        matrix.data = np.log1p(matrix.data)
    values = adata.obs[label].astype("string")
    sizes = values.value_counts()
    kept = sorted(str(name) for name in sizes.index[sizes >= MIN_LABELLED])
    columns = {name: np.asarray(matrix[(values == name).to_numpy(dtype=bool)].mean(axis=0)).ravel() for name in kept}
    named = next((name for name in SYMBOL_COLUMNS if name in adata.var), None)
    symbols = adata.var_names if named is None else adata.var[named]
    return pd.DataFrame(columns, index=symbols.astype(str).to_numpy())


def _read_table(path: str) -> pd.DataFrame:
    with reading(path):
        table = pd.read_csv(path, sep="," if ".csv" in Path(path).name.lower() else "\t", index_col=0)
    text = [str(name) for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if text or table.isna().to_numpy().any() or (table.to_numpy() < 0).any():
        found = f"columns {', '.join(text[:3])} are not numbers" if text else "empty or negative values"
        raise InputError(Problem(path, found, "a gene a row, a label a column, means that are not negative"))
    table = table.set_axis(table.index.astype(str), axis=0).set_axis([str(name) for name in table], axis=1)
    return table.apply(np.log1p) if float(table.to_numpy().max()) > LOGGED_BELOW else table
