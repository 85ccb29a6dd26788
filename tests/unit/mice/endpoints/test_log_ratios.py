"""Log-ratios: their variances against multinomial draws, and what an influx of one population does to the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.unit.mice.cohort import QUESTIONS, draw_counts, make_design, make_settings

from livermet.mice.endpoints import log_ratios
from livermet.mice.endpoints.references import Reference, agree, compare_with_references
from livermet.mice.models.contrasts import estimate_rows

SHARES = np.array([0.5, 0.25, 0.15, 0.1])
UNTOUCHED = ["CD8_naive_like", "T_cell_unassigned", "B_cell", "NK_cell", "Neutrophil", "Kupffer_cell"]
REFERENCES = ["B_cell", "Neutrophil"]


def draw(n: int, units: int = 40000) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(1).multinomial(n, SHARES, size=units), columns=list("abcd"))


def test_ratio_is_log2_to_the_geometric_mean() -> None:
    counts = pd.DataFrame({"a": [7.5], "b": [1.5], "c": [0.0]})
    # 8, 2 and .5 with the pseudocount: geometric mean 2
    assert log_ratios.centred_log_ratio(counts)[0].tolist() == pytest.approx([2.0, 0.0, -2.0])


@pytest.mark.parametrize("n", [400, 2000])
def test_counting_variances_are_those_of_multinomial_draws(n: int) -> None:
    draws = draw(n)
    seen = log_ratios.centred_log_ratio(draws).var(axis=1)
    told = log_ratios.ratio_variance(pd.DataFrame(SHARES[None]), pd.Series([n]))[:, 0]
    np.testing.assert_allclose(told, seen, rtol=0.05)
    totals, ones = draws.sum(axis=1), np.ones((len(draws), 1))
    for found in (
        log_ratios.measure_against(draws[["a", "b", "c"]], draws["d"], totals, ones),
        log_ratios.measure_shares(draws, totals, ones),
    ):
        np.testing.assert_allclose(found.variance[:, 0], found.values.var(axis=1), rtol=0.05)


def test_values_are_ratios_of_counts_and_no_cells_are_no_measurement() -> None:
    counts = pd.DataFrame({"a": [15.5, 0, 0], "b": [1.5, 3.5, 0]}, index=["x", "y", "empty"])
    totals = pd.Series([31, 15, 0], index=counts.index)
    against = log_ratios.measure_against(counts[["a"]], counts["b"], totals, np.ones((3, 1))).values.loc["a"]
    assert against.tolist() == pytest.approx([3.0, -3.0, np.nan], nan_ok=True)
    shares = log_ratios.measure_shares(counts, totals, np.ones((3, 1))).values
    assert shares.loc["a"].tolist() == pytest.approx([-1.0, -5.0, np.nan], nan_ok=True)


def test_a_mouse_with_few_cells_by_chance_does_not_weigh_less() -> None:
    counts = pd.DataFrame({"a": [40, 5, 40, 40], "b": [60, 95, 60, 60], "c": [100, 100, 100, 100]})
    totals, ones = counts.sum(axis=1), np.ones((4, 1))
    for found in (
        log_ratios.measure_centred(counts, ones),
        log_ratios.measure_against(counts[["a"]], counts["c"], totals, ones),
        log_ratios.measure_shares(counts, totals, ones),
    ):
        assert found.variance[0, 1] == pytest.approx(found.variance[0, 0], rel=0.2)


def test_influx_of_one_population_and_what_it_does_to_the_others() -> None:
    """Rates of false calls among populations that did not change in number, and power for the one that did.

    With eight parts an influx of 2.5-fold moves the geometric mean by log2(2.5) / 8 = .17: the centred log-ratio calls a
    little too much, the logit of a proportion far more, a reference no more than it should, and hardly anything false is
    left where the references have to agree.
    """
    settings, rng = make_settings(questions=QUESTIONS[:1]), np.random.default_rng(9)
    design = make_design(3, settings)
    matrix = design.matrix.to_numpy()
    influx = {"Macrophage": np.log2(2.5)}
    false: dict[str, list[bool]] = {"clr": [], "alr": [], "agree": [], "logit": []}
    true: dict[str, list[bool]] = {"clr": [], "agree": []}
    shift = []

    def estimate(ratios: log_ratios.Ratios) -> pd.DataFrame:
        return estimate_rows(ratios.values, ratios.variance, design, settings).set_index("row")

    for repeat in range(90):
        loss = {"CD8_activated": -1.5} if repeat < 30 else {}
        counts = draw_counts(design, rng, {"tumour.none": influx | loss})
        totals = counts.sum(axis=1)
        table = estimate(log_ratios.measure_centred(counts, matrix)).rename(columns={"estimate": "log_fold_change"})
        references = [Reference(name, counts[name], {name}) for name in REFERENCES]
        table = table.join(compare_with_references(counts, totals, references, design, settings).droplevel(0))
        called = table["p_value"] < 0.05
        both = called & agree(table, REFERENCES).fillna(False).astype(bool)
        if loss:
            true["clr"].append(bool(called["CD8_activated"]))
            true["agree"].append(bool(both["CD8_activated"]))
            continue
        shift += table.loc[UNTOUCHED, "log_fold_change"].tolist()
        false["clr"] += called[UNTOUCHED].tolist()
        false["agree"] += both[UNTOUCHED].tolist()
        for name in REFERENCES:
            false["alr"] += (
                table.loc[[one for one in UNTOUCHED if one != name], f"alr_{name}_p_value"] < 0.05
            ).tolist()
        shares = (counts + 0.5).div(totals + 1, axis=0)
        logits = np.log2(shares / (1 - shares)).T
        naive = estimate(log_ratios.Ratios(logits, np.ones(logits.shape)))
        false["logit"] += (naive.loc[UNTOUCHED, "p_value"] < 0.05).tolist()
    rate = {name: float(np.mean(values)) for name, values in false.items()}
    assert np.mean(shift) == pytest.approx(-np.log2(2.5) / 8, abs=0.03)
    assert 0.02 <= rate["alr"] <= 0.08
    assert rate["clr"] <= 0.13
    assert rate["logit"] > rate["clr"]
    assert rate["agree"] <= 0.03
    assert np.mean(true["clr"]) >= 0.8
    assert np.mean(true["agree"]) >= 0.6
