"""The ambient share where no empty droplets tell the profile: kinds of cells burst at different rates.

What all barcodes hold together stands for the soup then, but of the genes of origin j the soup holds b_j times what that
says. Silent genes of this origin therefore pile up at theta_j = rho b_j, and the lowest pile is not the share. But soup that
comes from the cells that were captured makes up the whole soup, and so the share is the mean of the piles, each weighed by what the pool
holds of its origin: sum_j v_j theta_j = rho. The logarithms of the theta_j are normal around their mean, so
that origins whose genes no other kind is silent for are not taken for as little as the lowest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from livermet.cells.barcodes.kinds import Kind
from livermet.cells.barcodes.silence import COARSE, HIGHEST_SHARE, SHARES, Pile, profile_likelihood

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MAX_ORIGINS = 10
PURITY = 0.6  # of what the cells hold of a gene lies in one origin: it is that one's
MIN_PAIRS = 8  # of a gene and a kind: fewer tell nothing of an origin
BURST_SDS = (0.05, 0.1, 0.2, 0.4, 0.6)  # natural log, between origins: what is thought possible
GRID = np.arange(0, len(SHARES), COARSE // 2)
TEMPER = 0.5  # genes of an origin err together: their likelihood counts half
MOST_SHARE = 0.85


@dataclass(frozen=True)
class Mean:
    """The share by all origins together.

    Attributes
    ----------
    share
        Of a cell of usual depth.
    error
        Standard error of its logarithm.
    excess
        Of each gene: its part in the soup over its part in the pool.
    """

    share: float
    error: float
    excess: Array


def average_piles(kinds: Sequence[Kind], pile: Pile, profile: Array) -> Mean:
    """The mean of the piles of silent genes of different origins.

    Parameters
    ----------
    kinds
        Those that speak.
    pile
        The lowest pile, see :func:`livermet.cells.barcodes.silence.find_pile`.
    profile
        Share of each gene in the pool.

    Returns
    -------
    Mean
    """
    share, expected = pile.share, np.array([kind.umis for kind in kinds])
    result = Mean(pile.share, pile.error, np.ones(len(profile)))
    group = _groups(kinds)
    for _ in range(2):  # what cells hold of their own depends on the share
        ratio = share / pile.share
        ambient = np.minimum(ratio * np.array([float(pile.at(kind.depth)) for kind in kinds]), MOST_SHARE)
        own = np.maximum(np.stack([kind.sums for kind in kinds]) - (ambient * expected)[:, None] * profile, 0)
        by_group = np.stack([own[group == name].sum(axis=0) for name in range(group.max() + 1)])
        part = by_group / np.maximum(by_group.sum(axis=0), 1e-9)
        origin = np.where(part.max(axis=0) >= PURITY, part.argmax(axis=0), -1)
        logs = np.stack([_pile_of(kinds, group, origin, name, pile) for name in range(len(by_group))])
        held = np.array([(expected * (1 - ambient))[group == name].sum() for name in range(len(by_group))])
        theta, share, error = _pool(logs, held)
        result = Mean(share, float(np.hypot(error, pile.error)), 1 + (part * (theta[:, None] / share - 1)).sum(axis=0))
    return result


def _groups(kinds: Sequence[Kind]) -> NDArray[np.intp]:
    """Kinds that hold alike burst alike: an origin of each kind."""
    if len(kinds) == 1:
        return np.zeros(1, dtype=np.intp)
    telling = np.unique(np.concatenate([kind.genes for kind in kinds]))
    rates = np.log(np.stack([1e4 * kind.sums[telling] / kind.umis for kind in kinds]) + 0.3)
    rates -= rates.mean(axis=0)
    rates -= rates.mean(axis=1, keepdims=True)
    rates /= np.maximum(np.linalg.norm(rates, axis=1, keepdims=True), 1e-9)
    return np.asarray(fcluster(linkage(rates, "ward"), MAX_ORIGINS, "maxclust") - 1, dtype=np.intp)


def _pile_of(kinds: Sequence[Kind], group: NDArray[np.intp], origin: NDArray[np.intp], name: int, pile: Pile) -> Array:
    """Log-likelihood over `GRID` of where the genes of one origin pile up in the kinds of all others."""
    likelihood, places = [], []
    for kind, own in zip(kinds, group, strict=True):
        chosen = origin[kind.genes] == name
        if own == name or not chosen.any():
            continue
        moved = np.rint(np.log(float(pile.at(kind.depth)) / pile.share) / (SHARES[1] - SHARES[0])).astype(int)
        likelihood.append(kind.likelihoods[chosen])
        places.append(np.tile(np.clip(GRID + moved, 0, len(SHARES) - 1), (int(chosen.sum()), 1)))
    if sum(map(len, likelihood)) < MIN_PAIRS:
        return np.zeros(len(GRID))
    found = profile_likelihood(np.concatenate(likelihood), np.concatenate(places))[0]
    return np.asarray(TEMPER * (found - found.max()))


def _pool(logs: Array, held: Array) -> tuple[Array, float, float]:
    """Pile of each origin, their mean, and the standard error of its logarithm.

    Empirical Bayes: how far the piles lie apart, and around what, is averaged over by how likely it makes the counts.
    """
    places = SHARES[GRID]
    shares = np.minimum(np.exp(places), HIGHEST_SHARE)
    apart = (places - places[:, None]) / np.array(BURST_SDS)[:, None, None]
    prior = np.exp(-0.5 * apart**2).reshape(-1, len(places))  # (spread and middle) x share
    prior /= prior.sum(axis=1, keepdims=True)
    likelihood = np.exp(logs)
    evidence = np.maximum(prior @ likelihood.T, 1e-300)
    chance = np.log(evidence).sum(axis=1)
    chance = np.exp(chance - chance.max())
    chance /= chance.sum()
    posterior = likelihood * ((chance[:, None] / evidence).T @ prior)  # origin x share
    theta = posterior @ shares
    variance = posterior @ shares**2 - theta**2
    weight = held / (1 - theta)
    weight /= weight.sum()
    mean = float(weight @ theta)
    return theta, mean, float(np.sqrt(weight**2 @ variance) / mean)
