"""Genes: type-I error, false discoveries, coverage and power of the tests of single genes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.calibration import cohorts
from benchmarks.common.measures import Case, Counts, Scenario, Target, false_share, share
from livermet.mice.design.model import Design
from livermet.mice.endpoints.expression import test_expression
from livermet.mice.models.linear import adjust_within_question

N_GENES = 1000
LEVEL = 0.05
BATCH_SD = 0.4  # log2, between batches
FAMILIES: dict[str, list[str]] = {"effect": list(cohorts.EFFECTS), "interaction": [cohorts.INTERACTION["name"]]}
LAYOUTS: dict[str, dict[str, Any]] = {
    "2x2": {},
    "2x2 with batch": {"batches": 2},
    "2x4": {"treatments": cohorts.TREATMENTS},
}
TYPE_1 = Target(0.045, 0.055)
FDP = Target(high=0.05, limit=(-np.inf, 0.06))
COVERAGE = Target(0.94, 0.96)


def analyse(sums: Any, n_cells: Any, design: Design) -> pd.DataFrame:
    """The package's gene table of one cohort, as the pipeline asks for it; with each gene's place."""
    table, _ = test_expression(
        pseudobulk=cohorts.make_pseudobulk(design, sums, n_cells),
        design=design,
        min_cells=design.settings["min_cells"],
        confidence=design.settings["confidence"],
        effect_of_interest=1.0,
    )
    return table.assign(place=cohorts.gene_places(table["gene"]))


def call(table: pd.DataFrame) -> pd.DataFrame:
    """Calls at a false discovery rate of 5 % within a question: the package's, and what either test would call alone."""
    edger, voom = (adjust_within_question(table, column) < LEVEL for column in ("p_value", "voom_p_value"))
    return table.assign(called=table["adjusted_p_value"] < LEVEL, edger_called=edger, voom_called=voom)


def measure_null(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """No arm differs: how often is something called?"""
    design, noise = cohorts.make_design(values["n"], **values["layout"]), cohorts.Noise(**values.get("noise", {}))
    genes = cohorts.draw_genes(rng, N_GENES, noise)
    changes = cohorts.batch_effects(rng, design, N_GENES, BATCH_SD)
    table = call(analyse(*cohorts.draw_sums(rng, genes, changes, noise), design))
    found: Counts = {}
    for family, names in FAMILIES.items():
        chosen = table[table["question"].isin(names)]
        found[f"type_1_{family}"] = share(chosen["p_value"] < LEVEL)
        found[f"voom_type_1_{family}"] = share(chosen["voom_p_value"] < LEVEL)
        found[f"consensus_type_1_{family}"] = share(chosen["consensus_p_value"] < LEVEL)
        by_question = chosen.groupby("question")[["called", "edger_called", "voom_called"]].any()
        for caller in ("", "edger_", "voom_"):
            found[f"{caller}any_call_{family}"] = share(by_question[f"{caller}called"])
    return found


def draw_differential(rng: np.random.Generator, design: Design, noise: cohorts.Noise) -> tuple[Any, Any, Any]:
    """Planted changes of every gene, sums and cells of one cohort."""
    genes = cohorts.draw_genes(rng, N_GENES, noise)
    moved = rng.random(N_GENES) < 0.1
    change = moved * rng.uniform(0.5, 2.0, N_GENES) * rng.choice([-1.0, 1.0], N_GENES)
    changes = cohorts.change_arm(design, cohorts.TREATED, change)
    changes += cohorts.batch_effects(rng, design, N_GENES, BATCH_SD)
    return change, *cohorts.draw_sums(rng, genes, changes, noise)


def measure_differential(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """The treatment moves 10 % of the genes, .5 to 2 log2 either way, in the sick mice alone."""
    design = cohorts.make_design(values["n"], **values["layout"])
    change, sums, n_cells = draw_differential(rng, design, cohorts.Noise(**values.get("noise", {})))
    moved = change != 0
    table = call(analyse(sums, n_cells, design))
    found: Counts = {}
    for family, name in (("effect", cohorts.REPAIR["name"]), ("interaction", cohorts.INTERACTION["name"])):
        chosen = table[table["question"] == name]
        places = chosen["place"].to_numpy()
        true, truth = moved[places], change[places]
        covered = (chosen["ci_low"].to_numpy() <= truth) & (truth <= chosen["ci_high"].to_numpy())
        for caller in ("", "edger_", "voom_"):
            found[f"{caller}fdp_{family}"] = false_share(chosen[f"{caller}called"], true)
            found[f"{caller}found_{family}"] = share(chosen[f"{caller}called"].to_numpy()[true])
        found[f"coverage_{family}"] = share(covered)
        found[f"coverage_{family}_moved_genes"] = share(covered[true])
        found[f"type_1_{family}_unmoved_genes"] = share(chosen["p_value"].to_numpy()[~true] < LEVEL)
        weak = ~true & (chosen["mean_log_cpm"] <= chosen["mean_log_cpm"].quantile(0.25)).to_numpy()
        found[f"type_1_{family}_weakest_quarter"] = share(chosen["p_value"].to_numpy()[weak] < LEVEL)
        found[f"voom_type_1_{family}_weakest_quarter"] = share(chosen["voom_p_value"].to_numpy()[weak] < LEVEL)
    return found


def measure_power(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """The treatment moves 6 % of the genes: a third each by .5, 1 and 2 log2, either way."""
    design, noise = cohorts.make_design(values["n"]), cohorts.Noise()
    genes = cohorts.draw_genes(rng, N_GENES, noise)
    change = np.zeros(N_GENES)
    chosen = rng.permutation(N_GENES)[:90]
    change[chosen] = np.tile([0.5, -0.5, 1.0, -1.0, 2.0, -2.0], 15)
    table = analyse(*cohorts.draw_sums(rng, genes, cohorts.change_arm(design, cohorts.TREATED, change), noise), design)
    found: Counts = {}
    for family, name in (("effect", cohorts.REPAIR["name"]), ("interaction", cohorts.INTERACTION["name"])):
        one = table[table["question"] == name]
        size = np.abs(change[one["place"]])
        for effect in (0.5, 1.0, 2.0):
            rows = one[size == effect]
            found[f"power_{family}_{effect:g}"] = share(rows["p_value"] < LEVEL)
            found[f"power_after_bh_{family}_{effect:g}"] = share(rows["adjusted_p_value"] < LEVEL)
    return found


def _cases(n_data_sets: int) -> list[Case]:
    cases = [
        Case(f"{layout}, n={n}", {"n": n, "layout": arms}, n_data_sets, quick=(layout, n) == ("2x2", 3))
        for layout, arms in LAYOUTS.items()
        for n in (2, 3, 4)
    ]
    harsh: dict[str, Any] = {"in_modules": 0.8, "module_share": 0.5, "cells": 40.0}
    return [*cases, Case("2x2, n=3, strong modules, 40 cells", {"n": 3, "layout": {}, "noise": harsh}, n_data_sets)]


NULL = Scenario("null", measure_null, _cases(200), {f"type_1_{family}": TYPE_1 for family in FAMILIES}, n_quick=12)
DIFFERENTIAL = Scenario(
    "differential",
    measure_differential,
    # Two mice an arm call few genes, so that a cohort's share of false ones is 0 or large: its mean takes more cohorts.
    [replace(case, n_data_sets={2: 400, 3: 300}.get(case.values["n"], 200)) for case in _cases(200)],
    {
        "fdp_effect": FDP,
        "fdp_interaction": FDP,
        "coverage_effect": COVERAGE,
        "coverage_interaction": COVERAGE,
    },
    n_quick=8,
)
POWER = Scenario(
    "gene_power", measure_power, [Case(f"2x2, n={n}", {"n": n}, 100, quick=n == 3) for n in (2, 3, 4, 6)], n_quick=6
)
