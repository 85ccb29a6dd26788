"""Adaptive shrinkage: what many noisy changes say together about each (Stephens 2017, doi:10.1093/biostatistics/kxw041)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from livermet.mice.models.linear import Array

SLABS = np.array(
    [0.0, 0.25, 0.5, 1.0, 2.0]
)  # standard deviations of the log2 changes that are thought of; 0: no change
SPIKE = 10.0  # ashr's own penalty: as if ten genes more were known not to change
STEPS = 30  # near the maximum; at it, where nothing changes, all weight would lie on the few genes furthest out


@dataclass(frozen=True)
class Mixture:
    """Changes under a spike at 0 and normal slabs.

    Attributes
    ----------
    change, variance
        Genes: the log2 changes and their sampling variances.
    shares
        Genes x slabs: probability that a gene's change comes from each.
    """

    change: Array
    variance: Array
    shares: Array

    @property
    def total(self) -> Array:
        """Genes x slabs: variance of a change, sampling and slab."""
        return np.asarray(self.variance[:, None] + SLABS**2)

    def mean(self) -> Array:
        """Posterior mean of each change, nearer to 0 than the change."""
        return np.asarray((self.shares * (SLABS**2 / self.total)).sum(axis=1) * self.change)


def shrink(change: Array, variance: Array) -> Mixture:
    """Fit the shares of spike and slabs to all changes by expectation-maximisation.

    Parameters
    ----------
    change
        One a gene, log2.
    variance
        Sampling variance of each, above 0.
    """
    total = variance[:, None] + SLABS**2
    likelihood = -0.5 * (np.log(total) + (change**2)[:, None] / total)
    likelihood = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    shares = np.array([0.6, *[0.4 / (len(SLABS) - 1)] * (len(SLABS) - 1)])
    for _ in range(STEPS):
        # A slab's responsibilities add up to its share times these; the genes' own need never be written out.
        shares = shares * (likelihood.T @ (1 / (likelihood @ shares)))
        shares[0] += SPIKE - 1
        shares /= shares.sum()
    weighted = likelihood * shares
    return Mixture(change, variance, weighted / weighted.sum(axis=1, keepdims=True))
