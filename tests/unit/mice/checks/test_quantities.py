"""What is checked is what was tested: scores of signatures, read-outs, and axes that are learned anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.mice.checks.test_robustness import check, sources
from tests.unit.mice.cohort import make_design, make_settings
from tests.unit.mice.endpoints.test_rescue import NO_GENES, SETS
from tests.unit.mice.pseudobulks import draw_pseudobulk

from livermet.mice.checks.quantities import Sources
from livermet.mice.design.model import Design
from livermet.mice.endpoints import pathways, rescue
from livermet.tcells import signatures

SET = {"name": "death", "kind": "state", "lineage": "T", "use": "score", "description": "dying", "source": "test",
       "verification": "curated", "up": [f"Gene{place}" for place in range(20)], "down": ["Gene30", "Gene31"]}  # fmt: skip


def measured(design: Design, changes: dict[str, dict[str, float]], seed: int = 1) -> Sources:
    sums = draw_pseudobulk(
        design, np.random.default_rng(seed), n_genes=120, changes=changes, populations=("CD8_activated",)
    )
    sets = {**SETS, "signatures": [SET]}
    return replace(
        sources(design, {}), pseudobulk=sums, sets=sets["signatures"], signatures=signatures.load(sets), defining={}
    )


def test_a_signature_is_estimated_as_its_test_estimates_it() -> None:
    endpoints = [{"endpoint": "signature", "population": "CD8_activated", "signature": "death", "questions": ["drug"]}]
    questions = [one for one in make_settings()["questions"] if one["name"] == "drug"]
    settings = make_settings(endpoints=endpoints, questions=questions)
    design = make_design(settings=settings)
    given = measured(design, {"tumour.drug": {f"Gene{place}": 1.0 for place in range(20)}})
    (row,) = check(design, given, 1)["robustness"].to_dict(orient="records")
    tested = pathways.test_pathways(
        pseudobulk=given.pseudobulk, design=design, signatures=given.sets, aliases={}, defining={}
    )
    expected = tested[tested["population"] == "CD8_activated"]["estimate"].item()
    assert row["estimate"] == pytest.approx(expected, abs=1e-6)
    assert 0.6 < row["loo_low"] <= row["loo_high"] < 1.4
    assert row["permutation_p_value"] == row["smallest_p_attainable"] == pytest.approx(0.1)


def study_of_an_axis() -> Design:
    readouts: list[dict[str, Any]] = [{"population": "CD8_activated", "readout": "axis"}]
    questions = [one for one in make_settings()["questions"] if one["name"] in ("site", "drug")]
    asked = {"name": "rescue", "kind": "rescue", "damage": "site", "repair": "drug", "readouts": readouts}
    return make_design(4, make_settings(questions=[*questions, asked]))


def test_an_axis_is_learned_anew_without_each_mouse() -> None:
    design = study_of_an_axis()
    damage = {f"Gene{place}": 2.0 * (-1) ** place for place in range(60)}
    given = measured(design, {"tumour.none": damage})
    tables = check(design, given, 1)
    (row,) = tables["robustness"].to_dict(orient="records")
    assert row["readout"] == "axis"
    assert row["estimate"] == pytest.approx(1.0, abs=0.25)
    assert row["n_left_out"] == 12
    assert row["scheme"] == "none: the axis is learned from the labels"
    assert np.isnan(row["permutation_p_value"])
    without = design.subset([unit for unit in design.units.index if unit != "tn1"])
    expected = rescue.test_rescue(
        given.abundance, given.pseudobulk, NO_GENES, without, design.settings, given.signatures, {}
    )["rescue"]["rescue"].item()
    assert tables["left_out"].set_index("mouse")["estimate"]["tn1"] == pytest.approx(expected)
    assert expected != pytest.approx(row["estimate"], abs=1e-6)


def test_an_axis_without_damage_says_so() -> None:
    design = study_of_an_axis()
    (row,) = check(design, measured(design, {}), 1)["robustness"].to_dict(orient="records")
    assert row["reason"] == "the damage is not separated from 0"
    assert pd.isna(row["estimate"])


def test_a_population_that_no_mouse_has_is_left_empty_with_the_reason() -> None:
    endpoints = [{"endpoint": "signature", "population": "CD8_activated", "signature": "death", "questions": ["drug"]}]
    questions = [one for one in make_settings()["questions"] if one["name"] == "drug"]
    design = make_design(settings=make_settings(endpoints=endpoints, questions=questions))
    given = measured(design, {})
    sums = given.pseudobulk.copy()
    sums.obs["n_cells"] = 0
    (row,) = check(design, replace(given, pseudobulk=sums), 1)["robustness"].to_dict(orient="records")
    assert row["reason"] == f"no mouse has {design.settings['min_cells']} cells of it"
    assert np.isnan(row["estimate"])
