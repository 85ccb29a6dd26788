"""What the mice can tell: units, contrasts, tiers, and what is refused in which words."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from livermet import keys
from livermet.errors import InputError
from livermet.mice.design.model import Design, build_design, check
from livermet.settings import resolve

SITES, TREATMENTS = ["sc", "liver"], ["none", "rt", "ici", "combo"]


def effect(name: str, level: str, reference: str = "none", **within: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "effect",
        "factor": "treatment",
        "level": level,
        "reference": reference,
        "within": within,
    }


SITE = {
    "name": "site",
    "kind": "effect",
    "factor": "site",
    "level": "liver",
    "reference": "sc",
    "within": {"treatment": "none"},
}
QUESTIONS = [
    SITE,
    effect("combo", "combo", site="liver"),
    effect("combo_sc", "combo", site="sc"),
    effect("rt_anywhere", "rt"),
    {"name": "by_site", "kind": "difference", "of": ["combo", "combo_sc"]},
    {"name": "synergy", "kind": "synergy", "factor": "treatment", "combination": "combo", "singles": ["rt", "ici"],
     "reference": "none", "within": {"site": "liver"}},
    {"name": "rescue", "kind": "rescue", "damage": "site", "repair": "combo",
     "readouts": [{"population": "T", "readout": "abundance"}]},
]  # fmt: skip


def settings(**changes: Any) -> dict[str, Any]:
    design = {
        "factors": {"site": SITES, "treatment": TREATMENTS},
        "populations": {"T": {"lineages": ["T_cell"]}},
        "questions": QUESTIONS,
        **changes,
    }
    found: dict[str, Any] = resolve({"study": "s", "samples": "s.tsv", "design": design})["design"]
    return found


def sheet(n: int = 3, **columns: Any) -> pd.DataFrame:
    rows = [
        {"sample": f"{site}_{treatment}_{number}", "mouse": f"{site}_{treatment}_{number}", "tissue": "liver",
         "site": site, "treatment": treatment, "batch": f"b{number}"}
        for site in SITES for treatment in TREATMENTS for number in range(n)
    ]  # fmt: skip
    return pd.DataFrame(rows).set_index("sample").assign(**columns)


def vector(design: Design, question: str) -> dict[str, float]:
    """The contrast, without its noughts."""
    named = zip(design.matrix.columns, design[question].vector, strict=True)
    return {str(column): round(value, 9) for column, value in named if value != 0}


def test_contrasts_of_the_full_model_are_differences_of_arm_means() -> None:
    design = build_design(sheet(), settings())
    assert (design.rank, design.residual_df) == (8, 16)
    assert vector(design, "site") == {"liver.none": 1, "sc.none": -1}
    assert vector(design, "combo") == {"liver.combo": 1, "liver.none": -1}
    assert vector(design, "rt_anywhere") == {"liver.rt": 0.5, "sc.rt": 0.5, "liver.none": -0.5, "sc.none": -0.5}
    assert vector(design, "by_site") == {"liver.combo": 1, "liver.none": -1, "sc.combo": -1, "sc.none": 1}
    assert vector(design, "synergy") == {"liver.combo": 1, "liver.rt": -1, "liver.ici": -1, "liver.none": 1}
    assert design["by_site"].formula == "(liver.combo - liver.none) - (sc.combo - sc.none)"
    assert design["rescue"].formula == "(liver.combo - liver.none) / -(liver.none - sc.none)"
    assert design["combo"].sentence == "What does combo change against none where site is liver?"
    assert {contrast.tier for contrast in design.contrasts.values()} == {keys.CONFIRMATORY}
    assert check(sheet(), settings()) == []


@pytest.mark.parametrize("model", ["full", "additive"])
@pytest.mark.parametrize("covariates", [[], ["batch"], ["batch", "copy", "weight"]])
def test_a_contrast_gives_the_planted_difference_whatever_the_covariates(model: str, covariates: list[str]) -> None:
    rng = np.random.default_rng(0)
    table = sheet(3)
    table["copy"] = table["batch"].map({"b0": "x", "b1": "y", "b2": "z"})  # repeats the batch: the matrix loses rank
    table["weight"] = [f"{20 + rng.normal():.2f}" for _ in range(len(table))]
    asked = [question for question in QUESTIONS if model == "full" or question["name"] not in ("by_site",)]
    design = build_design(table, settings(model=model, covariates=covariates, questions=asked))
    means = {
        f"{site}.{treatment}": (site == "liver") * 2 + number
        for site in SITES
        for number, treatment in enumerate(TREATMENTS)
    }
    y = np.array([means[arm] for arm in design.units["arm"]]) + 5 * (design.units["batch"] == "b1")
    beta = np.linalg.lstsq(design.matrix.to_numpy(), y, rcond=None)[0]
    for name in ("site", "combo", "rt_anywhere", "synergy"):
        wanted = sum(weight * means[arm] for arm, weight in design[name].weights.items())
        assert design.vector(name) @ beta == pytest.approx(wanted, abs=1e-8)
    assert np.linalg.matrix_rank(design.matrix.to_numpy()) == design.matrix.shape[1] == design.rank
    assert bool(design.dropped) == ("copy" in covariates)


def test_one_mouse_an_arm_knows_main_effects_and_no_interaction() -> None:
    asked = [{**SITE, "within": {}}, effect("rt", "rt"), QUESTIONS[1], QUESTIONS[2], QUESTIONS[4]]
    design = build_design(sheet(1), settings(model="additive", questions=asked))
    assert (design.rank, design.residual_df) == (5, 3)
    assert design["site"].tier == keys.CONFIRMATORY  # four mice on either side
    assert design["rt"].tier == keys.CONFIRMATORY
    assert design["combo"].tier == keys.EXPLORATORY  # named within a site: an arm of one
    assert not design["by_site"].estimable
    assert design["by_site"].reason.startswith("the additive model has no interaction")
    problems = check(sheet(1), settings(model="additive", questions=asked))
    assert [problem.where for problem in problems] == ["config design.questions.by_site"]
    full = build_design(sheet(1), settings())
    assert full.residual_df == 0
    assert {contrast.tier for contrast in full.contrasts.values()} == {keys.DESCRIPTIVE}
    assert check(sheet(1), settings()) == []  # ranked effect sizes are an answer


@pytest.mark.parametrize(
    ("mice", "tier"),
    [
        ({"sc.none": 2, "liver.none": 2, "liver.rt": 2}, keys.CONFIRMATORY),
        ({"sc.none": 3, "liver.none": 1, "liver.rt": 3}, keys.EXPLORATORY),  # an arm of one
        ({"sc.none": 2, "liver.none": 2}, keys.EXPLORATORY),  # two residual df
        ({"sc.none": 1, "liver.none": 1}, keys.DESCRIPTIVE),
    ],
)
def test_tier_follows_residual_df_and_the_smallest_arm(mice: dict[str, int], tier: str) -> None:
    table = sheet(3)
    arm = table["site"] + "." + table["treatment"]
    table = table[[number < mice.get(a, 0) for a, number in zip(arm, table["batch"].str[1:].astype(int), strict=True)]]
    design = build_design(table, settings(questions=[SITE]))
    assert design["site"].tier == tier


def test_a_batch_that_holds_an_arm_is_said_and_refused() -> None:
    table = sheet(3)
    table["batch"] = [
        "b9" if treatment == "rt" else batch
        for treatment, batch in zip(table["treatment"], table["batch"], strict=True)
    ]
    asked = [effect("rt", "rt", site="liver"), effect("combo", "combo", site="liver")]
    adjusted = build_design(table, settings(covariates=["batch"], questions=asked))
    assert adjusted.aliasing == ["batch b9 holds all rt mice and no others: the rt effect cannot be told from batch"]
    assert not adjusted["rt"].estimable
    assert adjusted["rt"].reason == "it cannot be told from batch (batch b9 holds all rt mice and no others)"
    assert adjusted["rt"].tier == keys.NOT_ESTIMABLE
    assert adjusted["combo"].estimable
    [problem] = check(table, settings(covariates=["batch"], questions=asked))
    assert problem.where == "config design.questions.rt"
    assert "cannot be told from batch" in str(problem)
    alone = build_design(table, settings(questions=asked))
    assert alone["rt"].estimable
    assert alone.aliasing == [adjusted.aliasing[0] + " (which the model does not adjust for)"]


def test_a_missing_arm_is_named() -> None:
    table = sheet(3)
    table = table[~((table["site"] == "sc") & (table["treatment"] == "combo"))]
    problems = check(table, settings())
    assert [problem.where.rsplit(".", 1)[1] for problem in problems] == ["combo_sc", "by_site"]
    assert "no mouse has site sc, treatment combo" in problems[0].found
    assert "within" in problems[0].remedy


def test_samples_of_one_mouse_are_one_unit() -> None:
    table = sheet(2)
    lanes = pd.concat([table, table.rename(index=lambda name: f"{name}_lane2")])
    design = build_design(lanes, settings())
    assert list(design.units.index) == list(table["mouse"])
    assert design.residual_df == 8
    assert design.arms["liver.combo"] == 2
    lanes.iloc[0, lanes.columns.get_loc("treatment")] = "rt"  # now one name is two mice
    problems = check(lanes, settings())
    assert any("mouse 'sc_none_0' is 'rt' and 'none'" in str(problem) for problem in problems)
    with pytest.raises(InputError, match="one value per mouse"):
        build_design(lanes, settings())


def test_every_misspelt_name_is_said_at_once() -> None:
    asked = [
        effect("a", "combi", site="liver"),
        effect("b", "combo", cite="liver"),
        {"name": "c", "kind": "difference", "of": ["a", "d"]},
        {"name": "e", "kind": "rescue", "damage": "a", "repair": "b",
         "readouts": [{"population": "Tcell", "readout": "signature", "signature": "Tox"}]},
    ]  # fmt: skip
    changed = settings(
        questions=asked, populations={"T_cell": {"lineages": ["Tcell"]}}, signatures=["AICD"], covariates=["batsh"]
    )
    table = sheet(2)
    table.iloc[1, table.columns.get_loc("treatment")] = "noen"
    found = [
        str(problem)
        for problem in check(table, {**changed, "covariates": []}, signatures=["Tex", "AICD_set"], labels=["T_cell"])
    ]
    text = "\n".join(found)
    assert "row 3, treatment: 'noen' is not a level (none, rt, ici, combo). Did you mean 'none'?" in text
    assert (
        "questions.a.level: 'combi' is not a level of treatment (none, rt, ici, combo). Did you mean 'combo'?" in text
    )
    assert "questions.b.within: 'cite' is not a factor. Did you mean 'site'?" in text
    assert "questions.c.of: no question is called 'd'" in text
    assert "questions.e.readouts[0].population: 'Tcell' is not a population. Did you mean 'T_cell'?" in text
    assert "questions.e.readouts[0].signature: no gene set is called 'Tox'" in text
    assert "design.signatures[0]: no gene set is called 'AICD'" in text
    assert "populations.T_cell: no lineage or state is called 'Tcell'. Did you mean 'T_cell'?" in text
    [column] = check(sheet(), settings(covariates=["batsh"]))
    assert str(column) == "sample sheet header: no column 'batsh'. Did you mean 'batch'?"


def test_a_rescue_starts_where_the_damage_ends() -> None:
    asked = [SITE, effect("elsewhere", "combo", site="sc"), {**QUESTIONS[-1], "repair": "elsewhere"}]
    design = build_design(sheet(), settings(questions=asked))
    assert design["rescue"].reason == "the damage ends in liver.none but the repair starts from sc.none"
    assert len(check(sheet(), settings(questions=asked))) == 1


def test_a_subset_is_judged_anew() -> None:
    design = build_design(sheet(3), settings(covariates=["batch"]))
    left = [unit for unit in design.units.index if not unit.startswith("liver_combo") or unit.endswith("_0")]
    part = design.subset(left)
    assert part.residual_df == design.residual_df - 2
    assert part["combo"].n_mice == {"liver.combo": 1, "liver.none": 3}
    assert part["combo"].tier == part["rescue"].tier == keys.EXPLORATORY
    assert part["site"].tier == keys.CONFIRMATORY
    none = design.subset([unit for unit in left if not unit.startswith("liver_combo")])
    assert none["combo"].reason == "no mouse has site liver, treatment combo"
    assert none["rescue"].reason == "combo: no mouse has site liver, treatment combo"
    assert none["rt_anywhere"].weights == design["rt_anywhere"].weights
    empty = design.subset([])
    assert empty.residual_df == 0
    assert not any(contrast.estimable for contrast in empty.contrasts.values())


def test_tissues_of_a_mouse_are_units_but_not_replicates() -> None:
    table = pd.concat([sheet(2), sheet(2).assign(tissue="blood").rename(index=lambda name: f"{name}_blood")])
    asked = [{**QUESTIONS[1], "tissue": "liver"}, {**QUESTIONS[1], "name": "blood", "tissue": "blood"},
             {"name": "differs", "kind": "difference", "of": ["combo", "blood"]}]  # fmt: skip
    design = build_design(table, settings(questions=asked))
    assert "liver_combo_0|blood" in design.units.index
    assert vector(design, "combo") == {"liver.combo.liver": 1, "liver.none.liver": -1}
    parts = {tuple(names): part for part, names in design.parts()}
    assert set(parts) == {("combo",), ("blood",), ("differs",)}
    assert set(parts[("combo",)].units["tissue"]) == {"liver"}
    assert len(parts[("combo",)].units) == 16
    assert len(parts[("differs",)].units) == 32
    [problem] = check(table, settings(questions=[QUESTIONS[1]]))
    assert "does not say which tissue" in str(problem)


def test_a_design_survives_json() -> None:
    design = build_design(sheet(3), settings(covariates=["batch"]))
    again = Design.from_dict(json.loads(json.dumps(design.to_dict())))
    assert again.to_dict() == design.to_dict()
    pd.testing.assert_frame_equal(again.matrix, design.matrix)
    assert again.subset(again.units.index[:9])["site"] == design.subset(design.units.index[:9])["site"]
