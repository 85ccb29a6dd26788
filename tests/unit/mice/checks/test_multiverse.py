"""Specification curves by hand: what holds, what turns, what gave no answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from livermet.mice.checks.multiverse import (
    choose_headlines,
    collect_estimates,
    collect_multiverse,
    mark_specifications,
    summarise_curves,
)

OWN = {"mads": 5.0, "doublets": "remove", "integrate": "harmony", "resolution": 1.0}
GRID = [(3.0, "remove"), (5.0, "remove"), (3.0, "keep"), (5.0, "keep")]


def outcomes(failures: dict[tuple[float, str], str] | None = None) -> list[pd.DataFrame]:
    """A job each: two ways of choosing outliers x two doublet rules, one integration, one resolution."""
    return [
        pd.DataFrame(
            [{"resolution": 1.0, "n_cells": 90, "n_clusters": 6, "n_t_cells": 30,
              "failure": (failures or {}).get((mads, doublets), ""), "mads": mads, "doublets": doublets,
              "integrate": "harmony"}]
        )
        for mads, doublets in GRID
    ]  # fmt: skip


def answer(
    question: str, endpoint: str, population: str, readout: str, estimate: float, p: float, **more: object
) -> dict[str, object]:
    half = abs(estimate) * 0.5
    return {
        "question": question, "endpoint": endpoint, "population": population, "readout": readout, "estimate": estimate,
        "unit": "log2", "ci_low": estimate - half, "ci_high": estimate + half, "p_value": p / 2, "adjusted_p_value": p,
        "tier": "confirmatory", "equivalent": pd.NA, **more,
    }  # fmt: skip


def estimates(rows: dict[tuple[float, str], list[dict[str, object]]]) -> list[pd.DataFrame]:
    return [
        pd.DataFrame(part).assign(mads=mads, doublets=doublets, integrate="harmony", resolution=1.0)
        for (mads, doublets), part in rows.items()
    ]


def curve(values: list[tuple[float, float]], endpoint: str = "composition", **more: object) -> dict[str, pd.DataFrame]:
    """The curve of one headline, from (estimate, adjusted p) of the four specifications in the order of `GRID`."""
    rows = {
        place: [answer("site", endpoint, "CD8", "abundance", estimate, p, **more)]
        for place, (estimate, p) in zip(GRID, values, strict=True)
    }
    own = pd.DataFrame(rows[5.0, "remove"]).assign(declared=True)
    return collect_multiverse(estimates(rows), outcomes(), own, OWN, 0.95)


def test_the_studys_own_specification_is_marked_and_named() -> None:
    table = mark_specifications(outcomes(), OWN)
    assert table.loc[table["is_default"], "specification"].tolist() == [
        "5 MADs, doublets remove, harmony, resolution 1"
    ]
    assert len(table) == table["specification"].nunique() == 4
    with pytest.raises(ValueError, match="0 specifications"):
        mark_specifications(outcomes(), {**OWN, "resolution": 2.0})


def test_a_headline_that_holds_and_one_that_turns() -> None:
    steady = curve([(-1.0, 0.01), (-1.2, 0.001), (-0.9, 0.04), (-1.1, 0.02)])["summary"].iloc[0]
    assert steady[["share_same_sign", "share_clear", "share_same_verdict"]].tolist() == [1.0, 1.0, 1.0]
    assert steady[["lowest", "median", "highest", "estimate"]].tolist() == [-1.2, -1.05, -0.9, -1.2]
    # One loses its significance, one its sign although it is "significant": two of four still say the same.
    turning = curve([(-1.0, 0.20), (-1.2, 0.001), (0.9, 0.01), (-1.1, 0.02)])["summary"].iloc[0]
    assert turning[["share_same_sign", "share_clear", "share_same_verdict"]].tolist() == [0.75, 0.5, 0.5]
    # Nothing shown: that nothing is shown elsewhere, too, is the same verdict, whatever the sign.
    nothing = curve([(0.1, 0.6), (-0.2, 0.7), (0.1, 0.8), (-0.8, 0.01)])["summary"].iloc[0]
    assert not nothing["clear"]
    assert nothing[["share_same_sign", "share_clear", "share_same_verdict"]].tolist() == [0.5, 0.25, 0.75]


def test_what_the_estimate_depends_on() -> None:
    # By hand: mean 2.5, total 5; doublets 1.5 and 3.5 explain 4, strictness 2 and 3 explains 1.
    row = curve([(1.0, 0.5), (2.0, 0.5), (3.0, 0.5), (4.0, 0.5)])["summary"].iloc[0]
    assert row["depends_most_on"] == "doublets"
    assert row["its_share"] == pytest.approx(0.8)
    flat = curve([(1.0, 0.5)] * 4)["summary"].iloc[0]
    assert flat["depends_most_on"] == ""
    assert (row["n_distinct"], flat["n_distinct"]) == (4, 1)


def test_a_rescue_has_no_p_value_and_its_interval_decides() -> None:
    table = curve([(1.0, np.nan), (0.9, np.nan), (0.8, np.nan), (0.7, np.nan)], endpoint="rescue")["estimates"]
    assert table["clear"].all()
    table = curve([(1.0, np.nan)] * 4, endpoint="rescue", ci_low=-0.1)["estimates"]
    assert not table["clear"].any()


def test_sameness_has_no_sign() -> None:
    row = curve([(0.1, 0.01), (-0.1, 0.01), (0.1, 0.2), (-0.1, 0.02)], equivalent=True)["summary"].iloc[0]
    assert row[["share_same_sign", "share_clear", "share_same_verdict"]].tolist() == [0.5, 0.75, 0.75]


def test_what_failed_stays_in_the_curve_without_a_number() -> None:
    rows = {place: [answer("site", "composition", "CD8", "abundance", -1.0, 0.01)] for place in GRID[1:]}
    rows[5.0, "keep"][0] |= {"tier": "not estimable", "estimate": 9.0}
    failures = {(3.0, "remove"): "no cells are left"}
    own = pd.DataFrame(rows[5.0, "remove"]).assign(declared="True")
    found = collect_multiverse(estimates(rows), outcomes(failures), own, OWN, 0.95)
    assert len(found["estimates"]) == 4
    failed = found["specifications"].set_index("specification")["failure"]
    assert failed["3 MADs, doublets remove, harmony, resolution 1"] == "no cells are left"
    assert (failed != "").sum() == 1
    without = found["estimates"][found["estimates"]["estimate"].isna()]
    assert set(zip(without["mads"], without["doublets"], strict=True)) == {(3.0, "remove"), (5.0, "keep")}
    assert (without["tier"] == "not estimable").all()
    assert not without["clear"].any()
    row = found["summary"].iloc[0]
    assert row[["n_specifications", "n_estimable"]].tolist() == [4, 2]
    assert row["share_same_verdict"] == 0.5


def test_a_question_without_an_answer_is_steady_where_none_has_one() -> None:
    rows = {place: [answer("site", "composition", "CD8", "abundance", -1.0, 0.01)] for place in GRID}
    rows[5.0, "remove"][0]["tier"] = "not estimable"
    own = pd.DataFrame(rows[5.0, "remove"]).assign(declared=True)
    row = collect_multiverse(estimates(rows), outcomes(), own, OWN, 0.95)["summary"].iloc[0]
    assert np.isnan(row["estimate"])
    assert row["share_same_verdict"] == 0.25


def test_a_readout_is_followed_into_another_population() -> None:
    here = answer("site", "mechanism", "CD8_activated", "Fas", 1.0, 0.01)
    rows = {
        place: [here if place[1] == "remove" else here | {"population": "CD8_T", "estimate": 2.0}] for place in GRID
    }
    specifications = mark_specifications(outcomes(), OWN)
    headlines = choose_headlines(pd.DataFrame([here]).assign(declared=True))
    table = collect_estimates(estimates(rows), specifications, headlines, 0.95)
    assert sorted(table["estimate"]) == [1.0, 1.0, 2.0, 2.0]
    assert len(summarise_curves(table)) == 1


def test_headlines_are_what_was_declared_and_rescues() -> None:
    answers = pd.DataFrame(
        [
            answer("site", "composition", "CD8", "abundance", 1.0, 0.1) | {"declared": "True"},
            answer("site", "composition", "B_cell", "abundance", 1.0, 0.1) | {"declared": "False"},
            answer("site", "signature", "CD8", "death", 1.0, 0.1) | {"declared": "False"},
            answer("repair", "rescue", "CD8", "abundance", 1.0, np.nan) | {"declared": "False"},
        ]
    )
    assert choose_headlines(answers)["population"].tolist() == ["CD8", "CD8"]
    assert choose_headlines(answers)["endpoint"].tolist() == ["composition", "rescue"]
    none = answers.assign(declared=False)
    assert choose_headlines(none)["population"].tolist() == ["CD8", "B_cell", "CD8"]
