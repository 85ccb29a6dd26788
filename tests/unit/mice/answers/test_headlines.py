"""Declared rows: Holm by hand, nothing lost, and a mouse that turns a sign is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.unit.mice.answers.test_table import NOTHING, WORDS
from tests.unit.mice.cohort import make_design, make_settings

from livermet.mice.answers import table as answers
from livermet.mice.answers.headlines import holm, name_flips

ENDPOINTS = [
    {"endpoint": "composition", "population": "CD8_activated"},
    {"endpoint": "composition", "population": "NK_cell"},
    {"endpoint": "signature", "population": "CD8_activated", "signature": "death"},
    {"endpoint": "mechanism", "readout": "killing", "questions": ["drug"]},
]
MICE = '{"tumour.drug": 3, "tumour.none": 3}'


def test_holm_by_hand() -> None:
    # Sorted .01 .02 .03 .04 times 4 3 2 1 is .04 .06 .06 .04, and no step is below the one before.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.01, np.nan, 0.02]) == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([0.2]) == pytest.approx([0.2])
    assert len(holm([])) == 0


def row(question: str, population: str, p: float, **more: object) -> dict[str, object]:
    base = {**NOTHING, "question": question, "population": population, "p_value": p, "adjusted_p_value": 2 * p,
            "estimate": 1.5, "log_fold_change": 1.5, "ci_low": 0.7, "ci_high": 2.3, "tier": "confirmatory", "reason": "",
            "minimum_detectable_log_fold_change": 1.0, "n_mice": MICE}  # fmt: skip
    return base | more


def make_answers(
    robustness: pd.DataFrame | None = None, endpoints: list[dict[str, object]] | None = None
) -> pd.DataFrame:
    composition = [
        row("drug", "CD8_activated", 0.02, level="population"),
        row("drug", "CD8_activated", 0.0001, level="leaf"),
        row("drug", "NK_cell", 0.04, level="population"),
        row("drug", "B_cell", 0.0002, level="population"),
        row("site", "NK_cell", 0.01, level="population", tier="descriptive"),
        row("site", "CD8_activated", 0.03, level="population"),
    ]
    pathways = [row("drug", "CD8_activated", 0.001, signature="death"), row("drug", "B_cell", 0.002, signature="death")]
    mechanism = [row("drug", "CD8_T", 0.03, readout="killing", label="killing", unit="log2")]
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
    rescue = [("rescue", "CD8_activated", "abundance", "", 0.8, 0.5, 1.2, "", "confirmatory", '{"a": 9}')]
    settings = make_settings(endpoints=ENDPOINTS if endpoints is None else endpoints)
    return answers.answer(
        pd.DataFrame(columns=["question", "population", "tier", "log_fold_change", "p_value", "reason"]),
        pd.DataFrame(pathways), pd.DataFrame(composition), pd.DataFrame(mechanism), pd.DataFrame(rescue, columns=columns),
        make_design(settings=settings), WORDS, robustness,
    )  # fmt: skip


def test_declared_rows_pay_for_each_other_and_for_nothing_else() -> None:
    table = make_answers().set_index(["question", "endpoint", "population"])
    drug = table.loc["drug"]
    declared = drug[drug["declared"]]
    assert declared["adjusted_p_value"].to_dict() == pytest.approx(
        {("signature", "CD8_activated"): 0.004, ("composition", "CD8_activated"): 0.06, ("composition", "NK_cell"): 0.06,
         ("mechanism", "CD8_T"): 0.06}
    )  # fmt: skip
    assert set(declared["family"]) == {"declared"}
    others = drug.loc[("composition", "B_cell")]
    assert (others["adjusted_p_value"], others["family"], others["lead"]) == (0.0004, "composition", True)
    assert "adjusted p = .060" in drug.loc[("composition", "CD8_activated"), "sentence"]
    assert "adjusted p = .004" in drug.loc[("signature", "CD8_activated"), "sentence"]
    # A row that was only described is in no family.
    assert table.loc[("site", "composition", "CD8_activated"), "adjusted_p_value"] == pytest.approx(0.03)
    assert table.loc[("rescue", "rescue", "CD8_activated"), "declared"]
    assert not table["lead"][table["declared"]].any()


def test_what_was_declared_never_goes_missing() -> None:
    table = make_answers()
    missing = table[table["declared"] & (table["question"] == "site") & (table["endpoint"] == "signature")]
    assert missing["tier"].tolist() == ["not estimable"]
    assert (
        missing["sentence"]
        .item()
        .startswith("A tumour in untreated mice: what happens to death genes in activated CD8")
    )
    assert table["declared"].sum() == 3 * 4 + 1 + 1  # three endpoints x four questions, one x one, a rescue's read-out


def test_nothing_declared_leaves_leads() -> None:
    table = make_answers(endpoints=[])
    assert table["declared"].sum() == 1
    leads = table[table["lead"] & (table["question"] == "drug")].set_index("endpoint")["population"]
    assert leads[["composition", "signature"]].to_dict() == {"composition": "B_cell", "signature": "CD8_activated"}


def test_checks_are_set_beside_the_declared_row() -> None:
    checks = {"loo_low": -0.2, "loo_high": 1.9, "loo_mouse": "td1", "sign_flips": True, "permutation_p_value": 0.1,
              "smallest_p_attainable": 0.1, "flipping_mice": "td1", "readout": "abundance"}  # fmt: skip
    rows = [
        {"question": "drug", "endpoint": "composition", "population": "NK_cell", **checks},
        {"question": "rescue", "endpoint": "rescue", "population": "CD8_activated", **checks},
    ]
    table = make_answers(pd.DataFrame(rows)).set_index(["question", "endpoint", "population"])
    unsure, sure = table.loc[("drug", "composition", "NK_cell")], table.loc[("rescue", "rescue", "CD8_activated")]
    assert (unsure["loo_low"], unsure["loo_high"], unsure["loo_mouse"]) == (-0.2, 1.9, "td1")
    assert (unsure["permutation_p_value"], unsure["smallest_p_attainable"]) == (0.1, 0.1)
    assert sure["sentence"].endswith("Without mouse td1 the sign turns.")
    assert np.isnan(table.loc[("drug", "composition", "B_cell"), "loo_low"])


def test_mice_that_turn_a_sign_are_listed() -> None:
    assert name_flips("m1") == "Without mouse m1 the sign turns."
    assert name_flips("m1 m2 m3") == "Without any one of mice m1, m2 or m3 the sign turns."
    assert name_flips(np.nan) == ""
