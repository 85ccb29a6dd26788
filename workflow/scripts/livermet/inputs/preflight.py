"""A quick look at an input before anything is computed: milliseconds a sample, so a thousand values stand for all."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path
from typing import IO, Any

from livermet.errors import InputError, Problem
from livermet.inputs.files import EXPECTED, file_format, find_files, reading

N_VALUES = 50_000
FEW = 3  # names that look like genes' needed in a table of names
ENOUGH = 2_000  # names looked at


def peek(path: str | Path, where: str) -> list[Problem]:
    """Look into an input that is there: format, files, the first values, the names.

    Parameters
    ----------
    path
        A folder or a file.
    where
        Sheet's place of the path, put before what is said.

    Returns
    -------
    list of Problem
        Empty where nothing speaks against the input. Broken files beyond the first part are found when they are read.
    """
    try:
        _look(path)
    except InputError as error:
        return [Problem(f"{where}: {item.where}", item.found, item.expected, item.remedy) for item in error.problems]
    return []


def _look(path: str | Path) -> None:
    kind = file_format(path)
    if kind is None:
        raise InputError(Problem(str(path), "a format that is not known", EXPECTED))
    files = [Path(name) for name in find_files(path)]
    missing = [name for name in files if not name.is_file()]
    if missing:
        found = f"no {', '.join(name.name for name in missing)}"
        if Path(path).is_dir():
            there = sorted(item.name for item in Path(path).iterdir())[:6]
            found += f" among {', '.join(there)}" if there else " (the folder is empty)"
        raise InputError(Problem(str(path), found, EXPECTED))
    empty = [name for name in files if name.stat().st_size == 0]
    if empty:
        raise InputError(Problem(str(empty[0]), "empty", "a whole file", "Copy or download it anew"))
    with reading(path):
        {"10x folder": _look_folder, "10x h5": _look_h5, "h5ad": _look_h5ad, "table": _look_table}[kind](str(path))


def _look_folder(path: str) -> None:
    import numpy as np

    from livermet.inputs.integers import as_counts
    from livermet.inputs.tenx import read_mtx_header

    matrix, barcodes, features = find_files(path)
    with reading(matrix), _open(matrix) as handle:
        (rows, columns, n_entries), first_line = read_mtx_header(matrix, handle)
        lines = list(islice(handle, min(N_VALUES, n_entries)))
    if len(lines) < min(N_VALUES, n_entries):
        raise InputError(
            Problem(matrix, f"{len(lines)} entries", f"{n_entries}, as its header says", "It is cut short")
        )
    try:
        values = np.array([line.rsplit(None, 1)[-1] for line in lines]).astype(np.float64)
    except (ValueError, IndexError) as error:
        raise InputError(Problem(matrix, f"not a coordinate matrix ({error})")) from None
    as_counts(values, lambda position: f"{matrix}, line {first_line + position + 1}")
    with reading(features), _open(features) as handle:
        names = [line.decode().rstrip("\r\n").split("\t") for line in handle]
    with reading(barcodes), _open(barcodes) as handle:
        n_barcodes = sum(1 for _ in handle)
    if sorted((rows, columns)) != sorted((len(names), n_barcodes)):
        raise InputError(
            Problem(
                matrix,
                f"{rows} rows, {columns} columns, but {len(names)} features and {n_barcodes} barcodes",
                "one row a feature and one column a barcode",
                "Take the three files from the same run",
            )
        )
    _look_genes(features, [name for line in names[:ENOUGH] for name in line[:2]])


def _look_h5(path: str) -> None:
    import h5py

    from livermet.inputs.integers import as_counts
    from livermet.inputs.tenx import find_h5_group

    with h5py.File(path, "r") as file:
        group = find_h5_group(path, file)
        matrix = file[group]
        as_counts(matrix["data"][:N_VALUES], lambda position: f"{path}, {group}/data, entry {position + 1}")
        names: list[str] = []
        for name in ("features/id", "features/name", "genes", "gene_names"):
            if name in matrix:
                names += [item.decode() if isinstance(item, bytes) else str(item) for item in matrix[name][:ENOUGH]]
    _look_genes(path, names)


def _look_h5ad(path: str) -> None:
    import h5py

    from livermet.inputs.annotated import find_counts

    with h5py.File(path, "r") as file:
        place = find_counts(path, file)
        var = file["raw/var" if place == "raw/X" else "var"]
        names: list[str] = []
        for column in var.values() if isinstance(var, h5py.Group) else []:
            names += _first_text(column)
    _look_genes(path, names)


def _first_text(column: Any) -> list[str]:
    """The first names of a column of an h5ad's table, plain or categorical."""
    import h5py

    if isinstance(column, h5py.Group):
        column = column.get("categories", column.get("values"))
    if column is None or column.dtype.kind not in "OS" or column.ndim != 1:
        return []
    return [item.decode() if isinstance(item, bytes) else str(item) for item in column[:ENOUGH]]


def _look_table(path: str) -> None:
    import numpy as np

    from livermet.inputs.integers import as_counts
    from livermet.inputs.tables import open_text, read_layout

    with open_text(path) as handle:
        layout = read_layout(path, handle)
        handle.seek(0)
        handle.readline()
        number = max(1, N_VALUES // (layout.n_labels + len(layout.columns)))
        lines = [line.rstrip("\r\n").split(layout.separator) for line in islice(handle, number)]
    for row, line in enumerate(lines, 2):
        name = line[0].strip('"')
        fields = line[-len(layout.columns) :]
        try:
            values = np.array(fields).astype(np.float64)
        except ValueError:
            bad = next((field for field in fields if not _is_number(field)), "")
            raise InputError(Problem(f"{path}, row {row} ({name})", f"{bad!r}", "a count")) from None
        as_counts(
            values,
            lambda position, row=row, name=name: (  # type: ignore[misc]
                f"{path}, row {row} ({name}), column {layout.columns[position]}"
            ),
        )


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _look_genes(path: str, names: list[str]) -> None:
    from livermet.inputs.genes import count_gene_like

    if count_gene_like(names) < FEW:
        shown = ", ".join(dict.fromkeys(names[:3])) or "nothing"
        raise InputError(
            Problem(
                path,
                f"features named like {shown}",
                "genes by Ensembl id or official symbol",
                "Give a feature table with Ensembl ids or symbols",
            )
        )


def _open(path: str) -> IO[bytes]:
    return gzip.open(path, "rb") if path.endswith(".gz") else Path(path).open("rb")  # type: ignore[return-value]
