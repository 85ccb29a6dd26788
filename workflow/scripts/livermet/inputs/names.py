"""Names of barcodes and features: none empty, none that could do harm, and each feature of a kind that is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livermet.errors import InputError, Problem

GENE_EXPRESSION = "Gene Expression"
GENE_WORDS = frozenset({"gene expression", "gene_expression", "gene", "genes", "gex", "rna"})
ANTIBODY = "Antibody Capture"
OTHER_KINDS = {
    word.lower(): word
    for word in (
        ANTIBODY, "CRISPR Guide Capture", "Multiplexing Capture", "Antigen Capture", "Custom", "Peaks", "VDJ",
        "Chromatin Accessibility",
    )
} | {"adt": ANTIBODY, "hto": "Multiplexing Capture", "protein": ANTIBODY, "crispr": "CRISPR Guide Capture"}  # fmt: skip
# Tags and antibodies where no column tells their kind.
TAG = re.compile(r".*TotalSeq.*|(?:HTO|ADT|Hashtag|CITE)[-_ .]?\d.*|(?:HTO|ADT|Hashtag|CITE)[-_ .].+", re.IGNORECASE)
# Rows that counters write under the genes.
SUMMARY = re.compile(
    r"__(?:no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique)"
    r"|N_(?:unmapped|multimapping|noFeature|ambiguous)"
)
MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
# What Excel makes of Sept1, March2, Dec1 and of clones such as 2310009E13Rik without its end.
DATED = re.compile(
    rf"\d{{1,2}}-{MONTH}|{MONTH}-\d{{1,2}}|\d{{4}}-\d\d-\d\d(?: 00:00:00)?|\d\d?/\d\d?/\d{{4}}|\d(?:\.\d+)?E\+\d+",
    re.IGNORECASE,
)
MAY_DATE = re.compile(rf"^(?:{DATED.pattern})$", re.IGNORECASE | re.MULTILINE)
# A spreadsheet takes the first for formulas, a browser the second for tags, a terminal or table the third for commands.
HARMFUL = re.compile(r"^[=+@]|[<>]|[\x00-\x1f\x7f]")
MAY_TAG = re.compile(r"TotalSeq|^(?:HTO|ADT|Hashtag|CITE)(?:[-_ .]|\d)", re.IGNORECASE | re.MULTILINE)
PLAIN = "a name without control characters, '<' and '>', that begins with none of '=', '+', '@'"


def check_names(path: str, names: Sequence[str], what: str) -> None:
    """Refuse names that are empty or could do harm where they are shown.

    Parameters
    ----------
    path
        Named in messages.
    names
        One a barcode or feature.
    what
        "barcode" or "feature".

    Raises
    ------
    InputError
        With the first such name and its number.
    """
    # Names are many and harmful ones are not: a few passes over one text, in C, say for nearly all files that there is none.
    text = "\n".join(["", *names, ""])
    if text.count("\n") == len(names) + 1 and text.replace("\n", "").isprintable():
        marks = ("<", ">", "\n=", "\n+", "\n@", "\n ", "\n\n")
        if not any(mark in text for mark in marks):
            return
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise InputError(
                Problem(f"{path}, {what} {number}", "an empty name", "a name", f"Name every {what}, or leave it out")
            )
        if HARMFUL.search(name):
            raise InputError(Problem(f"{path}, {what} {number}", f"{name[:80]!r}", PLAIN, f"Rename the {what}"))


def check_barcodes(where: str, barcodes: Sequence[str]) -> None:
    """Refuse a sample without barcodes, or with one twice.

    Raises
    ------
    InputError
        With up to three of those that stand there more than once.
    """
    if not len(barcodes):
        raise InputError(Problem(where, "no cell", "at least one barcode", "Leave the sample out of the sheet"))
    names = pd.Index(barcodes)
    if names.has_duplicates:
        twice = names[names.duplicated()].unique()
        raise InputError(
            Problem(
                where,
                f"{len(twice)} barcodes stand there more than once, such as {', '.join(map(str, twice[:3]))}",
                "every barcode once",
                "Were several lanes put together? Give each lane a row of the sheet",
            )
        )


def find_kinds(ids: Iterable[str], symbols: Iterable[str], kinds: Sequence[str] | None) -> pd.Series:
    """Kind of every feature, in 10x's words.

    Parameters
    ----------
    ids, symbols
        As in the file.
    kinds
        What the file says, or None where it has no such column. A column that holds neither the word for genes nor for
        anything else that is counted (a biotype, a chromosome) says nothing.

    Returns
    -------
    pandas.Series
        "Gene Expression", "Antibody Capture", ...: features that are not the former are kept apart.
    """
    ids, symbols = list(ids), list(symbols)
    if kinds is not None:
        words = {kind: _kind(kind) for kind in set(kinds)}
        if any(word is not None for word in words.values()):
            return pd.Series([words[kind] or kind for kind in kinds], dtype=object)
    found = pd.Series(GENE_EXPRESSION, index=range(len(ids)), dtype=object)
    text = "\n".join([*ids, *symbols])
    if MAY_TAG.search(text):
        pairs = zip(ids, symbols, strict=True)
        found[[any(TAG.fullmatch(name) for name in pair) for pair in pairs]] = ANTIBODY
    if "__" in text or "N_" in text:
        found[[SUMMARY.fullmatch(name) is not None for name in ids]] = "Summary"
    return found


def _kind(word: str) -> str | None:
    """A kind in 10x's words; None where it is none that is known."""
    plain = word.strip().lower()
    return GENE_EXPRESSION if plain in GENE_WORDS else OTHER_KINDS.get(plain)


def find_dated(names: Iterable[str]) -> list[str]:
    """Names that a spreadsheet made into dates or numbers."""
    every = list(names)
    # Most tables have none: one pass over one text says so.
    if not MAY_DATE.search("\n".join(every)):
        return []
    return [name for name in every if DATED.fullmatch(name)]


def check_entries(
    lines: NDArray[np.integer], positions: NDArray[np.integer], width: int, locate: Callable[[int], str]
) -> None:
    """Refuse a matrix that has two entries for one place.

    Parameters
    ----------
    lines, positions
        Shape (entries,): row (or column) of each entry, and where in it.
    width
        How many positions a line has.
    locate
        Number of an entry -> where it stands.

    Raises
    ------
    InputError
        With the first place that has two.
    """
    keys: NDArray[Any] = lines.astype(np.int64) * width + positions
    if keys.size < 2 or (np.diff(keys) > 0).all():
        return
    order = np.argsort(keys, kind="stable")
    same = np.flatnonzero(np.diff(keys[order]) == 0)
    if same.size:
        raise InputError(
            Problem(
                locate(int(order[same[0] + 1])),
                f"a second entry for one place, as in {same.size} places in all",
                "one number for a gene and cell",
                "Was a file appended to itself? Write the matrix anew",
            )
        )
