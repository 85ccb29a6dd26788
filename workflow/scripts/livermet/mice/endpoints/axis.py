"""An axis of damage learned from the mice themselves, and scores on it that no mouse had a hand in.

Which genes a disease moves, and how surely, is learned from diseased and healthy mice; how far a treatment moves them back
is read off along that axis. Learned and read off in the same mice, the axis fits their noise: damage is seen where there
is none, the treated mice have no part in that noise, and half of it seems repaired. Here

- for every pair of one healthy and one diseased mouse an axis is learned from the *other* mice of both arms: signs, sizes
  and weights. The pair and all mice outside of these two arms are scored on it. A mouse's score is the mean over the axes
  that never saw it; the treated mice are scored on all of them, so that what noise in the weights takes from the repair
  it takes from the damage as well. Every term of damage and repair is a product of independent factors: on average repair
  + r x damage is exactly 0 at the true r, whatever the weights are.
- the weight of a gene is the posterior mean of its log2 fold change, over a spike at 0 and normal slabs whose shares are
  learned from all genes (adaptive shrinkage, Stephens 2017, doi:10.1093/biostatistics/kxw041), over its moderated residual
  variance (Smyth 2004, doi:10.2202/1544-6115.1027). Absolute weights add up to 1: a score is a weighted mean of log2 levels.
- scores of two mice of one arm share noise: each weighs the other's genes. Their scatter does not show it, and intervals
  from the scatter alone are too short. :meth:`LearnedAxis.widen` adds what is missing (see there).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.design.model import ARM, Contrast, Design
from livermet.mice.endpoints.readouts import Measured, Profiles
from livermet.mice.models.linear import Array

SLABS = np.array(
    [0.0, 0.25, 0.5, 1.0, 2.0]
)  # standard deviations of the log2 changes that are thought of; 0: no change
SPIKE = 10.0  # ashr's own penalty: as if ten genes more were known not to change
STEPS = 30
MIN_GENES = 50  # with fewer there are no shares to learn
MIN_MICE = 2  # of each arm: one is left out
LEAST_VARIANCE = 1e-3  # between mice, squared log2
LEAST_LINEAR = 0.1  # of the residual variance: the part that products of noise can never take away
FOREMOST = 5


@dataclass(frozen=True)
class LearnedAxis:
    """Scores on axes that did not see the mice that are scored.

    Attributes
    ----------
    measured
        Score of every unit, with its counting variance.
    product
        Variance of the product of two mice's noise, as the axis weighs it.
    n_healthy, n_diseased, n_repaired, n_outside
        Units of the arms in question, and all that never train (the repaired and those of other arms).
    words
        What the axis is made of.
    """

    measured: Measured
    product: float = 0.0
    n_healthy: int = 0
    n_diseased: int = 0
    n_repaired: int = 0
    n_outside: int = 0
    words: str = ""

    def widen(self, covariance: Array, variance: float) -> Array:
        """Covariance of (repair, -damage) with the noise that mice of one arm share through the axis.

        Let e be a mouse's residual, J how a gene's noise enters its weight, and q = Var(e1' J e2) for two mice. With m
        healthy (H), n diseased (D) and r repaired (R) mice the mean score of an arm has, beside its noise along a fixed
        axis (variance v a mouse), the terms

            H: X - U_H      D: U_D - X      R: (mean e_D - mean e_H)' J mean e_R
            U_H = 2 / (m (m - 1)) sum over pairs of e1' J e2, of variance 2 q / (m (m - 1)), U_D likewise
            X = mean e_H' J mean e_D, of variance q / (m n)

        The scatter within H shows only q (m - 2) / (m - 1)^2 + q / n of it, and U_H not at all in the mean. q is seen in
        the mice that never train: how much their scores change from one left-out mouse to the next.

        Parameters
        ----------
        covariance
            2 x 2, from the residuals of the scores alone.
        variance
            Their residual variance.
        """
        m, n, q = self.n_healthy, self.n_diseased, self.product
        if not q:
            return covariance
        seen = np.array(
            [(m - 2) / (m - 1) ** 2 + 1 / n, (n - 2) / (n - 1) ** 2 + 1 / m, *[1 / m + 1 / n] * self.n_outside]
        )
        df = np.array([m - 1, n - 1, *[1.0] * self.n_outside])
        along = max(1 - q * float(seen @ df / df.sum()) / variance, LEAST_LINEAR) if variance > 0 else 1.0
        within, between = (2 * q / (size * (size - 1)) for size in (n, m))
        across, repaired = q / (m * n), q * (1 / m + 1 / n) / self.n_repaired
        shared = within + 2 * across
        added = [[repaired + within + across, shared], [shared, within + between + 4 * across]]
        return np.asarray(along * covariance + np.array(added))


def learn_axis(
    profiles: Profiles,
    symbols: pd.Series,
    part: Design,
    damage: Contrast,
    repair: Contrast,
    without: Collection[str] = (),
) -> LearnedAxis:
    """Score every unit on axes of the damage learned without it.

    Parameters
    ----------
    profiles
        Pseudobulk of one population.
    symbols
        Those of its genes, in their order.
    part
        The design of the units in question.
    damage, repair
        What the disease does and what the treatment does in the diseased.
    without
        Symbols that are no part of any axis, such as those by which the population was called.

    Returns
    -------
    LearnedAxis
        With a reason in place of scores where an arm has fewer than two mice, or the repaired mice are among those that
        the axis is learned from.
    """
    values, variance = profiles.levels(without)
    units = part.units[part.units.index.isin(values.index)]
    values, variance = values.loc[units.index], variance.loc[units.index]
    arms = [
        {arm for arm, weight in contrast.weights.items() if weight * sign > 0}
        for contrast, sign in ((damage, -1.0), (damage, 1.0), (repair, 1.0))
    ]
    healthy, diseased, repaired = (units[ARM].isin(names).to_numpy() for names in arms)
    mice = [list(dict.fromkeys(units.loc[chosen, keys.MOUSE])) for chosen in (healthy, diseased)]
    reason = _why_not(mice, arms, values.shape[1])
    if reason:
        return LearnedAxis(Measured.nothing(profiles.units, reason))
    outside = ~(healthy | diseased)
    learner = _Learner(values.to_numpy(), variance.to_numpy().mean(axis=0), units, part, diseased, outside & ~repaired)
    names = units[keys.MOUSE].to_numpy()
    axes = np.array([[learner.weigh(~outside & ~np.isin(names, [i, j])) for j in mice[1]] for i in mice[0]])
    unseen = [
        axes.mean(axis=(0, 1)) if out else _unseen(axes, mice, name)
        for out, name in zip(outside, names, strict=True)
    ]  # fmt: skip
    # What is taken off drops out of damage and repair; it keeps levels out of the scatter of scores on several axes.
    centred = values.to_numpy() - values.to_numpy()[outside].mean(axis=0)
    scores = pd.Series([score @ axis for score, axis in zip(centred, unseen, strict=True)], index=units.index)
    noise = pd.Series((variance.to_numpy() * np.square(unseen)).sum(axis=1), index=units.index)
    n_healthy, n_diseased, n_repaired, n_outside = (
        int(chosen.sum()) for chosen in (healthy, diseased, repaired, outside)
    )
    return LearnedAxis(
        Measured(scores.reindex(profiles.units), noise.reindex(profiles.units), profiles.n_cells),
        _product(axes, centred, part, units, outside),
        n_healthy,
        n_diseased,
        n_repaired,
        n_outside,
        _describe(axes.mean(axis=(0, 1)), symbols.astype(str).to_numpy()[values.columns]),
    )


def _why_not(mice: list[list[str]], arms: list[set[str]], n_genes: int) -> str:
    if arms[2] & (arms[0] | arms[1]):
        return "the axis would be learned from the repaired mice themselves"
    if min(map(len, mice)) < MIN_MICE:
        return f"an axis learned without the mouse that it judges needs {MIN_MICE} mice on each side"
    return "" if n_genes >= MIN_GENES else f"only {n_genes} genes have enough counts to learn an axis from"


def _unseen(axes: Array, mice: list[list[str]], name: str) -> Array:
    """Mean of the axes learned without a mouse of either arm."""
    left_out = np.array([[name in (i, j) for j in mice[1]] for i in mice[0]])
    return np.asarray(axes[left_out].mean(axis=0))


class _Learner:
    """Weights of genes from some of the mice."""

    def __init__(
        self,
        values: Array,
        counting: Array,
        units: pd.DataFrame,
        part: Design,
        diseased: np.ndarray,
        others: np.ndarray,
    ) -> None:
        covariates = [name for name in part.matrix if str(name).split("[")[0] in part.settings["covariates"]]
        self.values, self.counting, self.side = values, counting, diseased.astype(float)
        self.nuisance = part.matrix.loc[units.index, covariates].to_numpy(dtype=float)
        # Arms that the question does not name tell how much a gene varies, and nothing on the means that are compared.
        self.squares, self.df = _residuals(values[others], part.matrix.loc[units.index[others]].to_numpy(dtype=float))

    def weigh(self, chosen: np.ndarray) -> Array:
        """The axis of the chosen mice; absolute weights add up to 1."""
        from pylimma import squeeze_var  # a second of import, for those who need it

        y, side = self.values[chosen], np.column_stack([np.ones(chosen.sum()), self.side[chosen]])
        x = np.column_stack([side, self.nuisance[chosen]])
        inverse = np.linalg.pinv(x, rcond=1e-10)
        if not np.allclose((inverse @ x)[1], np.eye(x.shape[1])[1]):
            x, inverse = side, np.linalg.pinv(side)  # too few mice to tell covariates apart; any axis is a fair one
        change, spread = inverse[1] @ y, float(inverse[1] @ inverse[1])
        squares, df = _residuals(y, x)
        squares, df = squares + self.squares, df + self.df
        residual = np.ones(y.shape[1])
        if df > 0 and (squares > 0).sum() > 2:
            # Genes with few counts vary more for that alone: variances are alike once that is divided out.
            expected = self.counting + max(float(np.median(squares / df - self.counting)), LEAST_VARIANCE)
            found = squeeze_var(squares / df / expected, np.full(len(squares), float(df)))
            residual = expected * np.asarray(found["var_post"])
        weights = shrink(change, residual * spread) / residual
        total = np.abs(weights).sum()
        return np.asarray(weights / total if total > 0 else weights)


def _residuals(y: Array, x: Array) -> tuple[Array, float]:
    """Squared residuals of every column of y, added up, and their degrees of freedom."""
    if not len(y):
        return np.zeros(y.shape[1]), 0.0
    left = y - x @ (np.linalg.pinv(x, rcond=1e-10) @ y)
    return (left**2).sum(axis=0), float(len(y) - np.linalg.matrix_rank(x))


def shrink(change: Array, variance: Array) -> Array:
    """Posterior means of changes under a spike at 0 and normal slabs, whose shares are fitted to all of them.

    Parameters
    ----------
    change
        One a gene, log2.
    variance
        Sampling variance of each.

    Returns
    -------
    numpy.ndarray
        One number a gene, nearer to 0 than the change.
    """
    total = variance[:, None] + SLABS**2
    likelihood = -0.5 * (np.log(total) + (change**2)[:, None] / total)
    likelihood = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    shares = np.array([0.6, *[0.4 / (len(SLABS) - 1)] * (len(SLABS) - 1)])
    for _ in range(STEPS):
        # A column of responsibilities adds up to its share times these; the rows need never be written out.
        shares = shares * (likelihood.T @ (1 / (likelihood @ shares)))
        shares[0] += SPIKE - 1
        shares /= shares.sum()
    weighted = likelihood * shares
    return np.asarray(((weighted * (SLABS**2 / total)).sum(axis=1) / weighted.sum(axis=1)) * change)


def _product(axes: Array, centred: Array, part: Design, units: pd.DataFrame, outside: np.ndarray) -> float:
    """Variance of the product of two mice's noise, from mice that never train.

    The mean axis without healthy mouse i differs from that without another by their noise alone, over m - 1.
    """
    x = part.matrix.loc[units.index[outside]].to_numpy(dtype=float)
    y = centred[outside]
    df = len(y) - np.linalg.matrix_rank(x)
    if df <= 0:
        return 0.0
    left = (y - x @ (np.linalg.pinv(x, rcond=1e-10) @ y)) * np.sqrt(len(y) / df)
    found = [
        (axes.shape[side] - 1) ** 2 * (axes.mean(axis=1 - side) @ left.T).var(axis=0, ddof=1).mean() for side in (0, 1)
    ]
    return float(np.mean(found))


def _describe(weights: Array, symbols: np.ndarray) -> str:
    """How many genes carry half of the weight, and the foremost."""
    order = np.argsort(-np.abs(weights), kind="stable")
    sums = np.cumsum(np.abs(weights)[order])
    half = int((sums < sums[-1] / 2).sum()) + 1
    named = ", ".join(f"{symbols[place]} {'up' if weights[place] > 0 else 'down'}" for place in order[:FOREMOST])
    return f"half of the weight on {half:,} of {len(weights):,} genes, foremost {named}"
