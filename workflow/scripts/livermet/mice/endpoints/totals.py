"""From ratios to numbers of cells: with the total measured, or by saying which totals the conclusion bears.

Single-cell data say what part of a mouse's cells a population is, not how many cells there are. Yet

    log2 change of a number = log2 change of its share + log2 change of the total,

whatever the contrast. Where a total was counted for every unit (`absolute_cells` in the sheet), the numbers are tested by
the same models as everything else; the error of that count is part of what differs between mice. Where it was not, the
interval of the share says how far an unmeasured change of the total would have to go to undo the conclusion: with the
interval [l, h] of a share's log2 change, fewer cells are shown as long as the total rose less than 2^-h-fold, more cells
as long as it rose more than 2^-l-fold, and in between nothing is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.design.model import Design
from livermet.mice.endpoints.log_ratios import Ratios, measure_shares
from livermet.mice.endpoints.readouts import find_units
from livermet.mice.models.contrasts import ROW, estimate_rows
from livermet.mice.models.linear import adjust

SHARE, ABSOLUTE, TOTAL = "share_", "absolute_", "total_"  # prefixes of columns
INTERVAL = {keys.ESTIMATE: keys.LOG_FOLD_CHANGE, keys.CI_LOW: keys.CI_LOW, keys.CI_HIGH: keys.CI_HIGH}


def find_totals(samples: pd.DataFrame, design: Design) -> pd.Series | None:
    """Counted cells of every unit.

    Parameters
    ----------
    samples
        Index sample; columns mouse, where the study has several tissue, and where they were counted absolute_cells. All
        samples of a mouse and tissue carry the number of the whole, so nothing is added up.
    design
        The checked design.

    Returns
    -------
    pandas.Series or None
        Index unit; NaN for units of a tissue without counts. None where nothing was counted.
    """
    if keys.ABSOLUTE_CELLS not in samples:
        return None
    numbers = pd.Series(
        pd.to_numeric(samples[keys.ABSOLUTE_CELLS], errors="coerce").to_numpy(dtype=float),
        index=find_units(samples, design),
    )
    counted = numbers.groupby(level=0).first().reindex(design.units.index)
    return counted if counted.notna().any() else None


def estimate_shares(
    counts: pd.DataFrame, totals: pd.Series, design: Design, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Every question, put to the share of every part among all cells.

    Parameters
    ----------
    counts
        Units x parts.
    totals
        Index unit: all cells.
    design, settings
        As for :func:`livermet.mice.models.contrasts.estimate_rows`.

    Returns
    -------
    pandas.DataFrame
        Index (question, part); columns share_log_fold_change, share_ci_low, share_ci_high (log2).
    """
    found = _estimate(measure_shares(counts, totals, np.asarray(design.matrix, dtype=float)), design, settings)
    return found[list(INTERVAL)].rename(columns={name: SHARE + to for name, to in INTERVAL.items()})


def estimate_numbers(
    counts: pd.DataFrame, totals: pd.Series, counted: pd.Series, design: Design, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Every question, put to the number of cells of every part.

    Parameters
    ----------
    counts, totals, design, settings
        As for :func:`estimate_shares`.
    counted
        Index unit: cells of the whole, in number; NaN where not counted.

    Returns
    -------
    pandas.DataFrame
        Index (question, part); columns absolute_log_fold_change, absolute_ci_low, absolute_ci_high, absolute_p_value,
        absolute_adjusted_p_value (within the question), and total_log_fold_change, total_ci_low, total_ci_high: the change
        of the total itself, the same in all rows of a question.
    """
    shares = measure_shares(counts, totals, np.asarray(design.matrix, dtype=float))
    logs = np.log2(counted.reindex(shares.values.columns))
    numbers = _estimate(Ratios(shares.values.add(logs, axis=1), shares.variance), design, settings)
    names = {**INTERVAL, keys.P_VALUE: keys.P_VALUE}
    found = numbers.rename(columns={name: ABSOLUTE + to for name, to in names.items()})
    by_question = found.groupby(level=keys.QUESTION, sort=False)[ABSOLUTE + keys.P_VALUE]
    found[ABSOLUTE + keys.ADJUSTED_P_VALUE] = by_question.transform(adjust)
    # Every total is as good as another: one variance for all leaves the weights equal.
    whole = _estimate(Ratios(logs.to_frame("all").T, np.ones((1, len(logs)))), design, settings)
    whole = whole.droplevel(keys.POPULATION).rename(columns={name: TOTAL + to for name, to in INTERVAL.items()})
    columns = [ABSOLUTE + to for to in (*names.values(), keys.ADJUSTED_P_VALUE)]
    return found[columns].join(whole[[TOTAL + to for to in INTERVAL.values()]], on=keys.QUESTION)


def bound_totals(table: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Changes of the total under which a change of a ratio is one of numbers, too.

    Parameters
    ----------
    table
        Columns log_fold_change, adjusted_p_value, share_ci_low, share_ci_high.
    confidence
        1 - the level at which a change counts as shown.

    Returns
    -------
    pandas.DataFrame
        ``holds_if_total_above``: for a rise, the fold change of the total above which the number rose; missing otherwise.
        ``holds_if_total_below``: for a loss, the fold change of the total below which the number fell. Both only where
        a change was shown. In a difference or a synergy the total's fold change is that of the same contrast.
    """
    called = table[keys.ADJUSTED_P_VALUE].astype(float) < 1 - confidence
    up = table[keys.LOG_FOLD_CHANGE].astype(float) > 0
    low, high = (2.0 ** -table[SHARE + end].astype(float) for end in (keys.CI_LOW, keys.CI_HIGH))
    return pd.DataFrame({keys.HOLDS_ABOVE: low.where(called & up), keys.HOLDS_BELOW: high.where(called & ~up)})


def _estimate(ratios: Ratios, design: Design, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Every question in every row, by question and part."""
    table = estimate_rows(ratios.values, ratios.variance, design, settings)
    table = table.reindex(columns=[keys.QUESTION, ROW, *INTERVAL, keys.P_VALUE])
    return table.rename(columns={ROW: keys.POPULATION}).set_index([keys.QUESTION, keys.POPULATION])
