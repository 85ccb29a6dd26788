"""A quick look at an input before anything is computed: milliseconds a sample, so a thousand values stand for all.

Seen here: the format, whether the files are there, whole at their head and of the kind that their names say; that they fit
each other; the first values; names of features and, where they are not too many, of barcodes; species, mitochondrion. Only
the reading of the whole can tell what stands further on: a value that is no count, an entry twice, a file that is cut short
or damaged, a body longer than its header says, and in tables also genes, orientation and cells without a count.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livermet.errors import InputError, Problem
from livermet.inputs.files import ANEW, EXPECTED, MATRIX, file_format, find_files, reading

if TYPE_CHECKING:
    import pandas as pd

N_VALUES = 50_000
FEW = 3  # names that look like genes' needed in a table of names
ENOUGH = 2_000  # names looked at
MANY = 200_000  # barcodes: of more, the names are left to the job
LARGE = 4 << 20  # bytes: of a larger file of barcodes, too


def peek(path: str | Path, where: str, species: str = "mouse", corrected: bool = False) -> list[Problem]:
    """Look into an input that is there: format, files, the first values, the names.

    Parameters
    ----------
    path
        A folder or a file.
    where
        Sheet's place of the path, put before what is said.
    species
        The species that the config names.
    corrected
        Whether the config says that counts were corrected, so that fractions are taken.

    Returns
    -------
    list of Problem
        Empty where nothing speaks against the input. Broken files beyond the first part are found when they are read.
    """
    try:
        with reading(path):
            _look(path, species, corrected)
    except InputError as error:
        return [Problem(f"{where}: {item.where}", item.found, item.expected, item.remedy) for item in error.problems]
    return []


def _look(path: str | Path, species: str, corrected: bool) -> None:
    kind = file_format(path)
    if kind is None:
        raise InputError(Problem(str(path), "a format that is not known", EXPECTED, "Convert it to one of these"))
    files = [Path(name) for name in find_files(path)]
    missing = [name for name in files if not name.is_file()]
    if missing:
        raise InputError(_missing(Path(path), missing))
    empty = [name for name in files if name.stat().st_size == 0]
    if empty:
        raise InputError(Problem(str(empty[0]), "empty", "a whole file", "Copy or download it anew"))
    look = {"10x folder": _look_folder, "10x h5": _look_h5, "h5ad": _look_h5ad, "table": _look_table}[kind]
    look(str(path), species, corrected)


def _missing(path: Path, missing: list[Path]) -> Problem:
    """Say what is not there, what is instead, and where a matrix lies further down."""
    loose = [name for name in missing if name.is_symlink()]
    if loose:
        return Problem(str(loose[0]), "a link to a file that is not there", "a file", "Mend the link, or copy the file")
    found = f"no {', '.join(name.name for name in missing)}"
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return Problem(str(path), found, EXPECTED, "Mend the path")
    there = sorted(item.name for item in folder.iterdir())[:6]
    found += f" among {', '.join(there)}" if there else " (the folder is empty)"
    below = sorted(islice((item for depth in ("*", "*/*") for item in folder.glob(f"{depth}/{MATRIX}*")), 20))
    meant = [item.parent for item in below if "filtered" in str(item)] or [item.parent for item in below]
    return Problem(str(path), found, EXPECTED, f"Is {meant[0]} meant?" if meant else "Mend the path, or add the file")


def _look_folder(path: str, species: str, corrected: bool) -> None:
    import pandas as pd

    from livermet.inputs import mtx
    from livermet.inputs.names import check_barcodes
    from livermet.inputs.plausible import cells_of
    from livermet.inputs.texts import open_bytes

    matrix, barcodes, features = find_files(path)
    table = mtx.read_features(features)
    few = Path(barcodes).stat().st_size < LARGE
    names = mtx.read_barcodes(barcodes) if few else None
    chunk = pd.DataFrame(columns=mtx.COORDINATES["names"])
    with reading(matrix), open_bytes(matrix) as handle:
        (rows, columns, n_entries), first_line = mtx.read_mtx_header(matrix, handle)
        with mtx.parsing(matrix):
            chunk = pd.read_csv(handle, nrows=N_VALUES, **mtx.COORDINATES)
    n_barcodes = len(names) if names is not None else columns if rows == len(table) else rows
    mtx.check_shape(matrix, (rows, columns), features, len(table), barcodes, n_barcodes)
    if names is not None:
        check_barcodes(barcodes, names.tolist())
    if not n_entries:
        _refuse_nothing(f"{matrix}, line {first_line}")
    if len(chunk) < min(N_VALUES, n_entries):
        cut = f"It is cut short. {ANEW}"
        raise InputError(Problem(matrix, f"{len(chunk)} entries", f"{n_entries}, as its header says", cut))
    sizes, transposed = (len(table), n_barcodes), (rows, columns) != (len(table), n_barcodes)
    symbols = table["symbol"].to_numpy()
    block = mtx.check_chunk(
        chunk, (f"{matrix}, line", first_line + 1), sizes, transposed, corrected,
        lambda feature, cell: f"feature {symbols[feature]}, barcode {names[cell] if names is not None else cell + 1}",
    )  # fmt: skip
    _look_counts(matrix, cells_of(block.cell, block.umis), corrected)
    _look_genes(features, table, species)


def _look_h5(path: str, species: str, corrected: bool) -> None:
    import numpy as np

    from livermet.inputs.hdf5 import open_h5, read_text
    from livermet.inputs.integers import as_counts
    from livermet.inputs.names import check_barcodes, check_names
    from livermet.inputs.plausible import cells_of
    from livermet.inputs.tenx import TENX_H5, check_parts, find_h5_group, h5_features

    with open_h5(path, TENX_H5) as file:
        name = find_h5_group(path, file)
        group = file[name]
        table = h5_features(path, group)
        check_parts(path, group, len(table))
        if len(group["barcodes"]) <= MANY:
            barcodes = read_text(group["barcodes"]).tolist()
            check_names(path, barcodes, "barcode")
            check_barcodes(path, barcodes)
        values = group["data"][:N_VALUES]
        ends = group["indptr"][: N_VALUES + 1].astype(np.int64)
    if not values.size:
        _refuse_nothing(path)
    cells = np.searchsorted(ends, np.arange(len(values)), side="right") - 1
    counts = as_counts(values, lambda position: f"{path}, {name}/data, entry {position + 1}", corrected, cells)
    _look_counts(path, cells_of(cells, counts), corrected)
    _look_genes(path, table, species)


def _look_h5ad(path: str, species: str, corrected: bool) -> None:
    from livermet.inputs.annotated import H5AD, check_sides, feature_table, find_counts
    from livermet.inputs.h5ad_matrices import matrix_shape
    from livermet.inputs.h5ad_tables import Table
    from livermet.inputs.hdf5 import open_h5
    from livermet.inputs.names import check_barcodes, check_names

    with open_h5(path, H5AD) as file:
        place = find_counts(path, file, corrected)
        table = feature_table(Table(file["raw/var" if place == "raw/X" else "var"]).frame())
        obs, shape = Table(file["obs"]), matrix_shape(path, place, file[place])
        barcodes = obs.index(MANY)
        check_sides(path, place, shape, obs.n_rows, barcodes, table)
    check_names(path, barcodes.tolist(), "barcode")
    check_barcodes(path, barcodes.tolist())
    _look_genes(path, table, species)


def _look_table(path: str, species: str, corrected: bool) -> None:
    import numpy as np

    from livermet.inputs.genes import count_gene_like
    from livermet.inputs.integers import as_counts
    from livermet.inputs.names import check_barcodes
    from livermet.inputs.species import check_species, species_of
    from livermet.inputs.tables import no_number, open_text, read_layout, read_row

    with open_text(path) as handle:
        layout = read_layout(path, handle)
        handle.seek(0)
        read_row(path, handle)
        number = max(1, N_VALUES // (layout.n_labels + len(layout.columns)))
        lines = [line.split(layout.separator) for line in islice(iter(lambda: read_row(path, handle), ""), number)]
    for row, line in enumerate(lines, 2):
        name = line[0].strip('"')
        fields = line[-len(layout.columns) :]
        try:
            values = np.array(fields).astype(np.float64)
        except ValueError:
            bad = next((number for number, field in enumerate(fields) if not _is_number(field)), 0)
            where = f"{path}, row {row} ({name}), column {layout.columns[bad]}"
            raise InputError(no_number(where, fields[bad])) from None
        as_counts(
            values,
            lambda position, row=row, name=name: (  # type: ignore[misc]
                f"{path}, row {row} ({name}), column {layout.columns[position]}"
            ),
            corrected,
        )
    rows = [line[0].strip('"') for line in lines]
    in_rows, in_columns = count_gene_like(rows), count_gene_like(layout.columns[:ENOUGH])
    genes = rows if in_rows > in_columns else layout.columns
    if max(in_rows, in_columns) >= FEW and species_of(genes[:ENOUGH], genes[:ENOUGH]) is not None:
        check_species(genes[:ENOUGH], genes[:ENOUGH], species, path)
    if in_rows > in_columns:
        check_barcodes(path, layout.columns)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _look_counts(path: str, groups: list[Any], corrected: bool) -> None:
    """The first cells: are whole numbers counts, and fractions corrected ones?"""
    from livermet.inputs.integers import EXPECTED as COUNTS
    from livermet.inputs.integers import REMEDY
    from livermet.inputs.plausible import scale_of, unlike_counts

    scale = scale_of(groups) if corrected else ""
    found = f"values that are {scale}, and no corrected counts" if scale else unlike_counts(groups)
    if found:
        raise InputError(Problem(path, found, COUNTS, REMEDY))


def _refuse_nothing(where: str) -> None:
    raise InputError(Problem(where, "no entry: every count is 0", "counts", "Leave the sample out of the sheet"))


def _look_genes(path: str, features: pd.DataFrame, species: str) -> None:
    """Names of the features: genes, of the right species, with a mitochondrion."""
    from livermet.inputs.genes import check_mitochondrion, count_gene_like
    from livermet.inputs.names import GENE_EXPRESSION
    from livermet.inputs.species import check_species, strip_genome

    genes = features[features["type"] == GENE_EXPRESSION]
    ids, symbols = strip_genome(genes["id"]), strip_genome(genes["symbol"])
    step = max(1, len(ids) // ENOUGH)  # spread: of two genomes in one file, the first is first
    some_ids, some_symbols = ids[::step], symbols[::step]
    if count_gene_like([*some_ids, *some_symbols]) < FEW:
        shown = ", ".join(dict.fromkeys([*ids[:3], *symbols[:3]])) or "nothing"
        kinds = ", ".join(sorted(set(features["type"]) - {GENE_EXPRESSION}))
        raise InputError(
            Problem(
                path,
                f"features named like {shown}" + (f", and others of type {kinds}" if kinds else ""),
                "genes by Ensembl id or official symbol, of type Gene Expression",
                "Give a feature table with Ensembl ids or symbols",
            )
        )
    check_species(some_ids, some_symbols, species, path)
    check_mitochondrion(ids, symbols, path)
