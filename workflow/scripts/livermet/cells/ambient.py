"""Ambient RNA: what share of a cell's UMIs is soup that floated into its droplet.

The idea of SoupX (Young and Behjati 2020, doi:10.1093/gigascience/giaa151): a gene that a kind of cell does not express
can be in its droplets through the soup only, so that its counts there measure the soup.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from scipy.special import pdtr, pdtrc

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

RAW_MATRIX, ESTIMATED = "raw matrix", "estimated"
MIN_SOUP_UMIS = 2_000  # fewer in the empty droplets make no profile
MIN_EXPECTED = 40.0  # counts that a gene would have in a cluster of pure soup: below, it cannot be told to be silent
N_LOWEST = 300  # genes with the lowest ratios, among which the lower envelope lies
ENVELOPE_TAIL = 0.01  # the envelope is the highest share at which no gene has fewer counts than chance allows
SILENT_TAIL = 0.05  # a gene is expressed where its counts are less likely than this to be soup
NEAR = 3.0  # times the share: expressed genes as near as this blur the edge between silent and expressed
GAP = 4.0  # times more weight of silent genes than of such near ones make a clear edge
MIN_SILENT = 15  # genes
AGREE = 2.0  # a clear share may lie above the envelope by this factor; beyond, its genes are not silent
ENOUGH = 0.25  # of a sample's UMIs in kinds with clear silent genes: their median is the sample's share
N_ROUNDS = 20
MIN_SHARE, MAX_SHARE = 1e-4, 0.95


@dataclass(frozen=True)
class Soup:
    """The profile of the ambient RNA of a sample.

    Attributes
    ----------
    share
        Share of each gene; sums to 1.
    source
        "raw matrix" (empty droplets) or "estimated" (all barcodes of the filtered matrix).
    """

    share: NDArray[np.float64]
    source: str


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
        return Soup(empty / empty.sum(), RAW_MATRIX)
    pooled = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel()
    return Soup(pooled / max(pooled.sum(), 1.0), ESTIMATED)


@dataclass(frozen=True)
class _Kind:
    """What one cluster says: counts of genes strong in the soup, and what they would be if all were soup."""

    cells: NDArray[np.intp]
    umis: float
    genes: NDArray[np.intp]
    found: NDArray[np.float64]
    expected: NDArray[np.float64]
    rho: float  # its own estimate
    clear: bool  # whether silent genes stand apart from expressed ones

    def silent(self, rho: float) -> NDArray[np.bool_]:
        """Genes with no more counts than a share of rho explains."""
        return np.asarray(_above(self.found, self.expected * rho) >= SILENT_TAIL)


def ambient_share(
    counts: sp.csr_matrix,
    labels: NDArray[np.integer[Any]],
    soup: NDArray[np.float64],
    clean: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Estimate each cell's share of ambient RNA.

    In a cluster c of T_c UMIs, gene g of soup share s_g has about T_c s_g rho_c counts if c does not express it, and more
    if it does; so rho_c is the lower envelope of the ratios count / (T_c s_g). Where many genes lie on it and few just
    above, these are the silent ones and give rho_c. Where expression fades into the soup without a gap, the envelope over
    all clusters is taken. A cell's own share follows from its counts of silent genes, drawn towards its cluster's by as
    much as the cells of a cluster are alike (gamma prior, strength by moments).

    Parameters
    ----------
    counts
        Cells x genes, csr.
    labels
        Coarse cluster of each cell.
    soup
        Share of each gene in the soup.
    clean
        Cells from which silent genes are learned: no doublets, whose second cell would look like soup.

    Returns
    -------
    ndarray
        Share of each cell, 0 to 0.95; NaN for a cell without UMIs, and everywhere where no gene is strong enough.
    """
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    share = np.full(len(totals), np.nan)
    kinds = [_learn(counts, (labels == label) & (totals > 0), clean, soup) for label in np.unique(labels)]
    told = [kind for kind in kinds if len(kind.genes)]
    if not told:
        log.info("ambient: too few counts, the share cannot be told")
        return share
    pooled, clear = _pool(told)
    log.info("ambient: silent genes are clear in %d of %d kinds; share %.3f", len(clear), len(kinds), pooled)
    for kind in kinds:
        own = any(kind is item for item in clear)
        share[kind.cells] = _spread(counts, totals, soup, kind, kind.rho if own else pooled)
    clipped: NDArray[np.float64] = np.clip(share, 0, MAX_SHARE)
    return clipped


def _learn(
    counts: sp.csr_matrix, inside: NDArray[np.bool_], clean: NDArray[np.bool_], soup: NDArray[np.float64]
) -> _Kind:
    cells = np.flatnonzero(inside)
    sums = np.asarray(counts[np.flatnonzero(inside & clean)].sum(axis=0), dtype=np.float64).ravel()
    genes = np.flatnonzero(sums.sum() * soup >= MIN_EXPECTED)
    found, expected = sums[genes], sums.sum() * soup[genes]
    if not len(genes):
        return _Kind(cells, float(sums.sum()), genes, found, expected, 0.0, False)
    rho = envelope(found, expected)
    for _ in range(N_ROUNDS):
        silent = _above(found, expected * rho) >= SILENT_TAIL
        previous, rho = rho, max(float(found[silent].sum() / max(expected[silent].sum(), 1e-9)), MIN_SHARE)
        if abs(rho - previous) < 1e-5:
            break
    silent = _above(found, expected * rho) >= SILENT_TAIL
    near = ~silent & (found < NEAR * rho * expected)
    apart = expected[silent].sum() > GAP * expected[near].sum()
    clear = apart and silent.sum() >= MIN_SILENT and (expected[silent] * rho).sum() >= MIN_EXPECTED
    return _Kind(cells, float(sums.sum()), genes, found, expected, rho, bool(clear))


def envelope(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    """Highest share at which no gene has fewer counts than chance allows (Poisson).

    Parameters
    ----------
    found
        Counts.
    expected
        What they would be if all were soup.
    """
    # Genes far above the envelope cannot decide it; the pseudo-count keeps genes without power from the front.
    lowest = np.argsort((found + 4.0) / expected, kind="stable")[:N_LOWEST]
    found, expected = found[lowest], expected[lowest]
    low, high = np.log(MIN_SHARE), np.log(MAX_SHARE)
    while high - low > 1e-3:
        middle = (low + high) / 2
        if pdtr(found, expected * np.exp(middle)).min() < ENVELOPE_TAIL:
            high = middle
        else:
            low = middle
    return float(np.exp(low))


def _above(found: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of that many counts or more."""
    return np.asarray(np.where(found > 0, pdtrc(np.maximum(found - 1, 0), mean), 1.0))


def _pool(kinds: list[_Kind]) -> tuple[float, list[_Kind]]:
    """The sample's share, and the kinds that may keep their own.

    The envelope over all kinds is the sample's share unless a good part of the sample has clear silent genes that agree with it;
    a droplet takes up soup by the molecule, so the share of a small cell may be higher by as much as it is smaller.
    """
    bound = envelope(np.concatenate([kind.found for kind in kinds]), np.concatenate([kind.expected for kind in kinds]))
    weights = np.array([kind.umis for kind in kinds])
    sizes = np.array([kind.umis / len(kind.cells) for kind in kinds])
    reference = weights.sum() / sum(len(kind.cells) for kind in kinds)
    rho = np.array([kind.rho for kind in kinds])
    clear = np.array([kind.clear for kind in kinds]) & (rho <= AGREE * bound * np.maximum(1.0, reference / sizes))
    if weights[clear].sum() < ENOUGH * weights.sum():
        return bound, []
    order = np.argsort(rho[clear], kind="stable")
    reached = np.cumsum(weights[clear][order])
    median = float(rho[clear][order][np.searchsorted(reached, reached[-1] / 2)])
    return median, [kind for kind, is_clear in zip(kinds, clear, strict=True) if is_clear]


def _spread(
    counts: sp.csr_matrix, totals: NDArray[np.float64], soup: NDArray[np.float64], kind: _Kind, rho: float
) -> NDArray[np.float64]:
    """Share of each cell of a cluster around the cluster's: posterior mean under a gamma prior."""
    silent = kind.genes[kind.silent(rho)]
    if not len(silent):
        return np.full(len(kind.cells), rho)
    found = np.asarray(counts[kind.cells][:, silent].sum(axis=1), dtype=np.float64).ravel()
    expected = totals[kind.cells] * soup[silent].sum() * rho
    # Genes chosen for few counts, or expressed a little, must not move the cluster's level.
    expected *= max(found.sum(), 1e-9) / max(expected.sum(), 1e-9)
    # Var(found) = mean + mean^2 cv^2: what is left above Poisson is how much cells differ.
    cv2 = float(((found - expected) ** 2 - expected).sum() / max((expected**2).sum(), 1e-12))
    shape = 1.0 / min(max(cv2, 1e-3), 4.0)
    return np.asarray(rho * (shape + found) / (shape + expected))
