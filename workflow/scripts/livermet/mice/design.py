"""The design: which mice there are, what a linear model of them can tell, and what it cannot, in plain English.

A unit is one mouse in one tissue: samples of the same mouse and tissue are technical replicates and are added up; a pool
of several mice is one unit. A contrast is estimable if it lies in the row space of the model matrix (Searle 1971, Linear
Models; doi:10.1002/9781118491782), which is looked at for every question before anything is computed, and again in every
population, where mice with too few cells are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from livermet import keys
from livermet.errors import InputError, Problem
from livermet.mice import questions as asked
from livermet.mice.aliasing import NUISANCE, describe_aliasing, is_number
from livermet.mice.questions import TISSUE, Term

Array = npt.NDArray[np.float64]

ARM = "arm"
UNIT = "unit"
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


@dataclass(frozen=True)
class Design:
    """A model of the mice and the questions put to it.

    Attributes
    ----------
    units
        Index unit ("<mouse>", or "<mouse>|<tissue>" where the study has several tissues); columns mouse, tissue, the
        factors, the covariates, other nuisance columns of the sheet, and arm.
    matrix
        Units x independent columns, always of full rank; columns that repeat others are in `dropped`.
    formula
        The model in words.
    rank, residual_df
        Of the matrix.
    aliasing
        What cannot be told apart, one sentence each.
    arms
        Arm -> number of mice.
    contrasts
        Question -> :class:`Contrast`, in the order asked.
    factors
        Factor -> levels of the study as a whole, tissue included where there are several. Kept by subsets, so that a
        population without mice in an arm loses questions and never changes what they mean.
    settings
        The resolved `design` section.
    """

    units: pd.DataFrame
    matrix: pd.DataFrame
    formula: str
    rank: int
    residual_df: int
    aliasing: list[str]
    dropped: list[str]
    arms: dict[str, int]
    contrasts: dict[str, Contrast]
    factors: dict[str, list[str]]
    settings: dict[str, Any]

    def __getitem__(self, question: str) -> Contrast:
        return self.contrasts[question]

    def vector(self, question: str) -> Array:
        """Contrast vector of a question over the columns of the matrix."""
        return np.asarray(self.contrasts[question].vector, dtype=float)

    def subset(self, units: Collection[str]) -> Design:
        """The same questions put to some of the units: matrix, rank, df, estimability and tiers anew."""
        wanted = set(units)
        return _assemble(self.units[self.units.index.isin(wanted)], self.factors, self.settings)

    def parts(self) -> list[tuple[Design, list[str]]]:
        """Designs to fit and the questions that each answers.

        Tissues of one mouse are not independent. A question within a tissue is therefore put to that tissue's units
        alone; one that spans tissues to all of them.
        """
        if TISSUE not in self.factors:
            return [(self, list(self.contrasts))]
        groups: dict[tuple[str, ...], list[str]] = {}
        for name, contrast in self.contrasts.items():
            groups.setdefault(tuple(contrast.tissues), []).append(name)
        return [
            (self.subset(self.units.index[self.units[keys.TISSUE].isin(tissues)]), names)
            for tissues, names in groups.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON; :meth:`from_dict` takes them back."""
        return {
            "formula": self.formula,
            "rank": self.rank,
            "residual_df": self.residual_df,
            "columns": list(self.matrix.columns),
            "dropped": self.dropped,
            "aliasing": self.aliasing,
            "arms": self.arms,
            "factors": self.factors,
            "units": self.units.reset_index().to_dict(orient="records"),
            "matrix": self.matrix.to_numpy().tolist(),
            "questions": {name: asdict(contrast) for name, contrast in self.contrasts.items()},
            "settings": self.settings,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Take back what :meth:`to_dict` gave."""
        columns = list(content["units"][0]) if content["units"] else [UNIT]
        units = pd.DataFrame(content["units"], columns=columns).set_index(UNIT)
        names = ("formula", "rank", "residual_df", "aliasing", "dropped", "arms", "factors", "settings")
        return cls(
            units=units,
            matrix=pd.DataFrame(content["matrix"], index=units.index, columns=content["columns"], dtype=float),
            contrasts={name: Contrast(**values) for name, values in content["questions"].items()},
            **{name: content[name] for name in names},
        )


def build_design(sheet: pd.DataFrame, settings: Mapping[str, Any]) -> Design:
    """Units, model matrix and contrasts of a study.

    Parameters
    ----------
    sheet
        The sample sheet: text, index sample, columns mouse, factors, covariates and where given tissue, batch, ...
    settings
        The resolved `design` section of the config.

    Returns
    -------
    Design
        With every question in it, estimable or not.

    Raises
    ------
    InputError
        If columns are missing, a mouse is two things at once, or a question names something unknown.
    """
    units, problems = make_units(sheet, settings)
    tissues = _tissues(sheet)
    problems += asked.check_questions(settings, tissues)
    if problems:
        raise InputError(problems)
    factors = {
        name: [level for level in levels if level in set(units[name])] or list(levels)
        for name, levels in settings["factors"].items()
    }
    if len(tissues) > 1 and TISSUE not in factors:
        factors[TISSUE] = tissues
    return _assemble(units, factors, dict(settings))


def check(
    sheet: pd.DataFrame,
    settings: Mapping[str, Any],
    *,
    signatures: Collection[str] | None = None,
    labels: Collection[str] | None = None,
) -> list[Problem]:
    """Everything that makes a run pointless, found before it starts.

    Parameters
    ----------
    sheet, settings
        As for :func:`build_design`.
    signatures
        Names of the gene sets at hand; None: not checked.
    labels
        Names of the lineages and states at hand; None: not checked.

    Returns
    -------
    list of Problem
        Misspelt names, columns that are missing, mice that are two things at once, and questions that the design cannot
        answer. A question without residual degrees of freedom passes: it is answered by ranked effect sizes.
    """
    _, problems = make_units(sheet, settings)
    problems += asked.check_questions(settings, _tissues(sheet), signatures)
    if labels is not None:
        problems += [
            Problem(
                f"config design.populations.{name}",
                f"no lineage or state is called '{label}'",
                remedy=asked.did_you_mean(label, labels, "labels"),
            )
            for name, population in settings["populations"].items()
            for label in [*population["lineages"], *population["states"]]
            if label not in labels
        ]
    if problems:
        return problems
    design = build_design(sheet, settings)
    for contrast in design.contrasts.values():
        if not contrast.estimable:
            problems.append(
                Problem(
                    f"config design.questions.{contrast.name}",
                    f"the design cannot answer it: {contrast.reason}",
                    remedy=_remedy(contrast),
                )
            )
    return problems


def _remedy(contrast: Contrast) -> str:
    if "cannot be told from" in contrast.reason:
        return "Leave the question out, or take the covariate out and live with the confusion"
    if "additive" in contrast.reason:
        return "Set design.model to full, or leave the question out"
    return "Leave the question out, or hold other levels fixed in its `within`"


def make_units(sheet: pd.DataFrame, settings: Mapping[str, Any]) -> tuple[pd.DataFrame, list[Problem]]:
    """One row per mouse and tissue, with what is wrong with them.

    Parameters
    ----------
    sheet, settings
        As for :func:`build_design`.

    Returns
    -------
    units
        Index unit, in the sheet's order; columns mouse, tissue, factors, covariates, other nuisance columns.
    problems
        Missing columns, unknown levels, empty covariates, and mice that are two things at once.
    """
    factors, covariates = settings["factors"], settings["covariates"]
    sheet = sheet.assign(**{keys.TISSUE: "unknown"}) if keys.TISSUE not in sheet and TISSUE not in factors else sheet
    needed = list(dict.fromkeys([keys.MOUSE, keys.TISSUE, *factors, *covariates]))
    problems = [
        Problem(
            "sample sheet header",
            f"no column '{name}'",
            remedy=asked.did_you_mean(name, list(map(str, sheet.columns)), "columns"),
        )
        for name in needed
        if name not in sheet
    ]
    problems += [
        Problem(f"config design.covariates.{name}", "is a factor already", remedy="Remove it from the covariates")
        for name in covariates
        if name in factors
    ]
    if problems:
        return pd.DataFrame(), problems
    for name, levels in factors.items():
        problems += [
            Problem(
                f"sample sheet row {row}, {name}",
                f"'{value}' is not a level ({', '.join(levels)})",
                remedy=asked.did_you_mean(value, levels, "levels"),
            )
            for row, value in enumerate(sheet[name], 2)
            if value not in levels
        ]
    problems += [
        Problem(
            f"sample sheet row {row}, {name}", "empty", expected="a value for every mouse: the model adjusts for it"
        )
        for name in covariates
        for row, value in enumerate(sheet[name], 2)
        if pd.isna(value) or str(value) == ""
    ]
    kept = needed + [name for name in NUISANCE if name in sheet and name not in needed]
    several = sheet[keys.TISSUE].nunique() > 1
    rows: dict[str, dict[str, str]] = {}
    for (mouse, tissue), group in sheet.groupby([keys.MOUSE, keys.TISSUE], sort=False):
        for name in needed[2:]:
            values = list(dict.fromkeys(group[name]))
            if len(values) > 1:
                problems.append(
                    Problem(
                        f"sample sheet, {name}",
                        f"mouse '{mouse}' is {' and '.join(map(repr, values))}",
                        expected="one value per mouse and tissue",
                        remedy="Two mice need two names",
                    )
                )
        # Nuisance columns that no model uses may differ between lanes of a mouse: they are then named together.
        values_of = {name: "+".join(dict.fromkeys(map(str, group[name]))) for name in kept}
        rows[f"{mouse}|{tissue}" if several else str(mouse)] = values_of
    units = pd.DataFrame.from_dict(rows, orient="index", columns=kept)
    units.index.name = UNIT
    return units, problems


def _tissues(sheet: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(sheet[keys.TISSUE])) if keys.TISSUE in sheet else []


def _assemble(units: pd.DataFrame, factors: dict[str, list[str]], settings: dict[str, Any]) -> Design:
    """Matrix, rank and contrasts of these units."""
    units = units.copy()
    units[ARM] = [asked.arm_name(levels) for levels in units[list(factors)].itertuples(index=False)]
    covariates = [name for name in settings["covariates"] if units[name].nunique() > 1]
    full = settings["model"] == "full"
    matrix, rows, formula = _model_matrix(units, factors, covariates, full)
    independent = _independent(matrix.to_numpy())
    reduced = matrix.iloc[:, independent]
    arms = {arm: int(units.loc[units[ARM] == arm, keys.MOUSE].nunique()) for arm in _in_order(set(units[ARM]), factors)}
    residual_df = len(units) - len(independent)
    by_name = {question["name"]: question for question in settings["questions"]}
    judge = _Judge(units, factors, covariates, full, matrix, rows, reduced, arms, residual_df, by_name)
    contrasts: dict[str, Contrast] = {}
    for name, question in by_name.items():
        if question["kind"] != "rescue":
            contrasts[name] = judge.contrast(question)
    for name, question in by_name.items():
        if question["kind"] == "rescue":
            contrasts[name] = judge.rescue(question, contrasts)
    return Design(
        units=units,
        matrix=reduced,
        formula=formula,
        rank=len(independent),
        residual_df=residual_df,
        aliasing=describe_aliasing(units, factors, settings["covariates"]),
        dropped=[str(column) for place, column in enumerate(matrix) if place not in independent],
        arms=arms,
        contrasts={name: contrasts[name] for name in by_name},
        factors=factors,
        settings=settings,
    )


def _in_order(arms: Collection[str], factors: Mapping[str, Collection[str]]) -> list[str]:
    """Arms in the order of the factors' levels."""
    every = asked.weights([Term(1.0, {})], factors)
    return [arm for arm in every if arm in arms]


def _model_matrix(
    units: pd.DataFrame, factors: Mapping[str, list[str]], covariates: list[str], full: bool
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Model matrix of the units; a row for every arm at reference covariates; the formula."""
    every = list(asked.weights([Term(1.0, {})], factors))
    levels = {ARM: [arm for arm in every if arm in set(units[ARM])]} if full else dict(factors)
    data, grid = pd.DataFrame(index=units.index), _grid(factors)
    if full:
        grid = grid[grid[ARM].isin(levels[ARM])]
    for name, known in levels.items():
        present = [level for level in known if level in set(units[name])]
        data[name] = pd.Categorical(units[name], categories=present)
        if not full:
            grid = grid[grid[name].isin(present)]
    varying = [name for name in levels if full or data[name].nunique() > 1]
    for name in covariates:
        numeric = is_number(units[name])
        data[name] = (
            units[name].astype(float) - units[name].astype(float).mean() if numeric else units[name].astype("category")
        )
        grid[name] = 0.0 if numeric else data[name].cat.categories[0]
    formula = " + ".join(["0" if full else "1", *(f"`{name}`" for name in [*varying, *covariates])])
    if not len(units):
        return pd.DataFrame(index=units.index), pd.DataFrame(index=pd.Index(grid.index)), formula
    from formulaic import model_matrix  # half a second, which a job that only reads a design need not wait for

    matrix = model_matrix(formula, data)
    rows = pd.DataFrame(matrix.model_spec.get_model_matrix(grid)) if len(grid) else pd.DataFrame(columns=matrix.columns)
    matrix = pd.DataFrame(matrix)
    if full:
        # formulaic writes arm[x]; the column of an arm's mean bears the arm's name
        rename = {f"{ARM}[{arm}]": arm for arm in levels[ARM]}
        matrix, rows = matrix.rename(columns=rename), rows.rename(columns=rename)
    return matrix.astype(float), rows.astype(float), formula.replace("`", "")


def _grid(factors: Mapping[str, list[str]]) -> pd.DataFrame:
    """Every combination of levels, index arm."""
    grid = pd.MultiIndex.from_product(list(factors.values()), names=list(factors)).to_frame(index=False)
    grid[ARM] = [asked.arm_name(levels) for levels in grid.itertuples(index=False)]
    return grid.set_index(ARM, drop=False)


def _independent(matrix: Array) -> list[int]:
    """Columns, from the left, that are not sums of columns before them."""
    chosen: list[int] = []
    for column in range(matrix.shape[1]):
        if np.linalg.matrix_rank(matrix[:, [*chosen, column]]) == len(chosen) + 1:
            chosen.append(column)
    return chosen


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


@dataclass(frozen=True)
class _Judge:
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
        """An effect, a difference or a synergy."""
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
        grid = _grid(self.factors).loc[arm]
        return "no mouse has " + ", ".join(f"{name} {grid[name]}" for name in self.factors)

    def _confusion(self, wanted: Array, levels: Collection[str]) -> str:
        """Which covariate stands in the way: without its columns the question could be answered."""
        for name in self.covariates:
            kept = [column != name and not str(column).startswith(f"{name}[") for column in self.matrix]
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
        if self.residual_df < MIN_RESIDUAL_DF or min(counts) < MIN_MICE_PER_ARM:
            return keys.EXPLORATORY
        return keys.CONFIRMATORY

    def _count(self, term: Term) -> int:
        chosen = np.ones(len(self.units), dtype=bool)
        for name, level in term.levels.items():
            chosen &= (self.units[name] == level).to_numpy()
        return int(self.units.loc[chosen, keys.MOUSE].nunique())
