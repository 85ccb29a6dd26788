"""Counts as a step has left them, read without anndata: its import takes longer than a small sample's own work.

Reads the layout of an .h5ad as anndata writes it down for other programs; whatever else is found is left to anndata itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import pandas as pd
import scipy.sparse as sp

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Counts:
    """Counts with their names: what a step needs that only looks. The attributes are called as AnnData's.

    Parameters
    ----------
    X
        Shape (barcodes, genes), csr.
    obs, var
        One row a barcode, one row a gene.
    """

    X: sp.csr_matrix
    obs: pd.DataFrame
    var: pd.DataFrame

    @property
    def n_obs(self) -> int:
        """Number of barcodes."""
        return len(self.obs)

    @property
    def n_vars(self) -> int:
        """Number of genes."""
        return len(self.var)

    @property
    def obs_names(self) -> pd.Index:
        """Names of the barcodes."""
        return self.obs.index

    @property
    def var_names(self) -> pd.Index:
        """Names of the genes."""
        return self.var.index


class _OtherLayoutError(Exception):
    """Not one of the few encodings that are read here."""


def read_counts(path: str | Path) -> Counts | AnnData:
    """Read `X`, `obs` and `var` of an .h5ad.

    Parameters
    ----------
    path
        The file, written by a step.

    Returns
    -------
    Counts or AnnData
        The latter where the file holds an encoding that is not known here.
    """
    try:
        with h5py.File(path, "r") as file:
            return Counts(_matrix(file["X"]), _table(file["obs"]), _table(file["var"]))
    except _OtherLayoutError:
        import anndata

        return anndata.read_h5ad(path)


def _encoding(item: h5py.Group | h5py.Dataset) -> tuple[str, str]:
    return str(item.attrs.get("encoding-type", "")), str(item.attrs.get("encoding-version", ""))


def _matrix(group: h5py.Group) -> sp.csr_matrix:
    if _encoding(group) != ("csr_matrix", "0.1.0"):
        raise _OtherLayoutError
    parts = tuple(group[name][()] for name in ("data", "indices", "indptr"))
    return sp.csr_matrix(parts, shape=tuple(group.attrs["shape"]))


def _table(group: h5py.Group) -> pd.DataFrame:
    if _encoding(group) != ("dataframe", "0.2.0"):
        raise _OtherLayoutError
    index = str(group.attrs["_index"])
    columns = [str(name) for name in group.attrs["column-order"]]
    table = pd.DataFrame({name: _column(group[name]) for name in columns}, columns=columns)
    table.index = pd.Index(_column(group[index]), name=None if index == "_index" else index)
    return table


def _column(item: h5py.Group | h5py.Dataset) -> Any:
    match _encoding(item):
        case ("array", "0.2.0"):
            return item[()]
        case ("string-array", "0.2.0"):
            return item.asstr()[()]
        case ("categorical", "0.2.0"):
            codes, categories = item["codes"][()], _column(item["categories"])
            return pd.Categorical.from_codes(codes, categories, ordered=bool(item.attrs["ordered"]))
        case _:
            raise _OtherLayoutError
