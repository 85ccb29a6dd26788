"""Matrices of an open h5ad, sparse or dense, of any anndata: checked before scipy is trusted with them."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from livermet.errors import InputError, Problem
from livermet.inputs.files import ANEW
from livermet.inputs.hdf5 import attribute
from livermet.inputs.integers import as_counts
from livermet.inputs.names import check_entries

SAMPLE_SIZE = 50_000
BLOCK = 8_000_000  # values of a dense matrix held at once
KINDS = "iuf"


def matrix_layout(path: str, place: str, item: Any) -> str:
    """How a matrix is stored: "csr", "csc" or "dense".

    Raises
    ------
    InputError
        Where it is no matrix of numbers.
    """
    layout = attribute(item, "encoding-type", "h5sparse_format").removesuffix("_matrix")
    sparse = isinstance(item, h5py.Group) and layout in ("csr", "csc") and {"data", "indices", "indptr"} <= set(item)
    if sparse and item["data"].dtype.kind in KINDS:
        return layout
    if isinstance(item, h5py.Dataset) and item.ndim == 2 and item.dtype.kind in KINDS:
        return "dense"
    if sparse:
        item = item["data"]
    what = (
        f"a group of {', '.join(sorted(item)[:5])}" if isinstance(item, h5py.Group) else f"values of type {item.dtype}"
    )
    raise InputError(Problem(f"{path}, {place}", what, "a sparse or dense matrix of numbers", ANEW))


def matrix_shape(path: str, place: str, item: Any) -> tuple[int, int]:
    """Rows and columns of a matrix."""
    if matrix_layout(path, place, item) == "dense":
        return int(item.shape[0]), int(item.shape[1])
    shape = item.attrs["shape" if "shape" in item.attrs else "h5sparse_shape"]
    return int(shape[0]), int(shape[1])


def first_entries(path: str, place: str, item: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Some of the first values of a matrix, and which cell each belongs to."""
    layout = matrix_layout(path, place, item)
    if layout == "dense":
        rows = item[: max(1, SAMPLE_SIZE // max(1, item.shape[1]))]
        return np.repeat(np.arange(len(rows)), rows.shape[1]), rows.ravel()
    values = item["data"][:SAMPLE_SIZE]
    if layout == "csc":
        return item["indices"][:SAMPLE_SIZE].astype(np.int64), values
    ends = item["indptr"][: SAMPLE_SIZE + 1].astype(np.int64)
    return np.searchsorted(ends, np.arange(len(values)), side="right") - 1, values


def read_matrix(
    path: str,
    place: str,
    item: Any,
    barcodes: NDArray[np.object_],
    symbols: NDArray[np.object_],
    corrected: bool = False,
) -> sp.csr_matrix:
    """Read a matrix as counts.

    Parameters
    ----------
    path, place
        Named in messages.
    item
        The open group or dataset.
    barcodes, symbols
        Names of its rows and columns.
    corrected
        Take fractions, too.

    Returns
    -------
    scipy.sparse.csr_matrix
        Rows x columns, without stored zeros.

    Raises
    ------
    InputError
        Where a value is no count, or an index lies outside or twice.
    """

    def locate(row: int, column: int) -> str:
        return f"{path}, {place}, row {barcodes[row]}, column {symbols[column]}"

    shape = matrix_shape(path, place, item)
    layout = matrix_layout(path, place, item)
    if layout == "dense":
        return _read_dense(item, locate, corrected)
    data, indices = item["data"][:], item["indices"][:].astype(np.int64)
    indptr = item["indptr"][:].astype(np.int64)
    along, across = shape if layout == "csr" else shape[::-1]
    if not are_pointers(indptr, along, len(data), len(indices)):
        raise InputError(
            Problem(
                f"{path}, {place}",
                f"{len(indptr)} pointers, {len(data)} values and {len(indices)} indices for a shape of {shape}",
                "parts that fit each other",
                ANEW,
            )
        )
    if len(indices) and not (indices.min() >= 0 and indices.max() < across):
        found = indices.max() if indices.max() >= across else indices.min()
        raise InputError(Problem(f"{path}, {place}/indices", f"{found}", f"0 to {across - 1}", ANEW))
    lines = np.repeat(np.arange(along), np.diff(indptr))
    row, column = (lines, indices) if layout == "csr" else (indices, lines)
    counts = as_counts(data, lambda at: locate(row[at], column[at]), corrected, row)
    check_entries(lines, indices, across, lambda at: locate(row[at], column[at]))
    kind = sp.csr_matrix if layout == "csr" else sp.csc_matrix
    matrix = sp.csr_matrix(kind((counts, indices, indptr), shape=shape))
    matrix.eliminate_zeros()
    return matrix


def are_pointers(indptr: NDArray[np.int64], lines: int, n_values: int, n_indices: int) -> bool:
    """Whether the pointers of a compressed matrix fit its values."""
    fits = len(indptr) == lines + 1 and n_values == n_indices
    return bool(fits and indptr[0] == 0 and indptr[-1] == n_values and (np.diff(indptr) >= 0).all())


def _read_dense(item: Any, locate: Any, corrected: bool) -> sp.csr_matrix:
    """Row by row: a dense matrix of a hundred thousand cells does not fit in memory."""
    rows, columns = item.shape
    step = max(1, BLOCK // max(1, columns))
    blocks = [sp.csr_matrix((0, columns), dtype=np.int32)]
    for start in range(0, rows, step):
        values = item[start : start + step]
        cells = np.repeat(np.arange(len(values)), columns)

        def place(at: int, start: int = start) -> str:
            return str(locate(start + at // columns, at % columns))

        counts = as_counts(values.ravel(), place, corrected, cells)
        blocks.append(sp.csr_matrix(counts.reshape(values.shape)))
    return sp.vstack(blocks, format="csr")
