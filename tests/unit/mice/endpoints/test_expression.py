"""Genes: planted effects are found, intervals and p-values say one thing, nulls stay null, nothing is said without df."""

from __future__ import annotations

import json

import edgepython
import numpy as np
import pandas as pd
import pylimma
import pytest
from scipy import stats
from tests.unit.mice.cohort import make_design, make_settings
from tests.unit.mice.pseudobulks import add_soup, draw_pseudobulk, make_tissues

from livermet import keys
from livermet.mice.design.model import Design
from livermet.mice.endpoints.expression import test_expression
from livermet.mice.endpoints.pseudobulk import select
from livermet.mice.models.libraries import normalise, voom
from livermet.mice.models.moderated import fit_blocked, second_opinion
from livermet.mice.models.quasi_likelihood import wald_error

test_expression.__test__ = False  # type: ignore[attr-defined]
UP, DOWN = [f"Gene{number}" for number in range(20)], [f"Gene{number}" for number in range(20, 40)]
CHANGES = {"tumour.drug": {**dict.fromkeys(UP, 2.0), **dict.fromkeys(DOWN, -2.0)}}


def run(design: Design, seed: int = 0, **options: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    sums = draw_pseudobulk(design, np.random.default_rng(seed), **options)  # type: ignore[arg-type]
    return test_expression(pseudobulk=sums, design=design, min_cells=10, confidence=0.95, effect_of_interest=1.0)


@pytest.fixture(scope="module")
def planted() -> tuple[pd.DataFrame, pd.DataFrame]:
    return run(make_design(3), changes=CHANGES, populations=("B_cell", "NK_cell"))


def test_planted_genes_are_found_and_others_are_not(planted: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table, samples = planted
    for question in ("drug", "drug_by_site"):
        drug = table[table["question"] == question]
        change = drug.set_index(["population", "gene"])["log_fold_change"].unstack(0)
        assert change.loc[change.index.isin(UP)].mean().to_numpy() == pytest.approx([2, 2], abs=0.3)
        assert change.loc[change.index.isin(DOWN)].mean().to_numpy() == pytest.approx([-2, -2], abs=0.3)
        called = set(drug.loc[drug["adjusted_p_value"] < 0.05, "gene"])
        assert len(called & {*UP, *DOWN}) >= 38
        assert len(called - {*UP, *DOWN}) <= 4
    assert (table.loc[table["question"] == "site", "adjusted_p_value"] < 0.05).sum() <= 1
    assert set(table["question"]) == {"site", "drug", "drug_healthy", "drug_by_site"}  # no rescue of genes here
    assert set(table["gene_id"].str.removeprefix("ENS")) == set(table["gene"])
    drug = samples[(samples["question"] == "drug")]
    assert (drug["n_significant"] >= 36).all()
    assert (drug["n_significant"] <= drug[["n_significant_edger", "n_significant_voom"]].max(axis=1)).all()
    assert (drug["sign_agreement"] == 1).all()


def test_interval_error_and_p_say_one_thing(planted: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table, _ = planted
    excludes = (table["ci_low"] > 0) | (table["ci_high"] < 0)
    assert (excludes == (table["p_value"] < 0.05)).all()
    half = (table["ci_high"] - table["ci_low"]) / 2
    factor = half / table["standard_error"]  # the t quantile, so that the df can be had back
    grid = np.geomspace(5, 1e6, 200001)
    df = np.interp(-factor, -stats.t.ppf(0.975, grid), grid)
    again = 2 * stats.t.sf(np.abs(table["log_fold_change"] / table["standard_error"]), df)
    np.testing.assert_allclose(np.log10(again), np.log10(table["p_value"]), atol=1e-3)
    assert (table["minimum_detectable_log_fold_change"] / table["standard_error"] > 2.8).all()
    assert (table["mice_per_arm_needed"] >= 2).all()


def test_adjusted_p_values_are_of_one_question_over_all_populations(planted: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table, _ = planted
    for _, group in table.groupby("question"):
        assert group["population"].nunique() == 2
        same = group["log_fold_change"] * group["voom_log_fold_change"] >= 0
        larger = np.where(same, np.maximum(group["p_value"], group["voom_p_value"]), 1.0)
        np.testing.assert_array_equal(group["consensus_p_value"], larger)
        expected = stats.false_discovery_control(larger, method="bh")
        np.testing.assert_allclose(group["adjusted_p_value"], expected, rtol=1e-12)
    # The two see some gene differently, or the larger of two p-values would be one of them throughout.
    assert (table["consensus_p_value"] > table["p_value"]).any()
    assert (table["consensus_p_value"] > table["voom_p_value"]).any()
    assert (table.loc[~(table["log_fold_change"] * table["voom_log_fold_change"] >= 0), "consensus_p_value"] == 1).all()


def test_null_p_values_are_uniform() -> None:
    settings = make_settings(questions=make_settings()["questions"][:1])
    found = [run(make_design(3, settings), seed, n_genes=300)[0] for seed in range(4)]
    p = pd.concat(found)["p_value"]
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.02)
    assert stats.kstest(p, "uniform").statistic < 0.06


def test_error_times_root_f_is_the_change_and_wald_agrees() -> None:
    design = make_design(4)
    sums = draw_pseudobulk(design, np.random.default_rng(2), n_genes=300)
    picked = select(sums, "B_cell", design, 10)
    libraries = normalise(picked.counts, design.matrix.to_numpy())
    fit = edgepython.glm_ql_fit(libraries.dge, design=design.matrix.to_numpy(), legacy=False)
    test = edgepython.glm_ql_ftest(fit, contrast=design.vector("drug"))
    table, _ = test_expression(pseudobulk=sums, design=design, min_cells=10, confidence=0.9, effect_of_interest=1.0)
    drug = table[table["question"] == "drug"].set_index("gene_id").loc[sums.var_names[libraries.kept]]
    np.testing.assert_allclose(
        (drug["standard_error"] ** 2 * test["table"]["F"].to_numpy()), drug["log_fold_change"] ** 2, rtol=1e-10
    )
    df = np.broadcast_to(test["df.total"], len(drug))
    np.testing.assert_allclose(
        drug["ci_high"] - drug["log_fold_change"], stats.t.ppf(0.95, df) * drug["standard_error"], rtol=1e-10
    )
    # Where the change is not small both are the same error, by the likelihood ratio and by its curvature.
    wald = wald_error(fit, design.vector("drug"), np.ones(len(drug), dtype=bool))
    clear = (drug["log_fold_change"].abs() > 0.1).to_numpy()
    np.testing.assert_allclose(wald[clear], drug["standard_error"][clear], rtol=0.1)


def test_second_opinion_is_limma() -> None:
    """Where the contrast is a coefficient, limma's own way is exact; ours is the same number for any contrast."""
    design = make_design(3, make_settings(questions=make_settings()["questions"][:1]))
    sums = draw_pseudobulk(design, np.random.default_rng(4), n_genes=200)
    picked = select(sums, "B_cell", design, 10)
    matrix = design.matrix.to_numpy()
    libraries = normalise(picked.counts, matrix)
    values, weights = voom(libraries, matrix)
    changes, p_values = second_opinion(values, weights, matrix, design.vector("site")[None])
    coded = matrix @ np.array(
        [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]
    )  # third column: tumour - healthy
    assert list(design.matrix.columns) == ["healthy.none", "healthy.drug", "tumour.none", "tumour.drug"]
    coded = np.column_stack([matrix[:, 0] + matrix[:, 2], matrix[:, 1], matrix[:, 2], matrix[:, 3]])
    limma = pylimma.e_bayes(pylimma.lm_fit({"E": values, "weights": weights}, design=coded))
    np.testing.assert_allclose(changes[0], np.asarray(limma["coefficients"])[:, 2], rtol=1e-8)
    np.testing.assert_allclose(p_values[0], np.asarray(limma["p_value"])[:, 2], rtol=1e-6)


def test_without_residual_df_there_is_a_ranking_and_no_p_value() -> None:
    table, samples = run(make_design(1), changes=CHANGES)
    assert table[["p_value", "adjusted_p_value", "ci_low", "standard_error", "voom_p_value"]].isna().all(axis=None)
    assert table[["minimum_detectable_log_fold_change", "mice_per_arm_needed"]].isna().all(axis=None)
    assert (samples[["n_significant", "n_significant_without_ambient"]] == 0).all(axis=None)
    assert set(samples["method"]) == {"effects without error"}
    assert set(table["tier"]) == set(samples["tier"]) == {keys.DESCRIPTIVE}
    drug = table[table["question"] == "drug"]
    assert drug["log_fold_change"].abs().is_monotonic_decreasing
    assert set(drug["gene"].head(30)) <= {*UP, *DOWN}


def test_a_population_without_enough_mice_says_so() -> None:
    design = make_design(3)
    few = {unit: 3 for unit in design.units.index if unit.startswith("td")}  # every treated tumour mouse
    one = {design.units.index[0]: 9}
    table, samples = run(design, n_cells={**few, **one})
    assert "drug" not in set(table["question"])
    told = samples.set_index("question")
    assert told.loc["drug", "tier"] == keys.NOT_ESTIMABLE
    assert told.loc["drug", "reason"] == "no mouse has site tumour, treatment drug with enough cells (4 left out)"
    assert told.loc["site", "tier"] == keys.CONFIRMATORY
    assert told.loc["site", "left_out"] == f"{design.units.index[0]} td0 td1 td2"
    assert json.loads(table.loc[table["question"] == "site", "n_mice"].iloc[0]) == {"tumour.none": 3, "healthy.none": 2}
    nothing, told = run(design, n_cells=dict.fromkeys(map(str, design.units.index), 1))
    assert nothing.empty
    assert set(told["tier"]) == {keys.NOT_ESTIMABLE}
    assert "p_value" in nothing


@pytest.mark.parametrize("few", [[], ["tn1|blood"], ["tn1|liver", "tn1|blood"]])
def test_a_question_across_tissues_with_too_few_residuals_has_no_p_value(few: list[str]) -> None:
    """2, 1 or no residual df: how alike the tissues of a mouse are cannot be told, so no error can."""
    design = make_tissues(2)
    left_out = dict.fromkeys(["hn1|liver", "hn1|blood", *few], 1)
    sums = draw_pseudobulk(design, np.random.default_rng(1), n_genes=60, n_cells=left_out)
    table, samples = test_expression(
        pseudobulk=sums, design=design, min_cells=10, confidence=0.95, effect_of_interest=1.0
    )
    told = samples.set_index("question").loc["tissue_by_site"]
    assert told["residual_df"] == 2 - len(few)
    assert told["method"] == "effects without error"
    across = table[table["question"] == "tissue_by_site"]
    assert across["log_fold_change"].abs().is_monotonic_decreasing
    numbers = ["p_value", "adjusted_p_value", "standard_error", "ci_low", "voom_p_value", "mice_per_arm_needed"]
    assert across[numbers].isna().all(axis=None)


def test_genes_that_the_soup_explains_are_flagged_and_counted() -> None:
    rng = np.random.default_rng(12)
    design = make_design(3)
    sums = draw_pseudobulk(design, rng, changes=CHANGES, bcv=0.2)
    profile = np.asarray(sums.X.sum(axis=0), dtype=float).ravel()
    soup = [f"Gene{number}" for number in range(100, 120)]
    profile = np.where(sums.var["symbol"].isin(soup), 0.02, 0.6 * profile / profile.sum())
    share = {"healthy.none": 0.02, "healthy.drug": 0.02, "tumour.none": 0.03, "tumour.drug": 0.15}
    sums = add_soup(sums, rng, profile / profile.sum(), share, silent=soup)
    table, samples = test_expression(
        pseudobulk=sums, design=design, min_cells=10, confidence=0.95, effect_of_interest=1.0
    )
    drug = table[table["question"] == "drug"].set_index("gene")
    called = drug[drug["adjusted_p_value"] < 0.05]
    assert len(set(called.index) & set(soup)) >= 15  # the soup makes them
    assert drug.loc[drug.index.isin(soup), "ambient"].all()
    assert drug.loc[drug.index.isin(soup), "ambient_fraction"].median() > 0.8
    assert not drug.loc[drug.index.isin([*UP, *DOWN]), "ambient"].any()
    told = samples.set_index("question").loc["drug"]
    assert told["n_ambient"] == drug["ambient"].sum()
    assert told["n_significant"] == len(called)
    assert told["n_significant_without_ambient"] == (~called["ambient"]).sum() <= len(called) - 15


def test_without_a_soup_the_panel_is_flagged_outside_hepatocytes() -> None:
    populations = {"B_cell": {"lineages": ["B_cell"]}, "Liver": {"lineages": ["Hepatocyte"]}}
    settings = make_settings(populations=populations, questions=make_settings()["questions"][:2])
    design = make_design(3, settings)
    sums = draw_pseudobulk(design, np.random.default_rng(0), populations=("B_cell", "Liver"), n_genes=100)
    table, _ = test_expression(
        pseudobulk=sums, design=design, min_cells=10, confidence=0.95, effect_of_interest=1.0, panel=["Gene3", "Gene5"]
    )
    flagged = table[table["ambient"]]
    assert set(flagged["gene"]) == {"Gene3", "Gene5"}
    assert set(flagged["population"]) == {"B_cell"}
    assert table["ambient_fraction"].isna().all()


def test_a_question_across_tissues_is_answered_with_the_mouse_as_block() -> None:
    design = make_tissues(3)
    changes = {"tumour.liver": dict.fromkeys(UP, 2.0)}
    sums = draw_pseudobulk(design, np.random.default_rng(1), n_genes=150, mouse_bcv=0.3, bcv=0.15, changes=changes)
    table, samples = test_expression(
        pseudobulk=sums, design=design, min_cells=10, confidence=0.95, effect_of_interest=1.0
    )
    told = samples.set_index("question")
    assert told.loc["liver", "method"] == "edgeR quasi-likelihood"
    assert np.isnan(told.loc["liver", "within_mouse_correlation"])
    assert told.loc["tissue_by_site", "method"] == "limma-voom, mouse as block"
    assert 0.5 < told.loc["tissue_by_site", "within_mouse_correlation"] < 0.95
    assert told.loc["tissue_by_site", ["n_significant_edger", "n_significant_voom", "sign_agreement"]].isna().all()
    across = table[table["question"] == "tissue_by_site"].set_index("gene")
    assert across[["voom_log_fold_change", "voom_p_value"]].isna().all(axis=None)
    assert across.loc[across.index.isin(UP), "log_fold_change"].mean() == pytest.approx(2, abs=0.3)
    called = set(across.index[across["adjusted_p_value"] < 0.05])
    assert len(called & set(UP)) >= 15
    assert len(called - set(UP)) <= 3
    picked = select(sums, "B_cell", design, 10)
    matrix = design.matrix.to_numpy()
    fit, _ = fit_blocked(normalise(picked.counts, matrix), matrix, list(design.units["mouse"]))
    expected = fit.table(design.vector("tissue_by_site"), 0.95)
    np.testing.assert_allclose(np.sort(across["p_value"]), np.sort(expected["p_value"]), rtol=1e-10)
