"""Batches that are what is asked about are never brought together; batches that lean towards it are told of."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from tests.unit.mice.cohort import make_settings

from livermet.mice.design.doctor import examine
from livermet.mice.design.integrating import check_batches, describe_batches
from livermet.mice.design.model import build_design

HARMONY = {"integrate": "harmony", "batch_key": "batch"}
METHODS = {"embed.integrate": "harmony"}


def sheet(*rows: str) -> pd.DataFrame:
    """Samples from "site treatment batch"."""
    table = pd.DataFrame([row.split() for row in rows], columns=["site", "treatment", "batch"])
    table["mouse"] = [f"m{number}" for number in range(1, len(table) + 1)]
    table["tissue"] = "liver"
    table.index = pd.Index([f"s{number}" for number in range(1, len(table) + 1)], name="sample")
    return table


ARMS = [f"{site} {treatment}" for site in ("healthy", "tumour") for treatment in ("none", "drug")]
BALANCED = sheet(*(f"{arm} b{replicate}" for arm in ARMS for replicate in (1, 2, 3)))
BY_TREATMENT = sheet(*(f"{arm} {'b2' if arm.endswith('drug') else 'b1'}" for arm in ARMS for _ in range(3)))
BY_SITE = sheet(*(f"{arm} {arm.split()[0]}_run" for arm in ARMS for _ in range(3)))
ONE = sheet(*(f"{arm} b1" for arm in ARMS for _ in range(2)))


def test_balanced_batches_and_a_single_one_are_let_through() -> None:
    for table in (BALANCED, ONE):
        assert check_batches(table, make_settings(), HARMONY, METHODS) == []
        assert describe_batches(table, make_settings(), HARMONY) == []


def test_a_batch_that_is_the_treatment_is_refused_with_its_table() -> None:
    (problem,) = check_batches(BY_TREATMENT, make_settings(), HARMONY, METHODS)
    assert problem.where == "config embed.batch_key"
    assert "batch cannot be told from treatment (b1: 6 none; b2: 6 drug)" in problem.found
    assert "embed.integrate: harmony would bring its batches together" in problem.found
    # The difference of two drug effects can be told: each batch holds both sites. The site question, too.
    assert problem.found.endswith("remove what drug and drug_healthy ask about")
    assert problem.remedy == "Set embed.integrate to none, or name another batch_key"
    assert check_batches(BY_TREATMENT, make_settings(), HARMONY, {"embed.integrate": "none"}) == []


def test_a_batch_that_is_the_site_is_refused_for_the_site_alone() -> None:
    (problem,) = check_batches(BY_SITE, make_settings(), HARMONY, METHODS)
    assert "from site (healthy_run: 6 healthy; tumour_run: 6 tumour)" in problem.found
    assert problem.found.endswith("remove what site asks about")
    drug_only = [one for one in make_settings()["questions"] if one["name"] in ("drug", "drug_healthy")]
    assert check_batches(BY_SITE, {**make_settings(), "questions": drug_only}, HARMONY, METHODS) == []


def test_every_sample_a_batch_of_its_own_is_refused() -> None:
    for key in ("mouse", "sample"):
        (problem,) = check_batches(BALANCED, make_settings(), {**HARMONY, "batch_key": key}, METHODS)
        assert "and 7 more batches" in problem.found
        assert "site, drug, drug_healthy and drug_by_site" in problem.found


def test_a_factor_is_no_batch() -> None:
    (problem,) = check_batches(BALANCED, make_settings(), {**HARMONY, "batch_key": "treatment"}, METHODS)
    assert "treatment cannot be told from treatment" in problem.found


def test_every_place_that_asks_for_it_is_named() -> None:
    methods = {"embed.integrate": "none", "multiverse.integrate": "harmony"}
    (problem,) = check_batches(BY_TREATMENT, make_settings(), HARMONY, methods)
    assert "multiverse.integrate: harmony" in problem.found
    assert problem.remedy.startswith("Set multiverse.integrate to none")


@pytest.mark.parametrize(
    ("change", "found", "remedy"),
    [
        ({"batch_key": "bacth"}, "the sample sheet has no column 'bacth'", "Did you mean 'batch'?"),
        ({"batch_key": "lane"}, "column 'lane' is empty for s2 and s4", "Fill the column in"),
    ],
)
def test_a_batch_column_that_is_not_there_or_half_empty(change: dict[str, Any], found: str, remedy: str) -> None:
    table = BALANCED.assign(lane=["l1", "", "l1", "", *["l2"] * 8])
    (problem,) = check_batches(table, make_settings(), {**HARMONY, **change}, METHODS)
    assert problem.found == found
    assert problem.remedy == remedy


def test_batches_that_lean_are_told_with_their_share_of_the_information() -> None:
    drug = [one for one in make_settings()["questions"] if one["name"] == "drug"]
    settings = {**make_settings(), "questions": drug}

    def leaning(many: int) -> pd.DataFrame:
        rows = [*["tumour none b1"] * many, "tumour drug b1", "tumour none b2", *["tumour drug b2"] * many]
        return sheet(*rows)

    assert describe_batches(leaning(4), settings, HARMONY) == []
    (sentence,) = describe_batches(leaning(9), settings, HARMONY)
    assert "batch goes partly with treatment (b1: 9 none, 1 drug; b2: 1 none, 9 drug)" in sentence
    # Within a batch 1 / (1/9 + 1/1) = .9 of information, 1.8 in two; were there no batches, 1 / (1/10 + 1/10) = 5.
    assert f"drug {1.8 / 5:.0%}" in sentence
    assert check_batches(leaning(9), settings, HARMONY, METHODS) == []
    assert describe_batches(leaning(9), settings, {**HARMONY, "integrate": "none"}) == []


def test_the_doctor_passes_the_note_on() -> None:
    findings = examine(build_design(BALANCED, make_settings()), ["mind this"])
    assert findings.notes[-1] == "mind this"
