"""The ambient share of single cells: what a droplet's depth and its counts of hardly expressed genes say of it, by Bayes.

A cell of n UMIs with share a holds n a ambient UMIs and n (1 - a) of its own. Beforehand, the logarithm of its own is normal among the cells of
a kind, and that of the ambient ones normal around what own UMIs let expect: the same in every droplet (slope 1), in
proportion (slope 0), or between. So a cell that is small for its kind has a larger share, by as much as the two vary. Of gene g a
cell holds n s_g (a + (1 - a) x_g) on average, s_g the gene's part in the soup and x_g what the kind expresses in units of it. How much droplets
scatter, is learned from the silent genes of all kinds (empirical Bayes); how much what the cells of a kind express of the others varies beyond
chance, from what the silent ones leave unexplained (moments), so that a gene that marks a subset does not pass for soup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from livermet.cells.barcodes.kinds import Kind, may_be_silent
from livermet.cells.barcodes.silence import HIGHEST_SHARE, Pile, expected_level

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MAX_SHARE = 0.95
SHARES = np.exp(np.linspace(np.log(3e-4), np.log(0.97), 64))
EDGES = np.array(
    [0.0, 0.01, 0.02, 0.04, 0.07, 0.11, 0.17, 0.25, 0.36, 0.5]
)  # of x: genes between two are counted as one
SILENT_BINS = 4  # of these, the ones that tell how much droplets scatter
BORROWED_CELLS = 20.0  # what all kinds' overdispersion of a bin weighs beside a kind's own
LEAST_OVERDISPERSION = 1e-4
MIN_EXPECTED = 1.0  # counts of a gene in a kind that is all soup
MAX_GENES = 1500  # the strongest of the soup
SCATTERS = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6])  # natural log, of ambient UMIs between droplets
SIZE_SD, SIZE_CELLS = 0.35, 4.0  # natural log, of cells' own UMIs, where a kind has few cells; and what that weighs
LEAST_SIZE_SD = 0.1
TOO_NEAR = 0.65  # soup is so much of a kind that expressed genes look silent


@dataclass(frozen=True)
class _Said:
    """What one kind's cells say: UMIs in each bin of genes, the bins' part in the soup, and what is expressed there."""

    found: Array
    part: Array
    x: Array

    def silent_likelihood(self, totals: Array) -> Array:
        """Logarithm, of the counts of silent genes: cells x `SHARES` (Poisson)."""
        ratio = SHARES[:, None] + (1 - SHARES[:, None]) * self.x[:SILENT_BINS]
        return np.asarray(
            self.found[:, :SILENT_BINS] @ np.log(ratio).T - np.outer(totals, ratio @ self.part[:SILENT_BINS])
        )

    def likelihood(self, totals: Array, overdispersion: Array) -> Array:
        """The same of all bins, negative binomial."""
        log = np.zeros((len(totals), len(SHARES)))
        for place in np.flatnonzero(self.part > 0):
            more = overdispersion[place]
            mean = np.outer(totals, self.part[place] * (SHARES + (1 - SHARES) * self.x[place]))
            spread = np.log1p(more * mean)
            log += self.found[:, [place]] * (np.log(mean) - spread) - spread / more
        return log

    def unexplained(self, totals: Array, share: Array, error: Array) -> tuple[Array, Array]:
        """Of each bin: squared deviations beyond counting and the error of the share, and squared means, summed over cells."""
        umis = totals[:, None] * self.part
        mean = umis * (share[:, None] + (1 - share[:, None]) * self.x)
        due = mean + (umis * (1 - self.x) * error[:, None]) ** 2
        return ((self.found - mean) ** 2 - due).sum(axis=0), (mean**2).sum(axis=0)


def cell_shares(
    counts: sp.csr_matrix,
    labels: NDArray[np.integer[Any]],
    soup: Array,
    kinds: Sequence[Kind],
    pile: Pile,
    levels: Array,
) -> Array:
    """Share of every cell of the kinds: posterior mean, the kinds' own shares kept.

    Parameters
    ----------
    counts
        Cells x genes, csr.
    labels
        Finer kind of each cell: those of one have a common distribution of sizes.
    soup
        UMIs of each gene in the profile.
    kinds
        Of cells, see :func:`livermet.cells.barcodes.kinds.learn_kinds`.
    pile
        How the share depends on depth.
    levels
        Share of each kind's UMIs.

    Returns
    -------
    ndarray
        One a cell; NaN where no kind has it.
    """
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    share = np.full(len(totals), np.nan)
    telling = may_be_silent(np.stack([kind.sums for kind in kinds]), soup) if kinds else np.zeros(0, dtype=bool)
    said = [_listen(counts, kind, soup, telling, level) for kind, level in zip(kinds, levels, strict=True)]
    scatter = _scatter(totals, labels, kinds, levels, said, pile.slope)
    prior = [
        _prior(totals, labels, kind, level, pile.slope, scatter) for kind, level in zip(kinds, levels, strict=True)
    ]
    overdispersion = _overdispersion(totals, kinds, said, prior)
    for kind, level, words, log, more in zip(kinds, levels, said, prior, overdispersion, strict=True):
        if words:
            # What a doublet holds of silent genes is its second cell's.
            log = log + words.likelihood(totals[kind.cells], more) * kind.clean[:, None]
        mean = _posterior(log)[0]
        told = kind.clean if kind.clean.any() else np.ones(len(mean), dtype=bool)
        umis = totals[kind.cells]
        share[kind.cells] = mean * level * umis[told].sum() / (mean * umis)[told].sum()
    return np.asarray(np.clip(share, 0, MAX_SHARE))


def _listen(counts: sp.csr_matrix, kind: Kind, soup: Array, telling: NDArray[np.bool_], level: float) -> _Said | None:
    """Counts of genes that a kind expresses less than half as much as the soup does."""
    if not kind.speaks or level > TOO_NEAR:
        return None
    genes = np.flatnonzero(telling & (soup * kind.odds >= MIN_EXPECTED))
    genes = genes[np.argsort(-soup[genes], kind="stable")[:MAX_GENES]]
    x = expected_level(kind.sums[genes], soup[genes], kind.odds, min(level, HIGHEST_SHARE))
    place = np.searchsorted(EDGES, x, side="right") - 1
    inside = x < EDGES[-1]
    columns = sp.csr_matrix(
        (np.ones(inside.sum()), (genes[inside], place[inside])), shape=(counts.shape[1], len(EDGES))
    )
    found = np.asarray((counts[kind.cells] @ columns).todense(), dtype=np.float64)
    part = np.bincount(place[inside], soup[genes[inside]] / soup.sum(), len(EDGES))
    # The kind's level is not decided here: together the genes of a bin hold what they do.
    umis = kind.umis * part
    ratio = np.divide(found[kind.clean].sum(axis=0), umis, out=np.zeros(len(EDGES)), where=umis > 0)
    own = np.maximum((ratio - level) / (1 - level), 0.0)
    return _Said(found, np.where(own > 0, part, part * ratio / level), own)


def _posterior(log: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each cell's share, from the logarithm of its probability."""
    chance = np.exp(log - log.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    mean = chance @ SHARES
    return mean, np.sqrt(np.maximum(chance @ SHARES**2 - mean**2, 0.0))


def _overdispersion(
    totals: Array, kinds: Sequence[Kind], said: Sequence[_Said | None], prior: Sequence[Array]
) -> Array:
    """Of each bin of genes in each kind, drawn towards that of all kinds: kinds x bins."""
    beyond, squares = np.zeros((2, len(kinds), len(EDGES)))
    cells = np.array([max(int(kind.clean.sum()), 1) for kind in kinds])
    for place, (kind, words, log) in enumerate(zip(kinds, said, prior, strict=True)):
        if words is None or not kind.clean.any():
            continue
        umis = totals[kind.cells]
        share, error = _posterior(log + words.silent_likelihood(umis))
        clean = _Said(words.found[kind.clean], words.part, words.x)
        beyond[place], squares[place] = clean.unexplained(umis[kind.clean], share[kind.clean], error[kind.clean])
    common = np.maximum(beyond.sum(axis=0) / np.maximum(squares.sum(axis=0), 1e-9), 0.0)
    borrowed = BORROWED_CELLS * squares / cells[:, None]
    return np.asarray(
        np.maximum((beyond + borrowed * common) / np.maximum(squares + borrowed, 1e-9), LEAST_OVERDISPERSION)
    )


def _scatter(
    totals: Array,
    labels: NDArray[np.integer[Any]],
    kinds: Sequence[Kind],
    levels: Array,
    said: Sequence[_Said | None],
    slope: float,
) -> float:
    """How much droplets of a kind scatter, in ambient UMIs: what makes the counts of silent genes most likely."""
    evidence = np.zeros(len(SCATTERS))
    for kind, level, words in zip(kinds, levels, said, strict=True):
        if words is None or not kind.clean.any():
            continue
        log = words.silent_likelihood(totals[kind.cells])[kind.clean]
        likelihood = np.exp(log - log.max(axis=1, keepdims=True))
        for place, scatter in enumerate(SCATTERS):
            prior = _prior(totals, labels, kind, level, slope, float(scatter))[kind.clean]
            chance = np.exp(prior - prior.max(axis=1, keepdims=True))
            evidence[place] += np.log((chance * likelihood).sum(axis=1) / chance.sum(axis=1) + 1e-300).sum()
    return float(SCATTERS[int(evidence.argmax())])


def _prior(
    totals: Array, labels: NDArray[np.integer[Any]], kind: Kind, level: float, slope: float, scatter: float
) -> Array:
    """Logarithm of the prior of each cell's share given its UMIs: cells x `SHARES`."""
    log_umis = np.log(totals[kind.cells])
    of_kind = _middle(log_umis[kind.clean] if kind.clean.any() else log_umis)[0]
    middle, spread = np.empty((2, len(log_umis)))
    for name in np.unique(labels[kind.cells]):
        inside = labels[kind.cells] == name
        clean = inside & kind.clean
        middle[inside], spread[inside] = _middle(log_umis[clean if clean.any() else inside])
    ambient = of_kind + np.log(level)
    own = middle + np.log(1 - level)
    own_off = log_umis[:, None] + np.log(1 - SHARES) - own[:, None]
    ambient_off = log_umis[:, None] + np.log(SHARES) - ambient - (1 - slope) * (own_off + (middle - of_kind)[:, None])
    return np.asarray(-0.5 * (ambient_off / scatter) ** 2 - 0.5 * (own_off / spread[:, None]) ** 2 - np.log1p(-SHARES))


def _middle(log_umis: Array) -> tuple[float, float]:
    """Where lognormal sizes lie: mean and standard deviation of their logarithm, so that the mean size is kept."""
    off = log_umis - log_umis.mean()
    spread = max(np.sqrt(((off**2).sum() + SIZE_CELLS * SIZE_SD**2) / (len(off) - 1 + SIZE_CELLS)), LEAST_SIZE_SD)
    return float(np.log(np.exp(log_umis).mean()) - spread**2 / 2), float(spread)
