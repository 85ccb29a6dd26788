"""Samples counted against different references: which genes each lacks, and whether they can stand in one table at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from livermet.errors import InputError, Problem
from livermet.keys import SYMBOL
from livermet.notices import LOUD, QUIET, Notice

MUCH = 0.01  # of the other samples' UMIs, in genes that a sample lacks: more than that moves its totals
KNOWN = 0.5  # of a sample's UMIs must lie in genes that another sample has, too


def compare_gene_spaces(
    blocks: Sequence[sp.csr_matrix], spaces: Sequence[pd.Index], genes: pd.DataFrame, names: Sequence[str]
) -> list[Notice]:
    """What the genes of the samples have in common.

    Parameters
    ----------
    blocks
        Counts of each sample, cells x union of genes.
    spaces
        Gene ids that each sample's own table has.
    genes
        The union (index gene id, column `symbol`), as columns of `blocks`.
    names
        The samples.

    Returns
    -------
    list of Notice
        One a sample with cells that lacks genes of the others: how many, and how much the others count in them.

    Raises
    ------
    InputError
        For every sample that has most of its UMIs in genes that no other sample knows: its genes are named in another way.
    """
    if all(len(space) == len(genes) for space in spaces) or len(names) < 2:
        return []
    has: NDArray[np.bool_] = np.array([genes.index.isin(space) for space in spaces], dtype=bool)
    sums = np.array([np.asarray(block.sum(axis=0, dtype=np.int64)).ravel() for block in blocks])
    strangers = []
    for number, name in enumerate(names):
        elsewhere = np.delete(has, number, axis=0).any(axis=0)
        total = sums[number].sum()
        if total and sums[number][elsewhere].sum() < KNOWN * total:
            alone = has[number] & ~elsewhere
            own, others = (genes.index[np.flatnonzero(mask)[:3]] for mask in (alone, elsewhere))
            strangers.append(
                Problem(
                    f"sample '{name}'",
                    f"{alone.sum()} of its {has[number].sum()} genes are in no other sample "
                    f"(its are named like {', '.join(own)}; the others' like {', '.join(others)})",
                    "genes named as in the other samples",
                    "Give a feature table with Ensembl ids and symbols in every sample",
                )
            )
    if strangers:
        raise InputError(strangers)
    alive = np.asarray(sums.any(axis=1))  # a sample without cells is in no answer, and nobody lacks what it alone has
    there = has[alive].any(axis=0)
    return [
        _tell(str(name), there & ~has[number], has[alive], sums[alive], genes)
        for number, name in enumerate(names)
        if alive[number] and (there & ~has[number]).any()
    ]


def _tell(
    name: str, lacking: NDArray[np.bool_], has: NDArray[np.bool_], sums: NDArray[np.int64], genes: pd.DataFrame
) -> Notice:
    known = np.asarray(has[:, lacking]).any(axis=1)  # samples that have some of the genes it lacks
    share = sums[known][:, lacking].sum() / max(sums[known].sum(), 1)
    most = genes[SYMBOL].to_numpy()[lacking][np.argsort(-sums[:, lacking].sum(axis=0), kind="stable")[:3]]
    return Notice(
        name,
        "merge_samples",
        f"Sample {name} lacks {lacking.sum():,} of the {len(genes):,} genes of the study; they count as 0 in it.",
        f"samples that have them hold {share:.2%} of their UMIs in them, most in {', '.join(map(str, most))}",
        "Count every sample against one reference; a gene that one arm lacks would look switched off there",
        LOUD if share > MUCH else QUIET,
    )
