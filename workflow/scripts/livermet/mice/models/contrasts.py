"""Puts every question of the design to quantities measured once a mouse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.design.model import Design
from livermet.mice.models.equivalence import find_margin, is_equivalence, mice_for_equivalence, turn
from livermet.mice.models.linear import Array, RowFit, fit_rows, precision_weights
from livermet.mice.models.power import mice_per_arm_needed, replication

ROW = "row"
REASON = "reason"
N_MICE = "n_mice"  # JSON: arm -> mice


def fit_part(values: pd.DataFrame, variance: Array, part: Design, moderate: bool) -> tuple[RowFit, Array]:
    """Fit rows to the units of one part of the design.

    Parameters
    ----------
    values
        Rows x all units; NaN where not measured.
    variance
        Rows x all units: variance by counting.
    part
        A design as :meth:`Design.parts` gives it.
    moderate
        Whether rows share what they know of the residual variance.

    Returns
    -------
    fit
        The fitted rows.
    weights
        Rows x units of the part.
    """
    places = values.columns.get_indexer(part.units.index)
    chosen, matrix = values.iloc[:, places], part.matrix.to_numpy(dtype=float)
    weights = precision_weights(chosen, np.asarray(variance)[:, places], matrix)
    return fit_rows(chosen, matrix, weights, moderate, blocks=list(part.units[keys.MOUSE])), weights


def estimate_rows(
    values: pd.DataFrame,
    variance: Array,
    design: Design,
    settings: Mapping[str, Any],
    *,
    moderate: bool = True,
    endpoint: str = "",
) -> pd.DataFrame:
    """Every question but the rescues, in every row.

    Parameters
    ----------
    values
        Rows x units of the design; NaN where a unit was not measured.
    variance
        Rows x units: variance of each value by counting alone.
    design
        The checked design.
    settings
        The resolved `design` section: `confidence`, `effect_of_interest`.
    moderate
        Whether rows share what they know of the residual variance; not for rows of different kinds.
    endpoint
        What the rows are, where an equivalence has a margin of its own for it: "signature".

    Returns
    -------
    pandas.DataFrame
        Columns question, row, `linear.STATISTICS`, mice_per_arm_needed, tier, reason, n_mice (JSON, arm -> mice). What cannot
        be estimated has a row, too: without numbers, with the reason. Where an equivalence is asked, those of
        :mod:`livermet.mice.models.equivalence` as well: in its rows `p_value` is that of sameness, and the mice needed are
        those that would show it.
    """
    tables = []
    for part, questions in design.parts():
        asked = [name for name in questions if part[name].kind != "rescue"]
        if not asked or values.empty:
            continue
        fit, _ = fit_part(values, variance, part, moderate)
        subsets = _subsets(part, fit)
        for name in asked:
            statistics = fit.estimate(part.vector(name), settings["confidence"])
            if is_equivalence(part[name].kind):
                statistics = turn(statistics, find_margin(name, design.settings, endpoint), settings["confidence"])
            tables.append(_judge(name, statistics, subsets, settings, endpoint))
    if not tables:
        return pd.DataFrame(columns=[keys.QUESTION, ROW])
    return design.in_order(pd.concat(tables, ignore_index=True))


def _subsets(part: Design, fit: RowFit) -> list[Design]:
    """The design of the units that each row was measured in; rows with the same units share one."""
    known: dict[bytes, Design] = {}
    found = []
    for used in fit.used:
        key = used.tobytes()
        if key not in known:
            known[key] = part if used.all() else part.subset(part.units.index[used])
        found.append(known[key])
    return found


def _judge(
    name: str, statistics: pd.DataFrame, subsets: list[Design], settings: Mapping[str, Any], endpoint: str
) -> pd.DataFrame:
    """Set beside each estimate what it is worth, and take away what the design cannot carry."""
    contrasts = [subset[name] for subset in subsets]
    table = statistics.reset_index()
    numbers = [column for column in table if column not in (ROW, keys.MARGIN)]
    table.loc[[not contrast.estimable for contrast in contrasts], numbers] = np.nan
    table.insert(0, keys.QUESTION, name)
    asked = {"effect": settings["effect_of_interest"], "confidence": settings["confidence"]}
    error, df = table[keys.STANDARD_ERROR].to_numpy(dtype=float), table["df"].to_numpy(dtype=float)
    needed = np.full(len(table), np.nan)
    for one in {id(subset): subset for subset in subsets}.values():
        rows = [place for place, subset in enumerate(subsets) if subset is one]
        mice_now, n_arms = replication(one[name], one)
        now: dict[str, Any] = {"mice_now": mice_now, "n_arms": n_arms}
        if is_equivalence(one[name].kind):
            margin, confidence = find_margin(name, one.settings, endpoint), settings["confidence"]
            needed[rows] = mice_for_equivalence(error[rows], df[rows], **now, margin=margin, confidence=confidence)
            continue
        needed[rows] = mice_per_arm_needed(error[rows], df[rows], **now, **asked)
    table[keys.MICE_NEEDED] = needed
    table[keys.TIER] = [contrast.tier for contrast in contrasts]
    table[REASON] = [contrast.reason for contrast in contrasts]
    table[N_MICE] = [json.dumps(contrast.n_mice) for contrast in contrasts]
    return table
