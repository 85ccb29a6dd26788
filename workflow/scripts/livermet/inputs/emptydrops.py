"""Which droplets of a raw matrix hold a cell: EmptyDrops (Lun et al. 2019, doi:10.1186/s13059-019-1662-y).

Droplets with next to no UMIs give the ambient profile. A larger one is empty if its counts could have been drawn from that
profile: they then follow a Dirichlet-multinomial distribution, wider than the multinomial by as much as the small droplets
are. Its p-value is the share of simulated droplets of as many UMIs that are no likelier. So a small cell below the knee of
the barcode curve is found if what it expresses is not the soup, and a droplet full of soup is not taken for a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize_scalar
from scipy.special import gammaln
from scipy.stats import false_discovery_control

from livermet.inputs.urn import Urn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

N_SIMULATIONS = 10_000  # the smallest p-value is 1e-4: enough at this rate where a tenth of the droplets are cells
FALSE_DISCOVERY_RATE = 0.001
LOG_ALPHA = (np.log(1.0), np.log(1e6))  # widths that are looked at; the largest is the multinomial
BLOCK = 2**16  # UMIs drawn at once
LARGEST_RANKS_LEFT_OUT = 50  # few and far apart: the curve is not smooth there


@dataclass(frozen=True)
class Ambient:
    """What empty droplets hold.

    Attributes
    ----------
    share
        Share of each gene, above 0 for all, sums to 1.
    alpha
        Total weight of the Dirichlet distribution: large where empty droplets are all alike.
    """

    share: Array
    alpha: float


def good_turing(counts: NDArray[np.integer[Any]]) -> Array:
    """Shares of all genes, those without a count included (simple Good-Turing, doi:10.1080/09296179508590051).

    Genes without a count share the weight of those with one count; the others give it up, the rarer the more.

    Parameters
    ----------
    counts
        Sums over the empty droplets, (genes,).

    Returns
    -------
    ndarray
        (genes,), sums to 1.
    """
    counts = np.asarray(counts, dtype=np.int64)
    r, number = np.unique(counts[counts > 0], return_counts=True)
    total = float(counts.sum())
    missing = counts == 0
    if len(r) < 2 or total == 0:
        return np.asarray((counts + 1.0) / (counts + 1.0).sum())
    before, after = np.append(0, r[:-1]), np.append(r[1:], 2 * r[-1] - np.append(0, r[:-1])[-1])
    slope, intercept = np.polyfit(np.log(r), np.log(2 * number / (after - before)), 1)

    def smooth(value: Any) -> Any:
        return np.exp(intercept + slope * np.log(value))

    adjusted = (r + 1) * smooth(r + 1) / smooth(r)
    for i in range(
        len(r) - 1
    ):  # Turing's own estimate as long as it differs from the smooth one by more than its error
        if r[i + 1] != r[i] + 1:
            break
        turing = (r[i] + 1) * number[i + 1] / number[i]
        error = np.sqrt((r[i] + 1.0) ** 2 * number[i + 1] / number[i] ** 2 * (1 + number[i + 1] / number[i]))
        if abs(turing - adjusted[i]) <= 1.65 * error:
            break
        adjusted[i] = turing
    unseen = float((counts == 1).sum()) / total if missing.any() else 0.0
    share = np.zeros(len(counts))
    share[~missing] = adjusted[np.searchsorted(r, counts[~missing])]
    share *= (1 - unseen) / share.sum()
    if missing.any():
        # No gene is impossible: where none was seen just once, half a count is left for the unseen.
        unseen = unseen or 0.5 / total
        share *= (1 - unseen) / share.sum()
        share[missing] = unseen / missing.sum()
    return share


def fit_alpha(droplets: sp.csr_matrix, share: Array) -> float:
    """The width of the Dirichlet-multinomial distribution that makes empty droplets most likely.

    Parameters
    ----------
    droplets
        Empty droplets x genes, csr.
    share
        Share of each gene in the profile.
    """
    droplets = sp.csr_matrix(droplets)
    totals, n_totals = np.unique(np.asarray(droplets.sum(axis=1)).ravel(), return_counts=True)
    ones = droplets.data == 1
    single = np.bincount(droplets.indices[ones], minlength=droplets.shape[1])
    pairs, n_pairs = np.unique(
        np.stack([droplets.indices[~ones].astype(np.int64), droplets.data[~ones].astype(np.int64)]),
        axis=1,
        return_counts=True,
    )

    def loss(log_alpha: float) -> float:
        alpha = np.exp(log_alpha)
        weight = alpha * share
        own = alpha * share[pairs[0]]
        value = n_totals @ (gammaln(alpha) - gammaln(totals + alpha)) + single @ np.log(weight)
        return -float(value + n_pairs @ (gammaln(pairs[1] + own) - gammaln(own)))

    return float(np.exp(minimize_scalar(loss, bounds=LOG_ALPHA, method="bounded").x))


def log_likelihood(droplets: sp.csr_matrix, ambient: Ambient) -> Array:
    """Log-probability of each droplet's counts, given its UMIs, under the Dirichlet-multinomial distribution.

    Parameters
    ----------
    droplets
        Droplets x genes, csr.
    ambient
        The profile and its width.
    """
    droplets = sp.csr_matrix(droplets)
    totals = np.asarray(droplets.sum(axis=1), dtype=np.float64).ravel()
    return _kernel(droplets, ambient) + _constant(totals, ambient.alpha)


def _kernel(droplets: sp.csr_matrix, ambient: Ambient) -> Array:
    weight = ambient.alpha * ambient.share[droplets.indices]
    terms = gammaln(droplets.data + weight) - gammaln(weight) - gammaln(droplets.data + 1.0)
    return np.asarray(sp.csr_matrix((terms, droplets.indices, droplets.indptr), droplets.shape).sum(axis=1)).ravel()


def _constant(totals: Array, alpha: float) -> Array:
    return np.asarray(gammaln(totals + 1) + gammaln(alpha) - gammaln(totals + alpha))


def empty_p_values(droplets: sp.csr_matrix, ambient: Ambient, *, seed: int, n_simulations: int) -> Array:
    """Probability of counts as unlikely as a droplet's, or more so, if it is empty.

    A simulated droplet is filled UMI by UMI, so that one simulation serves droplets of every size.

    Parameters
    ----------
    droplets
        Droplets x genes, csr.
    ambient
        The profile and its width.
    seed
        Of the simulated droplets.
    n_simulations
        Their number.

    Returns
    -------
    ndarray
        (droplets,), from 1 / (n_simulations + 1) to 1.
    """
    droplets = sp.csr_matrix(droplets)
    totals = np.asarray(droplets.sum(axis=1), dtype=np.int64).ravel()
    kernel = _kernel(droplets, ambient)
    order = np.lexsort((kernel, totals))
    sizes, start = np.unique(totals[order], return_index=True)
    ends = np.append(start[1:], len(order))
    # One ascending array holds the droplets of all sizes, each size a step higher: a simulation finds its place in all of
    # them at once, and counts for the droplets of its size from there on, which are as likely or likelier.
    low, step = (kernel.min(), 4.0 * (np.ptp(kernel) + 1.0)) if len(kernel) else (0.0, 1.0)
    floors = np.arange(len(sizes)) * step
    keys = kernel[order] - low + np.repeat(floors, ends - start)
    rng = np.random.default_rng(seed)
    largest = int(totals.max(initial=0))
    counted = np.zeros(len(order) + 1, dtype=np.int64)
    urn = Urn(ambient.share, ambient.alpha)
    block = max(1, BLOCK // max(largest, 1))
    for done in range(0, n_simulations if largest else 0, block):
        drawn = urn.fill(min(block, n_simulations - done), largest, rng)[:, sizes - 1]
        place = np.searchsorted(keys, np.clip(drawn - low, -1.0, step / 2) + floors, side="left")
        counted += np.bincount(place[place < ends], minlength=len(counted))
    reached = np.cumsum(counted[:-1])
    p_values = np.empty(len(order))
    p_values[order] = (reached - np.repeat(reached[start] - counted[start], ends - start) + 1) / (n_simulations + 1)
    return p_values


def find_knee(totals: NDArray[np.integer[Any]], lower: int) -> int:
    """UMIs at the knee of the barcode curve, above which every droplet is taken for a cell.

    On log scales UMIs fall slowly with rank among cells, steeply after them. The knee is the point above the steepest
    place that lies farthest from the chord between that place and the largest droplets.

    Parameters
    ----------
    totals
        UMIs of each droplet.
    lower
        Droplets with no more are not looked at.

    Returns
    -------
    int
        The UMIs; more than any droplet has where there are too few droplets for a curve.
    """
    large = np.sort(np.asarray(totals)[np.asarray(totals) > lower])[::-1]
    values, counts = np.unique(-large, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2
    chosen = rank > min(LARGEST_RANKS_LEFT_OUT, len(large) // 10)
    x, y = np.log10(rank[chosen]), np.log10(-values[chosen].astype(np.float64))
    if len(x) < 10:
        return int(large[0]) + 1 if len(large) else lower + 1
    grid = np.linspace(x[0], x[-1], 100)
    smooth = np.interp(grid, x, y)
    width = 5
    slope = (smooth[width:] - smooth[:-width]) / (grid[width:] - grid[:-width])
    steepest = int(np.argmin(slope)) + width // 2
    if steepest < 2:
        return int(10 ** smooth[0])
    chord = np.interp(grid[: steepest + 1], grid[[0, steepest]], smooth[[0, steepest]])
    return int(np.ceil(10 ** smooth[int(np.argmax(smooth[: steepest + 1] - chord))]))


def adjust(p_values: Array) -> Array:
    """Benjamini and Hochberg."""
    return np.asarray(false_discovery_control(p_values)) if len(p_values) else p_values
