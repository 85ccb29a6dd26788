"""10x matrices, folder (v2, v3) and HDF5 (v2, v3), as blocks of entries: what is large is never held whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livermet.errors import InputError, Problem
from livermet.inputs.files import ANEW, file_format, find_files
from livermet.inputs.h5ad_matrices import are_pointers
from livermet.inputs.hdf5 import open_h5, read_text
from livermet.inputs.integers import as_counts
from livermet.inputs.names import GENE_EXPRESSION, check_entries, check_names, find_kinds
from livermet.inputs.texts import read_lines

__all__ = ["BLOCK", "GENE_EXPRESSION", "Block", "H5Matrix", "Matrix", "count_barcodes", "find_h5_group", "open_tenx"]

BLOCK = 4_000_000  # entries held at once
TENX_H5 = "one 10x matrix, in a group 'matrix' (v3) or named after the genome (v2)"


class Block(NamedTuple):
    """Some entries of a features x barcodes matrix: 0-based positions and counts."""

    feature: NDArray[np.int64]
    cell: NDArray[np.int64]
    umis: NDArray[Any]  # int32; float64 where corrected counts were asked for


class Matrix(Protocol):
    """A 10x matrix that can be gone through more than once."""

    features: pd.DataFrame  # columns id, symbol, type
    barcodes: NDArray[np.object_]

    def blocks(self) -> Iterator[Block]:
        """Every non-zero entry, block by block; counts are checked."""


class H5Matrix:
    """A 10x HDF5 file: group `matrix` (v3) or one group named after the genome (v2).

    Parameters
    ----------
    path
        The file.
    corrected
        Take fractions, too.

    Raises
    ------
    InputError
        Where the file is broken, holds no such matrix, or its parts do not fit each other.
    """

    def __init__(self, path: str | Path, corrected: bool = False) -> None:
        self.path = str(path)
        self._corrected = corrected
        with open_h5(path, TENX_H5) as file:
            self.group = find_h5_group(self.path, file)
            group = file[self.group]
            self.features = h5_features(self.path, group)
            self.barcodes = read_text(group["barcodes"])
            self.indptr = group["indptr"][:].astype(np.int64)
            check_parts(self.path, group, len(self.features))
        check_names(self.path, self.barcodes.tolist(), "barcode")
        if not are_pointers(self.indptr, len(self.barcodes), self.indptr[-1], self.indptr[-1]):
            raise InputError(
                Problem(f"{self.path}, {self.group}/indptr", "pointers that go back", "pointers that never fall", ANEW)
            )

    def blocks(self) -> Iterator[Block]:
        """Every entry, block by block, whole columns each."""
        start, last = 0, len(self.barcodes)
        with open_h5(self.path, TENX_H5) as file:
            group = file[self.group]
            while start < last:
                stop = int(np.searchsorted(self.indptr, self.indptr[start] + BLOCK, side="right")) - 1
                stop = min(max(stop, start + 1), last)
                yield self._block(group, start, stop)
                start = stop

    def _block(self, group: Any, start: int, stop: int) -> Block:
        first, end = self.indptr[start], self.indptr[stop]
        feature = group["indices"][first:end].astype(np.int64)
        cell = np.repeat(np.arange(start, stop), np.diff(self.indptr[start : stop + 1]))
        if feature.size and (feature.min() < 0 or feature.max() >= len(self.features)):
            wrong = feature.max() if feature.max() >= len(self.features) else feature.min()
            raise InputError(
                Problem(f"{self.path}, {self.group}/indices", f"{wrong}", f"0 to {len(self.features) - 1}", ANEW)
            )

        def locate(position: int) -> str:
            symbol = self.features["symbol"].iloc[feature[position]]
            return f"{self.path}, {self.group}/data, feature {symbol}, barcode {self.barcodes[cell[position]]}"

        counts = as_counts(group["data"][first:end], locate, self._corrected, cell)
        check_entries(cell, feature, len(self.features), locate)
        return Block(feature, cell, counts)


def find_h5_group(path: str, file: Any) -> str:
    """Name of the group of an open HDF5 file that holds the matrix.

    Raises
    ------
    InputError
        Where none or several do, or its values are no numbers.
    """
    needed = {"barcodes", "data", "indices", "indptr"}
    groups = [name for name, item in file.items() if isinstance(item, h5py.Group) and needed <= set(item)]
    if len(groups) == 1:
        for name in ("data", "indices", "indptr"):
            item = file[groups[0]][name]
            if item.dtype.kind not in ("iuf" if name == "data" else "iu") or item.ndim != 1:
                raise InputError(
                    Problem(
                        f"{path}, {groups[0]}/{name}", f"{item.dtype}, {item.ndim}-d", "a 1-d array of numbers", ANEW
                    )
                )
        return str(groups[0])
    found = f"matrices of {len(groups)} genomes ({', '.join(groups)})" if groups else f"groups {sorted(file)[:6]}"
    raise InputError(
        Problem(
            path,
            found,
            TENX_H5,
            "Write one genome to a file of its own" if groups else "A file of another tool? Convert it to .h5ad",
        )
    )


def check_parts(path: str, group: Any, n_features: int) -> None:
    """Refuse a group whose parts differ in length, or from the shape that it says.

    Raises
    ------
    InputError
        With every length.
    """
    n_barcodes, n_pointers = len(group["barcodes"]), len(group["indptr"])
    n_entries, n_indices = len(group["data"]), len(group["indices"])
    last = int(group["indptr"][-1]) if n_pointers else -1
    shape = tuple(int(size) for size in group["shape"][:]) if "shape" in group else (n_features, n_barcodes)
    if shape == (n_features, n_barcodes) and n_pointers == n_barcodes + 1 and n_entries == n_indices == last:
        return
    raise InputError(
        Problem(
            f"{path}, {group.name.strip('/')}",
            f"{n_features} features, {n_barcodes} barcodes, {n_pointers - 1} columns of {last} entries, {n_entries} values, "
            f"{n_indices} indices, shape {shape}: its parts do not fit each other",
            "a whole 10x .h5",
            "Make or download the file anew",
        )
    )


def h5_features(path: str, group: Any) -> pd.DataFrame:
    kinds = None
    if "features" in group:
        part = group["features"]
        ids = read_text(part["id"])
        symbols = read_text(part["name"]) if "name" in part else ids
        kinds = read_text(part["feature_type"]) if "feature_type" in part else None
    else:
        ids, symbols = read_text(group["genes"]), read_text(group["gene_names"])
    if len(ids) != len(symbols) or (kinds is not None and len(kinds) != len(ids)):
        raise InputError(
            Problem(path, f"{len(ids)} feature ids, {len(symbols)} names", "a name and a type for every id", ANEW)
        )
    check_names(path, [name or symbol for name, symbol in zip(ids, symbols, strict=True)], "feature")
    check_names(path, [symbol or name for name, symbol in zip(ids, symbols, strict=True)], "feature")
    table = pd.DataFrame({"id": ids, "symbol": symbols})
    return table.assign(type=find_kinds(ids, symbols, None if kinds is None else kinds.tolist()))


def open_tenx(path: str | Path, corrected: bool = False) -> Matrix:
    """Open a 10x matrix, folder or .h5."""
    from livermet.inputs.mtx import FolderMatrix

    return FolderMatrix(path, corrected) if file_format(path) == "10x folder" else H5Matrix(path, corrected)


def count_barcodes(path: str | Path) -> int:
    """Number of barcodes of a 10x matrix, without its features and entries."""
    if file_format(path) == "10x folder":
        return len(read_lines(find_files(path)[1]))
    with open_h5(path, TENX_H5) as file:
        return len(file[find_h5_group(str(path), file)]["barcodes"])
