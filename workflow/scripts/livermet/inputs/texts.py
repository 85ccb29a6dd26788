"""Text files of an input: opened by what they are and not by what they are called, and never read without a bound."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO

from livermet.errors import InputError, Problem
from livermet.inputs.files import ANEW, reading, what_is

MOST = 512 << 20  # bytes of names: ten million barcodes take 200 MiB
LONGEST = 64 << 20  # bytes of one line: the names of three million cells
HEAD = 512


def open_bytes(path: str | Path) -> IO[bytes]:
    """Open a file for reading, unpacked where its name ends with .gz.

    Raises
    ------
    InputError
        Where the name and the content disagree, or the content is of another kind (a web page, a workbook).
    """
    path = str(path)
    with Path(path).open("rb") as raw:
        found = what_is(raw.read(HEAD))
    if path.endswith(".gz") and found != "gzip":
        _refuse(path, found, "gzip", "The browser unpacked it? Then drop .gz from its name")
    if not path.endswith(".gz") and found:
        _refuse(path, found, "text", "Add .gz to its name" if found == "gzip" else "")
    handle = gzip.open(path, "rb") if path.endswith(".gz") else Path(path).open("rb")  # noqa: SIM115 (the caller's)
    inside = what_is(handle.peek(HEAD)[:HEAD])
    if inside:
        handle.close()
        _refuse(path, f"{inside}, packed" if path.endswith(".gz") else inside, "text", "")
    return handle  # type: ignore[return-value]


def _refuse(path: str, found: str, expected: str, remedy: str) -> None:
    if found.startswith("a web page"):
        remedy = "The download gave an error page or a login page instead of the file: download it anew"
    elif "Excel" in found:
        remedy = "Save the sheet as tab-separated text; mind that Excel turns genes such as Sept1 into dates"
    raise InputError(Problem(path, f"it is {found or f'no {expected}'}", expected, remedy or ANEW))


def read_line(handle: IO[bytes], path: str) -> bytes:
    """The next line, with a bound on its length."""
    line = handle.readline(LONGEST)
    if len(line) == LONGEST:
        raise InputError(
            Problem(path, f"a line longer than {LONGEST >> 20} MiB", "a row a line", "Is it the file that you meant?")
        )
    return line


def read_lines(path: str, most: int = MOST) -> list[str]:
    """Every line of a text file of names, without its end; empty lines at the end of the file are not lines.

    Raises
    ------
    InputError
        Where the file is broken, not text, empty, or unpacks to more than `most` bytes.
    """
    with reading(path):
        with open_bytes(path) as handle:
            content = handle.read(most + 1)
        text = content.decode("utf-8-sig")
    if len(content) > most:
        raise InputError(
            Problem(path, f"more than {most >> 20} MiB of names", "one name a line", "Is it the file that you meant?")
        )
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError(Problem(path, "empty", "one name a line", ANEW))
    return lines
