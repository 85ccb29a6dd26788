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
- how much a gene varies is told by the training mice and by arms that the question does not name, these in two halves of
  which each is scored by the axes of the other: else they would seem to scatter less than the mice in question.
- scores of two mice of one arm share noise: each weighs the other's genes. Their scatter does not show it, and intervals
  from the scatter alone are too short. :meth:`LearnedAxis.widen` adds what is missing (see there).

Where a damage is only just separated from 0, the cohorts in which it is are those that happened to show it too large; in
them, and on any axis, the index leans a little towards .5. The width of its interval tells.
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
from livermet.mice.models.shrinkage import shrink

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
    halves = _halves(units, outside & ~repaired)
    learner = _Learner(values.to_numpy(), variance.to_numpy().mean(axis=0), units, part, diseased, halves)
    names = units[keys.MOUSE].to_numpy()
    axes = np.array(
        [[learner.weigh(~outside & ~np.isin(names, [i, j])) for j in mice[1]] for i in mice[0]]
    )  # healthy x diseased x halves x genes
    unseen = np.array([_unseen(axes, mice, name, [name in names[half] for half in halves]) for name in names])
    if not np.isfinite(unseen).all():
        covariates = " and ".join(part.settings["covariates"])
        return LearnedAxis(
            Measured.nothing(profiles.units, f"too few mice to learn an axis that is not one of {covariates}")
        )
    # What is taken off drops out of damage and repair; it keeps levels out of the scatter of scores on several axes.
    centred = values.to_numpy() - values.to_numpy()[outside].mean(axis=0)
    scores = pd.Series([score @ axis for score, axis in zip(centred, unseen, strict=True)], index=units.index)
    noise = pd.Series((variance.to_numpy() * np.square(unseen)).sum(axis=1), index=units.index)
    n_healthy, n_diseased, n_repaired, n_outside = (
        int(chosen.sum()) for chosen in (healthy, diseased, repaired, outside)
    )
    return LearnedAxis(
        Measured(scores.reindex(profiles.units), noise.reindex(profiles.units), profiles.n_cells),
        _product(axes, centred, part, units, outside, halves),
        n_healthy,
        n_diseased,
        n_repaired,
        n_outside,
        _describe(np.nanmean(axes, axis=(0, 1, 2)), symbols.astype(str).to_numpy()[values.columns]),
    )


def _why_not(mice: list[list[str]], arms: list[set[str]], n_genes: int) -> str:
    if arms[2] & (arms[0] | arms[1]):
        return "the axis would be learned from the repaired mice themselves"
    if min(map(len, mice)) < MIN_MICE:
        return f"an axis learned without the mouse that it judges needs {MIN_MICE} mice on each side"
    return "" if n_genes >= MIN_GENES else f"only {n_genes} genes have enough counts to learn an axis from"


def _halves(units: pd.DataFrame, others: np.ndarray) -> list[np.ndarray]:
    """Mice of the arms that the question does not name, in two halves by arm: each tells of noise, and is scored by the other."""
    arms = list(dict.fromkeys(units.loc[others, ARM]))
    return [others & units[ARM].isin(arms[half::2]).to_numpy() for half in (0, 1)]


def _unseen(axes: Array, mice: list[list[str]], name: str, in_half: list[bool]) -> Array:
    """Mean of the axes that know nothing of a mouse: left out of its arm, and not of the half that told of the noise."""
    trains = name in mice[0] or name in mice[1]
    left_out = np.array([[name in (i, j) or not trains for j in mice[1]] for i in mice[0]])
    chosen = axes[left_out][:, [not seen for seen in in_half]].reshape(-1, axes.shape[-1])
    chosen = chosen[np.isfinite(chosen).all(axis=1)]
    return np.asarray(chosen.mean(axis=0)) if len(chosen) else np.full(axes.shape[-1], np.nan)


class _Learner:
    """Weights of genes from some of the mice."""

    def __init__(
        self,
        values: Array,
        counting: Array,
        units: pd.DataFrame,
        part: Design,
        diseased: np.ndarray,
        halves: list[np.ndarray],
    ) -> None:
        self.values, self.counting, self.side = values, counting, diseased.astype(float)
        self.nuisance = part.matrix.loc[units.index, part.is_covariate].to_numpy(dtype=float)
        # Arms that the question does not name tell how much a gene varies, and nothing on the means that are compared.
        matrix = part.matrix.loc[units.index].to_numpy(dtype=float)
        self.others = [_residuals(values[half], matrix[half]) for half in halves]

    def weigh(self, chosen: np.ndarray) -> Array:
        """Axes of the chosen mice, one for each half of the others; NaN where a covariate cannot be told from the damage.

        An axis that holds a covariate would not do: mice left out of a balanced study lean to its other side.
        """
        y = self.values[chosen]
        x = np.column_stack([np.ones(chosen.sum()), self.side[chosen], self.nuisance[chosen]])
        inverse = np.linalg.pinv(x, rcond=1e-10)
        if not np.allclose((inverse @ x)[1], np.eye(x.shape[1])[1]):
            return np.full((len(self.others), y.shape[1]), np.nan)
        change, spread = inverse[1] @ y, float(inverse[1] @ inverse[1])
        squares, df = _residuals(y, x)
        found = [self._weights(change, spread, squares + others, df + others_df) for others, others_df in self.others]
        return np.array(found)

    def _weights(self, change: Array, spread: float, squares: Array, df: float) -> Array:
        """Shrunken changes over residual variances; absolute weights add up to 1."""
        from pylimma import squeeze_var  # a second of import, for those who need it

        residual = np.ones(len(change))
        if df > 0 and (squares > 0).sum() > 2:
            # Genes with few counts vary more for that alone: variances are alike once that is divided out.
            expected = self.counting + max(float(np.median(squares / df - self.counting)), LEAST_VARIANCE)
            found = squeeze_var(squares / df / expected, np.full(len(squares), float(df)))
            residual = expected * np.asarray(found["var_post"])
        weights = shrink(change, residual * spread).mean() / residual
        total = np.abs(weights).sum()
        return np.asarray(weights / total if total > 0 else weights)


def _residuals(y: Array, x: Array) -> tuple[Array, float]:
    """Squared residuals of every column of y, added up, and their degrees of freedom."""
    if not len(y):
        return np.zeros(y.shape[1]), 0.0
    left = y - x @ (np.linalg.pinv(x, rcond=1e-10) @ y)
    return (left**2).sum(axis=0), float(len(y) - np.linalg.matrix_rank(x))


def _product(
    axes: Array,
    centred: Array,
    part: Design,
    units: pd.DataFrame,
    outside: np.ndarray,
    halves: list[np.ndarray],
) -> float:
    """Variance of the product of two mice's noise, from mice that never train.

    The mean axis without healthy mouse i differs from that without another by their noise alone, over m - 1.
    """
    x = part.matrix.loc[units.index[outside]].to_numpy(dtype=float)
    y = centred[outside]
    df = len(y) - np.linalg.matrix_rank(x)
    if df <= 0:
        return 0.0
    left = (y - x @ (np.linalg.pinv(x, rcond=1e-10) @ y)) * np.sqrt(len(y) / df)
    unheard = 1.0 - np.array(halves)[:, outside]  # halves x mice: whose noise the weights do not know
    known = np.asarray(np.isfinite(axes).all(axis=-1))
    axes = np.where(known[..., None], axes, 0.0)
    found = []
    for side in (0, 1):
        each = np.einsum("ahg,mg,hm->am", axes.sum(axis=1 - side), left, unheard / unheard.sum(axis=0))
        each = each / known[..., 0].sum(axis=1 - side)[:, None]
        found.append((axes.shape[side] - 1) ** 2 * each.var(axis=0, ddof=1).mean())
    return float(np.mean(found))


def _describe(weights: Array, symbols: np.ndarray) -> str:
    """How many genes carry half of the weight, and the foremost."""
    order = np.argsort(-np.abs(weights), kind="stable")
    sums = np.cumsum(np.abs(weights)[order])
    half = int((sums < sums[-1] / 2).sum()) + 1
    named = ", ".join(f"{symbols[place]} {'up' if weights[place] > 0 else 'down'}" for place in order[:FOREMOST])
    return f"half of the weight on {half:,} of {len(weights):,} genes, foremost {named}"
