"""What is known of a library's hashtags, and what follows for the tags of each cell: the model that `demultiplex` fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

Array = NDArray[np.float64]

STAIN = np.linspace(-3.0, 3.0, 17)  # standard deviations of the stain over which is summed
STAIN_PRIOR = -0.5 * STAIN**2 - logsumexp(-0.5 * STAIN**2)


@dataclass(frozen=True)
class Model:
    """What is known of a library's tags; one value a tag where it is an array.

    Attributes
    ----------
    background, dispersion
        Mean count in a droplet of level 1 whose cell does not bear the tag; variance beyond Poisson, over the mean squared.
    carried
        Share of the counts of a cell's other tags that each tag has beside its background: stain that cells carry over.
    width, slope
        Shape of the gamma distribution of the droplets' levels; power of the RNA in the background.
    stain, spread, stain_slope
        Mean log count that a bearer adds, its standard deviation, and its power of the RNA.
    share
        Of the tagged cells; sums to 1.
    doublets, negatives
        Share of droplets with two cells (of any tags) among the tagged; share of droplets without a tag.
    works
        Whether the tag is borne by any cell, as far as can be told.
    """

    background: Array
    carried: float
    dispersion: float
    width: float
    slope: float
    stain: Array
    spread: Array
    stain_slope: float
    share: Array
    doublets: float
    negatives: float
    works: NDArray[np.bool_]


@dataclass(frozen=True)
class Posterior:
    """Of every cell: sets with no tag, with one (cells x tags), with two; membership (cells x tags); log-likelihood."""

    none: Array
    one: Array
    two: Array
    member: Array
    stain: Array  # given membership: mean of the stain in standard deviations, and
    stain_square: Array  # of its square
    fit: float


def expect(tags: Array, size: Array, model: Model) -> Array:
    """Background of every tag in a droplet of level 1: what floats around, and what the cell's other tags carry over."""
    others = tags.sum(axis=1, keepdims=True) - tags
    return np.asarray(np.exp(model.slope * size)[:, None] * model.background + model.carried * others)


def levels(tags: Array, expected: Array, model: Model, member: Array) -> tuple[Array, Array]:
    """Level of each droplet, as all tags but one tell it (cells x tags), and the shape of what is known of it."""
    clear = 1 - member
    seen, usual = clear * tags, clear * expected
    shape = model.width + seen.sum(axis=1, keepdims=True) - seen
    return shape / (model.width + usual.sum(axis=1, keepdims=True) - usual), shape


def _log_negative_binomial(counts: Array, mean: Array, size: Array | float) -> Array:
    return np.asarray(size * np.log(size) + counts * np.log(mean) - (size + counts) * np.log(size + mean))


def judge(tags: Array, size: Array, model: Model, member: Array) -> Posterior:
    """Posterior of every set of at most two tags."""
    expected = expect(tags, size, model)
    level, shape = levels(tags, expected, model, member)
    mean = level * expected
    own = 1 / (1 / shape + model.dispersion)
    base = gammaln(tags + own) - gammaln(own) + _log_negative_binomial(tags, mean, own)
    odds, stain, square = _stain_odds(tags, size, model, mean, base)
    odds = np.where(model.works, odds, -np.inf)
    with np.errstate(divide="ignore"):
        single = np.log((1 - model.negatives) * ((1 - model.doublets) * model.share + model.doublets * model.share**2))
        pair = odds + np.log(model.share)
        factor = np.log(2 * (1 - model.negatives) * model.doublets)
    others = _all_but_one(pair)
    one, two_of = odds + single, pair + others + factor
    none = np.full(len(tags), np.log(model.negatives))
    two = logsumexp(two_of, axis=1) - np.log(2)
    total = logsumexp(np.column_stack([none, one, two]), axis=1)
    one, two_of = np.exp(one - total[:, None]), np.exp(two_of - total[:, None])
    fit = float((total + (base - gammaln(tags + 1)).sum(axis=1)).sum())
    return Posterior(np.exp(none - total), one, np.exp(two - total), np.clip(one + two_of, 0, 1), stain, square, fit)


def _stain_odds(tags: Array, size: Array, model: Model, mean: Array, base: Array) -> tuple[Array, Array, Array]:
    """Log-odds that a cell bears a tag, its counts alone, and moments of the stain that it would have."""
    # A coarse grid of stains must not show: counts scatter around each by no less than the grid is wide.
    scatter = 1 / np.maximum(model.dispersion, (0.5 * (STAIN[1] - STAIN[0]) * model.spread) ** 2)
    usual = model.stain + model.stain_slope * size[:, None]
    added = np.exp(usual[..., None] + model.spread[:, None] * STAIN)
    likelihood = _log_negative_binomial(tags[..., None], mean[..., None] + added, scatter[:, None]) + STAIN_PRIOR
    total = logsumexp(likelihood, axis=2)
    weight = np.exp(likelihood - total[..., None])
    odds = gammaln(tags + scatter) - gammaln(scatter) + total - base
    return odds, weight @ STAIN, weight @ STAIN**2


def _all_but_one(values: Array) -> Array:
    """Log-sum over all columns but one, for each column."""
    n = values.shape[1]
    empty = np.full((len(values), 1), -np.inf)
    before = np.column_stack([empty, np.logaddexp.accumulate(values, axis=1)[:, : n - 1]])
    after = np.column_stack([np.logaddexp.accumulate(values[:, ::-1], axis=1)[:, : n - 1][:, ::-1], empty])
    return np.asarray(np.logaddexp(before, after))
