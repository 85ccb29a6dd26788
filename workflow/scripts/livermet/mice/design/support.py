"""What a question rests on: the groups of mice behind it, its contrast in words, the smallest p that labels allow."""

from __future__ import annotations

from math import comb, prod

import pandas as pd

from livermet import keys
from livermet.mice.design import questions as asked
from livermet.mice.design.aliasing import is_number
from livermet.mice.design.estimability import ARM, Contrast
from livermet.mice.design.model import Design
from livermet.mice.design.units import has_levels


def support(contrast: Contrast, design: Design) -> dict[str, list[str]]:
    """Groups of mice that a question rests on, with the names of their mice.

    In a full model every arm stands alone: the groups are the arms with a weight. In an additive one a level is known from
    all the mice that have it: the groups are those that the question names.
    """
    units, by_name = design.units, {question["name"]: question for question in design.settings["questions"]}
    if design.settings["model"] == "full" or contrast.kind == "rescue":
        return {arm: names_of(units[units[ARM] == arm]) for arm in contrast.n_mice}
    groups = {}
    for term in asked.terms(by_name[contrast.name], by_name, design.factors):
        groups[term.label] = names_of(units[has_levels(units, term.levels)])
    return groups


def attainable_p(contrast: Contrast, design: Design) -> float | None:
    """The smallest two-sided p that a permutation of mouse labels can give.

    Under the null the mice of two arms could have borne each other's labels, within every stratum of mice that are alike in
    the other factors and the categorical covariates (in an additive model the strata outside `within` tell of the effect,
    too). No p-value is below one over the number of labellings, or two over it where the mirrored labelling is as extreme
    (Phipson & Smyth 2010, doi:10.2202/1544-6115.1585).

    Returns
    -------
    float or None
        None where no relabelling leaves everything else as it is: differences, synergies, rescues, equivalence (whose null
        is a difference), numeric covariates, and covariates that leave one labelling only.
    """
    by_name = {question["name"]: question for question in design.settings["questions"]}
    question = by_name[contrast.name]
    covariates = design.covariates
    exchangeable = contrast.kind == asked.EFFECT and contrast.estimable
    if not exchangeable or any(is_number(design.units[name]) for name in covariates):
        return None
    alike = [*(name for name in design.factors if name != question["factor"]), *covariates]
    full, sides = design.settings["model"] == "full", []
    for term in asked.terms(question, by_name, design.factors):
        levels = term.levels if full else {question["factor"]: term.levels[question["factor"]]}
        of = design.units[has_levels(design.units, levels)]
        sides.append(of.groupby(alike)[keys.MOUSE].nunique().to_dict() if alike else {"": of[keys.MOUSE].nunique()})
    strata = [
        (sides[0].get(key, 0), sides[1].get(key, 0))
        for key in [*sides[0], *(key for key in sides[1] if key not in sides[0])]
    ]
    labellings = prod(comb(first + second, first) for first, second in strata)
    if labellings < 2:
        return None if covariates else 1.0
    mirrored = all(first == second for first, second in strata if first and second)
    return (2 if mirrored else 1) / labellings


def describe_vector(contrast: Contrast, design: Design) -> str:
    """The contrast over the columns of the model in words, columns without a weight left out."""
    named = zip(design.matrix.columns, contrast.vector, strict=True)
    return " ".join(f"{weight:+.4g} {column}" for column, weight in named if weight) if contrast.estimable else ""


def names_of(units: pd.DataFrame) -> list[str]:
    """Names of the mice, each once."""
    return list(dict.fromkeys(units[keys.MOUSE].astype(str)))
