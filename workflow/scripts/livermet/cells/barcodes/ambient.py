"""Ambient RNA: what share of a cell's UMIs is soup that floated into its droplet.

The idea of SoupX (Young and Behjati 2020, doi:10.1093/gigascience/giaa151): a gene that a kind of cell does not express
can be in its droplets through the soup only, so that its counts there measure the soup. Which genes these are is read
from the sample itself (:mod:`livermet.cells.barcodes.silence`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from livermet.cells.barcodes.cellwise import MAX_SHARE, cell_shares
from livermet.cells.barcodes.kinds import Kind, learn_kinds
from livermet.cells.barcodes.origins import BURST_SDS, average_piles
from livermet.cells.barcodes.silence import DROP, HIGHEST_SHARE, Pile, find_pile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

log = logging.getLogger("livermet")

RAW_MATRIX, ESTIMATED = "raw matrix", "estimated"
SILENT_GENES, NOT_TOLD = "silent genes", "cannot be told"
MIN_SOUP_UMIS = 2_000  # fewer in the empty droplets make no profile
LEAST_FALL = 2 * DROP  # of the log-likelihood towards no soup
LEAST_ERROR = {RAW_MATRIX: 0.08, ESTIMATED: 0.15}  # of the log share: what mixture, and guessed profile, may be off
MOST_ERROR = 0.35  # beyond, it is no answer
LEAST_EXCESS = 0.05  # of a gene in the soup over the pool
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
        95 % interval of the sample's share (ambient UMIs over all UMIs). Where it cannot be told: from 0 to an upper bound,
        or NaN where no gene says anything.
    soup
        The profile; where it is estimated, with more of what comes from kinds of cells that burst more.
    """

    share: Array
    found_by: str
    low: float
    high: float
    soup: Soup


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

    The share of a cell of usual depth, and how it falls with depth, are read from the pile that the silent genes of all
    kinds make together; where the profile is estimated, from the piles of genes of different origins. A cell's own follows
    from its depth and its counts of hardly expressed genes (:mod:`livermet.cells.barcodes.cellwise`).

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
    unknown = np.full(len(totals), np.nan)
    labels = np.where(totals > 0, labels, -1)
    kinds = learn_kinds(counts, labels, clean, soup.counts)
    speaking = [kind for kind in kinds if kind.speaks]
    if not speaking:
        log.info("ambient: too few genes that a kind may be silent for, so the share cannot be told")
        return Ambience(unknown, NOT_TOLD, np.nan, np.nan, soup)
    pile, known = find_pile(speaking), labels >= 0
    mean = average_piles(speaking, pile, soup.share) if soup.source == ESTIMATED else None
    error = float(np.hypot(mean.error if mean else pile.error, LEAST_ERROR[soup.source]))
    if pile.fall < LEAST_FALL or error > MOST_ERROR or pile.share > HIGHEST_SHARE:
        most = _pooled(np.minimum(_at_most(pile, soup) / pile.share * pile.at(totals), 1.0), totals, known)
        log.info("ambient: silent genes do not pile up, so the share cannot be told; it is at most %.4f", most)
        return Ambience(unknown, NOT_TOLD, 0.0, most, soup)
    if mean:
        pile = replace(pile, share=mean.share)
        soup = Soup(soup.counts * np.maximum(mean.excess, LEAST_EXCESS), ESTIMATED)
    levels = _levels(kinds, pile, lean=soup.source == RAW_MATRIX)
    share = cell_shares(counts, labels, soup.counts, kinds, pile, levels)
    pooled = _pooled(share, totals, known)
    low, high = pooled * np.exp(-NORMAL_95 * error), min(pooled * np.exp(NORMAL_95 * error), MAX_SHARE)
    log.info("ambient: %.3f of the UMIs (%.3f to %.3f), falling with depth^%.2f", pooled, low, high, pile.slope)
    return Ambience(share, SILENT_GENES, float(low), float(high), soup)


def _at_most(pile: Pile, soup: Soup) -> float:
    """Upper bound of the share of a cell of usual depth.

    Where no empty droplets tell the profile, the lowest genes may be of cells that burst less than others.
    """
    if pile.share > HIGHEST_SHARE:
        return 1.0
    burst = BURST_SDS[-1] if soup.source == ESTIMATED else 0.0
    return float(pile.high * np.exp(NORMAL_95 * np.hypot(pile.error, burst)))


def _pooled(share: Array, totals: Array, known: NDArray[np.bool_]) -> float:
    """Ambient UMIs over all UMIs."""
    return float((share * totals)[known].sum() / totals[known].sum())


def _levels(kinds: list[Kind], pile: Pile, *, lean: bool) -> Array:
    """Share of each kind's UMIs: what its depth lets expect, and where the profile is known, its own silent genes."""
    levels = np.array([float(pile.at(kind.depth)) for kind in kinds])
    if lean:
        levels[[kind.speaks for kind in kinds]] *= np.exp(pile.lean)
    return np.asarray(np.minimum(levels, MAX_SHARE))
