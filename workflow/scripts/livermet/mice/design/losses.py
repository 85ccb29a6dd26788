"""What the design loses with the mice of which no cell was kept: which arms shrink, which questions weaken, in words."""

from __future__ import annotations

import pandas as pd

from livermet import keys
from livermet.mice.design.model import ARM, Design
from livermet.notices import LOUD, Notice

STEP = "check_design"


def tell_losses(design: Design, units: pd.Series) -> list[Notice]:
    """Mice that are in the design and in no answer, and what that does to every question.

    Parameters
    ----------
    design
        The design as the sheet has it.
    units
        The unit of every kept cell.

    Returns
    -------
    list of Notice
        One for each unit without a cell; none where every unit has some.
    """
    seen = set(units.dropna().astype(str))
    gone = [str(unit) for unit in design.units.index if str(unit) not in seen]
    if not gone:
        return []
    left = design.subset([str(unit) for unit in design.units.index if str(unit) in seen])
    weaker = "; ".join(_weaker(design, left)) or "no question changes its tier"
    before, after = design.units[ARM].value_counts(), left.units[ARM].value_counts()
    return [
        Notice(
            f"mouse {design.units.loc[unit, keys.MOUSE]}",
            STEP,
            f"No cell of mouse {design.units.loc[unit, keys.MOUSE]}{_tissue(design, unit)} is in the answers: "
            f"{after.get(arm, 0)} of {before[arm]} mice are left in {arm}.",
            f"without the mice that are missing: {weaker}",
            "Sequence it anew or add a mouse; the tiers in the answers count the mice that are left",
            LOUD,
        )
        for unit in gone
        for arm in [str(design.units.loc[unit, ARM])]
    ]


def _tissue(design: Design, unit: str) -> str:
    several = design.units[keys.TISSUE].nunique() > 1
    return f" in {design.units.loc[unit, keys.TISSUE]}" if several else ""


def _weaker(design: Design, left: Design) -> list[str]:
    """Questions whose tier falls, each as "name: from tier to tier"."""
    before, after = ({name: one.tier for name, (one, _) in part.judged().items()} for part in (design, left))
    return [
        f"{name} falls from {tier} to {after.get(name, keys.NOT_ESTIMABLE)}"
        for name, tier in before.items()
        if after.get(name, keys.NOT_ESTIMABLE) != tier
    ]
