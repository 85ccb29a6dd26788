"""What a labelled reference would call each cell: rank correlation with its profiles, SingleR's idea.

Aran et al. 2019, Nat Immunol 20:163, doi:10.1038/s41590-018-0276-y: correlate a cell with every label over the genes that
set the labels apart, keep the labels near the best one, choose genes anew among these, and so on until one is left.
"""

from __future__ import annotations

import importlib
import logging
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.stats import rankdata

from livermet.cells.embedding.normalise import log_normalise
from livermet.errors import InputError, Problem
from livermet.keys import CELL, REFERENCE_LABEL, SYMBOL, UNASSIGNED

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

REFERENCE_MARGIN = "reference_margin"
TUNE_WITHIN = 0.05  # labels whose correlation is this near the best one's stay in the running
MIN_GENES = 200
PRUNE_MADS = 3.0
CHUNK = 2_000


def match_reference(counts: AnnData, profiles: pd.DataFrame) -> pd.DataFrame:
    """Label every cell by the reference profile that it is most like.

    Parameters
    ----------
    counts
        Cells x genes, raw counts in X; `var` has `symbol`.
    profiles
        Gene symbols x labels, log scale.

    Returns
    -------
    pandas.DataFrame
        Index `cell`; `reference_label`, `reference_margin` (correlation of the best label minus the median of all).
        `unassigned` where the margin is more than three median absolute deviations below its label's median.

    Raises
    ------
    InputError
        Where fewer than 200 genes are in both.
    """
    symbols = pd.Index(counts.var[SYMBOL].astype(str))
    shared = profiles.index.intersection(symbols[~symbols.duplicated()])
    if len(shared) < MIN_GENES:
        raise InputError(
            Problem(
                "reference profiles", f"{len(shared)} of their {len(profiles)} genes are among the counts'",
                f"at least {MIN_GENES}", "Name the reference's genes by mouse symbol (column `symbol` of var, or the rows)",
            )
        )  # fmt: skip
    matrix = sp.csr_matrix(counts.X)
    totals = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    data = log_normalise(sp.csr_matrix(matrix[:, symbols.get_indexer(shared)]), totals=totals)
    reference = profiles.loc[shared].to_numpy(dtype=np.float64)
    best, margin = np.zeros(counts.n_obs, dtype=np.intp), np.zeros(counts.n_obs)
    for start in range(0, counts.n_obs, CHUNK):
        at = slice(start, start + CHUNK)
        best[at], margin[at] = _label(np.asarray(data[at].toarray(), dtype=np.float64), reference)
    names = np.asarray(profiles.columns.astype(str), dtype=object)[best]
    log.info("%d cells matched with %d labels over %d shared genes", counts.n_obs, profiles.shape[1], len(shared))
    return pd.DataFrame(
        {REFERENCE_LABEL: _prune(names, margin), REFERENCE_MARGIN: margin}, index=pd.Index(counts.obs_names, name=CELL)
    )


def match_celltypist(counts: AnnData, model: Any) -> pd.DataFrame:
    """Label every cell by a CellTypist model (Dominguez Conde et al. 2022, doi:10.1126/science.abl5197).

    Parameters
    ----------
    counts
        Cells x genes, raw counts in X; `var` has `symbol`.
    model
        From :func:`livermet.inputs.references.load_celltypist`.

    Returns
    -------
    pandas.DataFrame
        Index `cell`; `reference_label`, `reference_margin` (the model's probability of it).
    """
    import anndata

    celltypist = importlib.import_module("celltypist")

    data = anndata.AnnData(
        log_normalise(sp.csr_matrix(counts.X)),
        obs=pd.DataFrame(index=counts.obs_names),
        var=pd.DataFrame(index=pd.Index(counts.var[SYMBOL].astype(str))),
    )
    data.var_names_make_unique()
    found = celltypist.annotate(data, model=model, majority_voting=False)
    return pd.DataFrame(
        {
            REFERENCE_LABEL: found.predicted_labels["predicted_labels"].astype(str).to_numpy(dtype=object),
            REFERENCE_MARGIN: found.probability_matrix.max(axis=1).to_numpy(dtype=float),
        },
        index=pd.Index(counts.obs_names, name=CELL),
    )


def telling_genes(reference: NDArray[np.float64], labels: tuple[int, ...]) -> NDArray[np.intp]:
    """Genes that set labels apart: the most raised of each against each, fewer the more labels there are.

    Parameters
    ----------
    reference
        Genes x labels.
    labels
        Columns to tell apart.

    Returns
    -------
    numpy.ndarray
        Rows.
    """
    number = int(np.round(500 * (2 / 3) ** np.log2(len(labels))))
    chosen: set[int] = set()
    for one, other in permutations(labels, 2):
        rise = reference[:, one] - reference[:, other]
        top = np.argsort(-rise, kind="stable")[:number]
        chosen.update(top[rise[top] > 0].tolist())
    return np.array(sorted(chosen), dtype=np.intp)


def _label(cells: NDArray[np.float64], reference: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Column of the best label of each cell, and its lead over the median label before tuning."""
    every = tuple(range(reference.shape[1]))
    score = _correlate(cells, reference, telling_genes(reference, every), every)
    margin = score.max(axis=1) - np.median(score, axis=1)
    near = score >= score.max(axis=1, keepdims=True) - TUNE_WITHIN
    best = score.argmax(axis=1)
    waiting = _group(near, np.arange(len(cells)), every)
    while waiting:
        labels, at = waiting.popitem()
        score = _correlate(cells[at], reference, telling_genes(reference, labels), labels)
        best[at] = np.asarray(labels)[score.argmax(axis=1)]
        near = score >= score.max(axis=1, keepdims=True) - TUNE_WITHIN
        near[near.all(axis=1)] = False  # none falls away: the best so far it is
        waiting.update(_merge(waiting, _group(near, at, labels)))
    return best, margin


def _group(
    near: NDArray[np.bool_], at: NDArray[np.intp], labels: tuple[int, ...]
) -> dict[tuple[int, ...], NDArray[np.intp]]:
    """Cells by the labels that are still in the running, where there are several."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for cell, row in zip(at.tolist(), near, strict=True):
        if row.sum() > 1:
            groups.setdefault(tuple(np.asarray(labels)[row].tolist()), []).append(cell)
    return {key: np.array(found, dtype=np.intp) for key, found in groups.items()}


def _merge(
    waiting: dict[tuple[int, ...], NDArray[np.intp]], more: dict[tuple[int, ...], NDArray[np.intp]]
) -> dict[tuple[int, ...], NDArray[np.intp]]:
    return {key: np.concatenate([waiting[key], cells]) if key in waiting else cells for key, cells in more.items()}


def _correlate(
    cells: NDArray[np.float64], reference: NDArray[np.float64], genes: NDArray[np.intp], labels: tuple[int, ...]
) -> NDArray[np.float64]:
    """Spearman correlation of cells with labels (cells, labels)."""
    if not len(genes):
        return np.zeros((len(cells), len(labels)))
    ours = _standardise(rankdata(cells[:, genes], axis=1))
    theirs = _standardise(rankdata(reference[genes][:, list(labels)].T, axis=1))
    return np.asarray(ours @ theirs.T)


def _standardise(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))


def _prune(names: NDArray[np.object_], margin: NDArray[np.float64]) -> NDArray[np.object_]:
    """Labels of cells that are little like what they are called most are taken back."""
    kept = names.copy()
    for name in np.unique(names):
        mine = names == name
        middle = np.median(margin[mine])
        spread = 1.4826 * np.median(np.abs(margin[mine] - middle))
        kept[mine & (margin < middle - PRUNE_MADS * spread)] = UNASSIGNED
    return kept
