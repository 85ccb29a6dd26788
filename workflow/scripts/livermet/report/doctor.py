"""The report's first section: what these mice can tell; and what cells as replicates would have claimed instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from livermet.keys import CONFIRMATORY, DESCRIPTIVE, EXPLORATORY, POPULATION, QUESTION
from livermet.plots.pseudoreplication import add_up_calls
from livermet.plots.words import words
from livermet.report.numbers import count, percent
from livermet.report.tables import Column, Table, build

CAUTION = {
    EXPLORATORY: "too few mice or residual degrees of freedom to rely on: a lead for a next study, not a result",
    DESCRIPTIVE: "no residual degree of freedom: effects are ranked by size, and no p-value or interval is given anywhere",
}


def describe_findings(findings: Mapping[str, Any], tests: pd.DataFrame) -> dict[str, Any]:
    """What the design doctor found, and in which populations mice had too few cells.

    Parameters
    ----------
    findings
        Content of findings.json, see :meth:`livermet.mice.design.doctor.Findings.to_dict`.
    tests
        One row a question x population that was tested: n_left_out, left_out (mice, apart by blanks), tier.

    Returns
    -------
    dict
        The findings, with `arms` in words, `because` where one reason holds for all, `questions` (vectors with a typographic
        minus), `cautions` (tier, meaning, questions) and `left_out`, a table.
    """
    questions = [
        {**verdict, "vector": re.sub(r"(?<!\S)-(?=[\d.])", "−", verdict["vector"]), "groups": _groups(verdict)}
        for verdict in findings["verdicts"]
    ]
    return {
        **findings,
        "arms": _arms(findings["arms"]),
        "questions": questions,
        "cautions": [
            (tier, meaning, [one["sentence"] for one in questions if one["tier"] == tier])
            for tier, meaning in CAUTION.items()
            if any(one["tier"] == tier for one in questions)
        ],
        "all_confirmatory": all(one["tier"] == CONFIRMATORY for one in questions),
        # One reason for all is said once.
        "because": questions[0]["because"] if len({one["because"] for one in questions}) == 1 else "",
        "left_out": table_of_left_out(tests),
    }


def _groups(verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Groups of mice in words, with the names of their mice."""
    return [
        (".".join(words(level) for level in group.split(".")), ", ".join(mice) or "none")
        for group, mice in verdict["mice"].items()
    ]


def _arms(arms: Mapping[str, Any]) -> dict[str, Any]:
    """Mice per arm in words: corner, columns, rows (label, numbers); rows without a mouse are left out."""
    rows = [(" · ".join(words(level) for level in row["label"]) or "Mice", row["numbers"]) for row in arms["rows"]]
    return {
        "corner": " × ".join(words(name) for name in arms["corner"]),
        "columns": [words(level) for level in arms["columns"]],
        "rows": [(label, numbers) for label, numbers in rows if sum(numbers)],
    }


def table_of_left_out(tests: pd.DataFrame) -> Table:
    """Populations in which mice fell below the smallest number of cells, with the mice, and the worst tier it led to."""
    columns = (Column(POPULATION, "Population", "words"), Column("n_left_out", "Mice left out", "count"),
               Column("left_out", "Which", "code"), Column("weaker", "Questions that are weaker for it", "words"))  # fmt: skip
    if tests.empty or not (tests["n_left_out"] > 0).any():
        return build(tests.iloc[:0], columns)
    rows = []
    for population, part in tests[tests["n_left_out"] > 0].groupby(POPULATION, sort=False, observed=True):
        mice = sorted({mouse for names in part["left_out"].astype(str) for mouse in names.split()})
        weaker = part[part["tier"] != CONFIRMATORY]
        told = "; ".join(f"{words(name)} ({tier})" for name, tier in zip(weaker[QUESTION], weaker["tier"], strict=True))
        rows.append(
            {POPULATION: population, "n_left_out": len(mice), "left_out": " ".join(mice), "weaker": told or "none"}
        )
    return build(pd.DataFrame(rows), columns)


def describe_calls(calls: pd.DataFrame, asked: Mapping[str, str]) -> dict[str, Any] | None:
    """What a cell-level test would have called, beside our calls; None where nothing could be compared.

    Parameters
    ----------
    calls
        One row an effect question x population, see :mod:`livermet.mice.checks.cells_as_replicates`.
    asked
        Question -> its sentence.

    Returns
    -------
    dict
        `cells`, `mice`, `unsupported`, `judged`, `false` in words; `table` by question, `details` by question and population.
    """
    total = add_up_calls(calls)
    if total.empty:
        return None
    shown = total.reset_index().assign(
        sentence=lambda table: [asked.get(str(name), str(name)) for name in table[QUESTION]]
    )
    columns = [Column("sentence", "Question"), Column("called_by_cells", "Cells as replicates", "count"),
               Column("called_by_mice", "Mice as replicates", "count"), Column("called_by_both", "Both", "count"),
               Column("share_unsupported", "Not supported by the mice", "percent")]  # fmt: skip
    if total["false_share"].notna().any():
        columns += [
            Column("judged_calls", "Cell-level calls that the truth can judge", "count"),
            Column("false_share", "Known to be false", "percent"),
        ]
    cells, both = int(total["called_by_cells"].sum()), int(total["called_by_both"].sum())
    judged, false = int(total["judged_calls"].sum()), int(total["false_by_cells"].sum())
    null = total[
        (total["judged_calls"] == total["called_by_cells"]) & (total["false_by_cells"] == total["called_by_cells"])
    ]
    return {
        "cells": count(cells),
        "mice": count(total["called_by_mice"].sum()),
        "unsupported": percent(1 - both / cells, 0) if cells else "",
        "judged": count(judged) if judged else "",
        "false": percent(false / judged, 0) if judged else "",
        "null": [(asked.get(str(name), str(name)), count(row["called_by_cells"])) for name, row in null.iterrows() if row["called_by_cells"]],
        "table": build(shown, columns),
        "details": _by_population(calls),
    }  # fmt: skip


def _by_population(calls: pd.DataFrame) -> Table:
    columns = (
        Column(QUESTION, "Question", "words"), Column(POPULATION, "Population", "words"), Column("n_mice_compared", "Mice", "count"),
        Column("n_cells_compared", "Cells", "count"), Column("n_genes_by_cells", "Genes tested with cells", "count"),
        Column("called_by_cells", "Called", "count"), Column("n_genes_by_mice", "Genes tested with mice", "count"),
        Column("called_by_mice", "Called", "count"), Column("called_by_both", "Both", "count"), Column("reason", "Left out because"),
    )  # fmt: skip
    return build(calls, columns)
