"""The answers as the page shows them: a card a question, and the paper's claims one by one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from livermet.keys import (
    ADJUSTED_P_VALUE,
    CI_HIGH,
    CI_LOW,
    DECLARED,
    ENDPOINT,
    ESTIMATE,
    ESTIMATE_WITHOUT_AMBIENT,
    LEAD,
    LOO_HIGH,
    LOO_LOW,
    MARGIN,
    N_AMBIENT_GENES,
    NOT_ESTIMABLE,
    P_VALUE,
    P_VALUE_WITHOUT_AMBIENT,
    PERMUTATION_P_VALUE,
    POPULATION,
    QUESTION,
    SENTENCE,
    SIGN_FLIPS,
    SMALLEST_P,
    TIER,
)
from livermet.plots.words import capital, words
from livermet.report import numbers
from livermet.report.numbers import is_true

ALPHA = 0.05
READOUT, UNIT = "readout", "unit"
EXPRESSION = "expression"  # the endpoint
FAMILY_NAMES = {"signature": "signatures", "composition": "populations", "mechanism": "read-outs"}
MINIMUM, MICE = "minimum_detectable_effect", "n_mice"


@dataclass(frozen=True)
class Mark:
    """An interval drawn on a scale from 0 to 100, ends clipped to it."""

    zero: float
    low: float
    high: float
    at: float | None
    open_low: bool
    open_high: bool
    one: float | None = None


@dataclass(frozen=True)
class Row:
    """One estimate in words and numbers."""

    label: str
    gene: str  # which gene the estimate is of, where the sentence speaks of many; else empty
    sentence: str
    estimate: str
    unit: str
    interval: str
    p: str
    adjusted_p: str
    tier: str
    minimum: str
    mice: str
    mark: Mark | None
    clear: bool
    family: str = ""  # what its p-value was adjusted over, in words
    checks: str = ""  # without any one mouse, and with labels exchanged
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """A question with its declared answers; with its leads alone where none was declared."""

    name: str
    title: str
    formula: str
    tier: str
    reason: str
    rows: tuple[Row, ...]
    n_more: int
    leads: tuple[Row, ...] = ()
    counts: str = ""  # how many of the estimates that were not declared show a change


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper and the estimates that speak to it."""

    text: str
    rows: tuple[tuple[str, Row], ...]


# What Yu et al. claim, and where the default questions ask it: question, endpoint, read-out (or population).
CLAIMS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    ("Liver metastasis depletes T cells.",
     (("site_untreated", "composition", "T_cell"), ("site_untreated", "composition", "CD8_T"),
      ("site_untreated", "composition", "CD8_activated"))),
    ("Activated Fas+ CD8 T cells die there.",
     (("site_untreated", "mechanism", "Fas_positive_share"), ("site_untreated", "mechanism", "AICD_in_activated_CD8"),
      ("site_untreated", "mechanism", "AICD_without_p53_in_activated_CD8"))),
    ("FasL+ monocyte-derived macrophages do it.",
     (("site_untreated", "composition", "Monocyte_derived_macrophage"),
      ("site_untreated", "mechanism", "Fasl_in_macrophages"), ("site_untreated", "mechanism", "Fasl_Fas_coexpression"),
      ("site_untreated", "mechanism", "macrophages_per_activated_CD8"))),
    ("Radiotherapy removes them.",
     (("rt_livermet", "composition", "Monocyte_derived_macrophage"), ("rt_livermet", "mechanism", "Fasl_in_macrophages"),
      ("rt_livermet", "mechanism", "macrophages_per_activated_CD8"))),
    ("Radiotherapy with anti-PD-L1 brings the T cells back.",
     (("combo_livermet", "composition", "CD8_activated"), ("combo_livermet", "mechanism", "AICD_in_activated_CD8"),
      ("synergy_livermet", "composition", "CD8_activated"))),
    ("... to what mice without liver metastasis have.",
     (("rescue_combo", "rescue", "CD8_activated"), ("rescue_combo", "rescue", "Monocyte_derived_macrophage"),
      ("combo_like_healthy", "composition", "CD8_activated"),
      ("combo_like_healthy", "composition", "Monocyte_derived_macrophage"))),
    ("... and it does so because of the liver.",
     (("combo_by_site", "composition", "CD8_activated"), ("combo_by_site", "composition", "Monocyte_derived_macrophage"))),
)  # fmt: skip


def make_cards(
    answers: pd.DataFrame, questions: Mapping[str, str], design: Mapping[str, Any], labels: Mapping[str, str]
) -> list[Card]:
    """A card for every question, in the config's order.

    Parameters
    ----------
    answers
        One row a question x population x endpoint.
    questions
        Name -> the question in words.
    design
        What the design check found, by question (formula, reason); may be empty.
    labels
        Read-out -> words for it.

    Returns
    -------
    list of Card
        With the declared rows, and apart from them the leads, which were picked after looking; or the reason why there is
        neither.
    """
    reaches = _reaches(answers)
    cards = []
    for name, title in questions.items():
        part = answers[answers[QUESTION] == name]
        declared = part[DECLARED].map(is_true).astype(bool)
        families = _families(part)
        rows, leads = (
            tuple(make_row(row, labels, reaches, families) for _, row in part[chosen].iterrows())
            for chosen in (declared, part[LEAD].map(is_true).astype(bool))
        )
        checked = design.get(name, {})
        tier = str(checked.get("tier") or (rows[0].tier if rows else NOT_ESTIMABLE))
        cards.append(
            Card(
                name=name,
                title=title,
                formula=str(checked.get("formula", "")),
                tier=tier,
                reason=str(checked.get("reason") or ""),
                rows=rows,
                n_more=int((~declared).sum()),
                leads=leads,
                counts=_counts(part[~declared]),
            )
        )
    return cards


def _families(part: pd.DataFrame) -> dict[str, str]:
    """Of one question, endpoint -> what a p-value was adjusted over; the declared rows under `declared`."""
    tested = part[P_VALUE].notna()
    n = int((tested & part[DECLARED].map(is_true).astype(bool)).sum())
    found = {DECLARED: f"Holm, {n} declared" if n > 1 else "the only one declared"}
    for endpoint, rows in part[tested].groupby(ENDPOINT):
        # A row of the answers stands for all genes of its population.
        what = "genes" if endpoint == EXPRESSION else f"{len(rows)} {FAMILY_NAMES.get(str(endpoint), 'estimates')}"
        found[str(endpoint)] = f"Benjamini-Hochberg, {what}"
    return found


def _counts(others: pd.DataFrame) -> str:
    """How many estimates that nobody declared show a change."""
    tested = others[others[P_VALUE].notna()]
    clear = int(sum(_is_clear(row) for _, row in tested.iterrows()))
    return f"{clear} of {len(tested)}" if len(tested) else ""


def make_claims(answers: pd.DataFrame, questions: Mapping[str, str], labels: Mapping[str, str]) -> list[Claim]:
    """The paper's claims with the estimates that the study has for them; claims without any are left out."""
    reaches = _reaches(answers)
    claims = []
    for text, wanted in CLAIMS:
        rows: list[tuple[str, Row]] = []
        for question, endpoint, name in wanted:
            here = answers[(answers[QUESTION] == question) & (answers[ENDPOINT] == endpoint)]
            found = here[(here[READOUT] == name) | (here[POPULATION] == name)]
            rows += [
                (questions.get(question, question), make_row(row, labels, reaches))
                for _, row in found.head(1).iterrows()
            ]
        if rows:
            claims.append(Claim(text, tuple(rows)))
    return claims


def make_row(
    row: pd.Series, labels: Mapping[str, str], reaches: Mapping[str, float], families: Mapping[str, str] | None = None
) -> Row:
    """One row of the answers as texts."""
    unit = str(row[UNIT]) if pd.notna(row[UNIT]) else ""
    family = DECLARED if is_true(row.get(DECLARED)) else str(row[ENDPOINT])
    return Row(
        label=readout_label(row, labels),
        gene=str(row[READOUT]) if row[ENDPOINT] == EXPRESSION and pd.notna(row[READOUT]) else "",
        sentence=str(row[SENTENCE]) if pd.notna(row[SENTENCE]) else "",
        estimate=numbers.number(row[ESTIMATE]),
        unit=words(unit),
        interval=numbers.interval(row[CI_LOW], row[CI_HIGH]),
        p=numbers.p_value(row[P_VALUE]),
        adjusted_p=numbers.p_value(row[ADJUSTED_P_VALUE]),
        tier=str(row[TIER]),
        minimum=numbers.number(row.get(MINIMUM)),
        mice=_mice(row.get(MICE)),
        mark=make_mark(
            row[ESTIMATE], row[CI_LOW], row[CI_HIGH], reaches.get(unit, 3.0), ratio="rescue" in unit.lower()
        ),
        clear=_is_clear(row),
        family=(families or {}).get(family, ""),
        checks=_checks(row),
        warnings=_warnings(row),
    )


def _checks(row: pd.Series) -> str:
    """What became of an estimate without any one mouse, and how it stands among all labellings."""
    said = []
    if not math.isnan(numbers.as_float(row.get(LOO_LOW))):
        said.append(f"without any one mouse {numbers.interval(row[LOO_LOW], row[LOO_HIGH])}")
    value, smallest = numbers.as_float(row.get(PERMUTATION_P_VALUE)), numbers.as_float(row.get(SMALLEST_P))
    if not math.isnan(value):
        least = ", the smallest there is" if value <= smallest * (1 + 1e-6) else ""
        said.append(f"labels exchanged: p {numbers.p_value(value)}{least}")
    return " · ".join(said)


def _warnings(row: pd.Series) -> tuple[str, ...]:
    """What speaks against a change that was shown: one mouse, or the ambient RNA."""
    if not _is_clear(row) or not math.isnan(numbers.as_float(row.get(MARGIN))):
        return ()  # of sameness the sign may turn, and no gene has made a change
    found = ["Without one mouse the sign turns."] if is_true(row.get(SIGN_FLIPS)) else []
    genes, without = numbers.as_float(row.get(N_AMBIENT_GENES)), numbers.as_float(row.get(ESTIMATE_WITHOUT_AMBIENT))
    if genes > 0:
        left = numbers.as_float(row.get(P_VALUE_WITHOUT_AMBIENT))
        which = f"the {genes:.0f} genes" if genes > 1 else "the one gene"
        start = f"Without {which} whose change ambient RNA can explain"
        if math.isnan(without):
            found.append(f"{start}, too few are left to tell.")
        elif without * row[ESTIMATE] < 0 or not left < ALPHA:
            found.append(
                f"{start}, the change does not survive: {numbers.number(without)} (p {numbers.p_value(left)})."
            )
    return tuple(found)


def readout_label(row: pd.Series, labels: Mapping[str, str]) -> str:
    """What was measured, in words: the population, and the read-out where it is another thing."""
    population = "" if pd.isna(row[POPULATION]) else str(row[POPULATION])
    readout = "" if pd.isna(row[READOUT]) else str(row[READOUT])
    if readout in labels:
        return capital(labels[readout])
    if not readout or readout == population:
        return words(population)
    return f"{words(population)}: {words(readout)}" if population else words(readout)


def make_mark(estimate: Any, low: Any, high: Any, reach: float, *, ratio: bool = False) -> Mark | None:
    """Places of an interval on a scale that reaches as far to both sides of zero; None where there is no estimate.

    Parameters
    ----------
    estimate, low, high
        The estimate and its limits, which may be infinite.
    reach
        Value at the scale's ends.
    ratio
        Mark 1, too: a rescue that is complete.
    """
    middle = numbers.as_float(estimate)
    if math.isnan(middle):
        return None
    ends = [float(value) if pd.notna(value) else fallback for value, fallback in ((low, -math.inf), (high, math.inf))]

    def place(value: float) -> float:
        return round(50 + 50 * max(-1.0, min(1.0, value / reach)), 2)

    return Mark(
        zero=50.0,
        low=place(ends[0]),
        high=place(ends[1]),
        at=place(middle) if abs(middle) <= reach else None,
        open_low=ends[0] < -reach,
        open_high=ends[1] > reach,
        one=place(1.0) if ratio and reach > 1 else None,
    )


def _is_clear(row: pd.Series) -> bool:
    """Whether a change (or sameness, where that is asked) was shown: by the adjusted p-value, or a rescue's interval."""
    adjusted = numbers.as_float(row[ADJUSTED_P_VALUE])
    if not math.isnan(adjusted):
        return adjusted < ALPHA
    return bool(row[ENDPOINT] == "rescue" and (row[CI_LOW] > 0 or row[CI_HIGH] < 0))


def _mice(value: Any) -> str:
    found = numbers.as_float(value)
    if not math.isnan(found):
        return numbers.count(found)
    return "" if value is None or pd.isna(value) else str(value)


def _reaches(answers: pd.DataFrame) -> dict[str, float]:
    """For every unit, a round number that holds nearly all intervals that the cards show; single genes may go beyond."""
    reaches = {}
    shown = answers[DECLARED].map(is_true).astype(bool) | answers[LEAD].map(is_true).astype(bool)
    for unit, part in answers[shown & (answers[ENDPOINT] != EXPRESSION)].groupby(UNIT):
        edges = part[[ESTIMATE, CI_LOW, CI_HIGH]].apply(pd.to_numeric, errors="coerce").abs()
        finite = edges.to_numpy()[edges.notna().to_numpy() & (edges.to_numpy() != math.inf)]
        wide = float(pd.Series(finite).quantile(0.95)) if len(finite) else 1.0
        reaches[str(unit)] = max(1.0, math.ceil(wide * 2) / 2)
    return reaches
