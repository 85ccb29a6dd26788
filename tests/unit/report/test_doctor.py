"""The first section and the section on cells as replicates: what they say is what was found."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from livermet.mice.design.doctor import examine
from livermet.mice.design.model import build_design
from livermet.plots.pseudoreplication import add_up_calls, plot_pseudoreplication
from livermet.report.doctor import describe_calls, describe_findings, table_of_left_out
from livermet.report.tables import Table


def lines(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_the_design_is_told_in_words_and_numbers(toy: SimpleNamespace) -> None:
    told = describe_findings(toy.findings, toy.tests)
    assert told["arms"] == {
        "corner": "site × treatment",
        "columns": ["untreated", "RT + anti-PD-L1"],
        "rows": [("subcutaneous", [3, 3]), ("subcutaneous + liver", [3, 3])],
    }
    first = told["questions"][0]
    assert first["formula"] == "subcutaneous_liver.untreated - subcutaneous.untreated"
    assert first["vector"] == "−1 subcutaneous.untreated +1 subcutaneous_liver.untreated"
    assert first["groups"][0] == ("subcutaneous + liver.untreated", "m07, m08, m09")
    assert told["residual_df"] == 12 - told["rank"] == 6
    assert told["cautions"] == []
    assert told["all_confirmatory"]


@pytest.mark.parametrize(
    ("mice", "tier"),
    [(["m01", "m04", "m07", "m10"], "descriptive"), (["m01", "m02", "m04", "m07", "m10"], "exploratory")],
)
def test_few_mice_are_cautioned_of_at_the_top(toy: SimpleNamespace, mice: list[str], tier: str) -> None:
    sheet = toy.samples[toy.samples["mouse"].isin(mice)].set_index("sample")
    findings = examine(build_design(sheet, {**toy.config["design"], "covariates": []})).to_dict()
    told = describe_findings(findings, toy.tests.iloc[:0])
    [(named, meaning, sentences)] = told["cautions"]
    assert named == tier
    assert sentences == ["What does a liver metastasis do?", "What does the combination do?", "How much is undone?"]
    assert ("no p-value or interval is given anywhere" in meaning) == (tier == "descriptive")
    assert not told["left_out"]


def test_mice_with_too_few_cells_are_named_with_what_it_costs(toy: SimpleNamespace) -> None:
    assert lines(table_of_left_out(toy.tests)) == [["CD8 activated", "2", "m04 m05", "site untreated (exploratory)"]]


def test_calls_add_up_over_populations(toy: SimpleNamespace) -> None:
    total = add_up_calls(toy.calls)
    assert total["called_by_cells"].to_dict() == {"site_untreated": 30, "combo_livermet": 50}
    assert total["share_unsupported"].to_dict() == pytest.approx({"site_untreated": 0.8, "combo_livermet": 1.0})
    assert total["false_share"].to_dict() == pytest.approx({"site_untreated": 2 / 3, "combo_livermet": 1.0})
    told = describe_calls(toy.calls, {"site_untreated": "What?", "combo_livermet": "Else?"})
    assert told is not None
    assert (told["cells"], told["mice"], told["unsupported"]) == ("80", "6", "92 %")  # 74 of 80, to the even digit
    assert (told["judged"], told["false"]) == ("80", "88 %")  # 70 of 80
    assert told["null"] == [("Else?", "50")]
    assert lines(told["table"])[0] == ["What?", "30", "6", "6", "80.0 %", "30", "66.7 %"]
    assert lines(told["details"])[1][-1] == "fewer than 10 cells on one side"


def test_a_study_without_truth_claims_none(toy: SimpleNamespace) -> None:
    calls = toy.calls.assign(judged_by_truth=False, false_by_cells=float("nan"), false_by_mice=float("nan"))
    told = describe_calls(calls, {})
    assert told is not None
    assert (told["judged"], told["false"], told["null"]) == ("", "", [])
    assert [column.name for column in told["table"].columns][-1] == "share_unsupported"
    assert describe_calls(calls.iloc[:0], {}) is None


def test_the_figure_shows_both_counts_and_the_known_falsehoods(toy: SimpleNamespace) -> None:
    figure = plot_pseudoreplication(toy.calls, {})
    assert figure.get_suptitle() == "Cells as replicates would have made 80 gene calls; mice support 6"
    left, right = figure.axes
    assert sorted(text.get_text() for text in left.texts) == ["0", "30", "50", "6"]
    assert [text.get_text() for text in right.texts] == ["80% not supported", "100% not supported"]
    marks = [line.get_xdata()[0] for line in right.lines if len(line.get_xdata())]
    assert marks == pytest.approx([2 / 3, 1.0])
    nothing = plot_pseudoreplication(toy.calls.iloc[:0], {})
    assert "enough cells" in nothing.axes[0].texts[0].get_text()


def test_cell_level_tests_reach_no_answer(toy: SimpleNamespace) -> None:
    assert not [name for name in toy.calls if "p_value" in name]
    assert not {"called_by_cells", "false_by_cells"} & set(pd.DataFrame(toy.answers).columns)
