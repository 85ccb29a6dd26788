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
MIN_MODEL_SHARE = 0.5  # of a model's genes: those that are not there count as if they were at their mean
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
    # Several genes may bear one symbol: the first is taken.
    places = pd.Series(np.arange(counts.n_vars), index=counts.var[SYMBOL].astype(str))
    places = places[~places.index.duplicated()]
    shared = profiles.index.intersection(places.index)
    if len(shared) < MIN_GENES:
        raise InputError(
            Problem(
                "reference profiles", f"{len(shared)} of their {len(profiles)} genes are among the counts'",
                f"at least {MIN_GENES}", "Name the reference's genes by mouse symbol (column `symbol` of var, or the rows)",
            )
        )  # fmt: skip
    matrix = sp.csr_matrix(counts.X)
    totals = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    data = log_normalise(sp.csr_matrix(matrix[:, places.loc[shared].to_numpy()]), totals=totals)
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
        Index `cell`; `reference_label`, `reference_margin` (the model's probability of it). The label is CellTypist's best
        match, as by its default: a cell is called something also where the model all but rules out each of its types. A cut
        on the probability would not mend it, for a model of few cells puts it near 0 for cells that it calls rightly.

    Raises
    ------
    InputError
        Where less than half of the model's genes are in the counts.
    """
    symbols = pd.Index(counts.var[SYMBOL].astype(str))
    _require_genes(symbols, np.asarray(model.features).astype(str))
    matrix = sp.csr_matrix(counts.X)
    # The model makes its genes dense: a block of cells at a time, each by itself.
    blocks = [_ask_model(matrix[start : start + CHUNK], symbols, model) for start in range(0, counts.n_obs, CHUNK)]
    return pd.concat(blocks).set_axis(pd.Index(counts.obs_names, name=CELL), axis=0)


def _ask_model(matrix: sp.csr_matrix, symbols: pd.Index, model: Any) -> pd.DataFrame:
    """Label and probability of every cell; CellTypist wants logs of counts per ten thousand of all genes."""
    import anndata
    from threadpoolctl import threadpool_limits

    celltypist = importlib.import_module("celltypist")
    logging.getLogger("celltypist").setLevel(logging.WARNING)
    rows = pd.DataFrame(index=pd.RangeIndex(matrix.shape[0]).astype(str))
    data = anndata.AnnData(log_normalise(matrix), obs=rows, var=pd.DataFrame(index=symbols))
    data.var_names_make_unique()
    with threadpool_limits(limits=1):
        found = celltypist.annotate(data, model=model, majority_voting=False)
    return pd.DataFrame(
        {
            REFERENCE_LABEL: found.predicted_labels["predicted_labels"].astype(str).to_numpy(dtype=object),
            REFERENCE_MARGIN: found.probability_matrix.max(axis=1).to_numpy(dtype=float),
        }
    )


def _require_genes(symbols: pd.Index, features: NDArray[np.str_]) -> None:
    """CellTypist itself is content with one gene, and names every cell by it."""
    share = float(np.isin(features, symbols).mean())
    log.info("%.0f%% of the model's %d genes are among the counts'", 100 * share, len(features))
    if share >= MIN_MODEL_SHARE:
        return
    folded = float(np.isin([name.lower() for name in features], symbols.str.lower()).mean())
    other = f"; {folded:.0%} but for capitals: it looks like a model of another species" if folded > share + 0.1 else ""
    raise InputError(
        Problem(
            "CellTypist model", f"{share:.0%} of its {len(features)} genes are among the counts'{other}",
            f"at least {MIN_MODEL_SHARE:.0%}",
            "Name a model of your species with gene symbols. CellTypist's Model.convert() makes a mouse model of a human one, "
            "Model.write() keeps it: pin that file",
        )
    )  # fmt: skip


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
