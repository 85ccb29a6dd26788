"""What each named question says: its sentence, its formula and the weight it puts on every arm.

A question is a list of `Term`s: a signed group of arms ("mice with treatment rt in site liver"). Weights on arms follow
from the terms; whether the design can carry them is the business of :mod:`livermet.mice.design.model`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from livermet.errors import Problem

TISSUE = "tissue"
EFFECT, EQUIVALENCE = "effect", "equivalence"


@dataclass(frozen=True)
class Term:
    """A signed group of arms: all that have these levels, averaged equally."""

    sign: float
    levels: Mapping[str, str]

    @property
    def label(self) -> str:
        """The group in words."""
        return ".".join(self.levels.values())


def arm_name(levels: Iterable[str]) -> str:
    """Name of the arm with these levels, in the order of the factors."""
    return ".".join(levels)


def did_you_mean(word: str, known: Collection[str], what: str) -> str:
    """A remedy that offers the nearest known word, or all of them."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known {what}: {', '.join(known)}"


def fixed_levels(question: Mapping[str, Any], factors: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Levels that a question holds fixed, its tissue included where tissue is a factor of the design."""
    fixed = dict(question.get("within") or {})
    if question.get("tissue") and TISSUE in factors:
        fixed[TISSUE] = question["tissue"]
    return fixed


def terms(
    question: Mapping[str, Any], questions: Mapping[str, Any], factors: Mapping[str, Collection[str]]
) -> list[Term]:
    """Signed groups of arms that a question compares.

    Parameters
    ----------
    question
        One resolved question.
    questions
        All of them, by name: a difference is made of two others.
    factors
        Factor -> levels, in the order that names the arms.

    Returns
    -------
    list of Term
        For a rescue, the terms of its repair.
    """
    kind = question["kind"]
    if kind == "rescue":
        return terms(questions[question["repair"]], questions, factors)
    if kind == "difference":
        first, second = (terms(questions[name], questions, factors) for name in question["of"])
        return [*first, *(Term(-term.sign, term.levels) for term in second)]
    if kind == EQUIVALENCE:
        fixed = fixed_levels(question, factors)
        sides = [(1.0, {**fixed, **question["arm"]}), (-1.0, {**fixed, **question["like"]})]
        return [Term(sign, {name: levels[name] for name in factors if name in levels}) for sign, levels in sides]
    factor, fixed = question["factor"], fixed_levels(question, factors)
    if kind == "effect":
        signed = [(1.0, question["level"]), (-1.0, question["reference"])]
    else:
        signed = [(1.0, question["combination"]), *((-1.0, single) for single in question["singles"])]
        signed.append((1.0, question["reference"]))
    return [
        Term(sign, {name: {**fixed, factor: level}[name] for name in factors if name in fixed or name == factor})
        for sign, level in signed
    ]


def weights(signed: Iterable[Term], factors: Mapping[str, Collection[str]]) -> dict[str, float]:
    """Weight on every arm; factors that a term does not name are averaged equally over their levels."""
    total: dict[str, float] = {}
    for term in signed:
        choices = [[term.levels[name]] if name in term.levels else list(levels) for name, levels in factors.items()]
        arms = [arm_name(levels) for levels in product(*choices)]
        for arm in arms:
            total[arm] = total.get(arm, 0.0) + term.sign / len(arms)
    return {arm: weight for arm, weight in total.items() if abs(weight) > 1e-12}


def formula(question: Mapping[str, Any], questions: Mapping[str, Any], factors: Mapping[str, Collection[str]]) -> str:
    """The estimand as a sum of arm means, on the log2 scale."""
    if question["kind"] == "rescue":
        damage, repair = (formula(questions[question[part]], questions, factors) for part in ("damage", "repair"))
        return f"({repair}) / -({damage})"
    if question["kind"] == "difference":
        first, second = (formula(questions[name], questions, factors) for name in question["of"])
        return f"({first}) - ({second})"
    parts = [("+ " if term.sign > 0 else "- ") + term.label for term in terms(question, questions, factors)]
    return " ".join(parts).removeprefix("+ ")


def sentence(question: Mapping[str, Any], factors: Mapping[str, Collection[str]]) -> str:
    """The user's own sentence, or one made from the levels."""
    if question.get("sentence"):
        return str(question["sentence"])
    match question["kind"]:
        case "difference":
            return f"Does {question['of'][0]} differ from {question['of'][1]}?"
        case "rescue":
            return f"How much of the damage ({question['damage']}) does the repair ({question['repair']}) undo?"
        case "equivalence":
            arm, like = (".".join(question[side].values()) for side in ("arm", "like"))
            text = f"Is {arm} like {like}"
        case "synergy":
            singles = " and ".join(question["singles"])
            text = f"Is {question['combination']} more than the sum of {singles}"
        case _:
            text = f"What does {question['level']} change against {question['reference']}"
    fixed = fixed_levels(question, factors)
    return text + (f" where {', '.join(f'{name} is {level}' for name, level in fixed.items())}?" if fixed else "?")


def check_questions(
    settings: Mapping[str, Any], tissues: Collection[str], signatures: Collection[str] | None = None
) -> list[Problem]:
    """Names in the questions that nothing answers to.

    Parameters
    ----------
    settings
        The resolved `design` section.
    tissues
        Tissues in the sheet.
    signatures
        Names of the gene sets at hand; not checked where None.

    Returns
    -------
    list of Problem
        Unknown factors, levels, questions, populations, signatures and tissues; names given twice.
    """
    problems: list[Problem] = []
    asked = settings["questions"]
    names = [question["name"] for question in asked]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(Problem("config design.questions", f"two questions are called '{name}'", remedy="Rename one"))
    by_name = {question["name"]: question for question in asked}
    for question in asked:
        where = f"config design.questions.{question['name']}"
        if question["kind"] in ("effect", "synergy"):
            problems += _check_levels(where, question, settings["factors"])
            problems += _check_tissue(where, question, settings["factors"], tissues)
        elif question["kind"] == EQUIVALENCE:
            problems += _check_sides(where, question, settings["factors"], tissues)
        else:
            problems += _check_references(where, question, by_name)
        if question["kind"] == "rescue":
            problems += _check_readouts(where, question, settings["populations"], signatures)
    if signatures is not None:
        problems += [
            Problem(
                f"config design.signatures[{place}]",
                f"no gene set is called '{name}'",
                remedy=did_you_mean(name, signatures, "gene sets"),
            )
            for place, name in enumerate(settings["signatures"])
            if name not in signatures
        ]
    return problems


def _check_levels(where: str, question: Mapping[str, Any], factors: Mapping[str, Collection[str]]) -> list[Problem]:
    factor, within = question["factor"], question.get("within") or {}
    problems = [
        Problem(f"{where}.{key}", f"'{name}' is not a factor", remedy=did_you_mean(name, factors, "factors"))
        for key, name in [("factor", factor), *(("within", name) for name in within)]
        if name not in factors
    ]
    if factor in within:
        problems.append(
            Problem(f"{where}.within", f"'{factor}' is compared and held fixed at once", remedy="Remove it")
        )
    keys = ("level", "reference") if question["kind"] == "effect" else ("combination", "reference")
    named = [(key, factor, question[key]) for key in keys]
    named += [("singles", factor, single) for single in question.get("singles", [])]
    levels = [level for _, _, level in named]
    named += [("within", name, level) for name, level in within.items()]
    problems += [
        Problem(
            f"{where}.{key}",
            f"'{level}' is not a level of {name} ({', '.join(factors[name])})",
            remedy=did_you_mean(level, factors[name], "levels"),
        )
        for key, name, level in named
        if name in factors and level not in factors[name]
    ]
    if len(set(levels)) < len(levels):
        problems.append(
            Problem(where, f"compares a level with itself ({', '.join(levels)})", remedy="Name different levels")
        )
    return problems


def _check_sides(
    where: str, question: Mapping[str, Any], factors: Mapping[str, Collection[str]], tissues: Collection[str]
) -> list[Problem]:
    """Levels of the two arms of an equivalence; the tissue each is about."""
    problems = []
    for side in ("arm", "like"):
        for name, level in question[side].items():
            known = list(tissues) if name == TISSUE and TISSUE not in factors else factors.get(name)
            if known is None:
                remedy = did_you_mean(name, factors, "factors")
                problems.append(Problem(f"{where}.{side}", f"'{name}' is not a factor", remedy=remedy))
            elif level not in known:
                found = f"'{level}' is not a level of {name} ({', '.join(known)})"
                problems.append(Problem(f"{where}.{side}", found, remedy=did_you_mean(level, known, "levels")))
    if question["arm"] == question["like"]:
        problems.append(Problem(where, "holds an arm against itself", remedy="Name two arms that differ"))
    for side in ("arm", "like"):
        problems += _check_tissue(where, {**question, "within": question[side], "factor": ""}, factors, tissues)
    return list(dict.fromkeys(problems))


def _check_tissue(
    where: str, question: Mapping[str, Any], factors: Mapping[str, Collection[str]], tissues: Collection[str]
) -> list[Problem]:
    tissue, within = question.get("tissue"), question.get("within") or {}
    if tissue and tissue not in tissues:
        return [
            Problem(
                f"{where}.tissue",
                f"no sample has the tissue '{tissue}'",
                remedy=did_you_mean(tissue, tissues, "tissues"),
            )
        ]
    if tissue and TISSUE in within and within[TISSUE] != tissue:
        return [
            Problem(f"{where}.tissue", f"'{tissue}', but `within` says '{within[TISSUE]}'", remedy="Keep one of them")
        ]
    if not tissue and TISSUE not in within and question["factor"] != TISSUE and len(tissues) > 1:
        return [
            Problem(
                where,
                f"does not say which tissue it is about ({', '.join(tissues)})",
                remedy="Add `tissue:`; tissues of one mouse are not independent and are never averaged in silence",
            )
        ]
    return []


def _check_references(where: str, question: Mapping[str, Any], by_name: Mapping[str, Any]) -> list[Problem]:
    if question["kind"] == "difference":
        named = [("of", name) for name in question["of"]]
        kinds: tuple[str, ...] = ("effect", "synergy")
    else:
        named = [(key, question[key]) for key in ("damage", "repair")]
        kinds = ("effect",)
    problems: list[Problem] = []
    for key, name in named:
        known = [other for other, asked in by_name.items() if asked["kind"] in kinds]
        if name not in by_name:
            problems.append(
                Problem(
                    f"{where}.{key}", f"no question is called '{name}'", remedy=did_you_mean(name, known, "questions")
                )
            )
        elif name not in known:
            problems.append(
                Problem(
                    f"{where}.{key}",
                    f"'{name}' is of kind {by_name[name]['kind']}",
                    expected=f"a question of kind {' or '.join(kinds)}",
                )
            )
    if len({name for _, name in named}) == 1:
        problems.append(Problem(where, f"names '{named[0][1]}' twice", remedy="Name two different questions"))
    return problems


def _check_readouts(
    where: str, question: Mapping[str, Any], populations: Collection[str], signatures: Collection[str] | None
) -> list[Problem]:
    problems: list[Problem] = []
    for place, readout in enumerate(question["readouts"]):
        population, signature = readout["population"], readout.get("signature")
        if population not in populations:
            problems.append(
                Problem(
                    f"{where}.readouts[{place}].population",
                    f"'{population}' is not a population",
                    remedy=did_you_mean(population, populations, "populations"),
                )
            )
        if signature and signatures is not None and signature not in signatures:
            problems.append(
                Problem(
                    f"{where}.readouts[{place}].signature",
                    f"no gene set is called '{signature}'",
                    remedy=did_you_mean(signature, signatures, "gene sets"),
                )
            )
    return problems
