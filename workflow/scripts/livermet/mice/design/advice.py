"""What would make an answer better: another model of the same mice, or more mice, found by judging the design with them."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd

from livermet import keys
from livermet.mice.design import questions as asked
from livermet.mice.design.aliasing import is_number
from livermet.mice.design.estimability import ARM, MIN_MICE_PER_ARM, MIN_RESIDUAL_DF, Contrast
from livermet.mice.design.model import Design
from livermet.mice.design.support import support

MOST_ADDED = 12  # mice: beyond, another design is the better advice


def advise(contrast: Contrast, design: Design) -> str:
    """What would make a question confirmatory: the same mice asked or modelled otherwise, or more mice."""
    parts = [f"{change} would make it confirmatory with these mice" for change in _changes(contrast, design)]
    wanted, lead = mice_wanted(contrast.name, design), ""
    if wanted is None and "additive" in contrast.reason:  # interactions are asked of a full model
        wanted, lead = (
            mice_wanted(contrast.name, design.refit(design.units, model="full")),
            "with `design.model: full`, ",
        )
    if wanted:
        told = " and ".join(f"{number} more in {arm}" for arm, number in wanted.items())
        parts.append(f"{lead}{told} would make it confirmatory")
    return "; or ".join(parts)


def _changes(contrast: Contrast, design: Design) -> list[str]:
    """Changes of the config alone that make a question confirmatory."""
    found, additive = [], design.settings["model"] == "additive"
    if not additive and design.refit(design.units, model="additive")[contrast.name].tier == keys.CONFIRMATORY:
        found.append("`design.model: additive` (main effects only)")
    own = _own_questions(contrast.name, design)
    if additive and contrast.kind == "effect" and own[0].get("within"):
        # In an additive model a level does the same everywhere, so that asking of all mice asks nothing else.
        wider = design.refit(design.units, questions=[{**own[0], "within": {}}])
        if wider[contrast.name].tier == keys.CONFIRMATORY:
            found.append("leaving out `within` (the additive model lets all mice answer)")
    return found


def mice_wanted(name: str, design: Design) -> dict[str, int] | None:
    """The fewest mice that would make a question confirmatory, and in which arms.

    Mice are added one at a time, each where it helps most, until the tier rule is met. Where a covariate stands in the way
    a mouse may come from any batch that the study has.

    Returns
    -------
    dict or None
        Arm (with its covariates where these matter) -> mice; None where `MOST_ADDED` do not suffice.
    """
    own = _own_questions(name, design)
    current, added = design.refit(design.units, questions=own), dict[str, int]()
    for _ in range(MOST_ADDED):
        contrast = current[name]
        if contrast.tier == keys.CONFIRMATORY:
            return added
        if "additive" in contrast.reason:
            return None  # an interaction, of which no number of mice tells an additive model
        trials = [
            (label, current.refit(pd.concat([current.units, unit]))) for label, unit in _newcomers(contrast, current)
        ]
        label, current = max(trials, key=lambda trial: _worth(name, trial[1]))
        added[label] = added.get(label, 0) + 1
    return added if current[name].tier == keys.CONFIRMATORY else None


def _own_questions(name: str, design: Design) -> list[dict[str, Any]]:
    """A question and those that it is made of."""
    by_name = {question["name"]: question for question in design.settings["questions"]}
    wanted, waiting = dict[str, None](), [name]
    while waiting:
        one = waiting.pop()
        wanted[one] = None
        waiting += [
            *by_name[one].get("of", []),
            *(by_name[one][part] for part in ("damage", "repair") if part in by_name[one]),
        ]
    return [question for known, question in by_name.items() if known in wanted]


def _newcomers(contrast: Contrast, design: Design) -> list[tuple[str, pd.DataFrame]]:
    """Mice that could be added: one of the arm with fewest; where a covariate is in the way, of any arm and any batch."""
    units, covariates = design.units, list(design.settings["covariates"])
    blocked = not contrast.estimable and bool(covariates)
    found = []
    for arm in contrast.n_mice if blocked else [min(contrast.n_mice, key=lambda arm: contrast.n_mice[arm])]:
        levels = dict(zip(design.factors, _levels(arm, design), strict=True))
        model = units[units[ARM] == arm] if (units[ARM] == arm).any() else units
        profiles = units[covariates].drop_duplicates() if blocked else model[covariates].iloc[:1]
        for _, profile in profiles.iterrows():
            row: dict[Any, Any] = {
                **model.iloc[0].to_dict(),
                **levels,
                **profile.to_dict(),
                keys.MOUSE: f"new mouse {len(units)}",
            }
            named = [f"{column} {profile[column]}" for column in covariates if not is_number(units[column])]
            label = " with ".join([arm, ", ".join(named)]) if blocked and named else arm
            found.append((label, pd.DataFrame([row], index=pd.Index([row[keys.MOUSE]], name=units.index.name))))
    return found


def _levels(arm: str, design: Design) -> tuple[str, ...]:
    """Levels of an arm, in the order of the factors."""
    grid = {asked.arm_name(levels): levels for levels in product(*design.factors.values())}
    return grid[arm]


def _worth(name: str, design: Design) -> tuple[Any, ...]:
    """How near a design is to a confirmatory answer."""
    contrast = design[name]
    counts = [min(len(mice), MIN_MICE_PER_ARM) for mice in support(contrast, design).values()]
    return -keys.TIERS.index(contrast.tier), contrast.estimable, sum(counts), min(design.residual_df, MIN_RESIDUAL_DF)
