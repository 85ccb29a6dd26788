"""Counts without the ambient ones that are expected among them: an option, never the default.

Which of a cell's counts came from the soup cannot be seen; how many of a kind's counts of a gene did can. So the expected
ambient counts of a kind of cells are taken from its sums, no more of a gene than there is (what a gene cannot give, the
others give: the subtraction of SoupX, doi:10.1093/gigascience/giaa151), and each cell gives its own share of UMIs, from
each gene in proportion to what its kind gave. Counts stay integers.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.keys import AMBIENT, AMBIENT_HIGH, AMBIENT_LOW, KIND

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

log = logging.getLogger("livermet")

UNCORRECTED = "uncorrected"  # layer: the counts as they were read
LEFT = "ambient_left"  # obs: share of the corrected UMIs that may be ambient still, or were wrongly taken


def correct_ambient(counts: AnnData, quality: pd.DataFrame, soup: pd.DataFrame, *, sample: str, seed: int) -> AnnData:
    """Take the expected ambient counts of a sample away.

    Parameters
    ----------
    counts
        Canonical counts of the sample.
    quality
        Its quality table (index `cell`): kind, ambient_fraction.
    soup
        Its ambient profile (index `gene_id`): soup, ambient_low, ambient_high.
    sample
        Named in the log.
    seed
        Decides which of a cell's counts go where a part of one is expected to.

    Returns
    -------
    AnnData
        As `counts`; X int32, corrected; layers["uncorrected"]; obs `ambient_left`, by the interval of the sample's share:
        NaN for cells whose share is not known, whose counts are left as they were.
    """
    raw = sp.csr_matrix(counts.X, dtype=np.int32)
    raw.sort_indices()
    share = quality[AMBIENT].reindex(counts.obs_names).to_numpy(dtype=float)
    kinds = quality[KIND].reindex(counts.obs_names).to_numpy()
    profile = soup["soup"].reindex(counts.var_names).fillna(0.0).to_numpy(dtype=float)
    totals = np.asarray(raw.sum(axis=1), dtype=np.int64).ravel()
    wanted = np.rint(np.nan_to_num(share) * totals).astype(np.int64)
    rng = np.random.default_rng(seed)
    taken = np.zeros(len(raw.data), dtype=np.int32)
    for kind in np.unique(kinds):
        cells = np.flatnonzero((kinds == kind) & (wanted > 0))
        if len(cells):
            _take_from_kind(raw, cells, wanted, profile, taken, rng)
    corrected = sp.csr_matrix((raw.data - taken, raw.indices.copy(), raw.indptr.copy()), shape=raw.shape)
    corrected.eliminate_zeros()
    adata = counts.copy()
    adata.X, adata.layers[UNCORRECTED] = corrected, raw
    adata.obs[LEFT] = _left(share, soup)
    log.info("%s: %d of %d UMIs taken away as ambient", sample, taken.sum(), totals.sum())
    if np.isnan(share).all():
        log.warning("%s: the ambient share cannot be told; counts are left as they were", sample)
    return adata


def _left(share: Array, soup: pd.DataFrame) -> Array:
    """How far off the taken share may be, of what is left: by the sample's relative error."""
    low, high = float(soup[AMBIENT_LOW].iloc[0]), float(soup[AMBIENT_HIGH].iloc[0])
    error = (high - low) / max(high + low, 1e-9)
    return np.asarray(np.minimum(share * error / (1 - share), 1.0))


def _take_from_kind(
    raw: sp.csr_matrix,
    cells: NDArray[np.intp],
    wanted: NDArray[np.int64],
    profile: Array,
    taken: NDArray[np.int32],
    rng: np.random.Generator,
) -> None:
    sums = np.asarray(raw[cells].sum(axis=0), dtype=np.float64).ravel()
    part = np.divide(fill(sums, profile, float(wanted[cells].sum())), sums, out=np.zeros_like(sums), where=sums > 0)
    for cell in cells:
        at = slice(raw.indptr[cell], raw.indptr[cell + 1])
        held = raw.data[at].astype(np.float64)
        given = to_integers(fill(held, held * part[raw.indices[at]], float(wanted[cell])), rng)
        taken[at] = np.minimum(given, raw.data[at])


def fill(held: Array, weights: Array, total: float) -> Array:
    """Spread a total over genes in proportion to weights, no gene giving more than it holds.

    Parameters
    ----------
    held
        Counts of each gene.
    weights
        In what proportion they give.
    total
        How much in all.

    Returns
    -------
    ndarray
        min(held, factor * weights) with the factor that makes their sum `total`; everything that genes with a weight hold,
        and of the others in proportion to what they hold, where that is less.
    """
    able = weights > 0
    most = float(held[able].sum())
    if total >= most:
        rest = held[~able].sum()
        return np.asarray(np.where(able, held, held * min((total - most) / max(rest, 1e-9), 1.0)))
    # In the order in which genes run dry as the factor grows, their sum is piecewise linear.
    limits = np.divide(held, weights, out=np.full(len(held), np.inf), where=able)
    order = np.argsort(limits, kind="stable")
    dry = np.concatenate([[0.0], np.cumsum(np.where(able, held, 0.0)[order])[:-1]])
    flowing = np.where(able, weights, 0.0)[order][::-1].cumsum()[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = (total - dry) / flowing
    first = int(np.argmax(factors <= limits[order]))
    return np.asarray(np.minimum(held, np.where(able, weights, 0.0) * factors[first]))


def to_integers(values: Array, rng: np.random.Generator) -> NDArray[np.int32]:
    """Round up or down at random, so that each value is kept on average and their whole sum always (systematic sampling)."""
    reached = np.cumsum(values)
    if len(reached):
        reached[-1] = np.rint(reached[-1])
    marks = np.floor(
        reached + rng.uniform(1e-6, 1 - 1e-6)
    )  # rounding errors of the sum must not reach the next integer
    return np.diff(marks, prepend=0.0).astype(np.int32)
