"""The ambient share where no empty droplets tell the profile: kinds of cells burst at different rates.

What all barcodes hold together stands for the soup then, but of the genes of origin j the soup holds b_j times what that
says. Silent genes of this origin therefore pile up at theta_j = rho b_j, and the lowest pile is not the share. But soup that
comes from the cells that were captured makes up the whole soup, and so the share is the mean of the piles, each weighed by what the pool
holds of its origin: sum_j v_j theta_j = rho. Cells of one origin do not all burst alike either: its genes lie around theta_j as far apart as
makes their counts most likely, or the lowest of them would be taken for all. The logarithms of the theta_j are normal around their mean, so
that origins whose genes no other kind is silent for are not taken for as little as the lowest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from livermet.cells.barcodes.kinds import Kind, alike
from livermet.cells.barcodes.silence import COARSE, HIGHEST_SHARE, SHARES, Pile, profile_likelihood, spread_mixtures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MAX_ORIGINS = 10
PURITY = 0.6  # of what the cells hold of a gene lies in one origin: it is that one's
MIN_PAIRS = 8  # of a gene and a kind: fewer tell nothing of an origin
BURST_SDS = (0.05, 0.1, 0.2, 0.4, 0.6)  # natural log, between origins: what is thought possible
WITHIN_SDS = (0.1, 0.3, 0.6)  # the same between cells of one origin
GRID = SHARES[::COARSE]
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
    umis, group = np.array([kind.umis for kind in kinds]), _groups(kinds)
    ambient = np.minimum([float(pile.at(kind.depth)) for kind in kinds], MOST_SHARE)
    own = np.maximum(np.stack([kind.sums for kind in kinds]) - (ambient * umis)[:, None] * profile, 0)
    by_group = np.stack([own[group == name].sum(axis=0) for name in range(group.max() + 1)])
    part = by_group / np.maximum(by_group.sum(axis=0), 1e-9)
    origin = np.where(part.max(axis=0) >= PURITY, part.argmax(axis=0), -1)
    logs = np.stack([_pile_of(kinds, group, origin, name, pile) for name in range(len(by_group))])
    held = np.array([(umis * (1 - ambient))[group == name].sum() for name in range(len(by_group))])
    theta, share, error = _pool(logs, held)
    return Mean(share, float(np.hypot(error, pile.error)), 1 + (part * (theta[:, None] / share - 1)).sum(axis=0))


def _groups(kinds: Sequence[Kind]) -> NDArray[np.intp]:
    """Kinds that hold alike burst alike: an origin of each kind."""
    telling = np.unique(np.concatenate([kind.genes for kind in kinds]))
    sums = np.stack([kind.sums[telling] for kind in kinds])
    return alike(sums, np.array([kind.umis for kind in kinds]), MAX_ORIGINS)


def _pile_of(kinds: Sequence[Kind], group: NDArray[np.intp], origin: NDArray[np.intp], name: int, pile: Pile) -> Array:
    """Log-likelihood over `GRID` of where the genes of one origin pile up in the kinds of all others."""
    likelihood, places = [], []
    for kind, own in zip(kinds, group, strict=True):
        chosen = origin[kind.genes] == name
        if own == name or not chosen.any():
            continue
        moved = int(np.rint(np.log(float(pile.at(kind.depth)) / pile.share) / (GRID[1] - GRID[0])))
        likelihood.append(kind.likelihoods[chosen])
        places.append(np.tile(np.clip(np.arange(len(GRID)) + moved, 0, len(GRID) - 1), (int(chosen.sum()), 1)))
    if sum(map(len, likelihood)) < MIN_PAIRS:
        return np.zeros(len(GRID))
    together = np.concatenate(likelihood), np.concatenate(places)
    found = np.stack([profile_likelihood(*together, spread_mixtures(sd))[0] for sd in WITHIN_SDS])
    return np.asarray(np.log(np.exp(found - found.max()).mean(axis=0) + 1e-300))


def _pool(logs: Array, held: Array) -> tuple[Array, float, float]:
    """Pile of each origin, their mean, and the standard error of its logarithm.

    Empirical Bayes: how far the piles lie apart, and around what, is averaged over by how likely it makes the counts.
    """
    shares = np.minimum(np.exp(GRID), HIGHEST_SHARE)
    apart = (GRID - GRID[:, None]) / np.array(BURST_SDS)[:, None, None]
    prior = np.exp(-0.5 * apart**2).reshape(-1, len(GRID))  # (spread and middle) x share
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
