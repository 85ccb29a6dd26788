"""The sample sheet: read as text, checked row by row, every problem said at once.

A sheet has one row per sample (one library: one mouse, one tissue, one lane). Nothing in it is missing but the empty
cell: an arm may be called `None` or `NA`.
"""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from livermet.errors import InputError, Problem
from livermet.keys import ABSOLUTE_CELLS, BATCH, LEIDEN, MOUSE, PATH, RAW_PATH, SAMPLE, TAKEN, TISSUE
from livermet.names import EXPECTED, as_name, has_control, is_formula, is_name, odd_characters, visible
from livermet.notices import STUDY, Notice
from livermet.pools import check_pools, plain_path, shared_rows
from livermet.sheets import Remark, read_lines

REQUIRED = (SAMPLE, MOUSE, PATH)
DEFAULTS = {TISSUE: "unknown", BATCH: "none", RAW_PATH: ""}
SUFFIXES = (".empty", ".soup", ".notices")  # of files that a sample's steps write beside each other
_COLUMN = re.compile(r"\w[\w. ()%/+-]{0,63}")  # of columns that only travel with the cells


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
        has no such column. What was done to the cells: :func:`tell_remarks`.

    Raises
    ------
    InputError
        With every problem of the sheet.
    """
    name = Path(path).name
    lines = read_lines(Path(path))
    problems = [*lines.problems, *_check_header(name, lines.header, list(factors), covariates)]
    sheet = pd.DataFrame([cells for _, cells in lines.rows], columns=lines.header, dtype=str)
    sheet.index = pd.Index([number for number, _ in lines.rows], name="row")
    sheet = sheet.loc[:, ~sheet.columns.duplicated()]
    for column, default in DEFAULTS.items():
        if column not in sheet:
            sheet[column] = default
    named = [
        column for column in dict.fromkeys([SAMPLE, MOUSE, TISSUE, BATCH, *factors, *covariates]) if column in sheet
    ]
    problems += [
        *_check_names(name, sheet, named, factors),
        *_check_others(name, sheet, named),
        *_check_unique(name, sheet),
        *check_pools(name, sheet),
        *_check_levels(name, sheet, factors),
        *_check_cases(name, sheet, [column for column in named if column != SAMPLE and column not in factors]),
        *_check_mice(name, sheet, [column for column in dict.fromkeys([*factors, *covariates]) if column in sheet]),
        *_check_totals(name, sheet),
        *_check_paths(name, sheet, exists),
    ]
    if problems:
        raise InputError(problems)
    return sheet.set_index(SAMPLE, drop=True)


def tell_remarks(path: str | Path, sheet: pd.DataFrame) -> list[Notice]:
    """What was done to a sheet while it was read, and what in it looks odd though nothing forbids it.

    Parameters
    ----------
    path
        As for :func:`read_samples`.
    sheet
        What that gave.

    Returns
    -------
    list of Notice
        One a kind of thing; of a single sample where only one row is concerned.
    """
    lines = read_lines(Path(path))
    place = lines.header.index(SAMPLE)
    samples = {row: cells[place] for row, cells in lines.rows}
    kinds: dict[str, list[Remark]] = {}
    for remark in lines.remarks:
        kinds.setdefault(remark.what, []).append(remark)
    notices = []
    for what, remarks in kinds.items():
        shown = "; ".join(remark.where for remark in remarks[:5] if remark.where)
        rows = {samples.get(remark.row, STUDY) for remark in remarks}
        evidence = f"{Path(path).name} {shown}" + (f" and {len(remarks) - 5} more" if len(remarks) > 5 else "")
        remedy = "Nothing needs to be done; mend the sheet if that was not meant"
        notices.append(Notice(rows.pop() if len(rows) == 1 else STUDY, "gate", what, evidence.strip(), remedy))
    return [*notices, *_tell_like_mice(Path(path).name, sheet)]


def _tell_like_mice(name: str, sheet: pd.DataFrame) -> list[Notice]:
    """Mice whose names differ by signs or leading zeros only: perhaps one mouse that would count as two."""
    alike: dict[str, list[str]] = {}
    for mouse in dict.fromkeys(sheet[MOUSE]):
        alike.setdefault(re.sub(r"(?<!\d)0+(?=\d)|[_.-]", "", mouse), []).append(mouse)
    return [
        Notice(
            STUDY,
            "gate",
            f"Mice {' and '.join(mice)} are taken for {len(mice)} mice",
            f"{name}: their names differ by signs or zeros only",
            "Give them one name if they are one mouse",
        )
        for mice in alike.values()
        if len(mice) > 1
    ]


def _check_header(name: str, header: list[str], factors: list[str], covariates: list[str]) -> list[Problem]:
    problems = [
        Problem(f"{name} header", f"column '{column}' stands twice", remedy="Remove or rename one")
        for column in sorted({column for column in header if column and header.count(column) > 1})
    ]
    wanted = dict.fromkeys([*REQUIRED, *factors, *covariates])
    taken = TAKEN - {"arm"} if factors == ["arm"] else TAKEN  # arms are called by their factors' levels
    for column in wanted:
        if column not in header and column not in DEFAULTS:
            near = [other for other in header if as_name(other).casefold() == column.casefold()]
            near = near or difflib.get_close_matches(column, [other for other in header if other not in wanted], n=1)
            remedy = f"Is '{visible(near[0])}' meant?" if near else f"The sheet has: {', '.join(map(visible, header))}"
            problems.append(Problem(f"{name} header", f"no column '{column}'", remedy=remedy))
    for place, column in enumerate(header, 1):
        if column in taken or column.startswith(f"{LEIDEN}_"):
            found = f"column '{column}' has the name of a result"
            problems.append(Problem(f"{name} header", found, remedy=f"Rename it, such as 'my_{column}'"))
        elif not _COLUMN.fullmatch(column):
            found = f"column {place} is called '{visible(column)}'" if column else f"column {place} has no name"
            expected = "a letter or digit, then letters, digits, spaces and _ . - ( ) % / +, at most 64"
            problems.append(Problem(f"{name} header", found, expected, "Rename the column"))
    folded: dict[str, list[str]] = {}
    for column in dict.fromkeys(filter(None, header)):
        folded.setdefault(column.casefold(), []).append(column)
    return problems + [
        Problem(f"{name} header", f"columns '{one}' and '{other}' differ by case only", remedy="Remove or rename one")
        for one, other, *_ in (group for group in folded.values() if len(group) > 1)
    ]


def _check_names(name: str, sheet: pd.DataFrame, columns: list[str], factors: dict[str, list[str]]) -> list[Problem]:
    """Ids and levels become file names, formula terms and HTML: only plain ones are let through."""
    problems = []
    for column in columns:
        for row, value in sheet[column].items():
            if is_name(value):
                continue
            where, plain = f"{name} row {row}, {column}", as_name(value)
            plain = next(iter(difflib.get_close_matches(plain, factors.get(column, []), n=1)), plain)
            remedy = f"Did you mean '{plain}'?" if plain and plain != value else ""
            odd = odd_characters(value)
            found = (f"'{visible(value)}'" + (f" ({odd})" if odd else "")) if value else "empty"
            problems.append(Problem(where, found, EXPECTED, remedy))
    return problems


def _check_others(name: str, sheet: pd.DataFrame, named: list[str]) -> list[Problem]:
    """Free text is kept as it is; what a spreadsheet would run when it opens our tables is not let in."""
    return [
        Problem(
            f"{name} row {row}, {visible(str(column))}",
            f"'{visible(value)}' is a formula to a spreadsheet",
            "text or a number",
            "Put a letter before it",
        )
        for column in sheet
        if column not in named
        for row, value in sheet[column].items()
        if is_formula(value)
    ]


def _check_unique(name: str, sheet: pd.DataFrame) -> list[Problem]:
    """Sample ids and inputs are unique, also where case is folded (files may sit on such a disk)."""
    problems = []
    for column, what in ((SAMPLE, "sample id"), (PATH, "input")):
        if column not in sheet:
            continue
        folded = sheet[column].map(str.casefold if column == SAMPLE else plain_path)
        single = ~shared_rows(sheet) if column == PATH else True  # a library of hashtagged samples has a row for each
        for _, group in sheet[(folded != "") & single].groupby(folded, sort=False):
            if len(group) > 1:
                rows = " and ".join(str(row) for row in group.index)
                problems.append(
                    Problem(
                        f"{name} rows {rows}, {column}",
                        f"{what} '{visible(group[column].iloc[0])}' stands {len(group)} times",
                        remedy="Give each sample its own, or name each one's `hashtag`"
                        if column == PATH
                        else "Rename or remove one",
                    )
                )
    ids = dict(zip(sheet[SAMPLE], sheet.index, strict=True)) if SAMPLE in sheet else {}
    return problems + [
        Problem(
            f"{name} rows {ids[one]} and {row}, sample",
            f"files of sample '{other}' would be taken for files of '{one}'",
            f"an id that does not end in {suffix}",
            "Rename one",
        )
        for other, row in ids.items()
        for suffix in SUFFIXES
        if (one := other.removesuffix(suffix)) != other and one in ids
    ]


def _check_levels(name: str, sheet: pd.DataFrame, factors: dict[str, list[str]]) -> list[Problem]:
    problems = []
    for factor, levels in factors.items():
        for row, value in sheet[factor].items() if factor in sheet else ():
            if is_name(value) and value not in levels:
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


def _check_cases(name: str, sheet: pd.DataFrame, columns: list[str]) -> list[Problem]:
    """Two spellings of one mouse, batch or tissue: `B1` and `b1` would be two."""
    problems = []
    for column in columns:
        for _, group in sheet.groupby(sheet[column].str.casefold(), sort=False):
            spellings = list(dict.fromkeys(group[column]))
            if len(spellings) > 1:
                common = group[column].value_counts().sort_values(ascending=False, kind="stable").index[0]
                others = [spelling for spelling in spellings if spelling != common]
                rows = ", ".join(str(row) for row in group.index[group[column] != common])
                problems.append(
                    Problem(
                        f"{name} row {rows}, {column}",
                        f"{' and '.join(repr(other) for other in others)} beside '{common}': they differ by case only",
                        "one spelling",
                        f"Did you mean '{common}'?",
                    )
                )
    return problems


def _check_mice(name: str, sheet: pd.DataFrame, columns: list[str]) -> list[Problem]:
    """What is true of a mouse and tissue is the same in all of its samples."""
    problems: list[Problem] = []
    if MOUSE not in sheet:
        return problems
    for (mouse, tissue), group in sheet.groupby([MOUSE, TISSUE], sort=False):
        for column in columns:
            values = list(dict.fromkeys(group[column]))
            if len(values) > 1:
                problems.append(
                    Problem(
                        f"{name} rows {', '.join(map(str, group.index))}, {column}",
                        f"mouse '{visible(str(mouse))}' ({visible(str(tissue))}) is {' and '.join(map(repr, values))}",
                        expected="one value per mouse and tissue",
                        remedy="Two mice need two names; a batch that splits a mouse cannot be adjusted for",
                    )
                )
    return problems


def _check_totals(name: str, sheet: pd.DataFrame) -> list[Problem]:
    """Counted cells are positive numbers, in all rows of a tissue or in none, and the same in all rows of a mouse."""
    if ABSOLUTE_CELLS not in sheet or MOUSE not in sheet:
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
    for column in (column for column in (PATH, RAW_PATH) if column in sheet):
        for row, value in sheet[column].items():
            where = f"{name} row {row}, {column}"
            if not value and column == PATH:
                remedy = "Name the sample's counts, or remove the row"
                problems.append(Problem(where, "empty", "a file or a 10x folder", remedy))
            elif value and not has_control(value) and not exists(value):
                problems.append(Problem(where, f"there is no '{visible(value)}'", remedy=_mend_path(value)))
            elif re.search(r"[{}]", value):
                remedy = "Rename the file, or name a link to it"
                problems.append(Problem(where, f"'{visible(value)}'", "no braces: Snakemake has its own use", remedy))
            elif column == RAW_PATH and value and _same_file(value, str(sheet.at[row, PATH])):
                remedy = "Leave raw_path empty: of a raw matrix under path the cells are called"
                problems.append(Problem(where, "the same as path", "the unfiltered matrix beside the cells", remedy))
    return problems


def _same_file(one: str, other: str) -> bool:
    return os.path.normpath(one) == os.path.normpath(other)


def _mend_path(value: str) -> str:
    """What is there under a name much like the one that is not."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value):
        return "Download it: inputs are files on this machine"
    if value.startswith("~"):
        return "'~' is not read as a home folder: write the path out"
    path = Path(value)
    with_parent = path.parent if path.parent.is_dir() else None
    if with_parent is None:
        return "Paths are relative to the folder in which snakemake runs"
    there = sorted(item.name for item in with_parent.iterdir())

    def fold(text: str) -> str:
        return unicodedata.normalize("NFKC", text).casefold()

    same = [item for item in there if fold(item) == fold(path.name)]
    near = same or difflib.get_close_matches(path.name, there, n=1)
    if not near:
        return "Paths are relative to the folder in which snakemake runs"
    how = " (the same letters, other case or another Unicode form)" if same else ""
    return f"Did you mean '{visible(str(with_parent / near[0]))}'{how}?"
