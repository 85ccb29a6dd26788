"""The report's table of abundance and the methods say what the references said, or that there were none."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from livermet.report.details import tables_of_question
from livermet.report.methods import _tell_references


@pytest.fixture
def rows(toy: SimpleNamespace) -> pd.DataFrame:
    table = toy.composition[toy.composition["question"] == "site_untreated"].copy()
    table["references_agree"] = pd.array([True, False], dtype="boolean")
    return table.assign(holds_if_total_above=[0.583, np.nan], holds_if_total_below=[np.nan, 1.951])


def abundance(toy: SimpleNamespace, rows: pd.DataFrame) -> SimpleNamespace:
    populations = list(rows["population"])
    tables = tables_of_question("site_untreated", toy.expression, toy.pathways, rows, toy.mechanism, populations)
    table = next(table for table in tables if table.title == "Abundance")
    columns = {column.label: [line[place].text for line in table.rows] for place, column in enumerate(table.columns)}
    return SimpleNamespace(columns=columns, note=table.note)


def test_verdicts_and_totals_stand_beside_each_abundance(toy: SimpleNamespace, rows: pd.DataFrame) -> None:
    table = abundance(toy, rows)
    assert table.columns["References agree"] == ["yes", "no"]
    assert table.columns["In number if all cells"] == ["change over 0.58-fold", "change under 2.0-fold"]
    assert "design.references" not in table.note


def test_without_references_the_table_says_so(toy: SimpleNamespace, rows: pd.DataFrame) -> None:
    table = abundance(toy, rows.assign(references_agree=pd.array([pd.NA, pd.NA], dtype="boolean")))
    assert "References agree" not in table.columns
    assert "No reference populations are declared (design.references)" in table.note


def test_methods_name_the_references() -> None:
    assert _tell_references({"references": ["B_cell", "Neutrophil"]}) == (
        "Additive log-ratios against B cell and Neutrophil, declared beforehand, stand beside: a change that each shows is "
        "not theirs."
    )
    assert _tell_references({"references": []}).startswith("No reference populations were declared")
