"""Answers: the sentences word for word, and no p-value where there was no test."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.mice.cohort import make_cells, make_design, make_settings

from livermet.mice.answers import files as tables
from livermet.mice.answers import table as answers
from livermet.mice.answers.sentences import Result, Writer, number, p_value

WORDS = {
    "names": {"drug": "the drug", "CD8_activated": "activated CD8 T cells", "tumour": "a tumour"},
    "groups": {"tumour": "mice with tumours", "healthy": "healthy mice", "none": "untreated mice"},
}
NOTHING: dict[str, Any] = dict.fromkeys(
    [
        "estimate",
        "log_fold_change",
        "ci_low",
        "ci_high",
        "p_value",
        "adjusted_p_value",
        "minimum_detectable_log_fold_change",
    ],
    np.nan,
)


@pytest.fixture(scope="module")
def writer() -> Writer:
    return Writer(make_design(), WORDS)


def result(**changes: Any) -> Result:
    base = {"estimate": 1.5, "ci_low": 0.7, "ci_high": 2.3, "adjusted_p_value": 0.003, "minimum_detectable": 1.0,
            "tier": "confirmatory", "reason": "", "mice": "3 vs 3 mice"}  # fmt: skip
    return Result(**(base | changes))


def test_a_clear_effect(writer: Writer) -> None:
    text = writer.change("drug", "activated CD8 T cells", result(), aside=" relative to other cells")
    assert text == (
        "In mice with tumours, the drug raised activated CD8 T cells 2.8-fold relative to other cells "
        "(95 % CI 1.6 to 4.9; adjusted p = .003; 3 vs 3 mice)."
    )


def test_a_fall_turns_the_interval_with_it(writer: Writer) -> None:
    text = writer.change("site", "B cells", result(estimate=-2.0, ci_low=-3.0, ci_high=-1.0, adjusted_p_value=1e-5))
    assert text == (
        "In untreated mice, a tumour lowered B cells 4.0-fold (95 % CI 2.0 to 8.0; adjusted p < .001; 3 vs 3 mice)."
    )


def test_nothing_shown_says_what_could_have_been_missed(writer: Writer) -> None:
    text = writer.change("drug", "B cells", result(estimate=-0.2, ci_low=-1.0, ci_high=0.6, adjusted_p_value=0.61))
    assert text == (
        "No effect of the drug in mice with tumours on B cells was shown (1.1-fold down; 95 % CI 0.66 to 2.0; "
        "adjusted p = .610; 3 vs 3 mice); a change under 2.0-fold could well have been missed."
    )


def test_a_difference_of_effects(writer: Writer) -> None:
    text = writer.change(
        "drug_by_site", "B cells", result(estimate=1.0, ci_low=0.5, ci_high=1.5, mice="12 mice in 4 arms")
    )
    assert text == (
        "The effect of the drug in mice with tumours on B cells is 2.0-fold higher than that of the drug in healthy mice "
        "(95 % CI 1.4 to 2.8; adjusted p = .003; 12 mice in 4 arms)."
    )


def test_odds_are_told_as_odds(writer: Writer) -> None:
    text = writer.change("drug", "Fas-positive share of B cells", result(), odds=True)
    assert text.startswith(
        "In mice with tumours, the drug raised the Fas-positive share of B cells 2.8-fold in odds (95 %"
    )


def test_tiers_speak(writer: Writer) -> None:
    assert writer.change("drug", "B cells", result(tier="exploratory")).startswith("Exploratory: In mice with tumours")
    blind = result(tier="descriptive", ci_low=np.nan, ci_high=np.nan, adjusted_p_value=np.nan, mice="1 vs 1 mice")
    text = writer.change("drug", "B cells", blind)
    assert text.startswith(
        "Descriptive, not tested: In mice with tumours, the drug raised B cells 2.8-fold (1 vs 1 mice"
    )
    assert "p =" not in text
    assert "CI" not in text
    none = writer.change(
        "drug", "B cells", result(tier="not estimable", reason="no mouse has site tumour, treatment drug")
    )
    assert none == (
        "The drug in mice with tumours: what happens to B cells cannot be answered: no mouse has site tumour, treatment drug."
    )


def test_rescues(writer: Writer) -> None:
    whole = result(estimate=0.9, ci_low=0.6, ci_high=1.3, mice="9 mice")
    assert writer.rescue("rescue", "the abundance of activated CD8 T cells", whole) == (
        "The drug in mice with tumours undid 90 % of what a tumour in untreated mice did to the abundance of activated CD8 T "
        "cells (95 % CI 60 to 130 %; 9 mice), which leaves room for all of it."
    )
    assert "leaves room" not in writer.rescue("rescue", "x", result(estimate=0.4, ci_low=0.2, ci_high=0.7))
    assert writer.rescue("rescue", "x", result(estimate=0.2, ci_low=-0.3, ci_high=0.6)).startswith(
        "No rescue of x by the drug"
    )
    assert "made worse" in writer.rescue("rescue", "x", result(estimate=-0.8, ci_low=-1.3, ci_high=-0.2))
    unknown = writer.rescue(
        "rescue", "x", result(estimate=np.nan, tier="not estimable", reason="the damage is not there")
    )
    assert unknown.endswith("cannot be answered: the damage is not there.")


def test_unnamed_levels_lose_their_underscores() -> None:
    plain = Writer(make_design(), {"names": {}, "groups": {}})
    assert plain.name("rt_anti_pdl1") == "rt anti pdl1"
    assert plain.effect("drug") == "drug in mice with site tumour"


@pytest.mark.parametrize(("value", "text"), [(1.04, "1.0"), (12.6, "13"), (0.0451, "0.045"), (1e9, "over 10,000")])
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "p < .001"), (0.0312, "p = .031"), (1.0, "p = 1"), (0.9, "p = .900")]
)
def test_p_values(value: float, text: str) -> None:
    assert p_value(value) == text


def gene_rows(question: str, tier: str, adjusted: list[float]) -> pd.DataFrame:
    n = len(adjusted)
    return pd.DataFrame(
        {"question": question, "population": "B_cell", "gene_id": [f"E{i}" for i in range(n)],
         "gene": [f"Gene{i}" for i in range(n)], "log_fold_change": [2.0, -1.0, 0.5][:n], "ci_low": 0.1, "ci_high": 3.0,
         "p_value": [value / 2 for value in adjusted], "adjusted_p_value": adjusted, "tier": tier,
         "minimum_detectable_log_fold_change": 1.0, "n_mice": json.dumps({"tumour.drug": 3, "tumour.none": 3})}
    )  # fmt: skip


def make_answers(
    expression: pd.DataFrame, composition: list[dict[str, Any]], rescue: list[dict[str, Any]]
) -> pd.DataFrame:
    mice = json.dumps({"tumour.drug": 3, "tumour.none": 3})
    base = {
        "question": "",
        "population": "",
        "tier": "",
        **NOTHING,
        "level": "population",
        "reason": "",
        "n_mice": mice,
    }
    frame = pd.DataFrame([{**base, **row} for row in composition], columns=list(base))
    empty = pd.DataFrame(columns=["question", "population", "signature", "tier", "readout", "label", "unit", "n_mice"])
    columns = [
        "question",
        "population",
        "readout",
        "signature",
        "rescue",
        "ci_low",
        "ci_high",
        "reason",
        "tier",
        "n_mice",
    ]
    return answers.answer(
        expression, empty, frame, empty, pd.DataFrame(rescue, columns=columns), make_design(), WORDS
    )  # fmt: skip


def test_table_of_answers() -> None:
    effect = {"log_fold_change": 1.5, "ci_low": 0.7, "ci_high": 2.3, "p_value": 0.001, "adjusted_p_value": 0.003,
              "minimum_detectable_log_fold_change": 1.1, "tier": "confirmatory"}  # fmt: skip
    composition = [
        {"question": "drug", "population": "B_cell", **effect, "p_value": 0.2, "adjusted_p_value": 0.3},
        {"question": "drug", "population": "CD8_activated", **effect},
        {"question": "drug", "population": "NK_cell", "tier": "not estimable", "reason": "too rare"},
        {"question": "site", "population": "B_cell", **effect, "tier": "descriptive"},
        {"question": "site", "population": "leafy", "level": "leaf", **effect},
    ]
    rescue = [("rescue", "CD8_activated", "abundance", "", 0.8, 0.5, 1.2, "", "confirmatory", '{"a": 9}')]
    table = make_answers(gene_rows("drug", "confirmatory", [0.01, 0.04, 0.6]), composition, rescue)
    assert list(table.columns) == answers.COLUMNS
    chosen = table[table["endpoint"] == "composition"].set_index(["question", "population"])
    assert "leafy" not in chosen.index.get_level_values("population")
    assert not chosen["declared"].any()
    assert chosen["lead"].to_dict() == {
        ("site", "B_cell"): True, ("drug", "B_cell"): False, ("drug", "CD8_activated"): True, ("drug", "NK_cell"): False,
    }  # fmt: skip
    # No degrees of freedom, no p-value, whatever the table below it says.
    assert np.isnan(chosen.loc[("site", "B_cell"), "p_value"])
    assert chosen.loc[("drug", "CD8_activated"), "n_mice"] == 6
    assert "3 vs 3 mice" in chosen.loc[("drug", "CD8_activated"), "sentence"]
    assert list(dict.fromkeys(table["question"])) == ["site", "drug", "drug_healthy", "drug_by_site", "rescue"]
    last = table.iloc[-1]
    assert (last["endpoint"], last["estimate"], last["declared"]) == ("rescue", 0.8, True)
    assert last["unit"] == "rescued share"


def test_genes_are_counted_in_the_sentence_and_the_foremost_is_the_readout() -> None:
    table = make_answers(gene_rows("drug", "confirmatory", [0.01, 0.04, 0.6]), [], [])
    row = table[(table["question"] == "drug") & (table["population"] == "B_cell")].iloc[0]
    assert row["readout"] == "Gene0"
    assert row["estimate"] == 2.0
    assert row["adjusted_p_value"] == 0.01
    assert row["sentence"] == (
        "The drug in mice with tumours: 2 of 3 genes of B cell (1 up, 1 down; false discovery rate 5 %; 3 vs 3 mice), "
        "foremost Gene0 (4.0-fold up), Gene1 (2.0-fold down)."
    )
    silent = make_answers(gene_rows("drug", "confirmatory", [0.3, 0.4, 0.6]), [], [])
    text = silent.set_index(["question", "population"]).loc[("drug", "B_cell"), "sentence"]
    assert text.startswith("No effect of the drug in mice with tumours on any of 3 genes of B cell was shown")
    assert "under 2.0-fold" in text
    other = table.set_index(["question", "population"]).loc[("drug", "NK_cell")]
    assert other["tier"] == "not estimable"
    assert "too few mice" in other["sentence"]


def test_every_barcode_is_listed_and_dropped_ones_have_no_label() -> None:
    barcodes = pd.DataFrame(
        {"sample": "s", "barcode": ["A", "B"], "kept": [True, False], "drop_reason": ["", "low"], "n_umis": [9, 1]},
        index=pd.Index(["s_A", "s_B"], name="cell"),
    )
    labels = pd.DataFrame({"leiden": ["0"], "lineage": ["B_cell"], "state": ["B_cell"]}, index=["s_A"])
    table = tables.list_cells(barcodes, labels)
    assert table.loc["s_A", ["leiden", "lineage", "state"]].tolist() == ["0", "B_cell", "B_cell"]
    assert table.loc["s_B", ["leiden", "lineage", "state"]].tolist() == ["", "", ""]
    assert list(table.columns[:2]) == ["sample", "barcode"]
    assert table.index.tolist() == ["s_A", "s_B"]


def test_mean_scores_are_means_of_a_mouses_cells() -> None:
    settings, design = make_settings(), make_design()
    counts = pd.DataFrame(0, index=design.units.index, columns=["CD8_activated", "CD8_naive_like", "B_cell"])
    counts.loc["tn0"] = [2, 1, 4]
    labels, units = make_cells(counts)
    t_cells = labels.index[labels["lineage"] == "T_cell"]
    scores = pd.DataFrame({"z:death": [1.0, 2.0, 6.0], "ucell:death": 0.5}, index=t_cells)
    table = tables.average_scores(scores, labels, units, design, settings["populations"]).set_index("population")
    assert table["mean_z"].to_dict() == {"CD8_activated": 1.5, "CD8_T": 3.0}
    assert table["n_cells"].to_dict() == {"CD8_activated": 2, "CD8_T": 3}
    assert set(table["mouse"]) == {"tn0"}
    assert set(table["signature"]) == {"death"}


def test_question_tables_put_the_agreed_columns_first() -> None:
    design = make_design()
    expression = pd.concat([gene_rows("drug", "confirmatory", [0.01, 0.4]), gene_rows("site", "confirmatory", [0.2])])
    expression = expression.assign(standard_error=0.1, mean_log_cpm=5.0)
    one = tables.select_question("drug", design, expression=expression)["expression"]
    assert list(one.columns[:11]) == [
        "population", "gene", "log_fold_change", "standard_error", "ci_low", "ci_high", "p_value", "adjusted_p_value",
        "mean_log_cpm", "minimum_detectable_log_fold_change", "n_mice_tumour.drug",
    ]  # fmt: skip
    assert one["n_mice_tumour.drug"].tolist() == [3, 3]
    assert len(one) == 2
    named = expression.assign(population=["CD8_activated", "B_cell", "CD8_activated"])
    both = tables.select_question("rescue", design, expression=named)["expression"]
    assert both["question"].tolist() == ["drug", "site"]
    assert set(both["population"]) == {"CD8_activated"}
