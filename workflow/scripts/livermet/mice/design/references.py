"""The populations that abundance is held against: checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from livermet.errors import Problem
from livermet.mice.design.questions import did_you_mean

WHERE = "config design.references"


def check_references(settings: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the declared references.

    Parameters
    ----------
    settings
        The resolved `design` section.

    Returns
    -------
    list of Problem
        Names that are no population, one reference alone, references that share labels with each other.
    """
    references, populations = settings["references"], settings["populations"]
    problems = [
        Problem(WHERE, f"'{name}' is not a population", remedy=did_you_mean(name, populations, "populations"))
        for name in dict.fromkeys(references)
        if name not in populations
    ]
    if len(references) == 1:
        problems.append(
            Problem(
                WHERE,
                f"one reference, '{references[0]}'",
                expected="none, or two and more that have little in common",
                remedy="A reference that changed itself can only be told by another: add one, or leave the key out",
            )
        )
    known = [name for name in references if name in populations]
    for first, second in combinations(known, 2):
        shared = _labels(populations[first]) & _labels(populations[second])
        if shared:
            problems.append(
                Problem(
                    WHERE,
                    f"'{first}' and '{second}' share {', '.join(sorted(shared))}",
                    expected="references that have no cells in common",
                    remedy="What holds against both would hold against the same cells twice: replace one",
                )
            )
    return problems


def _labels(population: Mapping[str, Any]) -> set[str]:
    return {*population["lineages"], *population["states"]}
