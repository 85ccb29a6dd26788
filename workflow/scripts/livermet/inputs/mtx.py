"""10x folders (v2, v3) and their like from STARsolo and GEO: matrix.mtx as blocks of entries, never held whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livermet.errors import InputError, Problem
from livermet.inputs import tenx
from livermet.inputs.files import ANEW, find_files, reading
from livermet.inputs.integers import as_counts
from livermet.inputs.names import check_entries, check_names, find_kinds
from livermet.inputs.texts import open_bytes, read_line, read_lines

# For pandas: a one-character separator takes its fast C path; 10x writes a single space. A fourth column has no place.
COORDINATES: dict[str, Any] = {
    "sep": " ", "header": None, "names": ["row", "column", "value", "more"], "index_col": False,
}  # fmt: skip
SAME_RUN = "Take the three files from the same run"


class FolderMatrix:
    """A 10x folder: matrix.mtx, barcodes.tsv and features.tsv (v3) or genes.tsv (v2), gzipped or not.

    Parameters
    ----------
    folder
        The folder, or its matrix.mtx.
    corrected
        Take fractions, too.

    Raises
    ------
    InputError
        Where a file is missing, broken, or the three do not fit each other.
    """

    def __init__(self, folder: str | Path, corrected: bool = False) -> None:
        matrix, barcodes, features = find_files(folder)
        self.path = matrix
        self._corrected = corrected
        self.features = read_features(features)
        self.barcodes = read_barcodes(barcodes)
        with reading(matrix), open_bytes(matrix) as handle:
            (rows, columns, self.n_entries), self._first_line = read_mtx_header(matrix, handle)
        check_shape(matrix, (rows, columns), features, len(self.features), barcodes, len(self.barcodes))
        # Some tools write barcodes x features; a square matrix is taken the way 10x writes it.
        self._transposed = (rows, columns) != (len(self.features), len(self.barcodes))

    def blocks(self) -> Iterator[tenx.Block]:
        """Every entry, block by block."""
        seen = 0
        with reading(self.path), open_bytes(self.path) as handle:
            for _ in range(self._first_line):
                handle.readline()
            for chunk in self._chunks(handle):
                if seen + len(chunk) > self.n_entries:
                    raise InputError(
                        Problem(
                            f"{self.path}, line {self._first_line + self.n_entries + 1}",
                            f"an entry more than the {self.n_entries} that the header says",
                            "as many entries as the header says",
                            "Was something appended to the file? Write or download it anew",
                        )
                    )
                yield self._block(chunk, seen)
                seen += len(chunk)
        if seen != self.n_entries:
            raise InputError(
                Problem(
                    self.path, f"{seen} entries", f"{self.n_entries}, as its header says", f"It is cut short. {ANEW}"
                )
            )

    def _chunks(self, handle: IO[bytes]) -> Iterator[pd.DataFrame]:
        with parsing(self.path):
            yield from pd.read_csv(handle, chunksize=tenx.BLOCK, **COORDINATES)

    def _block(self, chunk: pd.DataFrame, before: int) -> tenx.Block:
        def name(feature: int, cell: int) -> str:
            return f"feature {self.features['symbol'].iloc[feature]}, barcode {self.barcodes[cell]}"

        place = f"{self.path}, line", self._first_line + before + 1
        sizes = len(self.features), len(self.barcodes)
        return check_chunk(chunk, place, sizes, self._transposed, self._corrected, name)


@contextmanager
def parsing(path: str) -> Iterator[None]:
    """Turn what pandas says of a body that is no table into words; an empty body is no entry."""
    try:
        yield
    except pd.errors.EmptyDataError:
        return
    except pd.errors.ParserError as error:
        found = f"not a coordinate matrix ({' '.join(str(error).split())})"
        raise InputError(Problem(path, found, "row, column, count a line", ANEW)) from None


def check_chunk(
    chunk: pd.DataFrame,
    place: tuple[str, int],
    sizes: tuple[int, int],
    transposed: bool,
    corrected: bool,
    name: Callable[[int, int], str],
) -> tenx.Block:
    """Entries of some lines, checked.

    Parameters
    ----------
    chunk
        As pandas reads it with :data:`COORDINATES`.
    place
        File, and the number of the first of the lines.
    sizes
        Numbers of features and barcodes.
    transposed
        Whether rows are barcodes.
    corrected
        Take fractions, too.
    name
        Feature and barcode (0-based) in words.

    Raises
    ------
    InputError
        At the first line that is no entry, lies outside, holds no count, or repeats a place.
    """

    def line(position: int) -> str:
        return f"{place[0]} {place[1] + position}"

    row, column, value = (_numbers(chunk[part], line) for part in ("row", "column", "value"))
    more = chunk["more"].notna().to_numpy()
    if more.any():
        where = line(int(np.argmax(more)))
        raise InputError(Problem(where, "more than three numbers", "row, column, count a line", ANEW))
    feature, cell = (column, row) if transposed else (row, column)
    for positions, size, what in ((feature, sizes[0], "feature"), (cell, sizes[1], "barcode")):
        outside = ~((positions >= 1) & (positions <= size))
        if outside.any():
            position = int(np.argmax(outside))
            wrong = positions[position]
            remedy = "Positions count from 1: was the matrix written from 0?" if wrong == 0 else SAME_RUN
            raise InputError(Problem(line(position), f"{what} number {wrong:g}", f"1 to {size}", remedy))
    feature, cell = feature.astype(np.int64) - 1, cell.astype(np.int64) - 1

    def locate(position: int) -> str:
        return f"{line(position)} ({name(feature[position], cell[position])})"

    counts = as_counts(value, locate, corrected, cell)
    check_entries(cell, feature, sizes[0], locate)
    return tenx.Block(feature, cell, counts)


def _numbers(column: pd.Series, line: Any) -> NDArray[Any]:
    values: NDArray[Any] = column.to_numpy()
    if values.dtype.kind in "iuf":
        return values
    if not values.size:
        return np.zeros(0, dtype=np.int64)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy()
    position = int(np.argmax(np.isnan(numbers)))
    raise InputError(Problem(line(position), f"{str(values[position])[:60]!r}", "row, column, count", ANEW))


def check_shape(
    matrix: str, shape: tuple[int, int], features: str, n_features: int, barcodes: str, n_barcodes: int
) -> None:
    """Refuse a matrix that does not fit its names, either way round.

    Raises
    ------
    InputError
        With all four numbers.
    """
    if shape in ((n_features, n_barcodes), (n_barcodes, n_features)):
        return
    heads = sorted(shape) == sorted((n_features - 1, n_barcodes)) or sorted(shape) == sorted(
        (n_features, n_barcodes - 1)
    )
    raise InputError(
        Problem(
            matrix,
            f"the matrix has {shape[0]} rows and {shape[1]} columns, but there are {n_features} features in "
            f"{Path(features).name} and {n_barcodes} barcodes in {Path(barcodes).name}",
            "one row a feature and one column a barcode",
            "Has a file of names a header row? It must have none" if heads else SAME_RUN,
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
    banner = read_line(handle, path).decode("utf-8", "replace").split()
    good = len(banner) == 5 and banner[0] == "%%MatrixMarket" and banner[2].lower() == "coordinate"
    if not good or banner[3].lower() not in {"integer", "real"} or banner[4].lower() != "general":
        raise InputError(
            Problem(
                f"{path}, line 1",
                f"{' '.join(banner)[:80]!r}",
                "'%%MatrixMarket matrix coordinate integer general'",
                "Is it the matrix.mtx of the counts?",
            )
        )
    n_lines = 1
    while True:
        line = read_line(handle, path)
        n_lines += 1
        if not line.startswith(b"%") and (line.strip() or not line):
            break
    sizes = line.split()
    if len(sizes) != 3 or not all(size.isdigit() and len(size) < 19 for size in sizes):
        raise InputError(
            Problem(f"{path}, line {n_lines}", f"{line[:60].decode('utf-8', 'replace')!r}", "three sizes", ANEW)
        )
    rows, columns, entries = (int(size) for size in sizes)
    return (rows, columns, entries), n_lines


def read_barcodes(path: str) -> NDArray[np.object_]:
    """Names of the barcodes: the first column of a file without a header."""
    names = [line.split("\t", 1)[0] for line in read_lines(path)]
    check_names(path, names, "barcode")
    return np.array(names, dtype=object)


def read_features(path: str) -> pd.DataFrame:
    """Features: id, symbol (second column, else the id), type (third column, else by their names)."""
    rows = [line.split("\t") for line in read_lines(path)]
    ids = [row[0] for row in rows]
    symbols = [row[1] if len(row) > 1 else row[0] for row in rows]
    check_names(path, [name or symbol for name, symbol in zip(ids, symbols, strict=True)], "feature")
    check_names(path, [symbol or name for name, symbol in zip(ids, symbols, strict=True)], "feature")
    kinds = [row[2] if len(row) > 2 else "" for row in rows] if any(len(row) > 2 for row in rows) else None
    return pd.DataFrame({"id": ids, "symbol": symbols}).assign(type=find_kinds(ids, symbols, kinds))
