"""Mock splits of real cells: where nothing differs by design, the mouse-level test should call (next to) nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anndata
import numpy as np
import pandas as pd

from benchmarks.cells import lung
from benchmarks.common.measures import Case, Counts, Scenario, Target, share
from livermet.keys import LINEAGE, MOUSE, SAMPLE, STATE, TISSUE
from livermet.mice.design.model import build_design
from livermet.mice.endpoints.expression import test_expression
from livermet.mice.endpoints.pseudobulk import sum_counts
from livermet.settings import Design

ANIMALS = ("h_1", "h_2", "t_1", "t_2")
#: The two splits of four animals that have a healthy and a tumour-bearing one on either side.
BALANCED = (("h_1", "t_1"), ("h_1", "t_2"))
LEVEL, FEW = 0.05, 5
PART = 0.8  # of the cells, drawn anew for each data set


def measure(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """Arms that are random halves of every animal's cells, or two animals each; genes called at a false discovery rate of 5 %."""
    matrix, var, lineage = lung.pooled()
    chosen = np.flatnonzero((lineage == values["lineage"]).to_numpy())
    chosen = np.sort(rng.choice(chosen, round(PART * len(chosen)), replace=False))
    animal = np.array([str(name)[:3] for name in lineage.index[chosen]], dtype=object)
    if values["split"] == "cells":
        side = np.array(["a", "b"], dtype=object)[_halves(rng, animal)]
        mouse, covariates = animal + side, ["animal"]
    else:
        first = BALANCED[int(rng.integers(len(BALANCED)))]
        side = np.where(np.isin(animal, first), "a", "b").astype(object)
        mouse, covariates = animal, []
    table = call_genes(matrix[chosen], var, mouse, animal, side, covariates, values["lineage"])
    called = int((table["adjusted_p_value"] < LEVEL).sum())
    return {
        "any_gene_called": (float(called > 0), 1.0),
        "more_than_5_genes_called": (float(called > FEW), 1.0),
        "genes_called": (float(called), 1.0),
        "genes_tested": (float(len(table)), 1.0),
        "type_1": share(table["p_value"] < LEVEL),
    }


def _halves(rng: np.random.Generator, animal: Any) -> Any:
    """A random half of every animal's cells."""
    half = np.zeros(len(animal), dtype=np.intp)
    for name in np.unique(animal.astype(str)):
        members = rng.permutation(np.flatnonzero(animal == name))
        half[members[: len(members) // 2]] = 1
    return half


def call_genes(
    matrix: Any, var: pd.DataFrame, mouse: Any, animal: Any, side: Any, covariates: list[str], lineage: str
) -> pd.DataFrame:
    """The package's gene table, as the pipeline asks for it."""
    obs = pd.DataFrame({MOUSE: mouse, TISSUE: "lung", "animal": animal, "site": side}).astype(str)
    obs[SAMPLE] = obs[MOUSE]
    obs.index = pd.Index([f"c{number}" for number in range(len(obs))], name="cell")
    sheet = obs.drop_duplicates(SAMPLE).assign(treatment="none", batch="b").set_index(SAMPLE, drop=False)
    section: dict[str, Any] = {
        "factors": {"site": ["a", "b"]},
        "covariates": covariates,
        "min_cells": 5,
        "populations": {lineage: {"lineages": [lineage]}},
        "questions": [{"name": "side", "kind": "effect", "factor": "site", "level": "b", "reference": "a"}],
    }
    design = build_design(sheet, Design(**section).model_dump())
    labels = pd.DataFrame({LINEAGE: lineage, STATE: lineage}, index=obs.index)
    pseudobulk = sum_counts(
        counts=anndata.AnnData(matrix, obs=obs, var=var),
        labels=labels,
        populations=design.settings["populations"],
        units=design.units,
    )
    table, _ = test_expression(
        pseudobulk=pseudobulk,
        design=design,
        min_cells=design.settings["min_cells"],
        confidence=design.settings["confidence"],
        effect_of_interest=1.0,
    )
    return table


SCENARIO = Scenario(
    "mock_splits",
    measure,
    [
        Case(
            f"{how}, {lineage}", {"split": split, "lineage": lineage}, 80, quick=(split, lineage) == ("cells", "B_cell")
        )
        for split, how in (("cells", "halves of each mouse's cells"), ("mice", "two mice against two"))
        for lineage in lung.LINEAGES.values()
    ],
    {"any_gene_called": Target(high=0.5), "more_than_5_genes_called": Target(high=0.05)},
    n_quick=4,
    needs=lung.lacks,
)
