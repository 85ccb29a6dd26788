"""Primary endpoints: what each question is answered by, declared before the data are seen.

A headline that is picked because its p-value is the smallest of hundreds is a selection, and its estimate is too large
(the winner's curse). What is declared is shown whatever comes out, and pays only for the few rows that were declared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from livermet.errors import Problem
from livermet.mice.design.questions import did_you_mean

ABUNDANCE = "abundance"
COMPOSITION, SIGNATURE, MECHANISM = "composition", "signature", "mechanism"
RESCUE = "rescue"


@dataclass(frozen=True)
class Declared:
    """One row of the answers that was declared.

    Attributes
    ----------
    question, endpoint
        Which question, and which test it is read from.
    population
        Its population; empty for a mechanism read-out, which knows its own.
    readout
        "abundance", the gene set or the mechanism read-out, as the answers name it.
    """

    question: str
    endpoint: str
    population: str
    readout: str

    def matches(self, endpoint: str, population: str, readout: str) -> bool:
        """Whether a row of this question is the declared one."""
        return (self.endpoint, self.readout) == (endpoint, readout) and self.population in ("", population)


def declare(settings: Mapping[str, Any]) -> list[Declared]:
    """Every declared row, question by question.

    Parameters
    ----------
    settings
        The resolved `design` section. Rescues are left out: they declare their own read-outs.

    Returns
    -------
    list of Declared
        In the order of the questions, then of the endpoints; each once.
    """
    found = [
        Declared(question["name"], one["endpoint"], one["population"] or "", _readout(one))
        for question in settings["questions"] if question["kind"] != RESCUE
        for one in settings["endpoints"] if not one["questions"] or question["name"] in one["questions"]
    ]  # fmt: skip
    return list(dict.fromkeys(found))


def _readout(endpoint: Mapping[str, Any]) -> str:
    return str(endpoint["signature"] or endpoint["readout"] or ABUNDANCE)


def check_endpoints(
    settings: Mapping[str, Any],
    tested: Mapping[str, Collection[str]] | None = None,
    readouts: Collection[str] | None = None,
) -> list[Problem]:
    """Names in the declared endpoints that nothing answers to.

    Parameters
    ----------
    settings
        The resolved `design` section.
    tested
        Population -> gene sets that are put to it; not checked where None.
    readouts
        Names of the mechanism read-outs at hand; not checked where None.

    Returns
    -------
    list of Problem
        Unknown populations, signatures, read-outs and questions; gene sets that are not put to the population; rescues;
        endpoints declared twice.
    """
    problems: list[Problem] = []
    asked = {question["name"]: question["kind"] for question in settings["questions"]}
    seen: set[tuple[str, str, str]] = set()
    for place, one in enumerate(settings["endpoints"]):
        where = f"config design.endpoints[{place}]"
        sets = None if tested is None else tested.get(one["population"], ())
        offered: tuple[tuple[str, Collection[str] | None, str], ...] = (
            ("population", settings["populations"], "populations"),
            ("signature", sets, f"gene sets that are tested in {one['population']}"),
            ("readout", readouts, "mechanism read-outs"),
        )
        for name, known, what in offered:
            if not one[name] or known is None or one[name] in known:
                continue
            # Of a population that there is not, the population alone is to be mended.
            if name != "signature" or one["population"] in settings["populations"]:
                remedy = did_you_mean(one[name], known, what)
                problems.append(Problem(f"{where}.{name}", f"'{one[name]}' is not one of the {what}", remedy=remedy))
        problems += _check_names(where, one["questions"], asked)
        key = (one["endpoint"], one["population"] or "", _readout(one))
        if key in seen:
            problems.append(Problem(where, "is declared twice", remedy="Put both lists of questions into one"))
        seen.add(key)
    return problems


def _check_names(where: str, names: Collection[str], asked: Mapping[str, str]) -> list[Problem]:
    """Questions that are unknown, or that declare their own read-outs."""
    problems = []
    for name in names:
        if name not in asked:
            known = [other for other, kind in asked.items() if kind != RESCUE]
            remedy = did_you_mean(name, known, "questions")
            problems.append(Problem(f"{where}.questions", f"no question is called '{name}'", remedy=remedy))
        elif asked[name] == RESCUE:
            problems.append(
                Problem(f"{where}.questions", f"'{name}' is a rescue", expected="its own `readouts:` declare it")
            )
    return problems
