"""Do the headlines depend on choices that were made before a mouse was tested?

Every combination of QC strictness, doublet rule, integration and resolution is one specification of the same analysis.
A headline's estimates over all of them, sorted, are its specification curve (Simonsohn, Simmons & Nelson 2020,
doi:10.1038/s41562-020-0912-z). Specifications share their mice and nearly all of their cells: they are no sample of
anything, so the curve is described and no p-value is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.design.declared import RESCUE
from livermet.multiverse.grid import CHOICES, DOUBLETS, INTEGRATE, MADS, RESOLUTION, SPECIFICATION, name_specification

HEADLINE = [keys.QUESTION, keys.POPULATION, keys.ENDPOINT, keys.READOUT]
ABOUT = [SPECIFICATION, *CHOICES, keys.IS_DEFAULT]
NUMBERS = [
    keys.ESTIMATE,
    keys.CI_LOW,
    keys.CI_HIGH,
    keys.P_VALUE,
    keys.ADJUSTED_P_VALUE,
    keys.TIER,
    keys.EQUIVALENT,
]
SPECIFICATION_COLUMNS = [*ABOUT, keys.N_CELLS, "n_clusters", "n_t_cells", keys.FAILURE]
ESTIMATE_COLUMNS = [*HEADLINE, "unit", *ABOUT, *NUMBERS, keys.CLEAR]
SUMMARY_COLUMNS = [
    *HEADLINE,
    "unit",
    keys.ESTIMATE,
    keys.CLEAR,
    keys.N_SPECIFICATIONS,
    "n_estimable",
    "n_distinct",
    "lowest",
    "median",
    "highest",
    "share_same_sign",
    "share_clear",
    keys.SHARE_SAME_VERDICT,
    "depends_most_on",
    "its_share",
]


def collect_multiverse(
    estimates: Sequence[pd.DataFrame],
    outcomes: Sequence[pd.DataFrame],
    answers: pd.DataFrame,
    own: Mapping[str, object],
    confidence: float,
) -> dict[str, pd.DataFrame]:
    """The headlines of a study under every specification.

    Parameters
    ----------
    estimates, outcomes
        A table each per job, as :func:`livermet.multiverse.answers.answer_specifications` gives them.
    answers
        The study's own answers.
    own
        The study's own choices.
    confidence
        1 - confidence is the level at which a change counts as shown.

    Returns
    -------
    dict
        ``estimates``, ``summary`` and ``specifications``.
    """
    specifications = mark_specifications(outcomes, own)
    table = collect_estimates(estimates, specifications, choose_headlines(answers), confidence)
    return {"estimates": table, "summary": summarise_curves(table), "specifications": specifications}


def mark_specifications(outcomes: Sequence[pd.DataFrame], own: Mapping[str, object]) -> pd.DataFrame:
    """Put the specifications of all jobs together, name them and mark the study's own.

    Parameters
    ----------
    outcomes
        Tables with mads, doublets, integrate, resolution, n_cells, n_clusters, n_t_cells, failure.
    own
        The choices of the study, every one.

    Returns
    -------
    pandas.DataFrame
        One row a specification: :data:`SPECIFICATION_COLUMNS`; `failure` says why it gave no answer, empty where it did.

    Raises
    ------
    ValueError
        If the study's own specification is not among them: its curve would lack what was reported.
    """
    table = pd.concat(list(outcomes), ignore_index=True)
    table[keys.IS_DEFAULT] = np.logical_and.reduce([table[name] == own[name] for name in CHOICES])
    if table[keys.IS_DEFAULT].sum() != 1:
        raise ValueError(f"{table[keys.IS_DEFAULT].sum()} specifications are the study's own, {own}")
    table[SPECIFICATION] = [
        name_specification({str(key): value for key, value in row.items()})
        for row in table[list(CHOICES)].to_dict("records")
    ]
    table[keys.FAILURE] = table[keys.FAILURE].fillna("")
    return table.sort_values(list(CHOICES), kind="stable", ignore_index=True)[SPECIFICATION_COLUMNS]


def choose_headlines(answers: pd.DataFrame) -> pd.DataFrame:
    """What the curves are drawn of: declared endpoints and rescues.

    Parameters
    ----------
    answers
        The study's answers; `declared` marks the rows that the config declared. Where it declared none, the abundances
        of all populations stand in for them.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`HEADLINE`, in the order of the answers.
    """
    declared = _flags(answers[keys.DECLARED]) if keys.DECLARED in answers else pd.Series(False, index=answers.index)
    if not declared.any():
        declared = answers[keys.ENDPOINT] == "composition"
    return answers.loc[declared | (answers[keys.ENDPOINT] == RESCUE), [*HEADLINE, "unit"]].reset_index(drop=True)


def collect_estimates(
    estimates: Sequence[pd.DataFrame], specifications: pd.DataFrame, headlines: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Every headline in every specification.

    Parameters
    ----------
    estimates
        Answers of the specifications: mads, doublets, integrate, resolution and the columns of the answers.
    specifications
        From :func:`mark_specifications`.
    headlines
        From :func:`choose_headlines`.
    confidence
        1 - confidence is the level at which a change counts as shown.

    Returns
    -------
    pandas.DataFrame
        Headlines x specifications, complete: a specification that failed or does not answer has its row, "not estimable".
        `clear` says whether a change was shown (sameness, where that was asked): by the adjusted p-value, or by an interval
        that leaves out 0 where an endpoint has none.
    """
    given = pd.concat([table for table in estimates if len(table)] or list(estimates), ignore_index=True)
    grid = headlines.merge(specifications[ABOUT], how="cross")
    names = [MADS, DOUBLETS, INTEGRATE, RESOLUTION, keys.QUESTION, keys.ENDPOINT, keys.READOUT, "_in"]
    given, grid = _comparable(given), _comparable(grid)
    table = grid.merge(given[[*names, *NUMBERS]], on=names, how="left", validate="one_to_one")
    table[keys.TIER] = table[keys.TIER].fillna(keys.NOT_ESTIMABLE)
    unknown = table[keys.TIER] == keys.NOT_ESTIMABLE
    table[keys.EQUIVALENT] = table[keys.EQUIVALENT].astype("boolean").mask(unknown)
    table.loc[unknown, NUMBERS[:5]] = np.nan
    excluded = (table[keys.CI_LOW] > 0) | (table[keys.CI_HIGH] < 0)
    adjusted = table[keys.ADJUSTED_P_VALUE]
    by_interval = adjusted.isna() & (table[keys.ENDPOINT] == RESCUE)
    table[keys.CLEAR] = (adjusted < 1 - confidence) | (by_interval & excluded)
    return table[ESTIMATE_COLUMNS]


def _comparable(table: pd.DataFrame) -> pd.DataFrame:
    """Names as text and numbers as numbers, and the population by which rows are matched.

    A mechanism read-out is taken in the first of its populations that can answer, which may be another one elsewhere.
    """
    text = {name: table[name].fillna("").astype(str) for name in HEADLINE}
    table = table.assign(**text, **{name: table[name].astype(float) for name in (MADS, RESOLUTION)})
    return table.assign(_in=table[keys.POPULATION].where(table[keys.ENDPOINT] != "mechanism", ""))


def summarise_curves(estimates: pd.DataFrame) -> pd.DataFrame:
    """How far each headline holds over the specifications.

    Parameters
    ----------
    estimates
        From :func:`collect_estimates`.

    Returns
    -------
    pandas.DataFrame
        One row a headline. `estimate` and `clear` are the study's own. Shares are of all specifications, those without
        an answer included: `share_same_sign` have the sign of the study's estimate, `share_clear` have it and show a
        change, `share_same_verdict` say what the study says (a change of this sign, or none shown; an answer, or none).
        `n_distinct` counts different estimates: choices that come to the same labels come to the same number.
        `depends_most_on` is the choice whose levels explain most of the variance of the estimates, `its_share` how much
        (eta squared); empty where fewer than two estimates or levels differ.
    """
    rows = [_summarise(group) for _, group in estimates.groupby(HEADLINE, sort=False, dropna=False)]
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def _summarise(curve: pd.DataFrame) -> dict[str, object]:
    own = curve[curve[keys.IS_DEFAULT]].iloc[0]
    values = curve[keys.ESTIMATE]
    same = pd.Series(np.sign(values) == np.sign(own[keys.ESTIMATE]), index=curve.index)
    # Two arms may be shown to be the same on either side of 0.
    clear = curve[keys.CLEAR] if curve[keys.EQUIVALENT].notna().any() else same & curve[keys.CLEAR]
    unshown = values.isna() if pd.isna(own[keys.ESTIMATE]) else values.notna() & ~curve[keys.CLEAR]
    verdict = clear if own[keys.CLEAR] else unshown
    choice, share = _most_influential(curve[values.notna()])
    return {
        **{name: own[name] for name in [*HEADLINE, "unit", keys.ESTIMATE, keys.CLEAR]},
        keys.N_SPECIFICATIONS: len(curve),
        "n_estimable": int(values.notna().sum()),
        "n_distinct": values.round(9).nunique(),
        "lowest": values.min(),
        "median": values.median(),
        "highest": values.max(),
        "share_same_sign": float(same.mean()),
        "share_clear": float(clear.mean()),
        keys.SHARE_SAME_VERDICT: float(verdict.mean()),
        "depends_most_on": choice,
        "its_share": share,
    }


def _most_influential(curve: pd.DataFrame) -> tuple[str, float]:
    """The choice that explains most of the variance of the estimates, and its share."""
    values = curve[keys.ESTIMATE]
    total = float(((values - values.mean()) ** 2).sum())
    if len(curve) < 2 or total < 1e-12:
        return "", float("nan")
    shares = {
        name: float(((values.groupby(curve[name]).transform("mean") - values.mean()) ** 2).sum()) / total
        for name in CHOICES
        if curve[name].nunique() > 1
    }
    if not shares:
        return "", float("nan")
    best = max(shares, key=lambda name: shares[name])
    return best, shares[best]


def _flags(column: pd.Series) -> pd.Series:
    """Booleans, also where a text table has spelt them out."""
    return column.astype(str).str.lower().isin(["true", "1"])
