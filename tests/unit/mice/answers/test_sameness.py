"""Sameness in words: the same, different, or not to be said; and whether a rescue is complete."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.mice.cohort import QUESTIONS, make_design, make_settings

from livermet import keys
from livermet.mice.answers.sameness import say_sameness
from livermet.mice.answers.sentences import Result, Writer

ASKED = {
    "name": "like_healthy",
    "kind": "equivalence",
    "arm": {"site": "tumour", "treatment": "drug"},
    "like": {"site": "healthy", "treatment": "none"},
}
WORDS = {
    "names": {"drug": "the drug", "none": "untreated"},
    "groups": {"tumour": "mice with tumours", "healthy": "healthy mice"},
}
SIDES = "mice with tumours (the drug)", "healthy mice (untreated)"
RESULT = Result(0.2, -0.3, 0.7, 0.012, 1.0, keys.CONFIRMATORY, "", "3 vs 3 mice")
RECORD = {
    keys.QUESTION: "like_healthy",
    keys.MARGIN: 1.0,
    keys.TOST_LOW: -0.2,
    keys.TOST_HIGH: 0.6,
    keys.DIFFERENCE_ADJUSTED: 0.4,
    keys.MICE_NEEDED: 7.0,
}


@pytest.fixture(scope="module")
def writer() -> Writer:
    return Writer(make_design(3, make_settings(questions=[*QUESTIONS, ASKED])), WORDS)


def test_the_same(writer: Writer) -> None:
    assert say_sameness(RECORD, "B cells", RESULT, writer, aside=" relative to other cells") == (
        f"B cells: the same within 2.0-fold relative to other cells in {SIDES[0]} as in {SIDES[1]} (90 % interval of the "
        "log2 difference -0.20 to 0.60, margin 1; adjusted p = .012 of the two one-sided tests; 3 vs 3 mice)."
    )
    though = say_sameness(RECORD | {keys.DIFFERENCE_ADJUSTED: 0.01}, "B cells", RESULT, writer)
    assert f"as in {SIDES[1]}, though not equal: 1.1-fold higher (90 %" in though


def test_different(writer: Writer) -> None:
    result = replace(RESULT, estimate=-2.0, ci_low=-2.5, ci_high=-1.5, adjusted_p_value=0.999)
    assert say_sameness(RECORD | {keys.DIFFERENCE_ADJUSTED: 0.002}, "B cells", result, writer) == (
        f"B cells: different: 4.0-fold lower in {SIDES[0]} than in {SIDES[1]} (95 % CI of the log2 difference -2.50 to "
        "-1.50; adjusted p = .002 against no difference; 3 vs 3 mice)."
    )


def test_not_to_be_said_and_what_it_takes(writer: Writer) -> None:
    result = replace(RESULT, adjusted_p_value=0.3, tier=keys.EXPLORATORY)
    text = say_sameness(RECORD | {keys.TOST_HIGH: 1.2}, "B cells", result, writer)
    assert text == (
        f"Exploratory: B cells: whether {SIDES[0]} are like {SIDES[1]} within 2.0-fold cannot be said: the 90 % interval of "
        "the log2 difference -0.20 to 1.20, margin 1, reaches beyond the margin (1.1-fold higher; 3 vs 3 mice). If there is "
        "no difference, 7 mice an arm would show it with 80 % power."
    )
    adjusted = say_sameness(RECORD, "B cells", result, writer, odds=True)
    assert "lies within the margin, but adjusted p = .300 of the two one-sided tests" in adjusted
    assert "within 2.0-fold in odds cannot be said" in adjusted
    never = say_sameness(RECORD | {keys.MICE_NEEDED: float("inf")}, "B cells", result, writer)
    assert never.endswith("no number of mice that could be had would show it with 80 % power.")


def test_no_test_no_p(writer: Writer) -> None:
    alone = replace(RESULT, tier=keys.DESCRIPTIVE, adjusted_p_value=float("nan"))
    assert say_sameness(RECORD, "B cells", alone, writer).startswith(
        "Descriptive, not tested: B cells: 1.1-fold higher in"
    )
    lost = replace(RESULT, tier=keys.NOT_ESTIMABLE, reason="no mouse has treatment drug")
    assert say_sameness(RECORD, "B cells", lost, writer) == (
        f"B cells: whether {SIDES[0]} are like {SIDES[1]} cannot be answered: no mouse has treatment drug."
    )


@pytest.mark.parametrize(
    ("completeness", "said"),
    [
        ("shown", "The rescue is complete within 2.0-fold: the repaired mice are left 1.1-fold lower than the healthy"),
        ("something remains", "It is not complete: the repaired mice are left 1.1-fold lower than the healthy"),
        (
            "not shown",
            "Whether it is complete within 2.0-fold cannot be said: the repaired mice are left 1.1-fold lower",
        ),
        (
            "the damage itself is within the margin",
            "Completeness is not judged: the damage itself is within the margin (2.0-",
        ),
    ],
)
def test_completeness(writer: Writer, completeness: str, said: str) -> None:
    text = writer.completeness(completeness, -0.17, -0.66, 0.33, margin=1.0)
    assert text.startswith(said)
    assert text.endswith("(log2 difference -0.17, 95 % CI -0.66 to 0.33).")


def test_nothing_is_said_of_completeness_where_nothing_was_estimable(writer: Writer) -> None:
    assert writer.completeness("", -0.17, -0.66, 0.33, margin=1.0) == ""
    assert writer.completeness("shown", -0.17, float("nan"), float("nan"), margin=1.0) == ""
