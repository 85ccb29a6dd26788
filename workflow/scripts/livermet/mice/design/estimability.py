"""Whether a design can answer a question: a contrast is estimable if it lies in the row space of the model matrix.

See Searle 1971, Linear Models (doi:10.1002/9781118491782). Where it does not, the reason is said in plain English; where it
does, the tier says how good an answer can be.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from livermet import keys
from livermet.mice.design import questions as asked
from livermet.mice.design.aliasing import describe_aliasing
from livermet.mice.design.questions import TISSUE, Term
from livermet.mice.design.units import has_levels

Array = npt.NDArray[np.float64]

ARM = "arm"
MIN_RESIDUAL_DF = 3  # for a confirmatory answer
MIN_MICE_PER_ARM = 2
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Contrast:
    """One question, put to one design.

    Attributes
    ----------
    name, kind, sentence, formula
        As asked; the formula is a sum of arm means on the log2 scale.
    weights
        Weight of each arm's mean (a rescue: those of its repair).
    vector
        The contrast over the columns of the design's matrix; zeros where not estimable.
    estimable, reason
        Whether the design can answer, and if not, why.
    tier
        The best that an answer can be: one of `keys.TIERS`.
    n_mice
        Mice in every arm with a weight.
    tissues
        Tissues that the question is about, where the study has several.
    damage, repair
        The two effects of a rescue, by name; empty otherwise.
    """

    name: str
    kind: str
    sentence: str
    formula: str
    weights: dict[str, float]
    vector: list[float]
    estimable: bool
    reason: str
    tier: str
    n_mice: dict[str, int]
    tissues: list[str] = field(default_factory=list)
    damage: str = ""
    repair: str = ""


def row_space_combination(matrix: Array, contrast: Array) -> tuple[Array, bool]:
    """Weights a on units with X'a = c, and whether such weights exist (the contrast is estimable).

    Parameters
    ----------
    matrix
        X, units x columns.
    contrast
        c, one number a column.

    Returns
    -------
    combination
        One number a unit.
    estimable
        False where the residual of c on the row space is not zero.
    """
    if not matrix.size:
        return np.zeros(len(matrix)), False
    combination: Array = np.linalg.lstsq(matrix.T, contrast, rcond=1e-10)[0].astype(np.float64)
    residual = np.linalg.norm(matrix.T @ combination - contrast)
    return combination, bool(residual <= TOLERANCE * max(1.0, float(np.linalg.norm(contrast))))


def arm_grid(factors: Mapping[str, list[str]]) -> pd.DataFrame:
    """Every combination of levels, index arm."""
    grid = pd.MultiIndex.from_product(list(factors.values()), names=list(factors)).to_frame(index=False)
    grid[ARM] = [asked.arm_name(levels) for levels in grid.itertuples(index=False)]
    return grid.set_index(ARM, drop=False)


def belongs_to(column: Hashable, covariate: str) -> bool:
    """Whether a column of a model matrix is a covariate, or one of its values (formulaic writes batch[b2])."""
    return column == covariate or str(column).startswith(f"{covariate}[")


def df_between_mice(units: pd.DataFrame, matrix: pd.DataFrame) -> int:
    """Residual degrees of freedom that the mice leave, whatever the number of their tissues.

    Parameters
    ----------
    units
        Index unit; column mouse.
    matrix
        Units x columns.

    Returns
    -------
    int
        Mice less the rank of the matrix averaged within them: the usual ones where every mouse is one unit. Two tissues of
        a mouse tell two things, yet they are no second mouse to judge a treatment by.
    """
    if units.empty:
        return 0
    means = matrix.groupby(units[keys.MOUSE].to_numpy()).mean().to_numpy()
    return len(means) - int(np.linalg.matrix_rank(means))


@dataclass(frozen=True)
class Judge:
    """What is needed to say whether a question can be answered."""

    units: pd.DataFrame
    factors: dict[str, list[str]]
    covariates: list[str]
    full: bool
    matrix: pd.DataFrame
    rows: pd.DataFrame
    reduced: pd.DataFrame
    arms: dict[str, int]
    residual_df: int
    by_name: dict[str, Any]

    def contrast(self, question: Mapping[str, Any]) -> Contrast:
        """An effect, a difference, a synergy or an equivalence."""
        signed = asked.terms(question, self.by_name, self.factors)
        weights = asked.weights(signed, self.factors)
        vector, reason = self._estimate(signed, weights)
        n_mice = {arm: self.arms.get(arm, 0) for arm in weights}
        tissues = sorted({term.levels[TISSUE] for term in signed if TISSUE in term.levels})
        if TISSUE in self.factors and any(TISSUE not in term.levels for term in signed):
            tissues = list(self.factors[TISSUE])
        return Contrast(
            name=question["name"],
            kind=question["kind"],
            sentence=asked.sentence(question, self.factors),
            formula=asked.formula(question, self.by_name, self.factors),
            weights=weights,
            vector=vector.tolist(),
            estimable=not reason,
            reason=reason,
            tier=self._tier(signed, n_mice) if not reason else keys.NOT_ESTIMABLE,
            n_mice=n_mice,
            tissues=tissues if TISSUE in self.factors else [],
        )

    def rescue(self, question: Mapping[str, Any], contrasts: Mapping[str, Contrast]) -> Contrast:
        """Repair over damage: as good as the worse of the two."""
        damage, repair = contrasts[question["damage"]], contrasts[question["repair"]]
        reasons = [f"{part.name}: {part.reason}" for part in (damage, repair) if not part.estimable]
        ends = {arm for arm, weight in damage.weights.items() if weight > 0}
        starts = {arm for arm, weight in repair.weights.items() if weight < 0}
        if ends != starts:
            reasons.append(
                f"the damage ends in {', '.join(sorted(ends))} but the repair starts from {', '.join(sorted(starts))}"
            )
        return Contrast(
            name=question["name"],
            kind="rescue",
            sentence=asked.sentence(question, self.factors),
            formula=asked.formula(question, self.by_name, self.factors),
            weights=repair.weights,
            vector=repair.vector,
            estimable=not reasons,
            reason="; ".join(reasons),
            tier=max(damage.tier, repair.tier, key=keys.TIERS.index) if not reasons else keys.NOT_ESTIMABLE,
            n_mice={**damage.n_mice, **repair.n_mice},
            tissues=sorted({*damage.tissues, *repair.tissues}),
            damage=damage.name,
            repair=repair.name,
        )

    def _estimate(self, signed: list[Term], weights: Mapping[str, float]) -> tuple[Array, str]:
        """The contrast over the reduced matrix, or zeros and the reason why not."""
        nothing = np.zeros(self.reduced.shape[1])
        if not weights:
            return nothing, "its two sides are the same arms"
        missing = [arm for arm in weights if arm not in self.rows.index]
        if missing:
            return nothing, "; ".join(self._missing(arm) for arm in missing)
        wanted = np.array(list(weights.values())) @ self.rows.loc[list(weights)].to_numpy()
        if np.linalg.norm(wanted) < TOLERANCE:
            return nothing, "the additive model has no interaction, and the question is about one"
        combination, estimable = row_space_combination(self.matrix.to_numpy(), wanted)
        if not estimable:
            return nothing, self._confusion(wanted, {level for term in signed for level in term.levels.values()})
        vector = self.reduced.to_numpy().T @ combination
        return np.where(np.abs(vector) < TOLERANCE, 0.0, np.round(vector, 12)), ""

    def _missing(self, arm: str) -> str:
        grid = arm_grid(self.factors)
        if arm not in grid.index:  # a level that the config declares and the sheet never uses
            return f"no mouse is in arm {arm}"
        levels = grid.loc[arm]
        return "no mouse has " + ", ".join(f"{name} {levels[name]}" for name in self.factors)

    def _confusion(self, wanted: Array, levels: Collection[str]) -> str:
        """Which covariate stands in the way: without its columns the question could be answered."""
        for name in self.covariates:
            kept = [not belongs_to(column, name) for column in self.matrix]
            if row_space_combination(self.matrix.to_numpy()[:, kept], wanted[kept])[1]:
                held = [
                    f" ({said.split(':')[0]})"
                    for said in describe_aliasing(self.units, self.factors, [name])
                    if said.startswith(f"{name} ") and any(f" {level} mice" in said for level in levels)
                ]
                return f"it cannot be told from {name}" + (held[0] if held else "")
        several = " and ".join(self.covariates)
        return f"it cannot be told from {several}" if several else "the arms it names cannot be told apart"

    def _tier(self, signed: list[Term], n_mice: Mapping[str, int]) -> str:
        if self.residual_df == 0:
            return keys.DESCRIPTIVE
        # In a full model each arm stands alone; in an additive one a level is known from all the mice that have it.
        counts = list(n_mice.values()) if self.full else [self._count(term) for term in signed]
        df = min(self.residual_df, df_between_mice(self.units, self.reduced))
        if df < MIN_RESIDUAL_DF or min(counts) < MIN_MICE_PER_ARM:
            return keys.EXPLORATORY
        return keys.CONFIRMATORY

    def _count(self, term: Term) -> int:
        return int(self.units.loc[has_levels(self.units, term.levels), keys.MOUSE].nunique())
