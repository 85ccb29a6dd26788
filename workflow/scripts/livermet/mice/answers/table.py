"""The table that everything else leads to: a sentence, an estimate and its worth for every question."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.answers.abundance import qualify
from livermet.mice.answers.headlines import ROBUSTNESS, find_declared, join_robustness
from livermet.mice.answers.sameness import say_sameness
from livermet.mice.answers.sentences import LOG2, LOG2_ODDS, SHARE, Result, Writer, capital, number
from livermet.mice.design.declared import COMPOSITION, MECHANISM, RESCUE, SIGNATURE
from livermet.mice.design.model import Design
from livermet.mice.endpoints.composition import LEVEL, POPULATION_LEVEL
from livermet.mice.endpoints.rescue import AXIS
from livermet.mice.models import equivalence
from livermet.mice.models.contrasts import N_MICE, REASON

EXPRESSION = "expression"
ENDPOINTS = (SIGNATURE, COMPOSITION, MECHANISM, RESCUE, EXPRESSION)
MDE = "minimum_detectable_effect"
CAVEATS = (
    keys.N_AMBIENT_GENES,
    keys.ESTIMATE_WITHOUT_AMBIENT,
    keys.P_VALUE_WITHOUT_AMBIENT,
    keys.REFERENCES_AGREE,
)  # of signatures and abundances, from their tests
SAMENESS = (keys.MARGIN, keys.EQUIVALENCE_P_VALUE, keys.TOST_LOW, keys.TOST_HIGH, keys.EQUIVALENT)
TOP_GENES = 3  # named in a sentence
COLUMNS = [
    keys.QUESTION,
    keys.POPULATION,
    keys.ENDPOINT,
    keys.READOUT,
    keys.SENTENCE,
    keys.ESTIMATE,
    "unit",
    keys.CI_LOW,
    keys.CI_HIGH,
    keys.P_VALUE,
    keys.ADJUSTED_P_VALUE,
    keys.TIER,
    MDE,
    N_MICE,
    keys.DECLARED,
    keys.FAMILY,
    keys.LEAD,
    *ROBUSTNESS,
    *CAVEATS,
    *SAMENESS,
]


def answer(
    expression: pd.DataFrame,
    pathways: pd.DataFrame,
    composition: pd.DataFrame,
    mechanism: pd.DataFrame,
    rescue: pd.DataFrame,
    design: Design,
    words: Mapping[str, Mapping[str, str]],
    robustness: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per question, population, endpoint and read-out.

    Parameters
    ----------
    expression, pathways, composition, mechanism, rescue
        The tables of the tests.
    design
        The checked design.
    words
        What to call levels, populations and their mice.
    robustness
        Of the declared rows, as :func:`livermet.mice.checks.robustness.test_robustness` gives it; None: not checked.

    Returns
    -------
    pandas.DataFrame
        In the order of the questions and `ENDPOINTS`. `declared` rows were named before the data were seen, every row of a
        rescue among them; they are the headlines, and their p-values are adjusted within their question by Holm. All
        others keep Benjamini-Hochberg within question and endpoint; `lead` marks the strongest of them, which was picked
        after looking. A declared row that no test has stands there as not estimable. A single gene is the read-out of an
        expression row; how many genes changed stands in the sentence.
    """
    writer = Writer(design, words)
    declared = find_declared(design)
    pathways, composition, mechanism = declared.adjust(pathways, composition, mechanism)
    rows = [
        *_signatures(pathways, writer),
        *_compositions(composition, writer),
        *_mechanisms(mechanism, writer),
        *_rescues(rescue, writer),
        *_expressions(expression, design, writer),
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table = declared.complete(table, writer)
    no_test = table[keys.TIER].isin([keys.DESCRIPTIVE, keys.NOT_ESTIMABLE])
    table.loc[no_test, [keys.P_VALUE, keys.ADJUSTED_P_VALUE]] = np.nan
    same = (table[keys.ADJUSTED_P_VALUE] < 1 - writer.confidence).astype("boolean")
    table[keys.EQUIVALENT] = same.where(table[keys.EQUIVALENCE_P_VALUE].notna() & ~no_test)
    table[keys.LEAD] = _leads(table)
    table = join_robustness(table, robustness, 1 - writer.confidence).reindex(columns=COLUMNS)
    order = {name: place for place, name in enumerate([*design.contrasts, *ENDPOINTS])}
    return table.sort_values(
        [keys.QUESTION, keys.ENDPOINT], key=lambda column: column.map(order), kind="stable", ignore_index=True
    )


def _leads(table: pd.DataFrame) -> pd.Series:
    """The row with the smallest p of each question and endpoint among those that were not declared."""
    keyed = table.assign(size=-table[keys.ESTIMATE].abs())
    others = keyed[(table[keys.TIER] != keys.NOT_ESTIMABLE) & ~table[keys.DECLARED]]
    ranked = others.sort_values([keys.ADJUSTED_P_VALUE, keys.P_VALUE, "size"], kind="stable")
    best = ranked.drop_duplicates([keys.QUESTION, keys.ENDPOINT]).index
    return pd.Series(table.index.isin(best), index=table.index)


def _row(
    record: Mapping[str, Any], endpoint: str, readout: str, sentence: str, unit: str, estimate: str
) -> dict[str, Any]:
    """One answer from one row of a test."""
    return {
        keys.QUESTION: record[keys.QUESTION],
        keys.POPULATION: record[keys.POPULATION],
        keys.ENDPOINT: endpoint,
        keys.READOUT: readout,
        keys.SENTENCE: sentence,
        keys.ESTIMATE: record.get(estimate, np.nan),
        "unit": unit,
        keys.CI_LOW: record.get(keys.CI_LOW, np.nan),
        keys.CI_HIGH: record.get(keys.CI_HIGH, np.nan),
        keys.P_VALUE: record.get(keys.P_VALUE, np.nan),
        keys.ADJUSTED_P_VALUE: record.get(keys.ADJUSTED_P_VALUE, np.nan),
        keys.TIER: record[keys.TIER],
        MDE: record.get(keys.MDE, np.nan),
        N_MICE: sum(_arms(record).values()) or np.nan,
        **{name: record.get(name, np.nan) for name in (*CAVEATS, *SAMENESS)},
    }


def _arms(record: Mapping[str, Any]) -> dict[str, int]:
    """Mice of every arm behind a row."""
    told = record.get(N_MICE)
    return {str(arm): int(n) for arm, n in json.loads(told).items()} if isinstance(told, str) and told else {}


def _result(record: Mapping[str, Any], estimate: str, writer: Writer) -> Result:
    """What a sentence needs of a row."""
    reason = record.get(REASON, "")
    return Result(
        estimate=float(record.get(estimate, np.nan)),
        ci_low=float(record.get(keys.CI_LOW, np.nan)),
        ci_high=float(record.get(keys.CI_HIGH, np.nan)),
        adjusted_p_value=float(record.get(keys.ADJUSTED_P_VALUE, np.nan)),
        minimum_detectable=float(record.get(keys.MDE, np.nan)),
        tier=record[keys.TIER],
        reason=reason if isinstance(reason, str) else "",
        mice=writer.mice(record[keys.QUESTION], _arms(record)),
    )


def _each(table: pd.DataFrame, make: Callable[[dict[str, Any]], dict[str, Any]]) -> list[dict[str, Any]]:
    return [make({str(key): value for key, value in record.items()}) for record in table.to_dict(orient="records")]


def _compare(
    record: Mapping[str, Any], thing: str, result: Result, writer: Writer, aside: str = "", odds: bool = False
) -> str:
    """A sentence on a difference, or on sameness where that is the question."""
    if equivalence.is_equivalence(writer.questions[record[keys.QUESTION]]["kind"]):
        return say_sameness(record, thing, result, writer, aside, odds)
    return writer.change(record[keys.QUESTION], thing, result, aside, odds)


def _compositions(table: pd.DataFrame, writer: Writer) -> list[dict[str, Any]]:
    def make(record: dict[str, Any]) -> dict[str, Any]:
        thing = writer.name(record[keys.POPULATION])
        result = _result(record, keys.LOG_FOLD_CHANGE, writer)
        sentence = _compare(record, thing, result, writer, aside=" relative to other cells")
        sentence = f"{sentence} {qualify(record, writer)}".rstrip()
        return _row(record, COMPOSITION, "abundance", sentence, LOG2, keys.LOG_FOLD_CHANGE)

    return _each(table[table[LEVEL] == POPULATION_LEVEL], make)


def _signatures(table: pd.DataFrame, writer: Writer) -> list[dict[str, Any]]:
    def make(record: dict[str, Any]) -> dict[str, Any]:
        thing = f"{writer.name(record[SIGNATURE])} genes in {writer.name(record[keys.POPULATION])}"
        sentence = _compare(record, thing, _result(record, keys.ESTIMATE, writer), writer)
        return _row(record, SIGNATURE, record[SIGNATURE], sentence, LOG2, keys.ESTIMATE)

    return _each(table, make)


def _mechanisms(table: pd.DataFrame, writer: Writer) -> list[dict[str, Any]]:
    def make(record: dict[str, Any]) -> dict[str, Any]:
        result = _result(record, keys.ESTIMATE, writer)
        sentence = _compare(record, record["label"], result, writer, odds=record["unit"] == LOG2_ODDS)
        return _row(record, MECHANISM, record[keys.READOUT], sentence, record["unit"], keys.ESTIMATE)

    return _each(table, make)


def _rescues(table: pd.DataFrame, writer: Writer) -> list[dict[str, Any]]:
    def make(record: dict[str, Any]) -> dict[str, Any]:
        population, signature = writer.name(record[keys.POPULATION]), record[SIGNATURE]
        named = isinstance(signature, str) and signature != ""
        thing = f"{writer.name(signature)} genes in {population}" if named else f"the abundance of {population}"
        readout = signature if named else record.get(keys.READOUT) or "abundance"
        if readout == AXIS:
            thing = f"the expression of {population} along the damage's own axis"
        result = replace(_result(record, RESCUE, writer), mice=f"{sum(_arms(record).values())} mice")
        sentence = writer.rescue(record[keys.QUESTION], thing, result)
        ends = [float(record.get(name, np.nan)) for name in ("remaining", "remaining_ci_low", "remaining_ci_high")]
        margin = float(record.get("completeness_margin", np.nan))
        left = writer.completeness(str(record.get("completeness") or ""), *ends, margin=margin)
        return _row(record, RESCUE, readout, f"{sentence} {left}".rstrip(), SHARE, RESCUE)

    return _each(table, make)


def _expressions(table: pd.DataFrame, design: Design, writer: Writer) -> list[dict[str, Any]]:
    """One row a question and population: how many genes, and the foremost."""
    rows = []
    for question, contrast in design.contrasts.items():
        if contrast.kind in ("rescue", "equivalence"):  # a gene's few counts could show sameness of hardly any gene
            continue
        asked = table[table[keys.QUESTION] == question]
        for population in design.settings["populations"]:
            genes = asked[asked[keys.POPULATION] == population]
            rows.append(_genes(genes, question, population, writer))
    return rows


def _genes(genes: pd.DataFrame, question: str, population: str, writer: Writer) -> dict[str, Any]:
    measured = genes[genes[keys.LOG_FOLD_CHANGE].notna()] if len(genes) else genes
    thing = f"genes of {writer.name(population)}"
    if not len(measured):
        told = [reason for reason in genes.get(REASON, []) if isinstance(reason, str) and reason]
        reason = told[0] if told else "too few mice have enough cells of them"
        record = {keys.QUESTION: question, keys.POPULATION: population, keys.TIER: keys.NOT_ESTIMABLE}
        sentence = f"{writer.subject(question)}: what happens to {thing} cannot be answered: {reason}."
        return _row(record, EXPRESSION, "", sentence, LOG2, keys.LOG_FOLD_CHANGE)
    by = keys.P_VALUE if measured[keys.P_VALUE].notna().any() else keys.LOG_FOLD_CHANGE
    order = measured[keys.P_VALUE] if by == keys.P_VALUE else -measured[keys.LOG_FOLD_CHANGE].abs()
    ranked = measured.loc[order.sort_values(kind="stable").index]
    top = {str(key): value for key, value in ranked.iloc[0].items()}
    called = ranked[ranked[keys.ADJUSTED_P_VALUE] < 1 - writer.confidence]
    sentence = _gene_sentence(ranked, called, question, thing, top, writer)
    return _row(top, EXPRESSION, top[keys.GENE], sentence, LOG2, keys.LOG_FOLD_CHANGE)


def _gene_sentence(
    ranked: pd.DataFrame, called: pd.DataFrame, question: str, thing: str, top: Mapping[str, Any], writer: Writer
) -> str:
    mice = _result(top, keys.LOG_FOLD_CHANGE, writer).mice
    rate = f"{100 * (1 - writer.confidence):g} %"
    if top[keys.TIER] == keys.DESCRIPTIVE:
        named = _named(ranked.head(TOP_GENES))
        return f"Descriptive, not tested: {writer.subject(question)} moved these {thing} most: {named} ({mice})."
    lead = "Exploratory: " if top[keys.TIER] == keys.EXPLORATORY else ""
    if not len(called):
        median = number(2 ** float(ranked[keys.MDE].median())) if keys.MDE in ranked else "unknown"
        return (
            f"{lead}{writer.no_effect(question)} on any of {len(ranked):,} {thing} was shown (false discovery rate {rate}; "
            f"{mice}); in the median gene a change under {median}-fold could well have been missed."
        )
    up = int((called[keys.LOG_FOLD_CHANGE] > 0).sum())
    count = f"{len(called):,} of {len(ranked):,} {thing} ({up:,} up, {len(called) - up:,} down"
    return (
        f"{lead}{capital(writer.subject(question))}: {count}; false discovery rate {rate}; {mice}), "
        f"foremost {_named(called.head(TOP_GENES))}."
    )


def _named(genes: pd.DataFrame) -> str:
    return ", ".join(
        f"{gene} ({number(2 ** abs(change))}-fold {'up' if change > 0 else 'down'})"
        for gene, change in zip(genes[keys.GENE], genes[keys.LOG_FOLD_CHANGE], strict=True)
    )
