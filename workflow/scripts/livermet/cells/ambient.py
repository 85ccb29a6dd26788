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
from scipy.special import betainc

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
    counts
        UMIs of each gene from which the profile is known.
    source
        "raw matrix" (empty droplets) or "estimated" (all barcodes of the filtered matrix).
    """

    counts: NDArray[np.float64]
    source: str

    @property
    def share(self) -> NDArray[np.float64]:
        """Share of each gene; sums to 1."""
        return np.asarray(self.counts / max(self.counts.sum(), 1.0))


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


@dataclass(frozen=True)
class _Evidence:
    """Genes strong in the soup: their counts in cells, their counts in the soup, and cells' UMIs per UMI of the soup."""

    found: NDArray[np.float64]
    soup: NDArray[np.float64]
    odds: NDArray[np.float64]

    @property
    def expected(self) -> NDArray[np.float64]:
        """Counts in cells if these were all soup."""
        return self.soup * self.odds

    def _probability(self, rho: float) -> NDArray[np.float64]:
        # The profile is itself a count. Given both, a silent gene's count in cells is binomial: no error of the profile
        # is taken for expression, or for its lack.
        return self.odds * rho / (self.odds * rho + 1)

    def fewer(self, rho: float) -> NDArray[np.float64]:
        """Probability, at a share of rho, of so few counts or fewer."""
        return np.asarray(betainc(self.soup, self.found + 1, 1 - self._probability(rho)))

    def more(self, rho: float) -> NDArray[np.float64]:
        """Probability, at a share of rho and in a silent gene, of so many counts or more."""
        some = betainc(np.maximum(self.found, 1), self.soup + 1, self._probability(rho))
        return np.asarray(np.where(self.found > 0, some, 1.0))

    def silent(self, rho: float) -> NDArray[np.bool_]:
        """Genes with no more counts than a share of rho explains."""
        return np.asarray(self.more(rho) >= SILENT_TAIL)

    def take(self, chosen: NDArray[Any]) -> _Evidence:
        """The same of chosen genes."""
        return _Evidence(self.found[chosen], self.soup[chosen], self.odds[chosen])


@dataclass(frozen=True)
class _Kind:
    """What one cluster says."""

    cells: NDArray[np.intp]
    clean: NDArray[np.bool_]  # of these, the ones that are no doublets
    umis: float
    genes: NDArray[np.intp]
    evidence: _Evidence
    rho: float  # its own estimate
    clear: bool  # whether silent genes stand apart from expressed ones


def ambient_share(
    counts: sp.csr_matrix, labels: NDArray[np.integer[Any]], soup: Soup, clean: NDArray[np.bool_]
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
        Profile of the soup.
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


def _learn(counts: sp.csr_matrix, inside: NDArray[np.bool_], clean: NDArray[np.bool_], soup: Soup) -> _Kind:
    cells = np.flatnonzero(inside)
    sums = np.asarray(counts[np.flatnonzero(inside & clean)].sum(axis=0), dtype=np.float64).ravel()
    umis = float(sums.sum())
    genes = np.flatnonzero(umis * soup.share >= MIN_EXPECTED)
    odds = np.full(len(genes), umis / max(soup.counts.sum(), 1.0))
    evidence = _Evidence(sums[genes], soup.counts[genes], odds)
    if not len(genes):
        return _Kind(cells, clean[cells], umis, genes, evidence, 0.0, False)
    expected = evidence.expected
    rho = envelope(evidence)
    for _ in range(N_ROUNDS):
        silent = evidence.silent(rho)
        previous, rho = rho, max(float(sums[genes][silent].sum() / max(expected[silent].sum(), 1e-9)), MIN_SHARE)
        if abs(rho - previous) < 1e-5:
            break
    silent = evidence.silent(rho)
    near = ~silent & (evidence.found < NEAR * rho * expected)
    apart = expected[silent].sum() > GAP * expected[near].sum()
    clear = apart and silent.sum() >= MIN_SILENT and (expected[silent] * rho).sum() >= MIN_EXPECTED
    return _Kind(cells, clean[cells], umis, genes, evidence, rho, bool(clear))


def envelope(evidence: _Evidence) -> float:
    """Highest share at which no gene has fewer counts than chance allows."""
    # Genes far above the envelope cannot decide it; the pseudo-count keeps genes without power from the front.
    lowest = np.argsort((evidence.found + 4.0) / evidence.expected, kind="stable")[:N_LOWEST]
    evidence = evidence.take(lowest)
    low, high = np.log(MIN_SHARE), np.log(MAX_SHARE)
    while high - low > 1e-3:
        middle = (low + high) / 2
        if evidence.fewer(np.exp(middle)).min() < ENVELOPE_TAIL:
            high = middle
        else:
            low = middle
    return float(np.exp(low))


def _pool(kinds: list[_Kind]) -> tuple[float, list[_Kind]]:
    """The sample's share, and the kinds that may keep their own.

    The envelope over all kinds is the sample's share unless a good part of the sample has clear silent genes that agree
    with it; a droplet takes up soup by the molecule, so the share of a small cell may be higher by as much as it is
    smaller.
    """
    parts = [(kind.evidence.found, kind.evidence.soup, kind.evidence.odds) for kind in kinds]
    bound = envelope(_Evidence(*(np.concatenate(part) for part in zip(*parts, strict=True))))
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
    counts: sp.csr_matrix, totals: NDArray[np.float64], soup: Soup, kind: _Kind, rho: float
) -> NDArray[np.float64]:
    """Share of each cell of a cluster around the cluster's: posterior mean under a gamma prior."""
    share = np.full(len(kind.cells), rho)
    silent = kind.genes[kind.evidence.silent(rho)]
    # What a doublet holds of silent genes is its second cell's: it gets its kind's share.
    cells = kind.cells[kind.clean]
    if not len(silent) or not len(cells):
        return share
    found = np.asarray(counts[cells][:, silent].sum(axis=1), dtype=np.float64).ravel()
    expected = totals[cells] * soup.share[silent].sum() * rho
    # Genes chosen for few counts, or expressed a little, must not move the cluster's level.
    expected *= max(found.sum(), 1e-9) / max(expected.sum(), 1e-9)
    # Var(found) = mean + mean^2 cv^2: what is left above Poisson is how much cells differ.
    cv2 = float(((found - expected) ** 2 - expected).sum() / max((expected**2).sum(), 1e-12))
    shape = 1.0 / min(max(cv2, 1e-3), 4.0)
    share[kind.clean] = rho * (shape + found) / (shape + expected)
    return share
