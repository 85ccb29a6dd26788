"""Where the soup shows: genes that a kind of cell is silent for all have the same ratio to the soup, the ambient share.

In a kind c of cells with T_c UMIs, gene g of soup share s_g has T_c s_g (rho_c + x_gc) counts, x_gc being what the cells
themselves express, in units of the soup. Ratios count / (T_c s_g) of silent genes (x = 0) pile up at rho_c; those of
expressed genes lie above, spread wide. A single gene's ratio is too noisy to see this, so the distribution of ratios over
genes is freed from counting noise first (the nonparametric maximum-likelihood estimate of a mixing distribution: Kiefer
and Wolfowitz 1956, doi:10.1214/aoms/1177728066, by EM), and then laid over each other for all kinds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEP = 0.1  # of the log ratio
LOWEST, HIGHEST = 1e-4, 4.0
LEVELS = np.arange(np.log(LOWEST), np.log(HIGHEST), STEP)
MIN_EXPECTED = 40.0  # counts that a gene would have in a kind that is all soup; weaker genes tell little
MAX_GENES = 400  # the strongest of the soup: enough, and it bounds the work
MIN_GENES = 10
N_ROUNDS = 60
SLOPES = (0.0, 0.25, 0.5, 0.75, 1.0)  # 0: the share is the same in all cells; 1: every droplet holds the same soup
MARGIN = 30  # levels added on both sides, for kinds much larger or smaller than the usual
HIGHEST_SHARE = 0.65  # above, what cells express hides the silent genes
MIN_PAIRS, MIN_PART = 12.0, 0.005  # pairs of a gene and a kind in the peak, in number and of all
MOST_BELOW = 0.5  # of the peak: nothing should lie below the soup
VALLEY = 0.7  # of the peak: the lowest between it and the expressed genes
LEAST_SEEN = 0.3  # of the pairs belong to kinds whose silent genes would be seen at a level
LEAST_CONTRAST = 0.3  # of the peak rises above its flanks
REACH = 8  # levels within which the valley is looked for
LEAST_ABOVE = 0.4  # of all pairs lie above the peak: a kind expresses most of what is strong in the soup


@dataclass(frozen=True)
class Kind:
    """What one kind of cells says.

    Attributes
    ----------
    cells
        Rows of its cells.
    clean
        Of these, the ones that are no doublets: the others teach nothing.
    depth
        Mean UMIs of a clean cell.
    umis
        UMIs of the clean cells.
    genes
        Genes strong enough in the soup.
    found
        Their counts in the clean cells.
    soup
        Their UMIs in the profile.
    odds
        UMIs of the kind per UMI of the profile.
    weight
        Share of the genes at each of `LEVELS`; empty where there are too few genes.
    """

    cells: NDArray[np.intp]
    clean: NDArray[np.bool_]
    depth: float
    umis: float
    genes: NDArray[np.intp]
    found: Array
    soup: Array
    odds: float
    weight: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def speaks(self) -> bool:
        """Whether it has enough strong genes."""
        return len(self.weight) > 0

    @property
    def expected(self) -> Array:
        """Counts that the genes would have if all were soup."""
        return self.soup * self.odds

    def membership(self, share: float, width: float) -> Array:
        """Probability of each gene to lie within `width` (log) of a share."""
        near = np.abs(LEVELS - np.log(share)) <= width
        likelihood = likelihoods(self.found, self.soup, self.odds) * self.weight
        return np.asarray(likelihood[:, near].sum(axis=1) / np.maximum(likelihood.sum(axis=1), 1e-300))


def likelihoods(found: Array, soup: Array, odds: float) -> Array:
    """Likelihood of each gene's counts at each of `LEVELS`, the largest 1.

    The profile is itself a count. Given both together, the count in cells is binomial: no error of the profile is taken
    for expression, or for its lack.
    """
    ratio = odds * np.exp(LEVELS)
    log = found[:, None] * LEVELS - (found + soup)[:, None] * np.log1p(ratio)
    return np.asarray(np.exp(log - log.max(axis=1, keepdims=True)))


def mixing_weights(likelihood: Array, rounds: int = N_ROUNDS) -> Array:
    """Weights of the levels that make the genes' counts most likely (EM)."""
    weights = np.full(likelihood.shape[1], 1 / likelihood.shape[1])
    for _ in range(rounds):
        weights *= likelihood.T @ (1 / np.maximum(likelihood @ weights, 1e-300)) / len(likelihood)
    return np.asarray(weights)


def learn_kinds(
    counts: sp.csr_matrix,
    labels: NDArray[np.integer[Any]],
    clean: NDArray[np.bool_],
    soup: Array,
) -> list[Kind]:
    """What every kind of cells says.

    Parameters
    ----------
    counts
        Cells x genes, csr.
    labels
        Kind of each cell; a negative one leaves it out.
    clean
        Cells that are no doublets.
    soup
        UMIs of each gene in the profile.

    Returns
    -------
    list of Kind
        By label.
    """
    total = max(float(soup.sum()), 1.0)
    kinds = []
    for label in np.unique(labels[labels >= 0]):
        cells = np.flatnonzero(labels == label)
        sums = np.asarray(counts[cells[clean[cells]]].sum(axis=0), dtype=np.float64).ravel()
        umis, odds = float(sums.sum()), float(sums.sum()) / total
        strong = np.flatnonzero(soup * odds >= MIN_EXPECTED)
        genes = strong[np.argsort(-soup[strong], kind="stable")[:MAX_GENES]]
        depth = umis / max(int(clean[cells].sum()), 1)
        known = (cells, clean[cells], depth, umis, genes, sums[genes], soup[genes], odds)
        weight = mixing_weights(likelihoods(*known[5:])) if len(genes) >= MIN_GENES else np.zeros(0)
        kinds.append(Kind(*known, weight))
    return kinds


@dataclass(frozen=True)
class Peak:
    """Where the silent genes of all kinds pile up.

    Attributes
    ----------
    share
        Ambient share of a cell of usual depth.
    slope
        The share of a cell of depth d is `share * (d / depth) ** -slope`.
    depth
        The usual depth.
    height
        Share of pairs in the peak above its flanks.
    width
        Standard deviation of the log ratio within the peak, which is free of counting noise.
    """

    share: float
    slope: float
    depth: float
    height: float
    width: float

    def at(self, depth: Any) -> Any:
        """Ambient share expected of cells of some depth."""
        return self.share * (np.maximum(depth, 1.0) / self.depth) ** -self.slope


def usual_depth(kinds: Sequence[Kind]) -> float:
    """Geometric mean depth, weighed by UMIs."""
    return float(np.exp(np.average([np.log(kind.depth) for kind in kinds], weights=[kind.umis for kind in kinds])))


def find_peak(kinds: Sequence[Kind]) -> Peak | None:
    """The lowest peak of the ratios, all kinds laid over each other.

    How the share depends on a cell's depth is not known beforehand (soup enters a droplet whatever the cell in it, but a
    droplet that was read well was read well as a whole): the slope that gives the sharpest peak is taken.

    Parameters
    ----------
    kinds
        Those that speak.

    Returns
    -------
    Peak or None
        None where no slope shows a peak apart from the expressed genes: the share cannot be told.
    """
    found = [peak for slope in SLOPES if (peak := _peak_at(kinds, slope)) is not None]
    return max(found, key=lambda peak: peak.height, default=None)


def _peak_at(kinds: Sequence[Kind], slope: float) -> Peak | None:
    depth = usual_depth(kinds)
    density, seen = overlay(kinds, slope, depth)
    total = sum(len(kind.genes) for kind in kinds)
    three = np.convolve(density, np.ones(3), "same")
    reached = np.cumsum(density)
    for i in range(4, len(density) - REACH - 1):
        if seen[i + 2] < LEAST_SEEN:
            return None
        lone = three[i] >= max(MIN_PAIRS, MIN_PART * total) and three[i] >= three[i - 3 : i + 4].max()
        valley = three[i + 2 : i + REACH + 1][seen[i + 2 : i + REACH + 1] >= LEAST_SEEN].min()
        if not lone or reached[i - 4] > MOST_BELOW * three[i] or valley > VALLEY * three[i]:
            continue
        if total - reached[i + 2] < LEAST_ABOVE * total:
            return None
        near = np.arange(i - 2, i + 3)
        place = float((near * density[near]).sum() / density[near].sum())
        flanks = density[i - 4 : i - 1].sum() + density[i + 2 : i + 5].sum()
        if three[i] - flanks / 2 < LEAST_CONTRAST * three[i]:
            return None  # a broad hump: genes expressed a little
        share = float(np.exp(LEVELS[0] + STEP * (place - MARGIN)))
        wide = np.arange(i - 4, i + 5)
        spread = STEP * np.sqrt(np.average((wide - place) ** 2, weights=density[wide]))
        return Peak(share, slope, depth, float(three[i] - flanks / 2) / total, float(spread))
    return None


def overlay(kinds: Sequence[Kind], slope: float, depth: float) -> tuple[Array, Array]:
    """Genes at each level, each kind moved to where it would lie at the usual depth.

    Levels at which a kind's silent genes would be hidden say nothing: the kinds that are seen there stand for all.

    Returns
    -------
    tuple of ndarray
        Genes at each level, and the share of them whose kind is seen there.
    """
    density, seen = np.zeros(len(LEVELS) + 2 * MARGIN), np.zeros(len(LEVELS) + 2 * MARGIN)
    visible = np.exp(LEVELS) <= HIGHEST_SHARE
    total = sum(len(kind.genes) for kind in kinds)
    for kind in kinds:
        shift = slope * np.log(kind.depth / depth) / STEP
        low = int(np.floor(shift))
        place = np.clip(np.arange(len(LEVELS)) + low + MARGIN, 0, len(density) - 2)
        genes = kind.weight * visible * len(kind.genes)
        np.add.at(density, place, genes * (1 - (shift - low)))
        np.add.at(density, place + 1, genes * (shift - low))
        seen[: place[visible][-1] + 1] += len(kind.genes) / total
    return density / np.maximum(seen, LEAST_SEEN), seen
