"""Signature scores of single cells against matched controls that are frozen once, outside the study.

A signature's raw score is the share of its genes that a cell would show, were it sequenced to :data:`DEPTH` UMIs: up genes
count for, down genes against, one weight a gene. The score takes away the mean of control sets, and its z-score is that
difference in standard deviations of the control sets, in the same cell. A control set replaces every gene of the signature
by a gene of like expression that was chosen outside the study (:mod:`livermet.tcells.controls`), so a cell's score is the same
whatever other cells are in the study; that every cell is held to one depth is why it is the same, but for noise, at any
depth above that.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from livermet.tcells.controls import ControlSets

SCORE, Z = "score:", "z:"  # prefixes of the columns
#: UMIs that every cell is held to: the floor of the quality cuts, so that nearly every kept cell has as many.
DEPTH = 500
SURE = 80.0  # -log of a chance that is none
BLOCK = 1000  # cells at once: keeps the control sets' scores of a block below some 30 MB
ELEMENTS = 16_000_000  # of the control sets' scores that are averaged over neighbourhoods at once: 64 MB


def score_cells(
    counts: sparse.csr_matrix, sets: ControlSets, *, depth: float = DEPTH
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score cells on signatures against frozen matched controls, all cells held to one depth.

    Parameters
    ----------
    counts
        Raw counts, cells x all genes of the study (the totals of whole cells set the scale).
    sets
        From :func:`make_control_sets`.
    depth
        UMIs that every cell is held to.

    Returns
    -------
    scores, z : DataFrame
        Cells x signatures (index 0..n-1), float32. ``scores``: share of the signature's genes seen at `depth`, up minus
        down, minus that of the control sets; ``z``: the same in standard deviations of the control sets.

    Notes
    -----
    Matched controls: Tirosh et al. 2016, doi:10.1126/science.aad0501.
    """
    score = np.zeros((counts.shape[0], len(sets.names)), dtype=np.float32)
    z = np.zeros_like(score)
    width = np.cumsum([0, *(item.shape[1] for item in sets.weights)])
    weights = sparse.csr_matrix(sparse.hstack(sets.weights)) if sets.weights else sparse.csr_matrix((len(sets.used), 0))
    for start in range(0, counts.shape[0], BLOCK):
        rows = slice(start, start + BLOCK)
        expression, one_count = rarefy(counts[rows], sets.used, depth=depth)
        raw = (expression @ weights).toarray()
        for place in range(len(sets.names)):
            mine = raw[:, width[place] : width[place + 1]]
            score[rows, place], z[rows, place] = compare(mine, one_count / sets.n_found[place])
    return pd.DataFrame(score, columns=list(sets.names)), pd.DataFrame(z, columns=list(sets.names))


def score_neighbourhoods(
    counts: sparse.csr_matrix,
    sets: ControlSets,
    smoother: sparse.csr_matrix,
    groups: NDArray[np.int64],
    *,
    steps: int = 1,
    depth: float = DEPTH,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Z-scores of cells, and of the averaged expression of each cell's neighbourhood.

    Averaging the signature and its control sets alike, and only then taking their standard deviation, is what gains
    power: counting noise averages out of both. (The mean of the cells' own z-scores would keep it in the denominator.)

    A neighbourhood may stand out in two ways, and the larger z counts. Its signature may lie above the control sets as they
    are. Or, being above them, it may have risen further than they have from where each lies in the compartment as a whole:
    a gene and its controls are alike in expression to a factor of two or so only, a spread that is the same in all cells of
    a study and that this takes out. Where all cells are alike nothing has risen, and the first way is left.

    Parameters
    ----------
    counts
        Raw counts, cells x all genes of the study.
    sets
        From :func:`make_control_sets`.
    smoother
        Cells x cells, rows sum to 1.
    groups
        Clusters of the cells, (cells,). The compartment as a whole is the mean of its clusters, each counted once, so that
        a state of most cells can stand out as well as one of few.
    steps
        How often the smoother is applied: twice reaches the neighbours' neighbours.
    depth
        UMIs that every cell is held to.

    Returns
    -------
    own, near : DataFrame
        Cells x signatures (index 0..n-1), float32: of the cell itself (against the control sets as they are), and of its
        neighbourhood.
    """
    expression, one_count = rarefy(counts, sets.used, depth=depth)
    # One count in one cell of the neighbourhood, in quadrature over its cells.
    reach = smoother
    for _ in range(steps - 1):
        reach = smoother @ reach
    floor = np.sqrt(reach.power(2) @ one_count**2)
    # Applied step by step to a few hundred columns, the sparse graph is cheaper than its power.
    narrow = sparse.csr_matrix(smoother, dtype=np.float32)
    weigh = _equal_groups(groups)
    own = np.zeros((counts.shape[0], len(sets.names)), dtype=np.float32)
    near = np.zeros_like(own)
    together = max(1, ELEMENTS // max(counts.shape[0] * max(item.shape[1] for item in sets.weights), 1))
    for first in range(0, len(sets.names), together):
        group = range(first, min(first + together, len(sets.names)))
        width = np.cumsum([0, *(sets.weights[place].shape[1] for place in group)])
        raw = (expression @ sparse.csr_matrix(sparse.hstack([sets.weights[place] for place in group]))).toarray()
        for column, place in enumerate(group):
            mine = raw[:, width[column] : width[column + 1]]
            own[:, place] = compare(mine, one_count / sets.n_found[place])[1]
        middle = weigh @ raw
        for _ in range(steps):
            raw = narrow @ raw
        for column, place in enumerate(group):
            mine = slice(width[column], width[column + 1])
            above = compare(raw[:, mine], floor / sets.n_found[place])[1]
            risen = compare(raw[:, mine] - middle[mine], floor / sets.n_found[place])[1]
            near[:, place] = np.where(above > 0, np.maximum(above, risen), above)
    return pd.DataFrame(own, columns=list(sets.names)), pd.DataFrame(near, columns=list(sets.names))


def _equal_groups(groups: NDArray[np.int64]) -> NDArray[np.float32]:
    """Weight of each cell in the mean of the groups' means, (cells,)."""
    if not len(groups):
        return np.zeros(0, dtype=np.float32)
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1 / (len(sizes) * sizes[codes]), dtype=np.float32)


def compare(raw: NDArray[np.float32], floor: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Score and z-score from a signature's expression and that of its control sets.

    Parameters
    ----------
    raw
        Cells x (1 + control sets).
    floor
        What a single count adds to the signature's mean, per cell: it is part of the spread, since where the control
        sets are all zero one stray count must not look like infinitely many standard deviations.

    Returns
    -------
    score, z : ndarray, (cells,)
    """
    score = raw[:, 0] - raw[:, 1:].mean(axis=1)
    spread = np.sqrt(raw[:, 1:].var(axis=1) + floor**2)
    return score, np.divide(score, spread, out=np.zeros_like(score), where=spread > 0)


def rarefy(
    counts: sparse.csr_matrix, used: NDArray[np.int64], *, depth: float
) -> tuple[sparse.csr_matrix, NDArray[np.float32]]:
    """Chance that each gene would be seen, had a cell been sequenced to a common depth.

    A UMI of a cell of N is kept with chance ``q = min(depth / N, 1)``, so a gene with x UMIs is seen with chance
    ``1 - (1 - q)^x``. Whatever was lost before, thinning further to the common depth leaves the same on average: unlike
    the logarithm of scaled counts, whose mean rises with depth for genes that drop out, it has no drift with depth as
    long as a cell has `depth` UMIs. (With fewer, the cell counts as it is.)

    Parameters
    ----------
    counts
        Raw counts, cells x all genes of the study.
    used
        Places of the genes wanted.
    depth
        UMIs to thin to.

    Returns
    -------
    seen : csr_matrix of float32, (cells, used genes)
        Between 0 and 1.
    one_count : ndarray, (cells,)
        What a single UMI is worth in each cell: q, and 0 in a cell without counts.

    Notes
    -----
    Rarefaction: Hurlbert 1971, doi:10.2307/1934145 (here with UMIs drawn one by one, not exactly `depth` of them).
    """
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    kept = np.minimum(np.divide(depth, totals, out=np.zeros_like(totals), where=totals > 0), 1).astype(np.float32)
    chosen = sparse.csr_matrix(counts[:, used])
    with np.errstate(divide="ignore"):
        log_lost = np.maximum(np.log1p(-kept), -SURE)
    seen = -np.expm1(chosen.data.astype(np.float32) * np.repeat(log_lost, np.diff(chosen.indptr)))
    return sparse.csr_matrix((seen, chosen.indices, chosen.indptr), shape=chosen.shape), kept
