"""Simulated empty droplets: Dirichlet-multinomial counts after each UMI, many droplets at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

GUIDE = 2**15


class Urn:
    """Empty droplets filled UMI by UMI, by Polya's urn.

    A UMI is of a gene drawn from the profile, or of the gene of an earlier UMI of its droplet: of any of the n before it with
    probability 1 / (alpha + n) each. So the counts are Dirichlet-multinomial after each UMI, without shares of all genes to be drawn.
    """

    def __init__(self, share: Array, alpha: float) -> None:
        self.alpha = alpha
        self.weight = alpha * share
        self.bounds = np.cumsum(share)
        self.last = len(self.bounds) - 1
        # What lies at the start of each of many steps of the cumulated shares: most genes are then found without a search.
        self.guide = np.searchsorted(self.bounds, np.arange(GUIDE) / GUIDE, side="right")

    def fill(self, number: int, largest: int, rng: np.random.Generator) -> Array:
        """Kernel of the log-likelihood of `number` droplets after each of `largest` UMIs."""
        place = np.arange(largest)
        chance = rng.random((number, largest)) * (self.alpha + place)
        again = np.flatnonzero(chance < place)
        genes = self._genes(rng.random(number * largest))
        if len(again):
            # Which UMI it is like, which may be like an earlier one itself.
            like = np.arange(number * largest)
            like[again] += chance.ravel()[again].astype(np.int64) - again % largest
            found = like[again]
            while not np.array_equal(found, earlier := like[found]):
                found = earlier
            genes[again] = genes[found]
        genes = genes.reshape(number, largest)
        before = _before(genes)
        return np.asarray(np.cumsum(np.log((before + self.weight[genes]) / (before + 1)), axis=1))

    def _genes(self, chance: Array) -> NDArray[np.intp]:
        chance = chance * self.bounds[-1]
        genes = np.minimum(self.guide[np.minimum((chance * GUIDE).astype(np.int64), GUIDE - 1)], self.last)
        beyond = np.flatnonzero(self.bounds[genes] <= chance)
        genes[beyond] = np.minimum(np.searchsorted(self.bounds, chance[beyond], side="right"), self.last)
        return np.asarray(genes)


def _before(genes: NDArray[np.intp]) -> Array:
    """How many UMIs of its gene came before each in its droplet (a row): its place among them."""
    small = genes.astype(np.uint16) if genes.max(initial=0) < 2**16 else genes  # sorted by radix
    order = np.argsort(small, axis=1, kind="stable")
    ordered = np.take_along_axis(genes, order, axis=1)
    place = np.arange(genes.shape[1])
    new = np.ones(genes.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(new, place, 0), axis=1)
    before = np.empty(genes.shape)
    np.put_along_axis(before, order, (place - first).astype(np.float64), axis=1)
    return before
