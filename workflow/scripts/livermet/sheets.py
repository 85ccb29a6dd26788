"""The sample sheet as a file: encoding, separator, quotes and white space, down to plain cells with their row numbers.

What was done to a cell on the way in is remembered and said (:class:`Remark`); what cannot be read is a problem.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from livermet.errors import InputError, Problem
from livermet.names import has_control, visible

LARGEST = 8 << 20  # bytes: a sheet of a thousand samples has a few hundred thousand
SEPARATORS = "\t,;"
_LINE = re.compile(r"\r\n|\n|\r")
_INVISIBLE = r"[\s\u00ad\u180e\u200b-\u200f\u2060\ufeff]+"
_AROUND = re.compile(rf"^{_INVISIBLE}|{_INVISIBLE}$")
_KINDS = {
    b"PK\x03\x04": "an Excel or OpenDocument file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x1f\x8b": "a gzip file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF",
    b"BZh": "a bzip2 file",
}
_SAVE_AS = "Save it as text, UTF-8, separated by tabs, commas or semicolons"


@dataclass(frozen=True)
class Remark:
    """Something that was done to the sheet while it was read.

    Parameters
    ----------
    what
        What was done, a sentence.
    where
        Row and column, empty for the file as a whole.
    row
        Its row, 0 for the file as a whole.
    """

    what: str
    where: str = ""
    row: int = 0


@dataclass
class Lines:
    """Header and rows of a sheet.

    Attributes
    ----------
    header
        Names of the columns, trimmed.
    rows
        (row number as an editor shows it, cells, trimmed), each as long as the header.
    problems
        Rows that are too short or too long, and cells that hold what no cell may.
    remarks
        What was done to the cells.
    """

    header: list[str]
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def read_lines(path: Path) -> Lines:
    """Read a sheet into cells.

    Parameters
    ----------
    path
        A text file, UTF-8 (with or without a byte order mark) or UTF-16; separated by tabs, commas or semicolons; lines
        ending in any of the three ways. Lines that begin with `#` and empty lines are passed over.

    Returns
    -------
    Lines

    Raises
    ------
    InputError
        Where the file cannot be taken apart into cells at all.
    """
    name = path.name
    text, remarks = _decode(path)
    separator, records = _split(name, text)
    lines: Lines | None = None
    for row, begins, cells in records:
        if begins.startswith("#"):
            if lines:
                remarks.append(Remark("Rows that begin with # were left out", f"row {row}", row))
            continue
        if not any(_trim(cell) for cell in cells):
            continue
        if lines is None:
            lines = Lines([_trim(cell) for cell in cells], remarks=remarks)
        else:
            _add_row(lines, name, row, cells)
    if lines is None or not (lines.rows or lines.problems):
        raise InputError(Problem(name, "no samples", "a header row and a row per sample", "Add a row for each sample"))
    while lines.header and not lines.header[-1] and not any(cells[-1] for _, cells in lines.rows):
        lines.header.pop()  # a spreadsheet's empty columns
        lines.rows = [(row, cells[:-1]) for row, cells in lines.rows]
    if len(lines.header) == 1 and separator not in text:
        found = f"one column, '{visible(lines.header[0])}'"
        raise InputError(Problem(f"{name} header", found, "columns separated by tabs, commas or semicolons", _SAVE_AS))
    return lines


def _decode(path: Path) -> tuple[str, list[Remark]]:
    """The text of the file, and what its encoding was where that is unusual."""
    name = path.name
    if path.is_dir():
        raise InputError(Problem(str(path), "a folder", "a text file", "Name the sheet itself in `samples:`"))
    if not path.is_file():
        raise InputError(Problem(str(path), "there is no such sample sheet", remedy="Mend `samples:` in the config"))
    size = path.stat().st_size
    if size > LARGEST:
        raise InputError(
            Problem(str(path), f"{size / 2**20:.0f} MiB", "a sheet with a row per sample", "Is it a matrix of counts?")
        )
    try:
        raw = path.read_bytes()
    except PermissionError:
        raise InputError(Problem(str(path), "may not be read", "a readable file", "Mend its permissions")) from None
    kind = next((kind for magic, kind in _KINDS.items() if raw.startswith(magic)), None)
    if kind:
        raise InputError(Problem(str(path), kind, "a text file", _SAVE_AS))
    encoding = _encoding(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        row = len(_LINE.findall(raw[: error.start].decode(encoding, "replace"))) + 1
        found = f"not {'UTF-16' if 'utf-16' in encoding else 'UTF-8'} text (byte 0x{raw[error.start]:02x})"
        raise InputError(Problem(f"{name} row {row}", found, "UTF-8 text", "Save it as UTF-8")) from None
    if "\0" in text:
        row = len(_LINE.findall(text[: text.index("\0")])) + 1
        raise InputError(Problem(f"{name} row {row}", "a NUL byte: not a text file", "a text file", _SAVE_AS))
    unusual = [Remark("The sample sheet is UTF-16 and was read as such")] if "utf-16" in encoding else []
    return text.removeprefix("\ufeff"), unusual


def _encoding(raw: bytes) -> str:
    """By the byte order mark; UTF-16 without one shows in its zero bytes."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") and raw[:4] != b"\xff\xfe\0\0":
        return "utf-16"
    head = raw[:200]
    if len(head) > 7 and len(raw) % 2 == 0:
        for encoding, zeros, letters in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
            if zeros.count(0) > 0.9 * len(zeros) and not letters.count(0):
                return encoding
    return "utf-8-sig"


def _split(name: str, text: str) -> tuple[str, Iterator[tuple[int, str, list[str]]]]:
    """Separator, and (row number, first line as it stands, cells) of every record."""
    lines = _LINE.split(text)
    declared = re.fullmatch(r"sep=(.)", lines[0].strip())  # Excel's own way to say it
    if declared:
        separator, lines[0], text = declared[1], "", _LINE.sub("\n", text, count=1)
        text = text[text.index("\n") :]
    else:
        first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
        bare = re.sub(r'"[^"]*"', "", first)
        separator = max(SEPARATORS, key=bare.count)
    spaced = separator != "\t" and re.search(rf'{re.escape(separator)} +"', text) is not None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=spaced, strict=True)
    return separator, _records(name, reader, lines)


def _records(name: str, reader: csv._reader, lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:  # type: ignore[name-defined]
    """Records with the number of their first line."""
    while True:
        row = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            said = f"quotes that do not match ({error})"
            remedy = 'Close the quote, or write "" for a quote within quotes'
            raise InputError(Problem(f"{name} row {row}", said, "quotes around whole cells", remedy)) from None
        yield row, lines[row - 1] if row <= len(lines) else "", cells


def _add_row(lines: Lines, name: str, row: int, raw: list[str]) -> None:
    width = len(lines.header)
    cells = []
    for place, cell in enumerate(raw):
        column = lines.header[place] if place < width else f"cell {place + 1}"
        where = f"row {row}, {column}"
        trimmed = _trim(cell)
        if trimmed != cell:
            lines.remarks.append(Remark("White space around cells was taken away", f"{where}: '{visible(cell)}'", row))
        composed = unicodedata.normalize("NFC", trimmed)
        if composed != trimmed and column not in ("path", "raw_path"):  # a file's name is what the disk says it is
            lines.remarks.append(Remark("Letters with accents of their own were joined (Unicode NFC)", where, row))
            trimmed = composed
        if has_control(trimmed):
            found = f"'{visible(trimmed)}' holds a line break or another control character"
            lines.problems.append(Problem(f"{name} {where}", found, "one line of text", "Write it without"))
        cells.append(trimmed)
    while len(cells) > width and not cells[-1]:
        cells.pop()
    if len(cells) != width:
        remedy = "Is a separator missing, or one too many? A cell that holds the separator is put in quotes"
        lines.problems.append(Problem(f"{name} row {row}", f"{len(cells)} cells", f"{width}, as in the header", remedy))
    else:
        lines.rows.append((row, cells))


def _trim(cell: str) -> str:
    """Without white space and invisible characters at its ends, also those that Unicode has besides the space."""
    return _AROUND.sub("", cell)
