"""Cards and claims carry the numbers of the answers, all of them and in the order asked."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from livermet.report.answers import make_cards, make_claims, make_mark
from livermet.report.label_null import tables_of_labels

LABELS = {"Fas_in_activated_CD8": "Fas in activated CD8 T cells"}


def asked(toy: SimpleNamespace) -> dict[str, str]:
    return {name: one["sentence"] for name, one in toy.design["questions"].items()}


def test_a_card_for_every_question_in_the_order_asked(toy: SimpleNamespace) -> None:
    cards = make_cards(toy.answers, asked(toy), toy.design["questions"], LABELS)
    assert [card.name for card in cards] == ["site_untreated", "combo_livermet", "rescue_combo"]
    first = cards[0]
    assert (first.n_more, first.tier, first.reason) == (1, "confirmatory", "")
    row = first.rows[0]
    assert (row.estimate, row.interval, row.adjusted_p, row.minimum, row.mice) == (
        "−1.50",
        "−2.10 to −0.90",
        "< .001",
        "0.90",
        "6",
    )
    assert (row.clear, first.rows[1].clear) == (True, False)
    assert first.rows[1].label == "Fas in activated CD8 T cells"
    assert cards[1].rows == ()
    assert [lead.estimate for lead in first.leads] == ["0.10"]
    assert first.counts == "0 of 1"
    assert row.family == "Holm, 2 declared"
    assert first.leads[0].family == "Benjamini-Hochberg, 2 populations"


def test_the_checks_stand_under_each_answer(toy: SimpleNamespace) -> None:
    row = make_cards(toy.answers, asked(toy), toy.design["questions"], LABELS)[0].rows[0]
    assert row.checks == "without any one mouse −2.40 to −1.10 · labels exchanged: p .10, the smallest there is"
    unsure = toy.answers.assign(permutation_p_value=0.3, loo_low=np.nan)
    row = make_cards(unsure, asked(toy), toy.design["questions"], LABELS)[0].rows[0]
    assert row.checks == "labels exchanged: p .30"


def test_what_was_shown_is_warned_of_and_nothing_else(toy: SimpleNamespace) -> None:
    turned = toy.answers.assign(sign_flips=True)
    rows = make_cards(turned, asked(toy), toy.design["questions"], LABELS)[0].rows
    assert rows[0].warnings == ("Without one mouse the sign turns.",)
    assert rows[1].warnings == ()  # nothing was claimed of it
    for genes, estimate, p, said in (
        (2, -1.2, 0.01, ()),
        (
            2,
            -0.3,
            0.4,
            ("Without the 2 genes whose change ambient RNA can explain, the change does not survive: −0.30 (p .40).",),
        ),
        (
            1,
            0.3,
            0.01,
            ("Without the one gene whose change ambient RNA can explain, the change does not survive: 0.30 (p .010).",),
        ),
        (4, np.nan, np.nan, ("Without the 4 genes whose change ambient RNA can explain, too few are left to tell.",)),
        (0, -1.5, 0.01, ()),
    ):
        soup = toy.answers.assign(n_ambient_genes=genes, estimate_without_ambient=estimate, p_value_without_ambient=p)
        card = make_cards(soup, asked(toy), toy.design["questions"], LABELS)[0]
        assert card.rows[0].warnings == said


def test_a_study_that_declared_nothing_shows_leads_only(toy: SimpleNamespace) -> None:
    answers = toy.answers.assign(declared=False, lead=True)
    card = make_cards(answers, asked(toy), toy.design["questions"], LABELS)[0]
    assert card.rows == ()
    assert len(card.leads) == 3
    assert card.counts == "1 of 3"


def test_what_cannot_be_estimated_has_no_mark_and_no_number(toy: SimpleNamespace) -> None:
    row = make_cards(toy.answers, asked(toy), toy.design["questions"], LABELS)[2].rows[1]
    assert row.mark is None
    assert (row.estimate, row.interval, row.tier, row.clear) == ("–", "–", "not estimable", False)


def test_text_tables_say_true_in_words(toy: SimpleNamespace) -> None:
    said = {True: "True", False: "False"}
    answers = toy.answers.assign(**{name: toy.answers[name].map(said) for name in ("declared", "lead")})
    cards = make_cards(answers, asked(toy), toy.design["questions"], LABELS)
    assert [len(card.rows) for card in cards] == [2, 0, 2]


def test_claims_without_an_estimate_are_left_out(toy: SimpleNamespace) -> None:
    claims = make_claims(toy.answers, asked(toy), LABELS)
    assert [claim.text for claim in claims] == [
        "Liver metastasis depletes T cells.",
        "... to what mice without liver metastasis have.",
    ]
    question, row = claims[0].rows[0]
    assert question == "What does a liver metastasis do?"
    assert row.estimate == "−1.50"
    assert make_claims(toy.answers.iloc[:0], asked(toy), LABELS) == []


def test_marks_lie_on_their_scale() -> None:
    mark = make_mark(-1.0, -1.5, 0.5, 2.0)
    assert mark is not None
    assert (mark.zero, mark.low, mark.at, mark.high) == (50.0, 12.5, 25.0, 62.5)
    beyond = make_mark(3.0, 1.0, np.inf, 2.0, ratio=True)
    assert beyond is not None
    assert (beyond.low, beyond.at, beyond.high, beyond.open_high, beyond.one) == (75.0, None, 100.0, True, 75.0)
    assert make_mark(np.nan, 0, 1, 2.0) is None


def test_a_card_says_why_a_question_cannot_be_answered(toy: SimpleNamespace) -> None:
    design = {"site_untreated": {"formula": "a - b", "reason": "no mouse has site liver", "tier": "not estimable"}}
    card = make_cards(toy.answers.iloc[:0], {"site_untreated": "What?"}, design, {})[0]
    assert (card.tier, card.reason, card.formula, card.rows) == (
        "not estimable",
        "no mouse has site liver",
        "a - b",
        (),
    )


@pytest.mark.parametrize("unit", ["log2", "rescued share"])
def test_one_scale_for_all_rows_of_a_unit(toy: SimpleNamespace, unit: str) -> None:
    marks = [
        (row.mark.at - 50) / float(row.estimate.replace("−", "-"))
        for card in make_cards(toy.answers, asked(toy), toy.design["questions"], LABELS)
        for row in card.rows
        if row.mark is not None and row.mark.at is not None and row.unit == unit
    ]
    assert marks == pytest.approx([marks[0]] * len(marks), rel=0.02)


def test_what_was_shown_goes_by_the_adjusted_p_value(toy: SimpleNamespace) -> None:
    answers = toy.answers.assign(ci_low=0.1, ci_high=0.9)
    cards = make_cards(answers, asked(toy), toy.design["questions"], LABELS)
    assert [row.clear for row in cards[0].rows] == [True, False]  # adjusted p .0002 and .2
    assert cards[2].rows[0].clear is True  # a rescue has its interval only


def test_an_estimate_of_one_gene_names_it(toy: SimpleNamespace) -> None:
    first = toy.answers.iloc[[0]]
    genes = first.assign(endpoint="expression", readout="Nr4a2")
    others = first.assign(endpoint="composition", readout="Nr4a2")
    name = str(first["question"].iloc[0])
    for answers, gene in ((genes, "Nr4a2"), (others, "")):
        (card,) = make_cards(answers, {name: "What?"}, {}, {})
        assert [row.gene for row in card.rows] == [gene]


def test_genes_that_exchanged_labels_call_have_a_table(toy: SimpleNamespace) -> None:
    (table,) = tables_of_labels(toy.label_permutations, "site_untreated")
    assert [cell.text for cell in table.rows[0]] == ["CD8 activated", "400", "31", "0", "2", "18", ".10", ".10"]
    assert table.note.endswith("Here: labels exchanged.")
    assert tables_of_labels(toy.label_permutations, "rescue_combo") == []
