"""Signatures of 30 genes: fry and camera under the null, with correlated genes, and their power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.calibration import cohorts
from benchmarks.common.measures import Case, Counts, Scenario, Target, share
from livermet.mice.design.model import Design
from livermet.mice.endpoints.pathways import test_pathways

N_GENES = 1000
N_SETS, SIZE = 16, 30
LEVEL = 0.05
EFFECTS = (0.25, 0.5, 1.0)
FAMILIES: dict[str, list[str]] = {"effect": list(cohorts.EFFECTS), "interaction": [cohorts.INTERACTION["name"]]}


def describe_sets(sets: Sequence[Any]) -> list[dict[str, Any]]:
    """Sets of places as the package takes gene sets."""
    symbols = np.array(cohorts.gene_names(N_GENES))
    return [
        {"name": f"set{number}", "kind": "state", "lineage": "any", "up": symbols[places].tolist(), "down": []}
        for number, places in enumerate(sets)
    ]


def analyse(sums: Any, n_cells: Any, design: Design, sets: Sequence[Any]) -> pd.DataFrame:
    """The package's table of gene sets, as the pipeline asks for it; with each set's number."""
    table = test_pathways(
        pseudobulk=cohorts.make_pseudobulk(design, sums, n_cells),
        design=design,
        signatures=describe_sets(sets),
        aliases={},
        defining={},
    )
    return table.assign(place=table["signature"].str.removeprefix("set").astype(int))


def measure_null(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """No arm differs."""
    design, noise = cohorts.make_design(values["n"]), cohorts.Noise()
    genes, sets = cohorts.plant_sets(rng, cohorts.draw_genes(rng, N_GENES, noise), N_SETS, SIZE, values["correlation"])
    table = analyse(*cohorts.draw_sums(rng, genes, np.zeros((len(design.units), N_GENES)), noise), design, sets)
    found: Counts = {}
    for family, names in FAMILIES.items():
        chosen = table[table["question"].isin(names)]
        found[f"fry_type_1_{family}"] = share(chosen["p_value"] < LEVEL)
        found[f"camera_type_1_{family}"] = share(chosen["camera_p_value"] < LEVEL)
        found[f"coverage_{family}"] = share((chosen["ci_low"] <= 0) & (chosen["ci_high"] >= 0))
        called = chosen.groupby("question")["adjusted_p_value"].min() < LEVEL
        found[f"any_call_{family}"] = share(called)
    return found


def measure_power(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """All genes of two sets move by each effect, up in one and down in the other; ten sets stay."""
    design, noise = cohorts.make_design(values["n"]), cohorts.Noise()
    genes, sets = cohorts.plant_sets(rng, cohorts.draw_genes(rng, N_GENES, noise), N_SETS, SIZE, values["correlation"])
    truth = np.zeros(N_SETS)
    truth[: 2 * len(EFFECTS)] = [sign * effect for effect in EFFECTS for sign in (1, -1)]
    change = np.zeros(N_GENES)
    for number, places in enumerate(sets):
        change[places] = truth[number]
    sums = cohorts.draw_sums(rng, genes, cohorts.change_arm(design, cohorts.TREATED, change), noise)
    table = analyse(*sums, design, sets)
    found: Counts = {}
    for family, name in (("effect", cohorts.REPAIR["name"]), ("interaction", cohorts.INTERACTION["name"])):
        one = table[table["question"] == name]
        size = truth[one["place"]]
        found[f"coverage_{family}"] = share((one["ci_low"] <= size) & (size <= one["ci_high"]))
        for effect in EFFECTS:
            rows = one[np.abs(size) == effect]
            found[f"fry_power_{family}_{effect:g}"] = share(rows["p_value"] < LEVEL)
            found[f"camera_power_{family}_{effect:g}"] = share(rows["camera_p_value"] < LEVEL)
    return found


NULL = Scenario(
    "signature_null",
    measure_null,
    [
        Case(
            f"2x2, n={n}, correlation {correlation:g}",
            {"n": n, "correlation": correlation},
            200,
            quick=(n, correlation) == (3, 0.05),
        )
        for n in (2, 3, 4)
        for correlation in (0.0, 0.05, 0.1)
    ],
    {f"fry_type_1_{family}": Target(0.03, 0.07) for family in FAMILIES},
    n_quick=15,
)
POWER = Scenario(
    "signature_power",
    measure_power,
    [Case(f"2x2, n={n}, correlation .05", {"n": n, "correlation": 0.05}, 150, quick=n == 3) for n in (2, 3, 4, 6)],
    {f"coverage_{family}": Target(0.94, 0.96) for family in FAMILIES},
    n_quick=8,
)
