"""Ambient RNA: what share of a cell's UMIs is soup that floated into its droplet.

The idea of SoupX (Young and Behjati 2020, doi:10.1093/gigascience/giaa151): a gene that a kind of cell does not express
can be in its droplets through the soup only, so that its counts there measure the soup. Which genes these are is read
from the sample itself (:mod:`livermet.cells.barcodes.silence`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from livermet.cells.barcodes.silence import HIGHEST_SHARE, Kind, Peak, find_peak, learn_kinds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

log = logging.getLogger("livermet")

RAW_MATRIX, ESTIMATED = "raw matrix", "estimated"
SILENT_GENES, NOT_TOLD = "silent genes", "cannot be told"
MIN_SOUP_UMIS = 2_000  # fewer in the empty droplets make no profile
NEAR = 0.25  # log: a gene this near to its kind's share is silent
PRIOR = 25.0  # counts that the sample's share is worth in the share of a kind
MAX_SHARE = 0.95
MOST_ERROR = 0.35  # of the log share: beyond, it is no answer
WITHIN_PEAK = 0.5  # of the peak's width: how far off its middle may be
NORMAL_95 = 1.96


@dataclass(frozen=True)
class Soup:
    """The profile of the ambient RNA of a sample.

    Attributes
    ----------
    counts
        UMIs of each gene from which the profile is known.
    source
        "raw matrix" (empty droplets) or "estimated" (all barcodes of the filtered matrix).
    """

    counts: Array
    source: str

    @property
    def share(self) -> Array:
        """Share of each gene; sums to 1."""
        return np.asarray(self.counts / max(self.counts.sum(), 1.0))


@dataclass(frozen=True)
class Ambience:
    """The ambient RNA of a sample's cells, and how it was found.

    Attributes
    ----------
    share
        Of each cell's UMIs, 0 to 0.95; NaN for a cell without UMIs, and everywhere where it cannot be told.
    found_by
        "silent genes" or "cannot be told".
    low, high
        95 % interval of the sample's share (ambient UMIs over all UMIs); NaN where it cannot be told.
    """

    share: Array
    found_by: str
    low: float
    high: float


def soup_profile(counts: sp.csr_matrix, empty: NDArray[np.integer[Any]] | None) -> Soup:
    """The ambient profile: from empty droplets where there are any, else what all barcodes hold together.

    Cells burst in proportion to what they hold, so the pool of the sample is the best guess of the soup without empty
    droplets; genes of cells that burst and were not captured are then missed.

    Parameters
    ----------
    counts
        Cells x genes, csr.
    empty
        UMIs of each gene in the empty droplets; None or too few for a profile: estimate.

    Returns
    -------
    Soup
    """
    if empty is not None and empty.sum() >= MIN_SOUP_UMIS:
        return Soup(np.asarray(empty, dtype=np.float64), RAW_MATRIX)
    return Soup(np.asarray(counts.sum(axis=0), dtype=np.float64).ravel(), ESTIMATED)


def ambient_share(
    counts: sp.csr_matrix, labels: NDArray[np.integer[Any]], soup: Soup, clean: NDArray[np.bool_]
) -> Ambience:
    """Estimate each cell's share of ambient RNA.

    The share of a cell of usual depth, and how it falls with depth, are read from the peak that the silent genes of all
    kinds make together; a kind's own share from its silent genes, drawn towards that; a cell's from its counts of these
    genes, drawn towards its kind's by as much as the cells of a kind are alike (gamma prior, strength by moments).

    Parameters
    ----------
    counts
        Cells x genes, csr.
    labels
        Coarse kind of each cell; negative: no cell, and no share is given.
    soup
        Profile of the soup.
    clean
        Cells from which silent genes are learned: no doublets, whose second cell would look like soup.

    Returns
    -------
    Ambience
    """
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    share = np.full(len(totals), np.nan)
    labels = np.where(totals > 0, labels, -1)
    kinds = learn_kinds(counts, labels, clean, soup.counts)
    speaking = [kind for kind in kinds if kind.speaks]
    peak = find_peak(speaking) if speaking else None
    if peak is None:
        log.info("ambient: no genes are plainly silent, so the share cannot be told")
        return Ambience(share, NOT_TOLD, np.nan, np.nan)
    silent = [_silent(kind, peak) for kind in kinds]
    # Where in the peak the truly silent genes lie is not known, either.
    error = float(np.hypot(_relative_error(counts.shape[1], kinds, silent), WITHIN_PEAK * peak.width))
    if error > MOST_ERROR:
        log.info("ambient: silent genes disagree, so the share cannot be told (relative error %.2f)", error)
        return Ambience(share, NOT_TOLD, np.nan, np.nan)
    for kind, own in zip(kinds, silent, strict=True):
        share[kind.cells] = _spread(counts, totals, soup, kind, own, peak)
    share = np.clip(share, 0, MAX_SHARE)
    known = labels >= 0
    pooled = float((share * totals)[known].sum() / totals[known].sum())
    low, high = pooled * np.exp(-NORMAL_95 * error), min(pooled * np.exp(NORMAL_95 * error), MAX_SHARE)
    log.info("ambient: %.3f of the UMIs (%.3f to %.3f), falling with depth^%.2f", pooled, low, high, peak.slope)
    return Ambience(share, SILENT_GENES, float(low), float(high))


@dataclass(frozen=True)
class _Silent:
    """Silent genes of a kind: how surely each is silent, and the kind's share."""

    sure: Array
    share: float


def _silent(kind: Kind, peak: Peak) -> _Silent:
    start = min(float(peak.at(kind.depth)), MAX_SHARE)
    # Where soup is most of what a kind holds, the genes that it expresses lie as near.
    if not kind.speaks or start * np.exp(NEAR) > HIGHEST_SHARE:
        return _Silent(np.zeros(len(kind.genes)), start)
    sure = kind.membership(start, NEAR)
    found, expected = float(sure @ kind.found), float(sure @ kind.expected) * start
    return _Silent(sure, min(start * (PRIOR + found) / (PRIOR + expected), MAX_SHARE))


def _relative_error(n_genes: int, kinds: list[Kind], silent: list[_Silent]) -> float:
    """Standard error of the log share: kinds, and the kinds that the silent genes come from, are left out in turn.

    What the soup holds of one kind of cell may be more, or less, than the profile says (cells burst at different rates);
    the genes that come from there then all err together, and only leaving them out together shows it.
    """
    rates = np.zeros((len(kinds), n_genes))
    found, expected = np.zeros((len(kinds), n_genes)), np.zeros((len(kinds), n_genes))
    for row, (kind, own) in enumerate(zip(kinds, silent, strict=True)):
        rates[row, kind.genes] = kind.found / max(kind.umis, 1.0)
        found[row, kind.genes] = own.sure * kind.found
        expected[row, kind.genes] = own.sure * kind.expected * own.share
    origin = rates.argmax(axis=0)
    by_origin = np.zeros((2, len(kinds)))
    for row, part in enumerate((found, expected)):
        np.add.at(by_origin[row], origin, part.sum(axis=0))
    return float(np.hypot(_jackknife(found.sum(axis=1), expected.sum(axis=1)), _jackknife(*by_origin)))


def _jackknife(found: Array, expected: Array) -> float:
    """Standard error of the log of sum(found) / sum(expected), groups left out in turn."""
    there = expected > 0
    left_found, left_expected = found.sum() - found[there], expected.sum() - expected[there]
    usable = (left_found > 0) & (left_expected > 0)
    number = int(usable.sum())
    if number < 2:
        return 1.0
    ratios = np.log(left_found[usable] / left_expected[usable])
    return float(np.sqrt((number - 1) / number * ((ratios - ratios.mean()) ** 2).sum()))


def _spread(counts: sp.csr_matrix, totals: Array, soup: Soup, kind: Kind, own: _Silent, peak: Peak) -> Array:
    """Share of each cell of a kind around the kind's: posterior mean under a gamma prior."""
    umis = totals[kind.cells]
    share = own.share * (umis / max(kind.depth, 1.0)) ** -_slope_within(peak.slope, own.share)
    silent = kind.genes[own.sure > 0.5]
    # What a doublet holds of silent genes is its second cell's: it gets its kind's share.
    cells = kind.cells[kind.clean]
    if len(silent) and len(cells):
        found = np.asarray(counts[cells][:, silent].sum(axis=1), dtype=np.float64).ravel()
        expected = totals[cells] * soup.share[silent].sum() * share[kind.clean]
        # Genes chosen for few counts, or expressed a little, must not move the kind's level.
        expected *= max(found.sum(), 1e-9) / max(expected.sum(), 1e-9)
        # Var(found) = mean + mean^2 cv^2: what is left above Poisson is how much cells differ.
        cv2 = float(((found - expected) ** 2 - expected).sum() / max((expected**2).sum(), 1e-12))
        shape = 1.0 / min(max(cv2, 1e-3), 4.0)
        share[kind.clean] *= (shape + found) / (shape + expected)
    return np.asarray(share * own.share * umis.sum() / max((share * umis).sum(), 1e-9))


def _slope_within(slope: float, share: float) -> float:
    """How the share falls with depth among cells of one kind.

    A cell with more UMIs has more of its own, or more soup. Where both vary alike (in logs) among the cells of a kind, the
    share regresses on depth with this slope: the full one while soup is little, none where half of all is soup.
    """
    own = 1 - share
    return float(slope * max(own - share, 0.0) * own / (own**2 + share**2))
