"""Abundance of populations, as ratios to the other cells of the same mouse.

Single-cell counts say nothing about totals: a population's share falls when another grows. Counts are therefore turned
into centred log-ratios (Aitchison 1982, doi:10.1111/j.2517-6161.1982.tb01195.x): the log2 of a part over the geometric
mean of all parts. **Every fold change here is relative to the geometric mean of the other parts, not a change in
number.** Values are weighted by their precision and tested with a linear model whose variances are moderated across
parts, as crumblr does (Hoffman & Roussos, doi:10.1101/2025.01.29.635498).

Precision: with n cells of which a share p_j is part j, multinomial counts give Cov(log c_i, log c_j) =
([i = j] / p_i - 1) / n to first order. The constant drops out of a log-ratio, and for D parts

    Var(clr_i) = [ (1 - 2 / D) / p_i + (1 / D^2) sum_j 1 / p_j ] / n

(natural logarithm; divided by ln(2)^2 here). The shares are those that the design fits, not the mouse's own: a mouse that
happens to have few cells of a part must not weigh less for it, or every mean would lean upwards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.design.model import ARM, UNIT, Design
from livermet.mice.endpoints.readouts import find_units
from livermet.mice.models.contrasts import N_MICE, REASON, ROW, estimate_rows
from livermet.mice.models.linear import Array, adjust

LEVEL = "level"
LEAF, LINEAGE_LEVEL, POPULATION_LEVEL = "leaf", "lineage", "population"
PSEUDOCOUNT = 0.5
MIN_MEAN_CELLS = 3.0  # a part with fewer cells a mouse is mostly zeros: it joins the others that are rare
RARE = "rare"  # the parts too small to stand alone, together
MEAN_FRACTION = "mean_fraction"
REST = "rest_of_"  # prefix: what is left of a lineage without the population tested
COLUMNS = [
    keys.QUESTION,
    keys.POPULATION,
    LEVEL,
    keys.LOG_FOLD_CHANGE,
    keys.STANDARD_ERROR,
    keys.CI_LOW,
    keys.CI_HIGH,
    keys.P_VALUE,
    keys.ADJUSTED_P_VALUE,
    keys.MDE,
    keys.MICE_NEEDED,
    MEAN_FRACTION,
    keys.TIER,
    REASON,
    N_MICE,
]


@dataclass(frozen=True)
class Abundance:
    """Centred log-ratios of one level.

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
    """

    values: pd.DataFrame
    variance: Array
    counts: pd.DataFrame
    totals: pd.Series


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


def centred_log_ratio(counts: pd.DataFrame) -> pd.DataFrame:
    """Centred log-ratios in log2, parts x units, of counts (units x parts) with half a cell added to each."""
    logs = pd.DataFrame(np.log2(counts.to_numpy() + PSEUDOCOUNT), index=counts.index, columns=counts.columns)
    return logs.sub(logs.mean(axis=1), axis=0).T


def ratio_variance(shares: pd.DataFrame, totals: pd.Series) -> Array:
    """Counting variance of centred log-ratios (see the module), parts x units, squared log2 units.

    Parameters
    ----------
    shares
        Units x parts: expected shares.
    totals
        Cells of each unit.
    """
    inverse = 1 / shares.to_numpy()
    parts = inverse.shape[1]
    natural = ((1 - 2 / parts) * inverse + inverse.sum(axis=1, keepdims=True) / parts**2) / totals.to_numpy()[:, None]
    return np.asarray(natural.T / np.log(2) ** 2)


def measure(counts: pd.DataFrame, matrix: Array) -> Abundance:
    """Centred log-ratios of one set of parts, with their counting variance.

    Parameters
    ----------
    counts
        Units x parts, mutually exclusive; a unit without cells is not measured. Rare parts are put together.
    matrix
        Units x columns: the design matrix.
    """
    every, counts = counts, gather_rare(counts)
    totals = counts.sum(axis=1)
    values = centred_log_ratio(counts)
    values.loc[:, totals == 0] = np.nan
    seen = (totals > 0).to_numpy()
    x = matrix[seen]
    fitted = (x @ np.linalg.pinv(x, rcond=1e-10) @ values.to_numpy()[:, seen].T).T
    shares = np.full((len(values.columns), len(values)), np.nan)
    powers = 2.0 ** (fitted - fitted.max(axis=0))
    shares[seen] = (powers / powers.sum(axis=0)).T
    # No share is expected below what the pseudocount stands for.
    expected = pd.DataFrame(shares, index=counts.index, columns=counts.columns)
    padded = totals + PSEUDOCOUNT * counts.shape[1]
    expected = expected.clip(lower=PSEUDOCOUNT / padded, axis=0)
    return Abundance(values, ratio_variance(expected, padded), every, totals)


def gather_rare(counts: pd.DataFrame) -> pd.DataFrame:
    """Put the parts with under `MIN_MEAN_CELLS` cells a mouse together; whatever the arm, so no arm is looked at."""
    rare = [part for part in counts if counts[part].mean() < MIN_MEAN_CELLS]
    kept = counts.drop(columns=rare)
    together = counts[rare].sum(axis=1)
    return kept.assign(**{RARE: together}) if together.any() else kept


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
    found = {}
    for level, part in ((LEAF, leaf_labels(labels)), (LINEAGE_LEVEL, labels[keys.LINEAGE].astype(str))):
        found[level] = measure(count_cells(part, units, order), matrix)
    values, variance, counts = {}, [], {}
    for name, population in settings["populations"].items():
        parts = count_cells(population_parts(labels, membership(labels, population), name), units, order)
        counts[name] = parts[name] if name in parts else pd.Series(0, index=order)
        one = measure(parts, matrix)
        if name in one.values.index and len(one.values) > 1:
            values[name] = one.values.loc[name]
            variance.append(one.variance[one.values.index.get_loc(name)])
    found[POPULATION_LEVEL] = Abundance(
        values=pd.DataFrame(values, index=order).T,
        variance=np.array(variance).reshape(len(values), len(order)),
        counts=pd.DataFrame(counts, index=order),
        totals=found[LEAF].totals,
    )
    return found


def test_composition(
    labels: pd.DataFrame, units: pd.Series, design: Design, settings: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """Test the abundance of every part, at every level, for every question.

    Parameters
    ----------
    labels
        Index cell; columns lineage and state.
    units
        Index cell: the unit (mouse, and tissue where there are several) of each cell.
    design
        The checked design.
    settings
        The resolved `design` section.

    Returns
    -------
    dict
        ``composition``: one row per question, level and population (log2 fold changes of the ratio to the geometric mean
        of all parts of the level; adjusted within question and level). ``proportions``: one row per mouse, tissue, level
        and population. ``abundance``: unit, population, clr and its counting variance of the config's populations, for
        what is built upon them.
    """
    levels = measure_levels(labels, units, design, settings)
    tables = [_test_level(level, found, design, settings) for level, found in levels.items()]
    return {
        "composition": pd.concat(tables, ignore_index=True),
        "proportions": pd.concat(
            [_proportions(level, found, design) for level, found in levels.items()], ignore_index=True
        ),
        "abundance": _long(levels[POPULATION_LEVEL]),
    }


def _test_level(level: str, found: Abundance, design: Design, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Every question in every part of a level; parts too rare to test have a row that says so."""
    table = estimate_rows(found.values, found.variance, design, settings)
    table = table[table[ROW] != RARE].rename(columns={ROW: keys.POPULATION, keys.ESTIMATE: keys.LOG_FOLD_CHANGE})
    shares = found.counts.div(found.totals.where(found.totals > 0), axis=0).mean()
    rare = [part for part in found.counts if part not in found.values.index]
    reason = f"fewer than {MIN_MEAN_CELLS:g} cells a mouse on average"
    rows = [
        {
            keys.QUESTION: name,
            keys.POPULATION: part,
            keys.TIER: keys.NOT_ESTIMABLE,
            REASON: reason,
            N_MICE: json.dumps(contrast.n_mice),
        }
        for name, contrast in design.contrasts.items() if contrast.kind != "rescue" for part in rare
    ]  # fmt: skip
    table = pd.concat([table, pd.DataFrame(rows)], ignore_index=True) if rows else table
    table[LEVEL] = level
    table[MEAN_FRACTION] = table[keys.POPULATION].map(shares)
    table[keys.ADJUSTED_P_VALUE] = table.groupby(keys.QUESTION)[keys.P_VALUE].transform(adjust)
    return table.reindex(columns=COLUMNS)


def _proportions(level: str, found: Abundance, design: Design) -> pd.DataFrame:
    """Cells and shares, a row a unit and population."""
    counts = found.counts.rename_axis(index=UNIT, columns=keys.POPULATION)
    table = counts.reset_index().melt(id_vars=UNIT, var_name=keys.POPULATION, value_name=keys.N_CELLS)
    table["n_total"] = table[UNIT].map(found.totals)
    table["fraction"] = table[keys.N_CELLS] / table["n_total"].where(table["n_total"] > 0)
    ratios = _melt(found.values, "clr")
    table = table.merge(ratios, on=[UNIT, keys.POPULATION], how="left")
    about = design.units[[keys.MOUSE, keys.TISSUE, ARM]]
    table = table.join(about, on=UNIT).assign(**{LEVEL: level})
    return table[[keys.MOUSE, keys.TISSUE, ARM, LEVEL, keys.POPULATION, keys.N_CELLS, "n_total", "fraction", "clr"]]


def _long(found: Abundance) -> pd.DataFrame:
    """Ratios and their variance, a row a unit and population."""
    variance = pd.DataFrame(found.variance, index=found.values.index, columns=found.values.columns)
    return _melt(found.values, "clr").merge(_melt(variance, "variance"), on=[keys.POPULATION, UNIT])


def _melt(values: pd.DataFrame, name: str) -> pd.DataFrame:
    """Populations x units as a row each."""
    named = values.rename_axis(index=keys.POPULATION, columns=UNIT)
    return named.reset_index().melt(id_vars=keys.POPULATION, var_name=UNIT, value_name=name)


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
