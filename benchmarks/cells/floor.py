"""How well a single cell's ambient share could be told at best: by one who knows what every droplet was drawn from, though not the draw.

Known are each population's profile, its genes' dispersions, its sizes, the soup's profile, how much of it there is and how it scatters. What
is left to chance is how much soup this droplet took up; the posterior median of that is as near as anyone can come. A second
figure is that of one who sees kind and UMIs of a cell and none of its genes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln

from benchmarks.cells.biology import KINDS
from benchmarks.cells.simulate import (
    CELL_WISE,
    DEPTH_SD,
    POPULATION,
    SOUP_SD,
    Library,
)
from benchmarks.cells.worlds import World
from livermet.keys import AMBIENT, IS_DOUBLET

N_CELLS = 60  # of a library: the oracle is slow
SHARES = np.exp(np.linspace(np.log(0.002), np.log(0.97), 80))
NORMAL = np.linspace(-4, 4, 41)
LARGEST = 1e8  # of a negative binomial's size: from there on it is a Poisson


def floor_points(world: World, library: Library, *, ambient: float, soup: str) -> dict[str, float]:
    """Mean absolute error of single cells' shares, in points, that knowing all but the draw leaves.

    Parameters
    ----------
    world, library
        Populations, and the library drawn from them.
    ambient, soup
        As it was drawn, see :func:`benchmarks.cells.simulate.simulate_library`.

    Returns
    -------
    dict
        "counts": seeing a cell's counts; "depth": seeing its kind and its UMIs alone.
    """
    drawn = library.drawn
    if drawn is None:
        raise ValueError("only of a simulated library is it known what it was drawn from")
    column = world.genes.index.get_indexer(library.counts.var_names)
    rate = drawn.rate[:, column] / drawn.rate.sum(axis=1, keepdims=True)
    pool = drawn.pool[column]
    dispersion = (world.dispersion + (world.latent**2).sum(axis=0))[column]
    counts = sp.csr_matrix(library.counts.X)
    totals = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    truth = library.truth[AMBIENT].to_numpy()
    own_mean = float(((1 - truth) * totals).mean())
    which = np.array([world.names.index(name) for name in library.truth[POPULATION]])
    single = np.flatnonzero(~library.truth[IS_DOUBLET].to_numpy())
    errors: dict[str, list[float]] = {"counts": [], "depth": []}
    for cell in single[:: max(len(single) // N_CELLS, 1)]:
        size = KINDS[world.lineage(world.names[which[cell]])].umis
        own, taken = (1 - SHARES) * totals[cell], SHARES * totals[cell]
        expected = ambient / (1 - ambient) * (own if soup == CELL_WISE else np.full(len(own), own_mean))
        prior = _taken(taken, expected) - 0.5 * (np.log(own / size) / DEPTH_SD) ** 2 - np.log(own) + np.log(SHARES)
        found = counts[cell].toarray().ravel().astype(float)
        seen = _seen(found, np.outer(own, rate[which[cell]]), np.outer(taken, pool), dispersion)
        for name, log in (("depth", prior), ("counts", prior + seen)):
            errors[name].append(abs(_median(log) - truth[cell]))
    return {name: 100 * float(np.mean(values)) for name, values in errors.items()}


def _taken(taken: Any, expected: Any) -> Any:
    """Logarithm of the chance to take up so many UMIs of soup: Poisson, its mean lognormal."""
    mean = expected[:, None] * np.exp(SOUP_SD * NORMAL - SOUP_SD**2 / 2)
    log = taken[:, None] * np.log(mean) - mean - gammaln(taken[:, None] + 1) - NORMAL**2 / 2
    top = log.max(axis=1, keepdims=True)
    return np.log(np.exp(log - top).sum(axis=1)) + top[:, 0]


def _seen(found: Any, own: Any, soup: Any, dispersion: Any) -> Any:
    """Logarithm of the chance of a cell's counts at each share: own counts and soup, as one negative binomial of their mean and variance."""
    mean = own + soup
    size = np.minimum(mean**2 / np.maximum(dispersion * own**2, 1e-12), LARGEST)
    log = size * np.log(size / (size + mean))
    there = found > 0
    some, size, mean = found[there], size[:, there], mean[:, there]
    log[:, there] += gammaln(some + size) - gammaln(size) + some * np.log(mean / (size + mean))
    return log.sum(axis=1)


def _median(log: Any) -> float:
    """Of a distribution over `SHARES` (steps of their logarithm)."""
    reached = np.cumsum(np.exp(log - log.max()))
    return float(np.exp(np.interp(0.5 * reached[-1], reached, np.log(SHARES))))
