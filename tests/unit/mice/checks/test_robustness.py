"""One mouse at a time: the outlier that carries an effect is named, and what cannot be told is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.mice.cohort import make_design, make_settings
from tests.unit.mice.pseudobulks import draw_pseudobulk

from livermet.mice.checks.gene_null import fit_trend, permute_genes
from livermet.mice.checks.quantities import Sources
from livermet.mice.checks.robustness import summarise, test_robustness
from livermet.mice.design.model import Design
from livermet.mice.models.contrasts import estimate_rows

check = test_robustness
check.__test__ = False  # type: ignore[attr-defined]

NAMES = ["CD8_activated", "CD8_T", "Macrophage", "B_cell", "NK_cell", "Neutrophil"]
ENDPOINTS = [
    {"endpoint": "composition", "population": "CD8_activated"},
    {"endpoint": "mechanism", "readout": "killing", "questions": ["drug"]},
]


def abundance(design: Design, rng: np.random.Generator, changes: dict[str, float], spread: float = 0.2) -> pd.DataFrame:
    """Log-ratios of all populations; `changes` shifts CD8_activated of single units."""
    rows = [
        {"population": name, "unit": unit, "clr": rng.normal(0, spread) + (changes.get(unit, 0) if name == NAMES[0] else 0),
         "variance": 0.02}
        for name in NAMES for unit in design.units.index
    ]  # fmt: skip
    return pd.DataFrame(rows)


def killing(design: Design, values: list[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = design.units[["mouse", "tissue"]].assign(readout="killing", population="CD8_T", value=values, weight=10.0)
    return table.reset_index(drop=True), pd.DataFrame(
        {"question": ["drug"], "readout": "killing", "population": "CD8_T"}
    )


def sources(design: Design, changes: dict[str, float], seed: int = 1) -> Sources:
    rng = np.random.default_rng(seed)
    readouts, mechanism = killing(design, list(rng.normal(size=len(design.units))))
    nothing: Any = None
    return Sources(abundance(design, rng, changes), readouts, mechanism, nothing, [], nothing, {})


def study(**arms: Any) -> Design:
    questions = [one for one in make_settings()["questions"] if one["kind"] != "rescue"]
    rescue = {"name": "rescue", "kind": "rescue", "damage": "site", "repair": "drug",
              "readouts": [{"population": "CD8_activated", "readout": "abundance"}]}  # fmt: skip
    return make_design(settings=make_settings(endpoints=ENDPOINTS, questions=[*questions, rescue]), **arms)


def row_of(table: pd.DataFrame, question: str, endpoint: str) -> pd.Series:
    return table.set_index(["question", "endpoint"]).loc[(question, endpoint)]


def test_every_declared_row_is_checked_and_no_other() -> None:
    design = study()
    found = check(design, sources(design, {}), 1)["robustness"]
    assert list(zip(found["question"], found["endpoint"], found["readout"], strict=True)) == [
        ("site", "composition", "abundance"),
        ("drug", "composition", "abundance"),
        ("drug", "mechanism", "killing"),
        ("drug_healthy", "composition", "abundance"),
        ("drug_by_site", "composition", "abundance"),
        ("rescue", "rescue", "abundance"),
    ]
    assert row_of(found, "drug", "mechanism")["population"] == "CD8_T"


def test_the_mouse_that_carries_the_effect_is_named() -> None:
    design = study()
    carrier = design.units.index[(design.units["arm"] == "tumour.drug").to_numpy()][1]
    tables = check(design, sources(design, {carrier: 4.0}), 1)
    row = row_of(tables["robustness"], "drug", "composition")
    assert row["loo_mouse"] == carrier
    assert row["estimate"] > 1.0
    assert abs(row["loo_estimate"]) < 0.5
    assert row["loo_largest_p_value"] > 0.2
    assert row["n_left_out"] == 6
    left = tables["left_out"].query("question == 'drug' and endpoint == 'composition'").set_index("mouse")["estimate"]
    assert (row["loo_low"], row["loo_high"]) == (left.min(), left.max())


def test_a_sign_that_one_mouse_turns_is_told() -> None:
    design = study()
    treated = design.units.index[(design.units["arm"] == "tumour.drug").to_numpy()]
    changes = {treated[0]: 6.0, treated[1]: -1.0, treated[2]: -1.0}
    row = row_of(check(design, sources(design, changes), 1)["robustness"], "drug", "composition")
    assert row["sign_flips"]
    assert row["flipping_mice"] == treated[0]
    steady = row_of(check(design, sources(design, dict.fromkeys(treated, 3.0)), 1)["robustness"], "drug", "composition")
    assert not steady["sign_flips"]
    assert steady["flipping_mice"] == ""


def test_estimates_are_those_of_the_test_with_and_without_a_mouse() -> None:
    design = study()
    given = sources(design, {})
    tables = check(design, given, 1)
    wide = given.abundance.pivot(index="population", columns="unit", values="clr").reindex(NAMES)[design.units.index]
    without = design.subset([unit for unit in design.units.index if unit != "td1"])
    for part, found in (
        (design, row_of(tables["robustness"], "drug", "composition")["estimate"]),
        (without, tables["left_out"].query("question == 'drug' and endpoint == 'composition' and mouse == 'td1'")),
    ):
        values = wide[part.units.index]
        expected = estimate_rows(values, np.full(values.shape, 0.02), part, part.settings).set_index(
            ["question", "row"]
        )
        number = expected.loc[("drug", "CD8_activated")]
        if isinstance(found, pd.DataFrame):
            assert found["p_value"].item() == pytest.approx(number["p_value"])
            found = found["estimate"].item()
        assert found == pytest.approx(number["estimate"])


def test_an_arm_of_one_mouse_cannot_do_without_it() -> None:
    arms = {("tumour", "none"): 3, ("tumour", "drug"): 1, ("healthy", "none"): 3, ("healthy", "drug"): 3}
    design = study(arms=arms)
    row = row_of(check(design, sources(design, {}), 1)["robustness"], "drug", "composition")
    assert row["not_estimable_without"] == "td0"
    assert row["reason"] == "cannot be answered without td0"
    assert row["smallest_p_attainable"] == pytest.approx(0.25)
    assert row["n_left_out"] == 4


def test_a_question_without_mice_is_left_empty_with_its_reason() -> None:
    arms = {("tumour", "none"): 3, ("tumour", "drug"): 0, ("healthy", "none"): 3, ("healthy", "drug"): 3}
    design = study(arms=arms)
    row = row_of(check(design, sources(design, {}), 1)["robustness"], "drug", "composition")
    assert "no mouse has" in row["reason"]
    assert np.isnan(row["estimate"])
    assert np.isnan(row["permutation_p_value"])


def test_a_rescue_is_a_share_and_its_labels_are_those_of_the_repair() -> None:
    design = study()
    diseased = design.units.index[(design.units["arm"] == "tumour.none").to_numpy()]
    tables = check(design, sources(design, dict.fromkeys(diseased, -4.0)), 1)
    row = row_of(tables["robustness"], "rescue", "rescue")
    assert row["estimate"] == pytest.approx(1.0, abs=0.15)
    assert row["n_left_out"] == 9
    assert 0.8 < row["loo_low"] <= row["loo_high"] < 1.2
    assert row["permutation_p_value"] == pytest.approx(0.1)
    none = row_of(check(design, sources(design, {}), 1)["robustness"], "rescue", "rescue")
    assert none["reason"] == "the damage is not separated from 0"


def test_without_a_known_estimate_there_is_no_range() -> None:
    points = pd.DataFrame({"mouse": ["a", "b"], "estimate": [np.nan, np.nan], "p_value": np.nan})
    found = summarise(1.0, points)
    assert found["not_estimable_without"] == "a b"
    assert "loo_low" not in found


def test_genes_called_are_told_from_those_that_labels_call() -> None:
    questions = [one for one in make_settings()["questions"] if one["name"] == "drug"]
    settings = make_settings(questions=questions, populations={"B_cell": {"lineages": ["B_cell"]}})
    design = make_design(4, settings)
    rng = np.random.default_rng(2)
    changes = {"tumour.drug": {f"Gene{place}": 3.0 for place in range(60)}}
    table = permute_genes(draw_pseudobulk(design, rng, changes=changes), design, 1)
    (row,) = table.to_dict(orient="records")
    assert row["n_called"] >= 40
    assert row["null_median"] < row["n_called"] / 4
    assert 15 <= row["n_permutations"] <= 19
    assert row["smallest_p"] == pytest.approx(1 - row["n_permutations"] / 20)
    still = permute_genes(draw_pseudobulk(design, np.random.default_rng(3)), design, 1).iloc[0]
    assert still["n_called"] <= 3


def test_the_mirror_image_is_no_other_labelling() -> None:
    questions = [one for one in make_settings()["questions"] if one["name"] == "drug"]
    settings = make_settings(questions=questions, populations={"B_cell": {"lineages": ["B_cell"]}})
    design = make_design(3, settings)
    row = permute_genes(draw_pseudobulk(design, np.random.default_rng(2)), design, 1).iloc[0]
    assert (row["n_permutations"], row["smallest_p"]) == (18, pytest.approx(0.1))


def test_the_trend_follows_the_variance() -> None:
    level = np.linspace(0, 12, 3000)
    expected = np.exp(1 - 0.3 * level)
    variance = expected * np.random.default_rng(1).chisquare(8, 3000) / 8
    trend = fit_trend(level, variance)
    ratio = trend / expected
    assert ratio.std() / ratio.mean() < 0.08
