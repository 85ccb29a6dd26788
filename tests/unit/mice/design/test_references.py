"""Declared references: what is wrong with them is said before anything runs."""

from __future__ import annotations

import pytest
from tests.unit.mice.cohort import make_settings, make_sheet

from livermet.mice.design.model import check


@pytest.mark.parametrize(
    ("references", "words"),
    [
        (["B_cell"], "one reference, 'B_cell' (expected none, or two and more"),
        (["B_cell", "Neutrofil"], "'Neutrofil' is not a population. Did you mean 'Neutrophil'?"),
        (["CD8_T", "CD8_activated"], "'CD8_T' and 'CD8_activated' share CD8_activated"),
        (["B_cell", "B_cell"], "'B_cell' and 'B_cell' share B_cell"),
    ],
)
def test_references_that_cannot_be_used(references: list[str], words: str) -> None:
    problems = check(make_sheet(), make_settings(references=references))
    assert [problem.where for problem in problems] == ["config design.references"]
    assert words in str(problems[0])


@pytest.mark.parametrize("references", [[], ["B_cell", "Neutrophil"], ["B_cell", "Neutrophil", "NK_cell"]])
def test_references_that_can(references: list[str]) -> None:
    assert check(make_sheet(), make_settings(references=references)) == []
