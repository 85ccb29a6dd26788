"""The comparison with the truth says found where the results are the truth, and missed where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from livermet.demo import planted
from livermet.demo.cohort import Study, simulate_cohort
from livermet.demo.comparison import compare_with_truth

FACTORS = {"site": list(planted.SITES), "treatment": list(planted.TREATMENTS)}
LIVER, CONTROL = {"site": "subcutaneous_liver"}, {"site": "subcutaneous"}


def effect(name: str, factor: str, level: str, reference: str, within: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "kind": "effect", "factor": factor, "level": level, "reference": reference, "within": within}


QUESTIONS = [
    effect("site_untreated", "site", "subcutaneous_liver", "subcutaneous", {"treatment": "untreated"}),
    effect("combo_livermet", "treatment", "rt_anti_pdl1", "untreated", LIVER),
    effect("anti_pdl1_livermet", "treatment", "anti_pdl1", "untreated", LIVER),
    effect("anti_pdl1_subcutaneous", "treatment", "anti_pdl1", "untreated", CONTROL),
    {"name": "rescue_combo", "kind": "rescue", "damage": "site_untreated", "repair": "combo_livermet"},
]
# Planted changes of each question, worked out by hand from the plan of the study.
CD8_LOSS = {"site_untreated": -1.5, "combo_livermet": 1.5, "anti_pdl1_livermet": 0.45, "anti_pdl1_subcutaneous": 0.0}
INFLUX = {"site_untreated": 1.322, "combo_livermet": -1.190, "anti_pdl1_livermet": 0.0, "anti_pdl1_subcutaneous": 0.0}
ARMS = {
    "site_untreated": ("subcutaneous_liver.untreated", "subcutaneous.untreated"),
    "combo_livermet": ("subcutaneous_liver.rt_anti_pdl1", "subcutaneous_liver.untreated"),
    "anti_pdl1_livermet": ("subcutaneous_liver.anti_pdl1", "subcutaneous_liver.untreated"),
    "anti_pdl1_subcutaneous": ("subcutaneous.anti_pdl1", "subcutaneous.untreated"),
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory, gene_table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("cohort")
    rows = [
        {
            "sample": site,
            "mouse": site,
            "site": site,
            "treatment": "untreated",
            "path": str(folder / f"{site}.h5"),
            "raw_path": str(folder / f"{site}.raw.h5"),
        }
        for site in planted.SITES
    ]
    sizes = {"n_genes": 12000, "cells_per_mouse": 500, "n_empty_droplets": 20, "seed": 3}
    return simulate_cohort(samples=rows, gene_table=gene_table, **sizes)


@pytest.fixture
def truth(simulated: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """With a few doublets more than so few cells would have."""
    cells = simulated["cells"].copy()
    cells.loc[cells.index[:3], ["is_doublet", "doublet_kind"]] = [True, "heterotypic"]
    return {**simulated, "cells": cells}


@pytest.fixture
def perfect(truth: dict[str, pd.DataFrame], study: Study) -> dict[str, pd.DataFrame]:
    """Results that are the truth, with narrow intervals."""
    cells = truth["cells"].set_index("cell")
    rng = np.random.default_rng(1)
    barcodes = pd.DataFrame(
        {
            "sample": cells["sample"],
            "ambient_fraction": cells["ambient_fraction"],
            "doublet_score": cells["is_doublet"] + rng.uniform(0, 0.5, size=len(cells)),
        }
    )
    composition = [
        (question, population, "population", change[question])
        for question in ARMS
        for population, change in (("CD8_activated", CD8_LOSS), ("Monocyte_derived_macrophage", INFLUX))
    ]
    composition = pd.DataFrame(composition, columns=["question", "population", "level", "log_fold_change"])
    rescue = pd.DataFrame(
        {
            "question": "rescue_combo",
            "population": ["CD8_activated", "Monocyte_derived_macrophage"],
            "readout": "abundance",
            "signature": ["", np.nan],
            "rescue": [1.0, 0.9],
            "estimable": True,
            "reason": "",
        }
    )
    return {
        "barcodes": barcodes,
        "labels": cells[["lineage", "state"]],
        "composition": with_interval(composition, "log_fold_change"),
        "rescue": with_interval(rescue, "rescue"),
        "expression": with_interval(expression_of(study), "log_fold_change"),
    }


def with_interval(table: pd.DataFrame, column: str) -> pd.DataFrame:
    called = (table[column].abs() > 0.05).astype(float)
    return table.assign(
        ci_low=table[column] - 0.2,
        ci_high=table[column] + 0.2,
        standard_error=0.1,
        adjusted_p_value=0.9 - 0.89 * called,
    )


def expression_of(study: Study) -> pd.DataFrame:
    """The planted effects of three populations, question by question, with a little noise, as if estimated."""
    names = [p.name for p in planted.programmes.POPULATIONS]
    rng = np.random.default_rng(2)
    parts = []
    for question, (level, reference) in ARMS.items():
        for population in ("CD8_activated", "Monocyte_derived_macrophage", "B_cell"):
            row = names.index(population)
            change = study.effects[level][row] - study.effects[reference][row]
            parts.append(
                study.genes[["gene_id"]].assign(
                    question=question,
                    population=population,
                    gene=study.genes["symbol"],
                    log_fold_change=change + rng.normal(scale=0.01, size=len(change)),
                )
            )
    return pd.concat(parts, ignore_index=True)


def compare(results: dict[str, pd.DataFrame], truth: dict[str, pd.DataFrame]) -> pd.DataFrame:
    table = compare_with_truth(**results, truth=truth, questions=QUESTIONS, factors=FACTORS)
    assert table.columns.tolist() == ["quantity", "planted", "found", "detail", "verdict"]
    return table.set_index("quantity")


def test_the_truth_itself_is_found(perfect: dict[str, pd.DataFrame], truth: dict[str, pd.DataFrame]) -> None:
    table = compare(perfect, truth)
    assert (table["verdict"] == "found").all(), table[table["verdict"] != "found"].to_string()
    assert table.loc["lineages, macro-F1", "found"] == 1.0
    assert table.loc["abundance of CD8_activated, anti_pdl1_livermet", "planted"] == pytest.approx(0.45)
    assert table.loc["rescue of abundance in Monocyte_derived_macrophage, rescue_combo", "planted"] == pytest.approx(
        0.9
    )
    assert table.loc["Fasl in Monocyte_derived_macrophage, combo_livermet", "planted"] == pytest.approx(-1.8)
    assert table.loc["gene effects, site_untreated", "found"] == pytest.approx(1.0, abs=0.02)
    assert {"calls among genes, anti_pdl1_subcutaneous", "calls among populations, anti_pdl1_subcutaneous"} <= set(
        table.index
    )


def test_questions_without_effect_get_no_row_of_effects(
    perfect: dict[str, pd.DataFrame], truth: dict[str, pd.DataFrame]
) -> None:
    names = compare(perfect, truth).index
    assert "abundance of CD8_activated, anti_pdl1_subcutaneous" not in names
    assert "abundance of Monocyte_derived_macrophage, anti_pdl1_livermet" not in names


def test_wrong_labels_are_missed(perfect: dict[str, pd.DataFrame], truth: dict[str, pd.DataFrame]) -> None:
    labels = perfect["labels"].copy()
    b_cells = labels["lineage"] == "B_cell"
    labels.loc[b_cells, ["lineage", "state"]] = "NK_cell"
    labels.loc[labels["state"].isin(["CD8_activated", "CD8_naive_like", "Treg", "NKT"]), "state"] = "unassigned"
    table = compare({**perfect, "labels": labels}, truth)
    assert table.loc["lineages, macro-F1", "verdict"] == "missed"
    assert table.loc["T-cell states, share called", "verdict"] == "missed"
    assert 0.35 < table.loc["T-cell states, share called", "found"] < 0.6


def test_doublets_that_are_not_ranked_are_missed(
    perfect: dict[str, pd.DataFrame], truth: dict[str, pd.DataFrame]
) -> None:
    barcodes = perfect["barcodes"].assign(doublet_score=1.0)
    table = compare({**perfect, "barcodes": barcodes}, truth)
    row = table.loc["doublets of two kinds of cell, AUPRC"]
    assert row["verdict"] == "missed"
    assert row["found"] < 0.05


def test_biased_ambient_share_is_missed(perfect: dict[str, pd.DataFrame], truth: dict[str, pd.DataFrame]) -> None:
    barcodes = perfect["barcodes"].assign(ambient_fraction=lambda table: table["ambient_fraction"] + 0.03)
    row = compare({**perfect, "barcodes": barcodes}, truth).loc["ambient share, error"]
    assert row["verdict"] == "missed"
    assert row["found"] == pytest.approx(0.03)


def test_interval_beside_the_planted_value_is_missed(
    perfect: dict[str, pd.DataFrame], truth: dict[str, pd.DataFrame]
) -> None:
    composition = perfect["composition"].copy()
    composition[["log_fold_change", "ci_low", "ci_high"]] += 0.5
    rescue = perfect["rescue"].assign(ci_low=-0.5, ci_high=2.5)
    table = compare({**perfect, "composition": composition, "rescue": rescue}, truth)
    assert table.loc["abundance of CD8_activated, site_untreated", "verdict"] == "missed"
    # Holding the planted 1 is not enough where 0 is held as well.
    assert table.loc["rescue of abundance in CD8_activated, rescue_combo", "verdict"] == "missed"


def test_rescue_that_cannot_be_estimated_is_missed(
    perfect: dict[str, pd.DataFrame], truth: dict[str, pd.DataFrame]
) -> None:
    rescue = perfect["rescue"].assign(estimable=False, reason="the damage is not told from 0")
    row = compare({**perfect, "rescue": rescue}, truth).loc["rescue of abundance in CD8_activated, rescue_combo"]
    assert row["verdict"] == "missed"
    assert "not told from 0" in row["detail"]


def test_false_calls_and_shrunken_effects_are_missed(
    perfect: dict[str, pd.DataFrame], truth: dict[str, pd.DataFrame]
) -> None:
    expression = perfect["expression"].copy()
    expression["log_fold_change"] *= 0.5
    null = (expression["question"] == "anti_pdl1_subcutaneous") & (expression["population"] == "B_cell")
    expression.loc[expression.index[null][:3], "adjusted_p_value"] = 0.01
    site = expression["question"] == "site_untreated"
    liver = site & (expression["gene"] == "Alb")
    expression.loc[liver, "adjusted_p_value"] = 0.01
    expression.loc[expression.index[site][::100], "adjusted_p_value"] = 0.01
    table = compare({**perfect, "expression": expression}, truth)
    assert table.loc["gene effects, site_untreated", "verdict"] == "missed"
    assert table.loc["gene effects, site_untreated", "found"] == pytest.approx(0.5, abs=0.02)
    assert table.loc["false calls, site_untreated", "verdict"] == "missed"
    assert "hepatocytes' own genes" in table.loc["false calls, site_untreated", "detail"]
    assert f"; {liver.sum()} of the" in table.loc["false calls, site_untreated", "detail"]
    assert table.loc["calls among genes, anti_pdl1_subcutaneous", "found"] == 3
    assert table.loc["calls among genes, anti_pdl1_subcutaneous", "verdict"] == "missed"
