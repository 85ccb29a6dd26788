"""The design doctor: what it says of mice, arms and questions, and whether its advice is true."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from livermet import keys
from livermet.mice.answers.guide import describe_question
from livermet.mice.checks.relabelling import relabel
from livermet.mice.design.advice import mice_wanted
from livermet.mice.design.bulletin import WIDTH, write_bulletin
from livermet.mice.design.doctor import Findings, Verdict, examine
from livermet.mice.design.model import Design, build_design
from livermet.mice.design.support import attainable_p
from livermet.settings import resolve

SITES, TREATMENTS = ["sc", "liver"], ["none", "rt", "ici", "combo"]
SITE = {"name": "site", "kind": "effect", "factor": "site", "level": "liver", "reference": "sc",
        "within": {"treatment": "none"}}  # fmt: skip
RT = {"name": "rt", "kind": "effect", "factor": "treatment", "level": "rt", "reference": "none",
      "within": {"site": "liver"}}  # fmt: skip
RT_SC = {**RT, "name": "rt_sc", "within": {"site": "sc"}}
BY_SITE = {"name": "by_site", "kind": "difference", "of": ["rt", "rt_sc"]}
RESCUE = {"name": "rescue", "kind": "rescue", "damage": "site", "repair": "rt",
          "readouts": [{"population": "T", "readout": "abundance"}]}  # fmt: skip
QUESTIONS = [SITE, RT, RT_SC, BY_SITE, RESCUE]


def settings(**changes: Any) -> dict[str, Any]:
    design = {
        "factors": {"site": SITES, "treatment": TREATMENTS},
        "populations": {"T": {"lineages": ["T_cell"]}},
        "questions": QUESTIONS,
        **changes,
    }
    found: dict[str, Any] = resolve({"study": "s", "samples": "s.tsv", "design": design})["design"]
    return found


def sheet(n: int = 3, but: dict[str, int] | None = None, **columns: Any) -> pd.DataFrame:
    """`n` mice in every arm but those named; mice are m1, m2, ..."""
    arms = [(site, treatment) for site in SITES for treatment in TREATMENTS]
    rows = [
        {"site": site, "treatment": treatment, "tissue": "liver", "batch": f"b{number}"}
        for site, treatment in arms
        for number in range((but or {}).get(f"{site}.{treatment}", n))
    ]
    table = pd.DataFrame(rows).assign(**columns)
    table["mouse"] = [f"m{number}" for number in range(1, len(table) + 1)]
    table.index = pd.Index("s_" + table["mouse"], name="sample")
    return table


def verdicts(findings: Findings) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in findings.verdicts}


def test_a_balanced_study_is_told_in_numbers_and_words() -> None:
    findings = examine(build_design(sheet(3), settings(covariates=["batch"])))
    assert (findings.n_mice, findings.n_units, findings.rank, findings.residual_df) == (24, 24, 10, 14)
    assert findings.arms["columns"] == TREATMENTS
    assert [(row["label"], row["numbers"]) for row in findings.arms["rows"]] == [
        (["sc"], [3, 3, 3, 3]),
        (["liver"], [3, 3, 3, 3]),
    ]
    assert findings.model == "every arm has a mean of its own, adjusted for batch (b0, b1, b2)"
    assert findings.notes == findings.aliasing == []
    told = verdicts(findings)
    assert told["rt"].vector == "-1 liver.none +1 liver.rt"
    assert told["by_site"].vector == "+1 sc.none -1 sc.rt -1 liver.none +1 liver.rt"
    assert told["rt"].because == "14 residual df (3 wanted); at least 3 mice in each group (2 wanted)"
    assert told["rt"].mice == {"liver.rt": ["m16", "m17", "m18"], "liver.none": ["m13", "m14", "m15"]}
    assert {verdict.tier for verdict in told.values()} == {keys.CONFIRMATORY}
    assert {verdict.advice for verdict in told.values()} == {""}


@pytest.mark.parametrize(
    ("model", "batches", "but"),
    [
        ("full", [], {}),
        ("full", [], {"sc.rt": 0, "liver.none": 2}),
        ("full", ["batch"], {"liver.rt": 2, "liver.none": 4}),
        ("additive", [], {"liver.rt": 2}),
        ("additive", ["batch"], {"sc.rt": 0}),
    ],
)
def test_advice_is_true_and_frugal(model: str, batches: list[str], but: dict[str, int]) -> None:
    """With the mice that the doctor asks for the tier is reached, with any one of them fewer it is not."""
    design = build_design(sheet(1, but), settings(model=model, covariates=batches))
    for name in ("rt_sc", "by_site", "rescue"):
        wanted = mice_wanted(name, design)
        if wanted is None:
            assert model == "additive"  # no number of mice makes an additive model know an interaction
            assert design[name].reason.startswith("the additive model has no interaction")
            continue
        assert grown(design, wanted)[name].tier == keys.CONFIRMATORY
        for arm in wanted:
            fewer = {other: number - (other == arm) for other, number in wanted.items()}
            assert grown(design, fewer)[name].tier != keys.CONFIRMATORY


def grown(design: Design, wanted: dict[str, int]) -> Design:
    """The design with so many mice more."""
    rows = []
    for label, number in wanted.items():
        arm, _, profile = label.partition(" with ")
        site, treatment = arm.split(".")
        for _ in range(number):
            old = design.units[design.units["arm"] == arm]
            row = (old if len(old) else design.units).iloc[0].to_dict() | {"site": site, "treatment": treatment}
            if profile:
                row["batch"] = profile.removeprefix("batch ")
            rows.append({**row, "mouse": f"n{len(rows)}"})
    units = pd.DataFrame(rows, index=pd.Index([row["mouse"] for row in rows], name="unit", dtype=object))
    return design.refit(pd.concat([design.units, units]) if rows else design.units)


def test_short_and_missing_arms_are_named_with_their_mice() -> None:
    findings = examine(build_design(sheet(3, {"liver.rt": 1, "sc.rt": 0}), settings()))
    assert findings.notes == ["no mouse in sc.rt", "fewer than 2 mice in liver.rt (m13)"]
    told = verdicts(findings)
    assert told["rt"].tier == keys.EXPLORATORY
    assert told["rt"].because == "liver.rt has 1 mouse (m13), where 2 are wanted"
    assert told["rt"].advice == "1 more in liver.rt would make it confirmatory"
    assert told["rt_sc"].because == "no mouse has site sc, treatment rt"
    assert "2 more in sc.rt would make it confirmatory" in told["rt_sc"].advice
    assert told["rescue"].tier == keys.EXPLORATORY
    assert told["site"].advice == ""


def test_a_confounded_batch_asks_for_a_mouse_in_another_batch() -> None:
    table = sheet(3)
    table["batch"] = np.where(table["treatment"] == "rt", "b9", table["batch"])
    findings = examine(build_design(table, settings(covariates=["batch"])))
    assert findings.aliasing == ["batch b9 holds all rt mice and no others: the rt effect cannot be told from batch"]
    rt = verdicts(findings)["rt"]
    assert (rt.tier, rt.vector, rt.smallest_p) == (keys.NOT_ESTIMABLE, "", None)
    assert rt.because == "it cannot be told from batch (batch b9 holds all rt mice and no others)"
    assert rt.advice == "1 more in liver.rt with batch b0 would make it confirmatory"


def test_an_additive_model_lets_all_mice_answer_where_within_is_left_out() -> None:
    findings = examine(build_design(sheet(1), settings(model="additive")))
    told = verdicts(findings)
    assert told["rt"].advice.startswith("leaving out `within` (the additive model lets all mice answer) would make it")
    assert told["by_site"].advice.startswith("with `design.model: full`, 1 more in liver.rt and 1 more in liver.none")
    assert told["rt"].mice == {"liver.rt": ["m6"], "liver.none": ["m5"]}


def test_pools_and_tissues_are_said() -> None:
    table = sheet(2, pool_size="1")
    table.iloc[0, table.columns.get_loc("pool_size")] = "4"
    assert examine(build_design(table, settings())).notes == ["pools count as one replicate each: m1 (of 4)"]
    blood = table.assign(tissue="blood").rename(index=lambda name: f"{name}_blood")
    asked = [{**RT, "tissue": "liver"}, {**RT, "name": "blood", "tissue": "blood"}]
    findings = examine(build_design(pd.concat([table, blood]), settings(questions=asked)))
    assert "16 mice gave several tissues: one replicate each" in findings.notes
    assert (findings.n_mice, findings.n_units) == (16, 32)
    assert findings.model.endswith("tissues of one mouse are correlated, and each tissue is judged by its own units")
    # Judged by the sixteen units of its own tissue, not by all thirty-two.
    assert verdicts(findings)["blood"].because.startswith("8 residual df")
    assert next((row["label"], row["numbers"]) for row in findings.arms["rows"]) == (["sc", "liver"], [2, 2, 2, 2])


@pytest.mark.parametrize(
    ("n", "but", "covariates", "smallest"),
    [
        (3, {}, [], 2 / 20),
        (3, {"liver.rt": 2}, [], 1 / 10),
        (4, {}, [], 2 / 70),
        (3, {}, ["batch"], 2 / 8),
        (2, {}, ["batch"], 2 / 4),
        (1, {}, [], 1.0),
    ],
)
def test_smallest_p_counts_the_labellings(n: int, but: dict[str, int], covariates: list[str], smallest: float) -> None:
    design = build_design(sheet(n, but), settings(covariates=covariates))
    assert attainable_p(design["rt"], design) == pytest.approx(smallest)
    ways = relabel("rt", design, seed=1)
    assert ways.exact
    assert len(ways.orders) in (round(1 / smallest), round(2 / smallest))
    assert attainable_p(design["by_site"], design) is None
    assert attainable_p(design["rescue"], design) is None


def test_the_terminal_gets_few_aligned_lines() -> None:
    design = build_design(sheet(3), settings(covariates=["batch"]))
    text = write_bulletin(json.loads(json.dumps(examine(design).to_dict())), "s")
    lines = text.splitlines()
    assert len(lines) < 25
    assert max(map(len, lines)) <= WIDTH
    assert lines[1].split() == ["mice", *TREATMENTS]
    assert lines[3].split() == ["liver", "3", "3", "3", "3"]
    ends = [lines[1].index(name) + len(name) for name in TREATMENTS]
    assert [lines[2][end - 1] for end in ends] == ["3"] * 4
    assert "  rt: confirmatory (3 + 3 mice, least p 0.25)" in lines
    assert "contrast" not in text  # in a full model every formula is its contrast
    assert "questions   5 confirmatory" in text
    odd = write_bulletin(examine(build_design(sheet(1), settings(model="additive"))).to_dict(), "s")
    assert "contrast +1 treatment[T.rt]" in odd
    assert "fewer than 2 mice in sc.none (m1), sc.rt (m2)" in odd


def test_beside_the_tables_stand_sentence_formula_and_vector() -> None:
    asked = settings(
        covariates=["batch"],
        endpoints=[{"endpoint": "composition", "population": "T"}],
    )
    findings = examine(build_design(sheet(3), asked)).to_dict()
    text = describe_question("by_site", findings, asked)
    assert text.startswith("# Does rt differ from rt_sc?\n")
    assert "`(liver.rt - liver.none) - (sc.rt - sc.none)`" in text
    assert "- Contrast vector: `+1 sc.none -1 sc.rt -1 liver.none +1 liver.rt`\n" in text
    assert "- Mice in `liver.rt`: m16, m17, m18\n" in text
    assert "Holm in `answers.tsv`: abundance T." in text
    assert "rescue.tsv" not in text
    rescue = describe_question("rescue", findings, asked)
    assert "`rescue.tsv`" in rescue
    assert "Holm" not in rescue
    few = examine(build_design(sheet(1), settings())).to_dict()
    assert "**Descriptive.** Effects are ranked by their size." in describe_question("rt", few, settings())
