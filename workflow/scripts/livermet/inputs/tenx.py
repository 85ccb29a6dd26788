"""10x matrices, folder (v2, v3) and HDF5 (v2, v3), as blocks of entries: what is large is never held whole."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livermet.errors import InputError, Problem
from livermet.inputs.files import file_format, find_files, reading
from livermet.inputs.integers import as_counts

GENE_EXPRESSION = "Gene Expression"
BLOCK = 4_000_000  # entries held at once


class Block(NamedTuple):
    """Some entries of a features x barcodes matrix: 0-based positions and counts."""

    feature: NDArray[np.int64]
    cell: NDArray[np.int64]
    umis: NDArray[np.int32]


class Matrix(Protocol):
    """A 10x matrix that can be gone through more than once."""

    features: pd.DataFrame  # columns id, symbol, type
    barcodes: NDArray[np.object_]

    def blocks(self) -> Iterator[Block]:
        """Every non-zero entry, block by block; counts are checked."""


class FolderMatrix:
    """A 10x folder: matrix.mtx, barcodes.tsv and features.tsv (v3) or genes.tsv (v2), gzipped or not.

    Parameters
    ----------
    folder
        The folder.

    Raises
    ------
    InputError
        Where a file is missing, broken, or the three do not fit each other.
    """

    def __init__(self, folder: str | Path) -> None:
        matrix, barcodes, features = find_files(folder)
        self.path = matrix
        self.features = _read_features(features)
        self.barcodes = _read_lines(barcodes)[0].to_numpy(dtype=object)
        with reading(matrix), _open(matrix) as handle:
            (rows, columns, self.n_entries), self._first_line = read_mtx_header(matrix, handle)
        shape = (len(self.features), len(self.barcodes))
        # Some tools write barcodes x features; a square matrix is taken the way 10x writes it.
        self._transposed = (rows, columns) != shape and (columns, rows) == shape
        if (rows, columns) != shape and not self._transposed:
            raise InputError(
                Problem(
                    matrix,
                    f"the matrix has {rows} rows and {columns} columns, but there are {shape[0]} features in "
                    f"{Path(features).name} and {shape[1]} barcodes in {Path(barcodes).name}",
                    "one row a feature and one column a barcode",
                    "Take the three files from the same run",
                )
            )

    def blocks(self) -> Iterator[Block]:
        """Every entry, block by block."""
        seen = 0
        with reading(self.path), _open(self.path) as handle:
            for _ in range(self._first_line):
                handle.readline()
            if self.n_entries:
                for chunk in self._chunks(handle):
                    yield self._block(chunk, seen)
                    seen += len(chunk)
        if seen != self.n_entries:
            raise InputError(
                Problem(self.path, f"{seen} entries", f"{self.n_entries}, as its header says", "The file is cut short")
            )

    def _chunks(self, handle: IO[bytes]) -> Iterator[pd.DataFrame]:
        try:
            # A one-character separator takes pandas' fast C path; 10x writes a single space.
            yield from pd.read_csv(
                handle, sep=" ", header=None, names=["row", "column", "value"], chunksize=BLOCK, index_col=False
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise InputError(Problem(self.path, f"not a coordinate matrix ({str(error).strip()})")) from None

    def _block(self, chunk: pd.DataFrame, before: int) -> Block:
        def line(position: int) -> int:
            return self._first_line + before + position + 1

        arrays = []
        for name in ("row", "column", "value"):
            values = chunk[name].to_numpy()
            if values.dtype.kind not in "iuf":
                numbers = pd.to_numeric(chunk[name], errors="coerce").to_numpy()
                position = int(np.argmax(np.isnan(numbers)))
                raise InputError(
                    Problem(f"{self.path}, line {line(position)}", f"{values[position]!r}", "row, column, count")
                )
            arrays.append(values)
        row, column, value = arrays
        feature, cell = (column, row) if self._transposed else (row, column)
        for positions, size, what in ((feature, len(self.features), "feature"), (cell, len(self.barcodes), "barcode")):
            outside = ~((positions >= 1) & (positions <= size))
            if outside.any():
                position = int(np.argmax(outside))
                raise InputError(
                    Problem(
                        f"{self.path}, line {line(position)}", f"{what} number {positions[position]:g}", f"1 to {size}"
                    )
                )
        feature, cell = feature.astype(np.int64) - 1, cell.astype(np.int64) - 1
        counts = as_counts(
            value,
            lambda position: (
                f"{self.path}, line {line(position)} (feature {self.features['symbol'].iloc[feature[position]]}, "
                f"barcode {self.barcodes[cell[position]]})"
            ),
        )
        return Block(feature, cell, counts)


class H5Matrix:
    """A 10x HDF5 file: group `matrix` (v3) or one group named after the genome (v2).

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        Where the file is broken, holds no such matrix, or its parts do not fit each other.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        with reading(path), h5py.File(path, "r") as file:
            self.group = find_h5_group(self.path, file)
            group = file[self.group]
            self.features = _h5_features(group)
            self.barcodes = _text(group["barcodes"])
            self.indptr = group["indptr"][:].astype(np.int64)
            n_entries = len(group["data"])
        if (
            len(self.indptr) != len(self.barcodes) + 1
            or self.indptr[-1] != n_entries
            or (np.diff(self.indptr) < 0).any()
        ):
            raise InputError(
                Problem(
                    self.path,
                    f"{len(self.barcodes)} barcodes, {len(self.indptr) - 1} columns, {n_entries} entries: the parts of "
                    f"'{self.group}' do not fit each other",
                    "a whole 10x .h5",
                    "Make or download the file anew",
                )
            )

    def blocks(self) -> Iterator[Block]:
        """Every entry, block by block, whole columns each."""
        start, last = 0, len(self.barcodes)
        with reading(self.path), h5py.File(self.path, "r") as file:
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
            raise InputError(
                Problem(f"{self.path}, {self.group}/indices", f"{feature.max()}", f"below {len(self.features)}")
            )
        counts = as_counts(
            group["data"][first:end],
            lambda position: (
                f"{self.path}, {self.group}/data, feature {self.features['symbol'].iloc[feature[position]]}, "
                f"barcode {self.barcodes[cell[position]]}"
            ),
        )
        return Block(feature, cell, counts)


def find_h5_group(path: str, file: Any) -> str:
    """Name of the group of an open HDF5 file that holds the matrix.

    Raises
    ------
    InputError
        Where none or several do.
    """
    needed = {"barcodes", "data", "indices", "indptr"}
    groups = [name for name, item in file.items() if isinstance(item, h5py.Group) and needed <= set(item)]
    if len(groups) == 1:
        return str(groups[0])
    found = f"matrices of {len(groups)} genomes ({', '.join(groups)})" if groups else f"groups {sorted(file)[:6]}"
    raise InputError(
        Problem(
            path,
            found,
            "one 10x matrix, in a group 'matrix' (v3) or named after the genome (v2)",
            "Write one genome to a file of its own" if groups else "A file of another tool? Convert it to .h5ad",
        )
    )


def read_mtx_header(path: str, handle: IO[bytes]) -> tuple[tuple[int, int, int], int]:
    """Read the header of an open .mtx.

    Returns
    -------
    tuple
        (rows, columns, entries) and the number of lines read, so that the handle stands at the first entry.

    Raises
    ------
    InputError
        Where it is no coordinate matrix of numbers.
    """
    banner = handle.readline().decode("utf-8", "replace").split()
    good = len(banner) == 5 and banner[0] == "%%MatrixMarket" and banner[2].lower() == "coordinate"
    if not good or banner[3].lower() not in {"integer", "real"} or banner[4].lower() != "general":
        raise InputError(
            Problem(
                f"{path}, line 1", f"{' '.join(banner)[:80]!r}", "'%%MatrixMarket matrix coordinate integer general'"
            )
        )
    n_lines = 1
    while True:
        line = handle.readline()
        n_lines += 1
        if not line.startswith(b"%") and (line.strip() or not line):
            break
    sizes = line.split()
    if len(sizes) != 3 or not all(size.isdigit() for size in sizes):
        raise InputError(Problem(f"{path}, line {n_lines}", f"{line[:60].decode('utf-8', 'replace')!r}", "three sizes"))
    rows, columns, entries = (int(size) for size in sizes)
    return (rows, columns, entries), n_lines


def _open(path: str | Path) -> IO[bytes]:
    return gzip.open(path, "rb") if str(path).endswith(".gz") else Path(path).open("rb")  # type: ignore[return-value]


def _read_lines(path: str) -> pd.DataFrame:
    """Columns of a headerless tab-separated file, as text: a gene may be called NA, and quotes mean nothing."""
    with reading(path), _open(path) as handle:
        try:
            return pd.read_csv(
                handle,
                sep="\t",
                header=None,
                dtype=str,
                keep_default_na=False,
                na_filter=False,
                quoting=3,
                comment=None,
            )
        except pd.errors.EmptyDataError:
            raise InputError(Problem(path, "empty", "one name a line")) from None
        except pd.errors.ParserError as error:
            raise InputError(Problem(path, str(error).strip(), "tab-separated columns")) from None


def _read_features(path: str) -> pd.DataFrame:
    table = _read_lines(path)
    symbol = table[1] if table.shape[1] > 1 else table[0]
    kind = table[2] if table.shape[1] > 2 else pd.Series(GENE_EXPRESSION, index=table.index)
    return pd.DataFrame({"id": table[0], "symbol": symbol, "type": kind})


def _h5_features(group: Any) -> pd.DataFrame:
    if "features" in group:
        features = group["features"]
        names = _text(features["name"]) if "name" in features else _text(features["id"])
        table = pd.DataFrame({"id": _text(features["id"]), "symbol": names})
        table["type"] = _text(features["feature_type"]) if "feature_type" in features else GENE_EXPRESSION
        return table
    return pd.DataFrame({"id": _text(group["genes"]), "symbol": _text(group["gene_names"]), "type": GENE_EXPRESSION})


def _text(dataset: Any) -> NDArray[np.object_]:
    return np.array([item.decode() if isinstance(item, bytes) else str(item) for item in dataset[:]], dtype=object)


def open_tenx(path: str | Path) -> Matrix:
    """Open a 10x matrix, folder or .h5."""
    return FolderMatrix(path) if file_format(path) == "10x folder" else H5Matrix(path)
