"""One library under two names, told by its cells: a copy that files of different format or compression hide.

And libraries that share more barcodes than chance has it: sequenced together, some of their reads went to the wrong one
(Sinha et al. 2017, bioRxiv doi:10.1101/125724; Griffiths et al. 2018, doi:10.1038/s41467-018-05083-x), or were mixed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import pdtrc

from livermet.errors import Problem
from livermet.inputs.duplicates import REMEDY
from livermet.keys import BARCODE, KEPT, MOUSE, N_UMIS
from livermet.notices import LOUD, QUIET, Notice

MIN_SHARED = 0.5  # of the smaller sample's barcodes
MIN_BARCODES = 20
NUCLEOTIDES = r"([ACGT]{14,})(?:-\d+)?"
WHITELIST = 737_280  # barcodes of the smallest 10x list of 14 or 16 bases
CHANCE = 1e-6  # of so many shared barcodes, over all pairs of samples
FEW = 5  # shared barcodes that are worth no word
MANY = 0.05  # of the smaller sample's cells: then the answers themselves may be touched


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
    bare = [_bare(table[BARCODE]) for table in tables]
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


def find_shared_barcodes(tables: Sequence[pd.DataFrame], sheet: pd.DataFrame) -> list[Notice]:
    """Pairs of samples whose kept cells share more barcodes than chance has it.

    Two libraries draw their barcodes from one list: of n and m cells about n m / (size of the list) agree. The size is that
    of the smallest list of 10x, or a smaller one where the median pair of samples says so (other methods have fewer
    barcodes). A pair beyond that (Poisson, over all pairs) has reads of one library in the other, or cells of one in both.

    Parameters
    ----------
    tables
        One a sample: a row a barcode, with kept.
    sheet
        The sample sheet, in the same order.

    Returns
    -------
    list of Notice
        The pair that shares most comes first. Nothing is removed.
    """
    names = [str(name) for name in sheet.index]
    bare = [_bare(table.loc[table[KEPT].astype(bool), BARCODE]).drop_duplicates() for table in tables]
    sizes = np.array([len(labels) for labels in bare])
    codes = pd.factorize(pd.concat(bare))[0] if sizes.sum() else np.zeros(0, dtype=int)
    samples = np.repeat(np.arange(len(bare)), sizes)
    held = sp.csr_matrix(
        (np.ones(len(codes), dtype=np.int64), (samples, codes)), shape=(len(bare), codes.max(initial=0) + 1)
    )
    shared = (held @ held.T).toarray()
    first, second = np.triu_indices(len(bare), 1)
    possible = sizes[first] * sizes[second]
    usable = possible > 0
    first, second, possible = first[usable], second[usable], possible[usable]
    if not len(first):
        return []
    found = shared[first, second]
    expected = possible * max(float(np.median(found / possible)), 1 / WHITELIST)
    surprise = pdtrc(found - 1, expected)
    telling = np.flatnonzero((found >= FEW) & (surprise * len(first) < CHANCE))
    smaller = np.minimum(sizes[first], sizes[second])
    return [
        Notice(
            f"{names[first[pair]]}, {names[second[pair]]}",
            "merge_samples",
            f"Samples {names[first[pair]]} and {names[second[pair]]} share {found[pair]} cell barcodes, more than chance has it.",
            f"{expected[pair]:.1f} expected of {sizes[first[pair]]} and {sizes[second[pair]]} cells (p {surprise[pair]:.1g})",
            "Reads of one library in the other (index hopping), or a swap at the bench: look whether they were sequenced "
            "together, and clean the counts before (unique dual indices, DropletUtils::swappedDrops)",
            LOUD if found[pair] > MANY * smaller[pair] else QUIET,
        )
        for pair in telling[np.argsort(-found[telling], kind="stable")]
    ]


def _bare(barcodes: pd.Series) -> pd.Series:
    """Barcodes of 14 bases or more, without the number of their lane."""
    text = barcodes.astype(str)
    return text[text.str.fullmatch(NUCLEOTIDES)].str.replace(r"-\d+$", "", regex=True)


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
