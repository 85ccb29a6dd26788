"""From data sets to numbers: means over data sets, their Monte-Carlo error, limits and verdicts.

Genes of one data set share mice, and thereby luck: a type-I rate over 1,500 genes of one cohort is one observation and not
1,500. Every quantity is therefore a ratio of sums over data sets, sum(a_i) / sum(b_i), and its error comes from the scatter of
the data sets (Cochran 1977, Sampling Techniques, section 6.3: the linearised variance of a ratio).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]
Counts = dict[str, tuple[float, float]]  # quantity -> (a, b) of one data set

MET, COMPATIBLE, MISSED, NONE = "met", "compatible", "missed", ""
LEVEL = 0.95


@dataclass(frozen=True)
class Target:
    """What a quantity is held to.

    Attributes
    ----------
    low, high
        The range that its value should lie in.
    limit
        The range that both its 95 % limits should lie in; `low` to `high` where not given.
    """

    low: float = -np.inf
    high: float = np.inf
    limit: tuple[float, float] | None = None

    def __str__(self) -> str:
        text = _range(self.low, self.high)
        bounded = self.limit is not None and np.isfinite(self.limit).any()
        return text + (f" (limits {_range(*self.limit)})" if self.limit and bounded else "")

    def judge(self, value: float, low: float, high: float) -> str:
        """`met`: the value is inside, and so are its limits; `missed`: the limits leave no room for it.

        `compatible` lies between: more data sets would tell.
        """
        if not np.isfinite(value):
            return COMPATIBLE
        floor, ceiling = self.limit or (self.low, self.high)
        if self.low <= value <= self.high and floor <= low and high <= ceiling:
            return MET
        return MISSED if low > self.high or high < self.low else COMPATIBLE

    def is_close(self, *numbers: float, by: float = 1e-4) -> bool:
        """Whether a number lies so near one of the target's edges that rounding it may change the verdict."""
        edges = [edge for edge in (self.low, self.high, *(self.limit or ())) if np.isfinite(edge)]
        return bool(min(abs(number - edge) for number in numbers for edge in edges) <= by)


def _range(low: float, high: float) -> str:
    if low == high:
        return f"exactly {low:g}"
    if np.isinf(low):
        return f"<= {high:g}"
    return f">= {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"


@dataclass(frozen=True)
class Case:
    """One setting of a scenario.

    Attributes
    ----------
    setting
        In words, for the table.
    values
        What the scenario's function is given.
    n_data_sets
        In the full run.
    quick
        Whether the quick run has it.
    targets
        Of this setting alone: they go before the scenario's.
    """

    setting: str
    values: Mapping[str, Any]
    n_data_sets: int
    quick: bool = False
    targets: Mapping[str, Target] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """One promise.

    Attributes
    ----------
    name
        Its name.
    measure
        Simulates and analyses one data set.
    cases
        Its settings.
    targets
        Quantity -> what it is held to; others are reported only.
    n_quick
        Data sets of each case in the quick run.
    needs
        Says what is lacking to run it here (data that not every machine has); empty where nothing is.
    """

    name: str
    measure: Callable[[np.random.Generator, Mapping[str, Any]], Counts]
    cases: Sequence[Case]
    targets: Mapping[str, Target] = field(default_factory=dict)
    n_quick: int = 20
    needs: Callable[[], str] | None = None

    def target(self, case: Case, quantity: str) -> Target | None:
        """What a quantity is held to in a setting."""
        return case.targets.get(quantity) or self.targets.get(quantity)

    def lacks(self) -> str:
        """What is missing to run it here, in words; empty where nothing is."""
        return self.needs() if self.needs else ""


@dataclass(frozen=True)
class Estimate:
    """A quantity over data sets: value, Monte-Carlo standard error, 95 % limits."""

    value: float
    error: float
    low: float
    high: float


def estimate(a: Sequence[float] | Array, b: Sequence[float] | Array) -> Estimate:
    """Ratio of sums over data sets.

    Parameters
    ----------
    a, b
        One number a data set.

    Returns
    -------
    Estimate
        Limits by Student's t over data sets; where every data set says yes or no, Wilson's (1927,
        doi:10.1080/01621459.1927.10502953), which hold for shares near 0 and 1, too.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    total, n = b.sum(), int((b != 0).sum())
    if total == 0:
        return Estimate(np.nan, np.nan, np.nan, np.nan)
    value = float(a.sum() / total)
    if set(np.unique(b)) <= {0.0, 1.0} and set(np.unique(a)) <= {0.0, 1.0}:
        limits = stats.binomtest(int(a.sum()), n).proportion_ci(LEVEL, method="wilson")
        return Estimate(value, float(np.sqrt(value * (1 - value) / n)), float(limits.low), float(limits.high))
    if n < 2:
        return Estimate(value, np.nan, np.nan, np.nan)
    error = float(np.sqrt(n / (n - 1) * ((a - value * b) ** 2).sum()) / total)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1)) * error
    return Estimate(value, error, value - half, value + half)


def share(hits: Any) -> tuple[float, float]:
    """How many of several are true, and how many there are."""
    hits = np.asarray(hits, dtype=bool)
    return float(hits.sum()), float(hits.size)


def false_share(called: Any, true: Any) -> tuple[float, float]:
    """False discovery proportion of one data set: 0 where nothing was called."""
    called, true = np.asarray(called, dtype=bool), np.asarray(true, dtype=bool)
    return float((called & ~true).sum() / max(int(called.sum()), 1)), 1.0


def when(condition: bool, value: float) -> tuple[float, float]:
    """A value that counts only where a condition holds."""
    return (float(value), 1.0) if condition else (0.0, 0.0)
