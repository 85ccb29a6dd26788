"""Abundance against declared references: what a reference sees, what two of them settle, and who judges whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.unit.mice.cohort import QUESTIONS, draw_counts, make_cells, make_design, make_settings

from livermet.mice.endpoints import composition, references
from livermet.mice.endpoints.log_ratios import measure_against
from livermet.mice.models.linear import fit_rows, precision_weights

DECLARED = ["B_cell", "Neutrophil"]
CD8_LOSS = {"tumour.none": {"CD8_activated": -2.0}}


def run(effects: dict[str, dict[str, float]], seed: int = 11, n: int = 5, **changes: object) -> pd.DataFrame:
    settings = make_settings(**{"references": DECLARED, "questions": QUESTIONS[:1], **changes})
    design = make_design(n, settings)
    labels, units = make_cells(draw_counts(design, np.random.default_rng(seed), effects, spread=0.15))
    return composition.test_composition(labels, units, design, settings)["composition"]


def pick(table: pd.DataFrame, question: str, level: str = "population") -> pd.DataFrame:
    return table[(table["question"] == question) & (table["level"] == level)].set_index("population")


def test_a_loss_holds_against_references_that_did_not_change() -> None:
    row = pick(run(CD8_LOSS), "site").loc["CD8_activated"]
    assert row["references_agree"]
    for name in DECLARED:
        low, high = row[f"alr_{name}_ci_low"], row[f"alr_{name}_ci_high"]
        assert low < -2.0 < high < 0  # the whole of it: the reference stays where it is
        assert row[f"alr_{name}_p_value"] < 0.01


def test_a_reference_that_changed_itself_is_told_by_the_other() -> None:
    """B cells rise fourfold: everything falls against them, and nothing against neutrophils."""
    found = pick(run({"tumour.none": {"B_cell": 2.0}}), "site")
    others = ["CD8_T", "NK_cell", "Macrophage"]
    assert (found.loc[others, "alr_B_cell_ci_high"] < 0).all()
    assert (found.loc[others, "alr_Neutrophil_log_fold_change"].abs() < 0.5).all()
    assert not found.loc[others, "references_agree"].any()
    # B cells cannot be held against themselves; neutrophils see what they did.
    assert np.isnan(found.loc["B_cell", "alr_B_cell_log_fold_change"])
    assert found.loc["B_cell", "alr_Neutrophil_ci_low"] > 1
    assert found.loc["B_cell", "references_agree"]


def test_ratio_to_a_reference_is_the_difference_of_weighted_means() -> None:
    """A twin by hand, with the weights that the counts give."""
    settings = make_settings(references=DECLARED, questions=QUESTIONS[:1])
    design = make_design(4, settings)
    counts = draw_counts(design, np.random.default_rng(12))
    totals = counts.sum(axis=1)
    table = references.compare_with_references(
        counts, totals, [references.Reference("B_cell", counts["B_cell"], {"B_cell"})], design, settings
    )
    apart, matrix = counts.drop(columns="B_cell"), design.matrix.to_numpy()
    ratios = measure_against(apart, counts["B_cell"], totals, matrix)
    weights = precision_weights(ratios.values, ratios.variance, matrix)
    logs = np.log2((apart["NK_cell"] + 0.5) / (counts["B_cell"] + 0.5))
    weight = pd.Series(weights[list(apart).index("NK_cell")], index=logs.index)
    means = {
        arm: np.average(logs[units], weights=weight[units]) for arm, units in design.units.groupby("arm").groups.items()
    }
    twin = means["tumour.none"] - means["healthy.none"]
    assert table.loc[("site", "NK_cell"), "alr_B_cell_log_fold_change"] == pytest.approx(twin, abs=1e-9)
    assert fit_rows(ratios.values, matrix, weights).estimate(design.vector("site"))["estimate"][
        "NK_cell"
    ] == pytest.approx(twin)


def test_populations_that_share_cells_with_a_reference_are_judged_by_the_others() -> None:
    table = run(CD8_LOSS, references=["CD8_T", "Neutrophil"])
    found = pick(table, "site")
    assert found.loc[["CD8_activated", "CD8_T"], "alr_CD8_T_log_fold_change"].isna().all()
    assert found.loc["CD8_activated", "references_agree"]
    leaf = pick(table, "site", "leaf")
    assert leaf["alr_CD8_T_log_fold_change"].isna().to_dict() == {
        name: name in ("CD8_activated", "CD8_naive_like") for name in leaf.index
    }
    lineage = pick(table, "site", "lineage")
    assert np.isnan(lineage.loc["T_cell", "alr_CD8_T_log_fold_change"])
    assert np.isfinite(lineage.loc["B_cell", "alr_CD8_T_log_fold_change"])


def test_a_reference_without_cells_judges_nobody() -> None:
    settings = make_settings(references=DECLARED, questions=QUESTIONS[:1])
    design = make_design(4, settings)
    counts = draw_counts(design, np.random.default_rng(13), CD8_LOSS)
    counts["B_cell"] = 0
    counts.iloc[0, list(counts).index("B_cell")] = 4
    labels, units = make_cells(counts)
    found = pick(composition.test_composition(labels, units, design, settings)["composition"], "site")
    assert found["alr_B_cell_log_fold_change"].isna().all()
    assert found.loc["CD8_activated", "references_agree"]  # by the neutrophils alone
    assert found["references_agree"].isna()["Neutrophil"]


@pytest.mark.parametrize(
    ("change", "first", "second", "verdict"),
    [
        (1.0, (0.2, 2.0), (0.1, 2.0), True),
        (1.0, (0.2, 2.0), (-0.1, 2.0), False),
        (1.0, (-2.0, -0.2), (-2.0, -0.1), False),  # both clear, on the other side
        (-1.0, (-2.0, -0.2), (-2.0, -0.1), True),
        (-1.0, (-2.0, -0.2), (np.nan, np.nan), True),
        (1.0, (np.nan, np.nan), (np.nan, np.nan), None),
        (np.nan, (0.2, 2.0), (0.1, 2.0), None),
    ],
)
def test_verdicts(change: float, first: tuple[float, float], second: tuple[float, float], verdict: bool | None) -> None:
    row = {"log_fold_change": [change]}
    for name, (low, high) in (("a", first), ("b", second)):
        row |= {f"alr_{name}_ci_low": [low], f"alr_{name}_ci_high": [high]}
    found = references.agree(pd.DataFrame(row), ["a", "b"]).iloc[0]
    assert (None if pd.isna(found) else bool(found)) is verdict
