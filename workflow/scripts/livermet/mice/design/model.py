"""The design: which mice there are, what a linear model of them can tell, and what it cannot, in plain English.

Every question is looked at before anything is computed, and again in every population, where mice with too few cells are
left out (:meth:`Design.subset`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from livermet import keys
from livermet.errors import InputError, Problem
from livermet.mice.design import questions as asked
from livermet.mice.design.aliasing import describe_aliasing, is_number
from livermet.mice.design.declared import check_endpoints
from livermet.mice.design.estimability import ARM, Array, Contrast, Judge, arm_grid, belongs_to
from livermet.mice.design.questions import TISSUE, Term
from livermet.mice.design.references import check_references
from livermet.mice.design.units import UNIT, find_tissues, make_units

__all__ = ["ARM", "UNIT", "Contrast", "Design", "build_design", "check", "make_units"]


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
        return self.refit(self.units[self.units.index.isin(wanted)])

    def refit(self, units: pd.DataFrame, **settings: Any) -> Design:
        """The questions put to other units, or with other settings (`model`, `questions`); factors and levels stay."""
        return _assemble(units, self.factors, {**self.settings, **settings})

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

    def in_order(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows in the order in which their questions were asked, otherwise as they were; numbered anew."""
        order = {name: place for place, name in enumerate(self.contrasts)}
        return table.sort_values(keys.QUESTION, key=lambda names: names.map(order), kind="stable", ignore_index=True)

    @property
    def covariates(self) -> list[str]:
        """Covariates that differ between units: the others adjust for nothing."""
        return [name for name in self.settings["covariates"] if self.units[name].nunique() > 1]

    @property
    def is_covariate(self) -> npt.NDArray[np.bool_]:
        """Which columns of the matrix belong to covariates."""
        names = self.settings["covariates"]
        return np.array([any(belongs_to(column, name) for name in names) for column in self.matrix])

    def judged(self) -> dict[str, tuple[Contrast, Design]]:
        """Every question as the part of the design that answers it sees it: its contrast and that part."""
        found = {name: (part[name], part) for part, names in self.parts() for name in names}
        return {name: found[name] for name in self.contrasts}

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
    tissues = find_tissues(sheet)
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
    tested: Mapping[str, Collection[str]] | None = None,
    readouts: Collection[str] | None = None,
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
    tested, readouts
        Population -> gene sets that are put to it, and names of the mechanism read-outs, for the declared endpoints.

    Returns
    -------
    list of Problem
        Misspelt names, columns that are missing, mice that are two things at once, and questions that the design cannot
        answer. A question without residual degrees of freedom passes: it is answered by ranked effect sizes.
    """
    _, problems = make_units(sheet, settings)
    problems += asked.check_questions(settings, find_tissues(sheet), signatures)
    problems += check_endpoints(settings, tested, readouts)
    problems += check_references(settings)
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
    for contrast, _ in design.judged().values():
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
    judge = Judge(units, factors, covariates, full, matrix, rows, reduced, arms, residual_df, by_name)
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
    data, grid = pd.DataFrame(index=units.index), arm_grid(factors)
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


def _independent(matrix: Array) -> list[int]:
    """Columns, from the left, that are not sums of columns before them."""
    chosen: list[int] = []
    for column in range(matrix.shape[1]):
        if np.linalg.matrix_rank(matrix[:, [*chosen, column]]) == len(chosen) + 1:
            chosen.append(column)
    return chosen
