"""Dense tables of counts, csv or tsv, gzipped or not, genes in the rows or in the columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from livermet.errors import InputError, Problem
from livermet.inputs.files import ANEW, reading
from livermet.inputs.genes import count_gene_like
from livermet.inputs.integers import EXPECTED, REMEDY, as_counts
from livermet.inputs.names import check_names, find_kinds
from livermet.inputs.texts import LONGEST, open_bytes

BLOCK = 8_000_000  # values held at once
# Columns that describe genes or cells and are no counts, as counters and spreadsheets put them beside the counts.
DESCRIPTIVE = frozenset(
    [
        "chr",
        "chrom",
        "chromosome",
        "start",
        "end",
        "strand",
        "length",
        "gene_length",
        "description",
        "biotype",
        "gene_biotype",
        "gene_type",
        "entrezid",
        "entrez_id",
        "total",
        "sum",
        "total_counts",
        "n_counts",
        "n_genes",
        "nfeature_rna",
        "ncount_rna",
        "percent.mt",
        "percent_mito",
        "cluster",
    ]
)
SHAPE = "a header, then one row a gene (or a cell): its name, then its counts"
DECIMAL = re.compile(r"-?\d+,\d+")
BARCODE = re.compile(r"(?:.*[^ACGT])?[ACGT]{10,}(?:-\d+)?(?:[^ACGT].*)?")


@dataclass(frozen=True)
class Layout:
    """How a table is written: separator, column names without the label columns, number of label columns."""

    separator: str
    columns: list[str]
    n_labels: int


def read_table(path: str | Path, corrected: bool = False) -> tuple[sp.csr_matrix, pd.Index, pd.DataFrame]:
    """Read a dense table of raw counts, either way round.

    Parameters
    ----------
    path
        The file. The first row names the columns; the first column names the rows (two columns may: gene id, symbol).
    corrected
        Take fractions, too.

    Returns
    -------
    tuple
        Cells x features csr (int32; float64 where fractions are taken), barcodes, feature table with columns `id`, `symbol`, `type`.

    Raises
    ------
    InputError
        Where a value is no count, rows differ in length, or neither side can be told to be the genes.
    """
    path = str(path)
    with reading(path):
        with open_text(path) as handle:
            layout = read_layout(path, handle)
        labels, blocks = [], []
        for chunk in _chunks(path, layout):
            labels.append(chunk.iloc[:, : layout.n_labels].astype(str))
            blocks.append(_block(path, layout, chunk, corrected))
    if not labels:
        raise InputError(Problem(path, "no row under the header", SHAPE, ANEW))
    rows = pd.concat(labels, ignore_index=True)
    counts = sp.vstack(blocks, format="csr")
    if genes_in_rows(path, rows[0].tolist(), layout.columns):
        features = pd.DataFrame({"id": rows[0], "symbol": rows[layout.n_labels - 1]})
        counts, barcodes = sp.csr_matrix(counts.T), pd.Index(layout.columns)
    else:
        if layout.n_labels > 1:
            raise InputError(
                Problem(path, "two columns of text before the counts", "one, the barcode", "Leave the other one out")
            )
        features = pd.DataFrame({"id": layout.columns, "symbol": layout.columns})
        barcodes = pd.Index(rows[0])
    check_names(path, barcodes.tolist(), "barcode")
    check_names(path, features["id"].tolist(), "feature")
    return counts, barcodes, features.assign(type=find_kinds(features["id"], features["symbol"], None))


def genes_in_rows(path: str, rows: list[str], columns: list[str]) -> bool:
    """Whether the rows of a table are the genes.

    Names that only a gene can have are counted on both sides; where they do not tell, what looks like a barcode does.

    Raises
    ------
    InputError
        Where neither tells.
    """
    in_rows, in_columns = count_gene_like(rows), count_gene_like(columns)
    if max(in_rows, in_columns) >= 3 and max(in_rows, in_columns) > 5 * min(in_rows, in_columns):
        return in_rows > in_columns
    barcodes = [np.mean([BARCODE.fullmatch(name) is not None for name in names[:1000]]) for names in (rows, columns)]
    if max(barcodes) > 0.8 and min(barcodes) < 0.2:
        return bool(barcodes[1] > barcodes[0])
    raise InputError(
        Problem(
            path,
            f"rows named like {', '.join(rows[:3])}, columns like {', '.join(columns[:3])}",
            "genes on one side, by Ensembl id or official symbol, and barcodes on the other",
            "Name the genes by Ensembl id or official symbol",
        )
    )


def open_text(path: str) -> IO[str]:
    """Open a table for reading, gzipped or not; a byte order mark is passed over."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")


def read_row(path: str, handle: IO[str]) -> str:
    """The next line of a table, with a bound on its length, and no byte in it that no text has."""
    line = handle.readline(LONGEST)
    if "\0" in line or len(line) == LONGEST:
        what = "a NUL byte" if "\0" in line else f"a line longer than {LONGEST >> 20} MiB"
        raise InputError(Problem(path, what, "a table of text", f"Save it as UTF-8. {ANEW}"))
    return line.rstrip("\r\n")


def read_layout(path: str, handle: IO[str]) -> Layout:
    """How an open table is written, from its first two rows.

    Raises
    ------
    InputError
        Where there is no header with at least one column of counts, or a column is no cell's or gene's.
    """
    head, first = read_row(path, handle), read_row(path, handle)
    name = path.lower().removesuffix(".gz")
    usual = "," if name.endswith(".csv") else "\t"
    separator = max((usual, "\t", ",", ";"), key=head.count)
    header = next(csv.reader([head], delimiter=separator), [])
    values = next(csv.reader([first], delimiter=separator), [])
    n_labels = next((number for number, value in enumerate(values) if number and _is_number(value)), len(values))
    # R's write.table leaves the corner out, so that the header is one name short.
    short = len(header) == len(values) - 1
    columns = header[n_labels - 1 if short else n_labels :]
    if not columns or n_labels > 2 or len(header) != len(values) - short:
        decimal = next((value for value in values[1:] if DECIMAL.fullmatch(value.strip())), "")
        found = f"{len(header)} names in the header, {len(values)} values in the first row, {n_labels} of them text"
        if decimal:
            raise InputError(no_number(f"{path}, row 2", decimal))
        raise InputError(Problem(path, found, SHAPE, "Leave columns out that are no counts"))
    strangers = [column for column in columns if column.strip().lower() in DESCRIPTIVE]
    if strangers:
        raise InputError(
            Problem(f"{path}, column {strangers[0]}", "a column that holds no counts", SHAPE, "Leave such columns out")
        )
    return Layout(separator, columns, n_labels)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return value.strip() in {"", "NA", "NaN"}
    return True


def _chunks(path: str, layout: Layout) -> Iterator[pd.DataFrame]:
    width = layout.n_labels + len(layout.columns)
    with open_text(path) as handle:
        handle.readline()
        try:
            # Labels are text as they stand: a gene may be called NA. Elsewhere what is missing becomes NaN, and is refused.
            yield from pd.read_csv(
                handle,
                sep=layout.separator,
                header=None,
                names=list(range(width)),
                index_col=False,
                converters=dict.fromkeys(range(layout.n_labels), str),
                low_memory=False,
                chunksize=max(1, BLOCK // width),
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            found = " ".join(str(error).split())
            raise InputError(Problem(path, found, "rows of the same length, of text", ANEW)) from None


def _block(path: str, layout: Layout, chunk: pd.DataFrame, corrected: bool) -> sp.csr_matrix:
    """Counts of some rows, checked."""
    names = chunk[0].astype(str).to_numpy()
    first_row = int(chunk.index[0]) + 2  # the header is row 1
    table = chunk.iloc[:, layout.n_labels :]
    for column, dtype in enumerate(table.dtypes):
        if dtype.kind not in "iuf":
            numbers = pd.to_numeric(table.iloc[:, column].astype(str), errors="coerce").to_numpy()
            bad = int(np.argmax(np.isnan(numbers)))
            where = f"{path}, row {first_row + bad} ({names[bad]}), column {layout.columns[column]}"
            raise InputError(no_number(where, str(table.iat[bad, column])))
    values: NDArray[Any] = table.to_numpy()
    width = len(layout.columns)

    def locate(position: int) -> str:
        row, column = divmod(position, width)
        return f"{path}, row {first_row + row} ({names[row]}), column {layout.columns[column]}"

    return sp.csr_matrix(as_counts(values.ravel(), locate, corrected).reshape(values.shape))


def no_number(where: str, value: str) -> Problem:
    """What is said of a value that is no number."""
    decimal = DECIMAL.fullmatch(value.strip()) is not None
    found = f"{value[:60]!r}" + ", a comma as decimal sign" * decimal
    return Problem(where, found, EXPECTED, "Save the table with a point as decimal sign" if decimal else REMEDY)
