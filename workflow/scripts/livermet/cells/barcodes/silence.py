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
OWN = 1.5  # times the usual rate makes a gene of a kind's own, or of the soup's
MIN_PART_OF_CELLS = 0.01  # of all UMIs: a smaller kind's rates are chance
N_ROUNDS = 60
SLOPES = (0.0, 0.25, 0.5, 0.75, 1.0)  # 0: the share is the same in all cells; 1: every droplet holds the same soup
MARGIN = 30  # levels added on both sides, for kinds much larger or smaller than the usual
HIGHEST_SHARE = 0.65  # above, what cells express hides the silent genes
MIN_PAIRS, MIN_PART = 12.0, 0.005  # pairs of a gene and a kind in the peak, in number and of all
VALLEY = 0.7  # of the peak: the lowest between it and the expressed genes
RISEN = 0.75  # of the peak: where its rising side ends
LEAST_SUPPORT = 0.7  # of the kinds have silent genes at the peak: at least
MIN_OWN, AROUND = 1.0, 0.35  # so many genes, this near (log)
LEAST_SEEN = 0.3  # of the pairs belong to kinds whose silent genes would be seen at a level
LEAST_CONTRAST = 0.3  # of the peak rises above its flanks
REACH = 4  # levels within which nothing is lower than the valley
LEAST_ABOVE = 0.2  # of all pairs lie above the peak: a kind expresses most of what is strong in the soup


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
    names = np.unique(labels[labels >= 0])
    if not len(names):
        return []
    members = [np.flatnonzero(labels == name) for name in names]
    sums = np.stack(
        [np.asarray(counts[cells[clean[cells]]].sum(axis=0), dtype=np.float64).ravel() for cells in members]
    )
    telling = may_be_silent(sums, soup)
    kinds = []
    for cells, own in zip(members, sums, strict=True):
        umis, odds = float(own.sum()), float(own.sum()) / max(float(soup.sum()), 1.0)
        strong = np.flatnonzero(telling & (soup * odds >= MIN_EXPECTED))
        genes = strong[np.argsort(-soup[strong], kind="stable")[:MAX_GENES]]
        depth = umis / max(int(clean[cells].sum()), 1)
        known = (cells, clean[cells], depth, umis, genes, own[genes], soup[genes], odds)
        weight = mixing_weights(likelihoods(*known[5:])) if len(genes) >= MIN_GENES else np.zeros(0)
        kinds.append(Kind(*known, weight))
    return kinds


def may_be_silent(sums: Array, soup: Array) -> NDArray[np.bool_]:
    """Genes that some kind may be silent for: stronger in one kind than in all together, or in the soup than in the cells.

    The others, which all kinds express about alike, are most of what is strong in the soup, and would hide the silent ones.

    Parameters
    ----------
    sums
        Kinds x genes, UMIs.
    soup
        UMIs of each gene in the profile.
    """
    umis = np.maximum(sums.sum(axis=1), 1.0)
    together = sums.sum(axis=0) / umis.sum()
    large = umis >= MIN_PART_OF_CELLS * umis.sum()
    most = (sums[large] / umis[large, None]).max(axis=0)
    share = soup / max(float(soup.sum()), 1.0)
    return np.asarray((most >= OWN * together) | (together * OWN <= share))


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
    end = _first_valley(three, density, seen, total)
    if end is None or total - density[:end].sum() < LEAST_ABOVE * total:
        return None
    top = int(three[:end].argmax())
    flanks = density[max(top - 4, 0) : top - 1].sum() + density[top + 2 : top + 5].sum()
    if three[top] - flanks / 2 < LEAST_CONTRAST * three[top]:
        return None  # a broad hump: genes expressed a little
    # Genes expressed a little widen the peak upwards: its rising side is where the silent ones are.
    rise = int(np.argmax(three[:end] >= RISEN * three[top]))
    near = np.arange(rise - 1, rise + 3)
    place = float((near * density[near]).sum() / density[near].sum())
    share = float(np.exp(LEVELS[0] + STEP * (place - MARGIN)))
    wide = np.arange(max(top - 4, 0), top + 5)
    spread = STEP * np.sqrt(np.average((wide - place) ** 2, weights=density[wide]))
    peak = Peak(share, slope, depth, float(three[top] - flanks / 2) / total, float(spread))
    return peak if support(kinds, peak) >= LEAST_SUPPORT else None


def support(kinds: Sequence[Kind], peak: Peak) -> float:
    """Part of the kinds, by their genes, that have silent genes where the peak says, of those in which they would be seen.

    With a wrong slope the kinds' silent genes lie apart, and the lowest kind's make a peak of their own.
    """
    seen = [kind for kind in kinds if peak.at(kind.depth) < HIGHEST_SHARE]
    with_genes = [
        kind
        for kind in seen
        if kind.weight[np.abs(LEVELS - np.log(peak.at(kind.depth))) <= AROUND].sum() * len(kind.genes) >= MIN_OWN
    ]
    return sum(len(kind.genes) for kind in with_genes) / max(sum(len(kind.genes) for kind in seen), 1)


def _first_valley(three: Array, density: Array, seen: Array, total: int) -> int | None:
    """The lowest level at which the silent genes have ended and the expressed ones have not begun."""
    reached, highest = np.cumsum(density), np.maximum.accumulate(three)
    for i in range(4, len(density) - REACH):
        if seen[i] < LEAST_SEEN:
            return None
        enough = reached[i] >= max(MIN_PAIRS, MIN_PART * total)
        if (
            enough
            and three[i] <= VALLEY * highest[i]
            and three[i] <= three[i : i + REACH][seen[i : i + REACH] > 0].min()
        ):
            return i
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
