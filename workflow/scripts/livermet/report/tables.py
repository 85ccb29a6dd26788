"""Tables of the report: what a cell says, what it is sorted by, and which columns are shown how."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from livermet.plots.words import words
from livermet.report import numbers


@dataclass(frozen=True)
class Column:
    """A column of a table: where its values come from, its heading, how they are written."""

    name: str
    label: str
    kind: str = "text"


@dataclass(frozen=True)
class Cell:
    """A cell: its text, what it is sorted by, its classes."""

    text: str
    key: str
    kind: str


@dataclass(frozen=True)
class Table:
    """A table ready to be written."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __bool__(self) -> bool:
        return bool(self.rows)


def _text(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


KINDS: dict[str, Callable[[Any], str]] = {
    "text": _text,
    "words": words,
    "gene": _text,
    "code": _text,
    "number": numbers.number,
    "number3": lambda value: numbers.number(value, 3),
    "count": numbers.count,
    "percent": numbers.percent,
    "p": numbers.p_value,
    "size": numbers.size,
    "yes": lambda value: "yes" if str(value).lower() in ("true", "1", "yes") else "no",
}
LEFT = frozenset({"text", "words", "gene", "code", "yes"})


def build(frame: pd.DataFrame, columns: Sequence[Column], title: str = "", note: str = "") -> Table:
    """Turn a frame into a table; columns that the frame lacks are left out.

    Parameters
    ----------
    frame
        One row a line, in the order shown.
    columns
        Columns to show.
    title, note
        Above and below the table.

    Returns
    -------
    Table
        Texts, not yet escaped: the template does that.
    """
    shown = tuple(column for column in columns if column.name in frame)
    values = [frame[column.name].tolist() for column in shown]
    rows = tuple(
        tuple(_cell(value, column.kind) for value, column in zip(line, shown, strict=True))
        for line in zip(*values, strict=True)
    )
    return Table(title=title, columns=shown, rows=rows, note=note)


def _cell(value: Any, kind: str) -> Cell:
    text = KINDS[kind](value)
    if kind in LEFT:
        return Cell(text, text.lower(), f"left {kind}")
    found = numbers.as_float(value)
    return Cell(text, "" if math.isnan(found) else repr(found), "right")


def everything(frame: pd.DataFrame, title: str = "", note: str = "") -> Table:
    """A table of all columns, numbers as numbers: for tables whose columns follow the study."""
    columns = [Column(str(name), words(name), _guess(frame[name])) for name in frame]
    return build(frame, columns, title, note)


def _guess(values: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(values):
        return "yes"
    if pd.api.types.is_integer_dtype(values):
        return "count"
    if pd.api.types.is_float_dtype(values):
        whole = values.dropna()
        return "count" if len(whole) and (whole == whole.round()).all() else "number3"
    return "text"
