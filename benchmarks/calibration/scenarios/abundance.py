"""Composition: an influx of myeloid cells and a loss of activated CD8 T cells; who else seems to change?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.calibration import cohorts
from benchmarks.calibration.cohorts import MYELOID, POPULATIONS
from benchmarks.common.measures import Case, Counts, Scenario, Target, false_share, share
from livermet.mice.design.model import Design
from livermet.mice.endpoints.composition import test_composition
from livermet.mice.models.linear import adjust

LEVEL = 0.05
INFLUX, LOSS = float(np.log2(2.5)), -1.5
NAME = cohorts.SITE["name"]
REFERENCES = ("B_cell", "Neutrophil")  # those of the demo study's config
UNTOUCHED = ("B_cell", "NK_cell", "Kupffer_cell", "Treg")  # populations none of whose cells change in number
TESTED = {name: POPULATIONS[name] for name in ("CD8_activated", *UNTOUCHED, *MYELOID)}


def logit_t_test(counts: pd.DataFrame, design: Design) -> pd.Series:
    """The usual way, for comparison: a t-test (pooled over arms) of each label's logit share."""
    total = counts.to_numpy().sum(axis=1, keepdims=True)
    logit = np.log((counts.to_numpy() + 0.5) / (total - counts.to_numpy() + 0.5))
    x, vector = design.matrix.to_numpy(), design.vector(NAME)
    inverse = np.linalg.pinv(x)
    coefficients = inverse @ logit
    variance = ((logit - x @ coefficients) ** 2).sum(axis=0) / design.residual_df
    t = vector @ coefficients / np.sqrt(variance * (vector @ inverse @ inverse.T @ vector))
    return pd.Series(2 * stats.t.sf(np.abs(t), design.residual_df), index=counts.columns)


def measure(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """Everything changes in untreated sick mice alone; the site effect is asked for."""
    design = cohorts.make_design(values["n"], questions=[cohorts.SITE], populations=TESTED, references=REFERENCES)
    planted = dict.fromkeys(values["influx"], INFLUX) | {"CD8_activated": values["loss"]}
    planted = {label: change for label, change in planted.items() if change}
    counts = cohorts.draw_cells(rng, design, {cohorts.SICK: planted}, cells=values["cells"])
    labels, units = cohorts.spell_out(counts)
    table = test_composition(labels, units, design, design.settings)["composition"]
    table = table[(table["question"] == NAME) & table["p_value"].notna()]
    leaf = table[table["level"] == "leaf"].set_index("population")
    population = table[table["level"] == "population"].set_index("population")
    found: Counts = {}
    logit = logit_t_test(counts, design)
    for method, p, called in (
        ("clr", leaf["p_value"], leaf["adjusted_p_value"] < LEVEL),
        ("logit", logit, pd.Series(adjust(logit) < LEVEL, index=logit.index)),
    ):
        found[f"{method}_type_1_untouched"] = share(p[~p.index.isin(planted)] < LEVEL)
        found[f"{method}_fdp"] = false_share(called, called.index.isin(planted))
        found[f"{method}_power_cd8_loss"] = share(called.loc[["CD8_activated"]])
    for reference in REFERENCES:
        p = leaf[f"alr_{reference}_p_value"].drop(reference)
        found[f"alr_{reference}_type_1_untouched"] = share(p[~p.index.isin(planted)] < LEVEL)
    agreed = (leaf["adjusted_p_value"] < LEVEL) & leaf["references_agree"].fillna(False).astype(bool)
    found["agreed_fdp"] = false_share(agreed, agreed.index.isin(planted))
    found["agreed_power_cd8_loss"] = share(agreed.loc[["CD8_activated"]])
    called = population["adjusted_p_value"] < LEVEL
    found["population_fdp"] = false_share(called, called.index.isin(planted))
    found["population_power_cd8_loss"] = share(called.reindex(["CD8_activated"], fill_value=False))
    # Where no loss is planted there is none to find.
    return found if "CD8_activated" in planted else {name: n for name, n in found.items() if "_power_" not in name}


def _case(n: int, influx: tuple[str, ...], loss: float, cells: float, quick: bool = False) -> Case:
    what = {0: "no influx", 1: "macrophage influx", 3: "influx of 3 myeloid types"}[len(influx)]
    words = f"2x2, n={n}, {what}, {'CD8 loss' if loss else 'no CD8 loss'}, {cells:g} cells"
    return Case(words, {"n": n, "influx": influx, "loss": loss, "cells": cells}, 300, quick)


ONE = ("Monocyte_derived_macrophage",)
SCENARIO = Scenario(
    "composition",
    measure,
    [
        _case(3, ONE, LOSS, 600.0, quick=True),
        _case(3, MYELOID, LOSS, 600.0),
        _case(3, ONE, LOSS, 2000.0),
        _case(3, MYELOID, LOSS, 2000.0),
        _case(2, ONE, LOSS, 600.0),
        _case(4, ONE, LOSS, 600.0),
        _case(3, ONE, 0.0, 600.0),
        _case(3, (), 0.0, 600.0),
    ],
    {"clr_fdp": Target(high=0.10), "clr_power_cd8_loss": Target(0.5)},
    n_quick=30,
)
