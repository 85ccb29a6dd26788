"""The sample sheet: read as text, checked row by row, every problem said at once.

A sheet has one row per sample (one library: one mouse, one tissue, one lane). Nothing in it is missing but the empty
cell: an arm may be called `None` or `NA`.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from livermet.errors import InputError, Problem
from livermet.keys import ABSOLUTE_CELLS, BATCH, MOUSE, SAMPLE, TISSUE

PATH = "path"
RAW_PATH = "raw_path"
REQUIRED = (SAMPLE, MOUSE, PATH)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
DEFAULTS = {TISSUE: "unknown", BATCH: "none", RAW_PATH: ""}


def read_samples(
    path: str | Path,
    factors: dict[str, list[str]],
    covariates: list[str],
    exists: Callable[[str], bool] = lambda name: Path(name).exists(),
) -> pd.DataFrame:
    """Read and check a sample sheet.

    Parameters
    ----------
    path
        A text file, tab-, comma- or semicolon-separated, UTF-8 or UTF-16, with a header row.
    factors
        Factor -> levels, the reference first; each factor is a column.
    covariates
        Further columns that the design needs.
    exists
        Says whether an input is there; the demo's inputs are made by the run itself.

    Returns
    -------
    pandas.DataFrame
        Text only, index `sample`, in the sheet's order; `tissue`, `batch` and `raw_path` are filled in where the sheet
        has no such column.

    Raises
    ------
    InputError
        With every problem of the sheet.
    """
    name = Path(path).name
    header, rows = _rows(Path(path))
    problems = _check_header(name, header, [*factors, *covariates])
    if problems:
        raise InputError(problems)
    sheet = pd.DataFrame([values for _, values in rows], columns=header, dtype=str)
    sheet.index = pd.Index([number for number, _ in rows], name="row")
    for column, default in DEFAULTS.items():
        if column not in sheet:
            sheet[column] = default
    problems = [
        *_check_names(name, sheet, [SAMPLE, MOUSE, TISSUE, BATCH, *factors, *covariates]),
        *_check_unique(name, sheet),
        *_check_levels(name, sheet, factors),
        *_check_mice(name, sheet, [*factors, *covariates]),
        *_check_totals(name, sheet),
        *_check_paths(name, sheet, exists),
    ]
    if problems:
        raise InputError(problems)
    return sheet.set_index(SAMPLE, drop=True)


def _rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and (row number as an editor shows it, values), trimmed."""
    name = path.name
    if not path.is_file():
        raise InputError(Problem(str(path), "there is no such sample sheet", remedy="Mend `samples:` in the config"))
    raw = path.read_bytes()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(Problem(f"{name} row {line}", "not UTF-8 text", remedy="Save it as UTF-8")) from None
    first = text.split("\n", 1)[0]
    separator = max("\t,;", key=first.count)
    table = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    lines = [(number, [cell.strip() for cell in row]) for number, row in enumerate(table, 1)]
    lines = [(number, row) for number, row in lines if any(row) and not row[0].startswith("#")]
    if len(lines) < 2:
        raise InputError(Problem(name, "no samples", expected="a header row and a row per sample"))
    header = lines[0][1]
    ragged = [
        Problem(f"{name} row {number}", f"{len(row)} cells", expected=f"{len(header)}, as in the header")
        for number, row in lines[1:]
        if len(row) != len(header)
    ]
    if ragged:
        raise InputError(ragged)
    return header, lines[1:]


def _check_header(name: str, header: list[str], needed: list[str]) -> list[Problem]:
    problems = [
        Problem(f"{name} header", f"column '{column}' stands twice", remedy="Remove or rename one")
        for column in sorted({column for column in header if header.count(column) > 1})
    ]
    for column in dict.fromkeys([*REQUIRED, *needed]):
        if column not in header and column not in DEFAULTS:
            near = difflib.get_close_matches(column, header, n=1)
            remedy = f"Is '{near[0]}' meant?" if near else f"The sheet has: {', '.join(header)}"
            problems.append(Problem(f"{name} header", f"no column '{column}'", remedy=remedy))
    return problems


def _check_names(name: str, sheet: pd.DataFrame, columns: list[str]) -> list[Problem]:
    """Ids and levels become file names, formula terms and HTML: only plain ones are let through."""
    problems = []
    for column in dict.fromkeys(columns):
        for row, value in sheet[column].items():
            if not NAME.fullmatch(value):
                found = f"'{value}'" if value else "empty"
                problems.append(
                    Problem(
                        f"{name} row {row}, {column}",
                        found,
                        expected="letters, digits, '_', '.', '-', beginning with a letter or digit, at most 64",
                    )
                )
    return problems


def _check_unique(name: str, sheet: pd.DataFrame) -> list[Problem]:
    """Sample ids and inputs are unique, also where case is folded (files may sit on such a disk)."""
    problems = []
    for column, what in ((SAMPLE, "sample id"), (PATH, "input")):
        folded = sheet[column].str.casefold() if column == SAMPLE else sheet[column].str.rstrip("/")
        for _, group in sheet[folded != ""].groupby(folded, sort=False):
            if len(group) > 1:
                rows = " and ".join(str(row) for row in group.index)
                problems.append(
                    Problem(
                        f"{name} rows {rows}, {column}",
                        f"{what} '{group[column].iloc[0]}' stands {len(group)} times",
                        remedy="Give each sample its own" if column == PATH else "Rename or remove one",
                    )
                )
    return problems


def _check_levels(name: str, sheet: pd.DataFrame, factors: dict[str, list[str]]) -> list[Problem]:
    problems = []
    for factor, levels in factors.items():
        for row, value in sheet[factor].items():
            if value and value not in levels:
                near = difflib.get_close_matches(
                    value.casefold(), [level.casefold() for level in levels], n=1, cutoff=0.5
                )
                meant = next((level for level in levels if near and level.casefold() == near[0]), None)
                problems.append(
                    Problem(
                        f"{name} row {row}, {factor}",
                        f"'{value}' is not a level ({', '.join(levels)})",
                        remedy=f"Did you mean '{meant}'?" if meant else "Add it under design.factors or mend the sheet",
                    )
                )
    return problems


def _check_mice(name: str, sheet: pd.DataFrame, columns: list[str]) -> list[Problem]:
    """What is true of a mouse and tissue is the same in all of its samples."""
    problems = []
    for (mouse, tissue), group in sheet.groupby([MOUSE, TISSUE], sort=False):
        for column in dict.fromkeys(columns):
            values = list(dict.fromkeys(group[column]))
            if len(values) > 1:
                problems.append(
                    Problem(
                        f"{name} rows {', '.join(map(str, group.index))}, {column}",
                        f"mouse '{mouse}' ({tissue}) is {' and '.join(repr(value) for value in values)}",
                        expected="one value per mouse and tissue",
                        remedy="Two mice need two names; a batch that splits a mouse cannot be adjusted for",
                    )
                )
    return problems


def _check_totals(name: str, sheet: pd.DataFrame) -> list[Problem]:
    """Counted cells are positive numbers, in all rows of a tissue or in none, and the same in all rows of a mouse."""
    if ABSOLUTE_CELLS not in sheet:
        return []
    given = sheet[ABSOLUTE_CELLS] != ""
    numbers = pd.to_numeric(sheet[ABSOLUTE_CELLS].where(given), errors="coerce")
    problems = [
        Problem(
            f"{name} row {row}, {ABSOLUTE_CELLS}",
            f"'{sheet.loc[row, ABSOLUTE_CELLS]}'",
            expected="a positive number of cells, such as 2400000 or 2.4e6",
        )
        for row in sheet.index[given & ~((numbers > 0) & (numbers < float("inf")))]
    ]
    for tissue, group in sheet.groupby(sheet[TISSUE].astype(str), sort=False):
        empty = group.index[group[ABSOLUTE_CELLS] == ""]
        if 0 < len(empty) < len(group):
            problems.append(
                Problem(
                    f"{name} rows {', '.join(map(str, empty))}, {ABSOLUTE_CELLS}",
                    "empty, where other rows of the tissue have a number" + f" ({tissue!s})",
                    expected="a number in every row of a tissue, or in none",
                    remedy="Fill the rows in, or empty the column for this tissue",
                )
            )
    for (mouse, where), group in sheet.assign(number=numbers).groupby([MOUSE, TISSUE], sort=False):
        if group["number"].nunique() > 1:
            problems.append(
                Problem(
                    f"{name} rows {', '.join(map(str, group.index))}, {ABSOLUTE_CELLS}",
                    f"mouse '{mouse}' ({where}) has {' and '.join(dict.fromkeys(group[ABSOLUTE_CELLS]))} cells",
                    expected="the number of the whole tissue, repeated in each of its samples",
                    remedy="Lanes share one count; of parts that were counted apart, write the sum in every row",
                )
            )
    return problems


def _check_paths(name: str, sheet: pd.DataFrame, exists: Callable[[str], bool]) -> list[Problem]:
    problems = []
    for column in (PATH, RAW_PATH):
        for row, value in sheet[column].items():
            if not value and column == PATH:
                problems.append(Problem(f"{name} row {row}, path", "empty", expected="a file or a 10x folder"))
            elif value and not exists(value):
                problems.append(
                    Problem(
                        f"{name} row {row}, {column}",
                        f"there is no '{value}'",
                        remedy="Paths are relative to the folder in which snakemake runs",
                    )
                )
    return problems
