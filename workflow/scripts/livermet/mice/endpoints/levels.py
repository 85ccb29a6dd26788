"""Which parts a mouse's cells are counted in: finest labels, lineages, and every population of the config by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.design.model import UNIT, Design
from livermet.mice.endpoints.log_ratios import RARE, measure_centred
from livermet.mice.endpoints.readouts import find_units
from livermet.mice.models.linear import Array

LEVEL = "level"
LEAF, LINEAGE_LEVEL, POPULATION_LEVEL = "leaf", "lineage", "population"
REST = "rest_of_"  # prefix: what is left of a lineage without the population tested


@dataclass(frozen=True)
class Abundance:
    """Centred log-ratios of one level, and the counts behind them.

    Attributes
    ----------
    values
        Parts x units, log2.
    variance
        Parts x units: variance by counting, squared log2 units.
    counts
        Units x parts: cells, also of parts that are too rare to have values.
    totals
        Cells of each unit.
    overlaps
        Reference -> the parts that share cells with it.
    """

    values: pd.DataFrame
    variance: Array
    counts: pd.DataFrame
    totals: pd.Series
    overlaps: dict[str, set[str]] = field(default_factory=dict)

    @property
    def tested(self) -> pd.DataFrame:
        """Counts of the parts that have values of their own, units x parts."""
        return self.counts[[part for part in self.values.index if part != RARE]]


def leaf_labels(labels: pd.DataFrame) -> pd.Series:
    """The finest label of each cell: T-cell states and other lineages, each cell in exactly one."""
    state, lineage = labels[keys.STATE].astype(str), labels[keys.LINEAGE].astype(str)
    uncalled = (state == keys.UNASSIGNED) & (lineage != keys.UNASSIGNED)
    return state.where(~uncalled, lineage + f"_{keys.UNASSIGNED}")


def membership(labels: pd.DataFrame, population: Mapping[str, Any]) -> pd.Series:
    """Which cells belong to a population: the union of the lineages and states that the config names."""
    return labels[keys.LINEAGE].isin(population["lineages"]) | labels[keys.STATE].isin(population["states"])


def count_cells(labels: pd.Series, units: pd.Series, order: pd.Index) -> pd.DataFrame:
    """Cells of each unit and label.

    Parameters
    ----------
    labels, units
        Index cell: the cell's label and its unit.
    order
        The units wanted, in this order.

    Returns
    -------
    pandas.DataFrame
        Units x labels, integers; labels in alphabetical order.
    """
    return pd.crosstab(units, labels).reindex(order, fill_value=0).sort_index(axis=1)


def population_parts(labels: pd.DataFrame, members: pd.Series, name: str) -> pd.Series:
    """Labels with a population as one part against the lineages, and what is left of its own lineage."""
    lineage = labels[keys.LINEAGE].astype(str)
    touched = set(lineage[members])
    others = lineage.where(~lineage.isin(touched), REST + lineage)
    return others.where(~members, name)


def measure_levels(
    labels: pd.DataFrame, units: pd.Series, design: Design, settings: Mapping[str, Any]
) -> dict[str, Abundance]:
    """Abundances at the three levels.

    Parameters
    ----------
    labels
        Index cell; columns lineage and state.
    units
        Index cell: the unit of each cell.
    design
        The checked design.
    settings
        The resolved `design` section.

    Returns
    -------
    dict
        Level -> :class:`Abundance`. Rows of the population level come each from parts of their own.
    """
    order, matrix = design.units.index, np.asarray(design.matrix, dtype=float)
    members = {name: membership(labels, population) for name, population in settings["populations"].items()}
    references = {name: members[name] for name in settings.get("references", [])}
    found = {}
    for level, part in ((LEAF, leaf_labels(labels)), (LINEAGE_LEVEL, labels[keys.LINEAGE].astype(str))):
        counts = count_cells(part, units, order)
        ratios = measure_centred(counts, matrix)
        overlaps = {name: set(part[inside]) for name, inside in references.items()}
        alone = len(ratios.values) < 2  # one part, as in sorted cells: its ratio to itself says nothing
        values = ratios.values.iloc[:0] if alone else ratios.values
        variance = ratios.variance[:0] if alone else ratios.variance
        found[level] = Abundance(values, variance, counts, counts.sum(axis=1), overlaps)
    of_population: dict[str, pd.Series] = {}
    variances, cells = [], {}
    for name, inside in members.items():
        parts = count_cells(population_parts(labels, inside, name), units, order)
        cells[name] = parts[name] if name in parts else pd.Series(0, index=order)
        one = measure_centred(parts, matrix)
        if name in one.values.index and len(one.values) > 1:
            of_population[name] = one.values.loc[name]
            variances.append(one.variance[one.values.index.get_loc(name)])
    found[POPULATION_LEVEL] = Abundance(
        values=pd.DataFrame(of_population, index=order).T,
        variance=np.array(variances).reshape(len(of_population), len(order)),
        counts=pd.DataFrame(cells, index=order),
        totals=found[LEAF].totals,
        overlaps={
            reference: {reference} | {name for name, other in members.items() if (inside & other).any()}
            for reference, inside in references.items()
        },
    )
    return found


def units_of(cells: pd.DataFrame, samples: pd.DataFrame, design: Design) -> pd.Series:
    """The unit of each cell.

    Parameters
    ----------
    cells
        Index cell; column sample.
    samples
        Index sample, text; columns mouse and, where the study has several, tissue.
    design
        The checked design, whose units have a mouse and a tissue each.
    """
    of_sample = dict(zip(samples.index.astype(str), find_units(samples, design), strict=True))
    return cells[keys.SAMPLE].astype(str).map(of_sample).rename(UNIT)
