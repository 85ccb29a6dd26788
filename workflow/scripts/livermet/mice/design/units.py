"""Units of replication: one mouse in one tissue.

Samples of the same mouse and tissue are technical replicates and are added up; a pool of several mice is one unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from livermet import keys
from livermet.errors import Problem
from livermet.mice.design import questions as asked
from livermet.mice.design.aliasing import NUISANCE
from livermet.mice.design.questions import TISSUE

UNIT = "unit"


def make_units(sheet: pd.DataFrame, settings: Mapping[str, Any]) -> tuple[pd.DataFrame, list[Problem]]:
    """One row per mouse and tissue, with what is wrong with them.

    Parameters
    ----------
    sheet, settings
        As for :func:`build_design`.

    Returns
    -------
    units
        Index unit, in the sheet's order; columns mouse, tissue, factors, covariates, other nuisance columns, and
        pool_size where the sheet has it.
    problems
        Missing columns, unknown levels, empty covariates, pools of no whole number of mice, and mice that are two things
        at once.
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
    pool = [keys.POOL_SIZE] if keys.POOL_SIZE in sheet else []
    problems += [
        Problem(f"sample sheet row {row}, {keys.POOL_SIZE}", f"'{value}'", expected="a whole number of mice, 1 or more")
        for name in pool
        for row, value in enumerate(sheet[name].astype(str), 2)
        if not (value.isdecimal() and int(value) > 0)
    ]
    kept = needed + [name for name in (*NUISANCE, *pool) if name in sheet and name not in needed]
    several = sheet[keys.TISSUE].nunique() > 1
    rows: dict[str, dict[str, str]] = {}
    for (mouse, tissue), group in sheet.groupby([keys.MOUSE, keys.TISSUE], sort=False):
        for name in dict.fromkeys([*needed[2:], *pool]):
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


def find_tissues(sheet: pd.DataFrame) -> list[str]:
    """Tissues of a sheet, in its order."""
    return list(dict.fromkeys(sheet[keys.TISSUE])) if keys.TISSUE in sheet else []


def has_levels(units: pd.DataFrame, levels: Mapping[str, str]) -> pd.Series:
    """Which units have all of these levels."""
    chosen = pd.Series(True, index=units.index)
    for name, level in levels.items():
        chosen &= units[name] == level
    return chosen
