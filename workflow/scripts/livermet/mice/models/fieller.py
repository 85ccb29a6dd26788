"""The confidence set of a ratio of two estimates (Fieller 1954, doi:10.1111/j.2517-6161.1954.tb00159.x)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from livermet.mice.models.linear import Array

BOUNDED, EXCLUSIVE, UNBOUNDED = "bounded", "exclusive", "unbounded"


@dataclass(frozen=True)
class Ratio:
    """A ratio with its confidence set.

    Attributes
    ----------
    estimate
        Numerator over denominator.
    low, high
        Ends of the set. Of an exclusive set, everything *but* what lies between them belongs to it; an unbounded set is
        the whole line.
    kind
        bounded, exclusive or unbounded; only a denominator separated from 0 gives a bounded set.
    """

    estimate: float
    low: float
    high: float
    kind: str

    def contains(self, value: float) -> bool:
        """Whether a value belongs to the set."""
        if self.kind == BOUNDED:
            return self.low <= value <= self.high
        return self.kind == UNBOUNDED or not self.low < value < self.high


def fieller(numerator: float, denominator: float, covariance: Array, quantile: float) -> Ratio:
    """Confidence set of numerator / denominator.

    All ratios r for which numerator - r * denominator is not told from 0:
    (a - r b)^2 <= q^2 (Vaa - 2 r Vab + r^2 Vbb), a quadratic inequality in r.

    Parameters
    ----------
    numerator, denominator
        Jointly normal estimates.
    covariance
        2 x 2, of numerator and denominator in this order.
    quantile
        Two-sided quantile of t for the degrees of freedom of the covariance.

    Returns
    -------
    Ratio
        Estimate and set; ends may be infinite.
    """
    squared = quantile**2
    square = denominator**2 - squared * covariance[1, 1]
    half = numerator * denominator - squared * covariance[0, 1]
    constant = numerator**2 - squared * covariance[0, 0]
    estimate = float(np.divide(numerator, denominator)) if denominator else np.nan
    discriminant = half**2 - square * constant
    if square == 0:
        # The parabola is a line: one end lies at infinity.
        if half == 0:
            return Ratio(estimate, -np.inf, np.inf, UNBOUNDED)
        end = constant / (2 * half)
        low, high = (end, np.inf) if half > 0 else (-np.inf, end)
        return Ratio(estimate, low, high, BOUNDED)
    if discriminant <= 0 and square < 0:
        return Ratio(estimate, -np.inf, np.inf, UNBOUNDED)
    root = np.sqrt(max(discriminant, 0.0))
    low, high = sorted(((half - root) / square, (half + root) / square))
    return Ratio(estimate, float(low), float(high), BOUNDED if square > 0 else EXCLUSIVE)
