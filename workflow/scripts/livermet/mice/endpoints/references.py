"""A second look at abundance: every population against references that were declared beforehand.

The geometric mean behind a centred log-ratio moves with every population, so that one large change leaves a small one of
the opposite sign in all others. An additive log-ratio (Aitchison 1982, doi:10.1111/j.2517-6161.1982.tb01195.x) against
one population moves with that population alone, but then *it* may be what changed. Two or more references that have
little in common settle it: a change that shows against each of them is not theirs. Asking that every interval excludes 0
on the same side is an intersection-union test (Berger 1982, doi:10.1080/00401706.1982.10487790): it keeps the level of a
single interval without any adjustment, and loses power with every reference.

A population that shares cells with a reference is not held against it (a ratio of a whole to its own part says something
else); the other references judge it. A reference with too few cells judges nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.design.model import Design
from livermet.mice.endpoints.log_ratios import MIN_MEAN_CELLS, measure_against
from livermet.mice.models.contrasts import ROW, estimate_rows

STATISTICS = {
    keys.ESTIMATE: keys.LOG_FOLD_CHANGE,
    keys.CI_LOW: keys.CI_LOW,
    keys.CI_HIGH: keys.CI_HIGH,
    keys.P_VALUE: keys.P_VALUE,
}


@dataclass(frozen=True)
class Reference:
    """A population that others are held against.

    Attributes
    ----------
    name
        Of a population of the config.
    counts
        Index unit: its cells.
    overlaps
        Parts, of any level, that share cells with it.
    """

    name: str
    counts: pd.Series
    overlaps: Collection[str]


def column(reference: str, statistic: str) -> str:
    """Name of a column: ``alr_<reference>_<statistic>``."""
    return f"{keys.ALR}{reference}_{statistic}"


def compare_with_references(
    counts: pd.DataFrame,
    totals: pd.Series,
    references: Collection[Reference],
    design: Design,
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """Every question, put to the ratio of every part to every reference.

    Parameters
    ----------
    counts
        Units x parts.
    totals
        Index unit: all cells.
    references
        Those declared.
    design, settings
        As for :func:`livermet.mice.models.contrasts.estimate_rows`.

    Returns
    -------
    pandas.DataFrame
        Index (question, part); four columns a reference: ``alr_<reference>_log_fold_change`` (log2), ``_ci_low``,
        ``_ci_high``, ``_p_value`` (of sameness where that is the question); NaN where the part shares cells with the
        reference or the reference is too rare.
    """
    asked = [name for name, contrast in design.contrasts.items() if contrast.kind != "rescue"]
    index = pd.MultiIndex.from_product([asked, counts.columns], names=[keys.QUESTION, keys.POPULATION])
    found = pd.DataFrame(index=index)
    matrix = np.asarray(design.matrix, dtype=float)
    for reference in references:
        apart = counts.loc[:, [part for part in counts if part not in reference.overlaps]]
        names = {statistic: column(reference.name, name) for statistic, name in STATISTICS.items()}
        if apart.empty or reference.counts.mean() < MIN_MEAN_CELLS:
            found = found.assign(**dict.fromkeys(names.values(), np.nan))
            continue
        ratios = measure_against(apart, reference.counts, totals, matrix)
        table = estimate_rows(ratios.values, ratios.variance, design, settings)
        table = table.rename(columns={ROW: keys.POPULATION, **names}).set_index([keys.QUESTION, keys.POPULATION])
        found = found.join(table[list(names.values())])
    return found


def agree(table: pd.DataFrame, references: Collection[str]) -> pd.Series:
    """Whether every reference shows what the centred log-ratio shows.

    Parameters
    ----------
    table
        Column log_fold_change and those of :func:`compare_with_references`.
    references
        Names of those declared.

    Returns
    -------
    pandas.Series
        Boolean: True where each reference that a row can be held against gives the sign of `log_fold_change` and an
        interval without 0; False where one does not; missing where there is none, or no interval.
    """
    verdicts = pd.DataFrame({name: holds(table, name) for name in references}, index=table.index, dtype="boolean")
    known = verdicts.notna().any(axis=1)
    return verdicts.fillna(True).all(axis=1).astype("boolean").where(known)


def holds(table: pd.DataFrame, reference: str) -> pd.Series:
    """Whether one reference shows the change; boolean, missing where it cannot be said."""
    low, high = (table[column(reference, end)].astype(float) for end in (keys.CI_LOW, keys.CI_HIGH))
    change = table[keys.LOG_FOLD_CHANGE].astype(float)
    shown: pd.Series = ((change > 0) & (low > 0)) | ((change < 0) & (high < 0))
    return shown.astype("boolean").where(low.notna() & high.notna() & change.notna())
