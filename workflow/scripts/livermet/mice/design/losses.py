"""What the design loses with the mice of which no cell was kept: which arms shrink, which questions weaken, in words."""

from __future__ import annotations

from collections.abc import Collection

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


def tell_without_tcells(cells: pd.Series, lineages: pd.Series, tcells: Collection[str]) -> list[Notice]:
    """Samples that kept cells, and no T cell among them.

    Parameters
    ----------
    cells
        Index cell: the sample of every kept cell.
    lineages
        Index cell: its lineage.
    tcells
        Lineages taken as T cells.

    Returns
    -------
    list of Notice
        One a sample. Its other cells stay in every answer; of T cells it counts as a mouse that has none.
    """
    is_tcell = lineages.reindex(cells.index).astype(str).isin(list(tcells))
    table = pd.DataFrame({keys.SAMPLE: cells.astype(str), "t": is_tcell}).groupby(keys.SAMPLE, sort=False)["t"]
    return [
        Notice(
            str(sample),
            "label_cells",
            f"Sample {sample} has no T cells. It is left out of what is measured within them; its other cells stay.",
            f"{size} cells kept, 0 of {' or '.join(tcells)}",
            "Were T cells sorted away? Then take it out of questions about their number: it counts as a mouse without any",
            LOUD,
        )
        for sample, size, number in zip(table.size().index, table.size(), table.sum(), strict=True)
        if not number
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
