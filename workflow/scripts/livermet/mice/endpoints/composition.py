"""Abundance of populations, as ratios to the other cells of the same mouse.

Single-cell counts say nothing about totals: a population's share falls when another grows. Counts are therefore turned
into centred log-ratios (:mod:`livermet.mice.endpoints.log_ratios`): the log2 of a part over the geometric mean of all
parts. **Every `log_fold_change` here is relative to the geometric mean of the other parts, not a change in number.**
Values are weighted by their precision and tested with a linear model whose variances are moderated across parts, as
crumblr does (Hoffman & Roussos, doi:10.1101/2025.01.29.635498). Two things stand beside each: what references that were
declared beforehand say (:mod:`livermet.mice.endpoints.references`), and what is needed to speak of numbers, or the numbers
themselves (:mod:`livermet.mice.endpoints.totals`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from livermet import keys
from livermet.mice.design.model import ARM, UNIT, Design
from livermet.mice.endpoints.levels import LEVEL, POPULATION_LEVEL, Abundance, measure_levels, membership, units_of
from livermet.mice.endpoints.log_ratios import MIN_MEAN_CELLS, RARE
from livermet.mice.endpoints.references import Reference, agree, compare_with_references
from livermet.mice.endpoints.totals import bound_totals, estimate_numbers, estimate_shares
from livermet.mice.models import equivalence
from livermet.mice.models.contrasts import N_MICE, REASON, ROW, estimate_rows
from livermet.mice.models.linear import Array, adjust_within_question

__all__ = ["LEVEL", "POPULATION_LEVEL", "membership", "test_composition", "units_of"]

MEAN_FRACTION = "mean_fraction"
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
    *equivalence.COLUMNS,
    keys.REFERENCES_AGREE,
    keys.HOLDS_ABOVE,
    keys.HOLDS_BELOW,
]  # and then those of the references, the shares, and the numbers where cells were counted
ADDED = (keys.REFERENCES_AGREE, keys.HOLDS_ABOVE, keys.HOLDS_BELOW)


def test_composition(
    labels: pd.DataFrame,
    units: pd.Series,
    design: Design,
    settings: Mapping[str, Any],
    counted: pd.Series | None = None,  # noqa: PT028 - named like its rule, no test
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
        The resolved `design` section: `populations`, `references`, `confidence`, `effect_of_interest`.
    counted
        Index unit: cells of the whole, in number (:func:`livermet.mice.endpoints.totals.find_totals`); None where they
        were not counted.

    Returns
    -------
    dict
        ``composition``: one row per question, level and population (log2 fold changes of the ratio to the geometric mean
        of all parts of the level; adjusted within question and level), with what each reference says, the share, under
        which changes of the total the change is one of numbers, and the numbers where they were counted.
        ``proportions``: one row per mouse, tissue, level and population. ``abundance``: unit, population, clr and its
        counting variance of the config's populations, for what is built upon them.
    """
    levels = measure_levels(labels, units, design, settings)
    tables = [
        _test_level(level, found, levels[POPULATION_LEVEL].counts, design, settings, counted)
        for level, found in levels.items()
    ]
    return {
        "composition": pd.concat(tables, ignore_index=True),
        "proportions": pd.concat(
            [_proportions(level, found, design) for level, found in levels.items()], ignore_index=True
        ),
        "abundance": _long(levels[POPULATION_LEVEL]),
    }


def _test_level(
    level: str,
    found: Abundance,
    populations: pd.DataFrame,
    design: Design,
    settings: Mapping[str, Any],
    counted: pd.Series | None,
) -> pd.DataFrame:
    """Every question in every part of a level; `populations` are the cells of the config's, units x populations."""
    table = estimate_rows(found.values, found.variance, design, settings)
    table = table[table[ROW] != RARE].rename(columns={ROW: keys.POPULATION, keys.ESTIMATE: keys.LOG_FOLD_CHANGE})
    table = pd.concat([table, _rare_rows(found, design)], ignore_index=True)
    table[LEVEL] = level
    shares = found.counts.div(found.totals.where(found.totals > 0), axis=0).mean()
    table[MEAN_FRACTION] = table[keys.POPULATION].map(shares)
    table = table.reindex(columns=[column for column in COLUMNS if column not in ADDED])
    table[keys.ADJUSTED_P_VALUE] = adjust_within_question(table)
    table = equivalence.judge(table, settings["confidence"])
    references = [Reference(name, populations[name], parts) for name, parts in found.overlaps.items()]
    beside = [
        compare_with_references(found.tested, found.totals, references, design, settings),
        estimate_shares(found.tested, found.totals, design, settings),
    ]
    if counted is not None:
        beside.append(estimate_numbers(found.tested, found.totals, counted, design, settings))
    table = table.join(pd.concat(beside, axis=1), on=[keys.QUESTION, keys.POPULATION])
    table[keys.REFERENCES_AGREE] = agree(table, list(found.overlaps))
    table = table.assign(**bound_totals(table, settings["confidence"]))
    # Both are about a change; sameness of a ratio is not made surer by another ratio that changed.
    table.loc[table[keys.MARGIN].notna(), list(ADDED)] = pd.NA
    return table[[*COLUMNS, *(column for column in table if column not in COLUMNS)]]


def _rare_rows(found: Abundance, design: Design) -> pd.DataFrame:
    """A row that says so for every part too rare to test, or alone in its level, and every question."""
    rare = f"fewer than {MIN_MEAN_CELLS:g} cells a mouse on average"
    alone = "all cells are of this population: a share needs another beside it"
    reasons = {part: rare if found.counts[part].mean() < MIN_MEAN_CELLS else alone for part in found.counts}
    rows = [
        {
            keys.QUESTION: name,
            keys.POPULATION: part,
            keys.TIER: keys.NOT_ESTIMABLE,
            REASON: reasons[part],
            N_MICE: json.dumps(contrast.n_mice),
        }
        for name, contrast in design.contrasts.items() if contrast.kind != "rescue"
        for part in found.counts if part not in found.values.index
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=[keys.QUESTION, keys.POPULATION, keys.TIER, REASON, N_MICE])


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


def read_abundance(abundance: pd.DataFrame, design: Design) -> tuple[pd.DataFrame, Array]:
    """Take back the `abundance` that :func:`test_composition` gave.

    Returns
    -------
    values, variance
        Populations x units of the design: centred log-ratios and their counting variance; populations in the order in
        which they were tested.
    """
    order, units = list(dict.fromkeys(abundance[keys.POPULATION])), design.units.index
    values, variance = (
        abundance.pivot(index=keys.POPULATION, columns=UNIT, values=name).reindex(order, columns=units)
        for name in ("clr", "variance")
    )
    return values, variance.to_numpy(dtype=float)


def _melt(values: pd.DataFrame, name: str) -> pd.DataFrame:
    """Populations x units as a row each."""
    named = values.rename_axis(index=keys.POPULATION, columns=UNIT)
    return named.reset_index().melt(id_vars=keys.POPULATION, var_name=UNIT, value_name=name)
