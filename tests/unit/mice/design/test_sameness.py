"""Questions of sameness: contrast, sentence, tier, and the misspelt names that are found before a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.mice.cohort import QUESTIONS, make_design, make_settings, make_sheet

from livermet import keys
from livermet.errors import InputError
from livermet.mice.design.model import build_design, check
from livermet.settings import resolve

ASKED: dict[str, Any] = {
    "name": "like_healthy",
    "kind": "equivalence",
    "arm": {"site": "tumour", "treatment": "drug"},
    "like": {"site": "healthy", "treatment": "none"},
}


def settings_with(**changes: Any) -> dict[str, Any]:
    return make_settings(questions=[*QUESTIONS, ASKED | changes])


def test_contrast_is_arm_minus_like() -> None:
    contrast = make_design(3, settings_with())["like_healthy"]
    assert contrast.weights == {"tumour.drug": 1.0, "healthy.none": -1.0}
    assert contrast.formula == "tumour.drug - healthy.none"
    assert contrast.sentence == "Is tumour.drug like healthy.none?"
    assert contrast.n_mice == {"tumour.drug": 3, "healthy.none": 3}
    assert (contrast.kind, contrast.tier) == ("equivalence", keys.CONFIRMATORY)
    assert check(make_sheet(), settings_with()) == []


def test_factors_that_a_side_does_not_name_are_averaged() -> None:
    contrast = make_design(3, settings_with(arm={"site": "tumour"}, like={"site": "healthy"}))["like_healthy"]
    assert contrast.weights == {"tumour.none": 0.5, "tumour.drug": 0.5, "healthy.none": -0.5, "healthy.drug": -0.5}


@pytest.mark.parametrize("model", ["full", "additive"])
def test_it_gives_the_planted_difference(model: str) -> None:
    questions = [item for item in QUESTIONS if item["kind"] == "effect"]
    design = make_design(3, make_settings(questions=[*questions, ASKED], model=model))
    y = design.units["arm"].map({"healthy.none": 1.0, "healthy.drug": 1.5, "tumour.none": 4.0, "tumour.drug": 4.5})
    beta = np.linalg.lstsq(design.matrix.to_numpy(), y.to_numpy(), rcond=None)[0]
    assert design.vector("like_healthy") @ beta == pytest.approx(3.5)


def test_tier_follows_the_arm_with_fewest_mice_and_a_missing_arm_is_said() -> None:
    few = make_design(3, settings_with(), arms={("tumour", "drug"): 1})["like_healthy"]
    assert few.tier == keys.EXPLORATORY
    lost = make_design(3, settings_with(), arms={("tumour", "drug"): 0})["like_healthy"]
    assert not lost.estimable
    assert lost.reason == "no mouse has site tumour, treatment drug"


def test_confusion_with_a_batch_is_said() -> None:
    sheet = make_sheet()
    sheet["batch"] = np.where((sheet["site"] == "tumour") & (sheet["treatment"] == "drug"), "b2", "b1")
    contrast = build_design(sheet, settings_with() | {"covariates": ["batch"]})["like_healthy"]
    assert not contrast.estimable
    assert contrast.reason.startswith("it cannot be told from batch")


def test_a_tissue_is_needed_where_there_are_several_and_holds_both_sides() -> None:
    sheet = make_sheet()
    blood = sheet.assign(tissue="blood").rename(index=lambda name: f"{name}_blood")
    both = pd.concat([sheet, blood])
    named = [item | {"tissue": "liver"} if item["kind"] == "effect" else item for item in QUESTIONS]
    settings = make_settings(questions=[*named, ASKED])
    problems = check(both, settings)
    assert [problem.found.startswith("does not say which tissue") for problem in problems] == [True]
    settings = make_settings(questions=[*named, ASKED | {"tissue": "liver"}])
    assert check(both, settings) == []
    assert build_design(both, settings)["like_healthy"].weights == {
        "tumour.drug.liver": 1.0,
        "healthy.none.liver": -1.0,
    }


@pytest.mark.parametrize(
    ("changes", "where", "found"),
    [
        ({"arm": {"sites": "tumour"}}, ".arm", "'sites' is not a factor"),
        ({"like": {"site": "healty"}}, ".like", "'healty' is not a level of site (healthy, tumour)"),
        ({"like": ASKED["arm"]}, "", "holds an arm against itself"),
    ],
)
def test_misspelt_names(changes: dict[str, Any], where: str, found: str) -> None:
    problems = check(make_sheet(), settings_with(**changes))
    assert [(problem.where, problem.found) for problem in problems] == [
        (f"config design.questions.like_healthy{where}", found)
    ]


@pytest.mark.parametrize(("key", "value"), [("margin", 0.0), ("signature_margin", -1.0), ("arm", {})])
def test_a_margin_is_above_nothing(key: str, value: object) -> None:
    design = {
        "factors": {"site": ["healthy", "tumour"], "treatment": ["none", "drug"]},
        "populations": {"T": {"lineages": ["T_cell"]}},
        "questions": [ASKED | {key: value}],
    }
    with pytest.raises(InputError, match=rf"questions\.0\.{key}"):
        resolve({"study": "s", "samples": "s.tsv", "design": design})
