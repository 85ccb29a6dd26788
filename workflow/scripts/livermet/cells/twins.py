"""One library under two names, told by its cells: a copy that files of different format or compression hide."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from livermet.errors import Problem
from livermet.inputs.duplicates import REMEDY
from livermet.keys import BARCODE, MOUSE, N_UMIS

MIN_SHARED = 0.5  # of the smaller sample's barcodes
MIN_BARCODES = 20
NUCLEOTIDES = r"([ACGT]{14,})(?:-\d+)?"


def find_twins(tables: Sequence[pd.DataFrame], sheet: pd.DataFrame) -> list[Problem]:
    """Samples that are the same library.

    Two libraries hardly ever have a barcode and its number of UMIs in common: where half of them are, the counts are the
    same. Where two *mice* share half of their barcodes (of 14 bases or more: drawn from at least hundreds of thousands), one
    library was sequenced twice and entered as two replicates.

    Parameters
    ----------
    tables
        One a sample: a row a barcode, with n_umis.
    sheet
        The sample sheet, in the same order; index sample, column mouse.

    Returns
    -------
    list of Problem
        One a pair of samples.
    """
    names = [str(name) for name in sheet.index]
    counted = [table[BARCODE].astype(str) + " " + table[N_UMIS].astype(int).astype(str) for table in tables]
    bases = [table[BARCODE].astype(str).str.fullmatch(NUCLEOTIDES) for table in tables]
    bare = [
        table.loc[known, BARCODE].astype(str).str.replace(r"-\d+$", "", regex=True)
        for table, known in zip(tables, bases, strict=True)
    ]
    problems, told = [], set()
    for first, second in _sharing(counted):
        told.add((first, second))
        problems.append(_problem(names[first], names[second], "the same counts: barcodes and their UMIs agree"))
    mice = sheet[MOUSE].astype(str).to_list()
    for first, second in _sharing(bare):
        if mice[first] != mice[second] and (first, second) not in told:
            problems.append(
                _problem(names[first], names[second], f"mice '{mice[first]}' and '{mice[second]}' share their barcodes")
            )
    return problems


def _problem(first: str, second: str, found: str) -> Problem:
    return Problem(
        f"samples '{first}' and '{second}'", found, expected="a library of its own for every mouse", remedy=REMEDY
    )


def _sharing(labels: Sequence[pd.Series]) -> list[tuple[int, int]]:
    """Pairs of samples that have half of the smaller one's labels in common."""
    sets = [set(values) for values in labels]
    return [
        (first, second)
        for second in range(len(sets))
        for first in range(second)
        if min(len(sets[first]), len(sets[second])) >= MIN_BARCODES
        and len(sets[first] & sets[second]) >= MIN_SHARED * min(len(sets[first]), len(sets[second]))
    ]
