"""Where the soup shows: genes that a kind of cell is silent for all have the same ratio to the soup, the ambient share.

What cells express of the genes that some kind may be silent for varies over orders of magnitude and without a preferred level:
the logarithm of x is taken to have a smooth density in each kind, a mixture of normal bumps half a unit wide (the idea of
deconvolution with a smooth prior: Efron 2016, doi:10.1093/biomet/asv068). However smooth it is, the ratios
rho + (1 - rho) x of all genes with x far below rho pile up at rho. So the likelihood of rho, with the best mixture at each,
falls off on either side of a pile, and does not fall towards 0 where there is none: then rho has an upper bound only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from livermet.cells.barcodes.kinds import LEVELS, STEP, Kind, likelihoods, usual_depth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Places = NDArray[np.intp]

FINENESS = 0.05  # of the log share
LEAST_SHARE, MOST_SHARE = 5e-4, 0.95
HIGHEST_SHARE = 0.65  # above, what cells express hides the silent genes
CLEAR_SHARE = 0.45  # and above this they tell less well than other kinds do
SHARES = np.arange(np.log(LEAST_SHARE), np.log(MOST_SHARE), FINENESS)  # log
COARSE = 4  # every so many of them are looked at first
WINDOW = 10  # and then so many on either side of the best
BUMP_SD = 0.5  # natural log, of x
BUMPS = np.arange(np.log(2e-4), np.log(3.0), BUMP_SD)
FINE_X = np.arange(np.log(1e-5), np.log(8.0), STEP)
N_ROUNDS = 25
SLOPES = np.linspace(0.0, 1.0, 9)  # 0: the share is the same in all cells; 1: every droplet holds the same soup
KIND_SD = 0.1  # natural log, of a kind's share around what its depth lets expect
LEVEL_SD = 0.05  # the same where a kind's own share is wanted: its genes err together
FARTHEST = 30.0  # log-likelihood that one kind can be against all others
TINY = np.float32(1e-15)  # smaller numbers are as good as 0, and slow: their products are denormal
DROP = 2.0  # of the log-likelihood: about 95 %


@cache
def mixtures() -> Array:
    """Distribution of the ratio: levels x `SHARES` x bumps. Columns sum to 1."""
    weights = np.exp(-0.5 * ((FINE_X[:, None] - BUMPS) / BUMP_SD) ** 2)
    grid = _ratios(weights / weights.sum(axis=0), np.exp(SHARES))
    return np.where(grid < TINY, 0, grid)


def _ratios(weights: Array, shares: Array) -> Array:
    """Levels x shares x columns: where columns of weights of `FINE_X` put the ratio."""
    place = (np.log(shares[:, None] + (1 - shares[:, None]) * np.exp(FINE_X)) - LEVELS[0]) / STEP
    place = np.clip(place, 0, len(LEVELS) - 1.001)
    # Linear between levels: a tent around each, shares x fine x levels.
    tents = np.maximum(1 - np.abs(place[:, :, None] - np.arange(len(LEVELS))), 0)
    return np.asarray(np.einsum("sfl,fb->lsb", tents, weights, optimize=True))


@cache
def spread_mixtures(sd: float) -> Array:
    """The same where silent genes lie lognormally around the share; at every `COARSE`th of `SHARES`."""
    coarse = SHARES[::COARSE]
    near = np.exp(-0.5 * ((coarse[:, None] - coarse) / sd) ** 2)
    near /= near.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ts,lsb->ltb", near, mixtures()[:, ::COARSE], optimize=True))


def profile_likelihood(likelihood: Array, places: Places, grid: Array | None = None) -> tuple[Array, Array]:
    """Log-likelihood of genes' counts at several shares, each with the mixture that fits best there (EM).

    Parameters
    ----------
    likelihood
        Genes x levels.
    places
        Of the grid's shares: (n,), the same for all genes, or genes x n where a gene has its own.
    grid
        Levels x shares x bumps; :func:`mixtures` where not given.

    Returns
    -------
    tuple of ndarray
        (n,), and the weights of the bumps (n x bumps).
    """
    grid = mixtures() if grid is None else grid
    n_genes, n = len(likelihood), places.shape[-1]
    wanted, where = np.unique(places, return_inverse=True)
    chosen = np.ascontiguousarray(grid[:, wanted, :].reshape(len(LEVELS), -1), dtype=np.float32)
    each = (np.where(likelihood < TINY, 0, likelihood).astype(np.float32) @ chosen).reshape(n_genes, len(wanted), -1)
    each = each[:, where] if places.ndim == 1 else each[np.arange(n_genes)[:, None], where.reshape(places.shape)]
    each = np.ascontiguousarray(
        np.maximum(each, TINY).transpose(1, 0, 2)
    )  # shares x genes x bumps: the products below are of matrices
    weights = np.full((n, len(BUMPS), 1), 1 / len(BUMPS), dtype=np.float32)
    back = each.transpose(0, 2, 1)
    for _ in range(N_ROUNDS):
        weights = np.maximum(weights * (back @ (1 / (each @ weights))) / n_genes, TINY)
    total = np.log(each @ weights).sum(axis=(1, 2), dtype=np.float64)
    return total, weights[:, :, 0].astype(np.float64)


@dataclass(frozen=True)
class Pile:
    """Where the silent genes of all kinds pile up.

    Attributes
    ----------
    share
        Ambient share of a cell of usual depth.
    low, high
        95 % interval of it by the likelihood alone.
    slope
        The share of a cell of depth d is `share * (d / depth) ** -slope`.
    depth
        The usual depth.
    fall
        How far the log-likelihood falls towards no soup: less than `DROP` and there is no pile, but `high` still holds.
    error
        Standard error of the log share: by the likelihood, and by leaving kinds out in turn.
    lean
        How far the log share of each kind lies off what its depth lets expect.
    """

    share: float
    low: float
    high: float
    slope: float
    depth: float
    fall: float
    error: float
    lean: tuple[float, ...] = ()

    def at(self, depth: Any) -> Any:
        """Ambient share expected of cells of some depth."""
        return self.share * (np.maximum(depth, 1.0) / self.depth) ** -self.slope


def find_pile(kinds: Sequence[Kind]) -> Pile:
    """The share, and how it falls with depth, that make the counts of all kinds most likely.

    How the share depends on a cell's depth is not known beforehand (soup enters a droplet whatever the cell in it, but a
    droplet that was read well was read well as a whole), so the likelihood decides.

    Parameters
    ----------
    kinds
        Those that speak; at least one.
    """
    each = [kind.likelihoods for kind in kinds]
    depth = usual_depth(list(kinds))
    shift = np.log([kind.depth for kind in kinds]) - np.log(depth)
    coarse = np.arange(0, len(SHARES), COARSE)
    rough = [profile_likelihood(one, coarse)[0] for one in each]
    by_kind = _together(SHARES[coarse], [SHARES[coarse]] * len(rough), rough, shift, SLOPES)
    clear = np.ones(len(kinds), dtype=bool)
    for _ in range(2):  # again without the kinds that turn out to be soup for the most part
        total = by_kind[:, clear].sum(axis=1)
        best, at = np.unravel_index(int(total.argmax()), total.shape)
        expected = SHARES[coarse[at]] - SLOPES[best] * shift
        clear = _or_all(expected <= np.log(CLEAR_SHARE))
    fall = float(total.max() - total[:, 0].max())
    # Again, finely, around what each kind is expected to have.
    middle = np.rint((expected[clear] - SHARES[0]) / FINENESS).astype(np.intp)
    windows = [np.unique(np.clip(np.arange(m - WINDOW, m + WINDOW + 1), 0, len(SHARES) - 1)) for m in middle]
    each = [one for one, chosen in zip(each, clear, strict=True) if chosen]
    sharp = [profile_likelihood(one, window)[0] for one, window in zip(each, windows, strict=True)]
    fine = [_blur(log) for log in sharp]
    slopes = np.unique(np.clip(SLOPES[best] + np.linspace(-0.1875, 0.1875, 7), 0, 1))
    shares = SHARES[max(coarse[at] - WINDOW, 0) : coarse[at] + WINDOW + 1]
    by_kind = _together(shares, [SHARES[window] for window in windows], fine, shift[clear], slopes)
    total = by_kind.sum(axis=1)
    share = _top(shares, total.max(axis=0))
    left_out = [_top(shares, (total - one).max(axis=0)) for one in by_kind.swapaxes(0, 1)]
    inside = shares[total.max(axis=0) >= total.max() - DROP]
    slope = float(slopes[int(total.max(axis=1).argmax())])
    lean = np.zeros(len(kinds))
    lean[clear] = [
        _lean(SHARES[window] - middle, log)
        for window, log, middle in zip(windows, sharp, (share - slope * shift)[clear], strict=True)
    ]
    return Pile(
        share=float(np.exp(share)),
        low=float(np.exp(inside[0])),
        high=float(np.exp(inside[-1])),
        slope=slope,
        depth=depth,
        fall=fall,
        error=float(np.hypot(np.sqrt((len(left_out) - 1) * np.var(left_out)), (inside[-1] - inside[0]) / 4)),
        lean=tuple(lean.tolist()),
    )


def _or_all(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which are chosen; all where none is."""
    return chosen if chosen.any() else np.ones_like(chosen)


def _together(shares: Array, grids: list[Array], logs: list[Array], shift: Array, slopes: Array) -> Array:
    """Log-likelihood of each kind at (slopes x kinds x shares of a cell of usual depth)."""
    found = np.empty((len(slopes), len(logs), len(shares)))
    for row, slope in enumerate(slopes):
        for column, (grid, log) in enumerate(zip(grids, logs, strict=True)):
            found[row, column] = np.interp(shares - slope * shift[column], grid, np.maximum(log, log.max() - FARTHEST))
    return found


def _blur(log: Array) -> Array:
    """The likelihood of the share that a kind's depth lets expect: its own lies around that."""
    reach = np.arange(-WINDOW, WINDOW + 1) * FINENESS
    kernel = np.exp(-0.5 * (reach / KIND_SD) ** 2)
    top = log.max()
    padded = np.pad(np.exp(log - top), WINDOW, mode="edge")
    return np.asarray(np.log(np.maximum(np.convolve(padded, kernel / kernel.sum(), "valid"), 1e-30)) + top)


def _lean(off: Array, log: Array) -> float:
    """Posterior mean of how far a kind lies off, given the likelihood of that."""
    log = log - 0.5 * (off / LEVEL_SD) ** 2
    chance = np.exp(log - log.max())
    return float(chance @ off / chance.sum())


def _top(shares: Array, log: Array) -> float:
    """Where the log-likelihood is highest, between the shares looked at (a parabola)."""
    at = int(log.argmax())
    if not 0 < at < len(log) - 1:
        return float(shares[at])
    left, middle, right = log[at - 1 : at + 2]
    return float(shares[at] + FINENESS * 0.5 * (left - right) / min(left - 2 * middle + right, -1e-9))


def expected_level(found: Array, soup: Array, odds: float, share: float) -> Array:
    """What cells of a kind express of each gene, in units of the soup: posterior mean, given the kind's ambient share.

    Parameters
    ----------
    found
        Counts of genes in the kind.
    soup
        Their UMIs in the profile.
    odds
        UMIs of the kind per UMI of the profile.
    share
        Of the kind's UMIs, ambient.
    """
    likelihood = likelihoods(found, soup, odds)
    place = np.array([int(np.abs(SHARES - np.log(share)).argmin())])
    weights = profile_likelihood(likelihood, place)[1][0]
    bumps = np.exp(-0.5 * ((FINE_X[:, None] - BUMPS) / BUMP_SD) ** 2)
    x = bumps / bumps.sum(axis=0) @ weights
    both = _ratios(np.stack([x, x * np.exp(FINE_X)], axis=1), np.array([share]))[:, 0]
    density = likelihood @ both
    return np.asarray(density[:, 1] / np.maximum(density[:, 0], 1e-300))
