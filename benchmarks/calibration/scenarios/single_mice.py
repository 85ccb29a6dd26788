"""One mouse in every arm of a 2 x 4 study: main effects of an additive model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.calibration import cohorts
from benchmarks.calibration.scenarios.genes import LEVEL, N_GENES, TYPE_1, analyse, call
from benchmarks.common.measures import Case, Counts, Scenario, share

QUESTIONS = [
    cohorts.effect("site", "site", cohorts.SITES[1], cohorts.SITES[0]),
    *(cohorts.effect(name, "treatment", name, "untreated") for name in cohorts.TREATMENTS[1:]),
]


def measure(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """No arm differs: 3 residual degrees of freedom carry the main effects, or they do not."""
    design, noise = (
        cohorts.make_design(1, cohorts.TREATMENTS, questions=QUESTIONS, model="additive"),
        cohorts.Noise(),
    )
    genes = cohorts.draw_genes(rng, N_GENES, noise)
    changes = np.zeros((len(design.units), N_GENES))
    table = call(analyse(*cohorts.draw_sums(rng, genes, changes, noise), design))
    return {
        "type_1_effect": share(table["p_value"] < LEVEL),
        "voom_type_1_effect": share(table["voom_p_value"] < LEVEL),
        "any_call_effect": share(table.groupby("question")["called"].any()),
        "voom_any_call_effect": share(table.groupby("question")["voom_called"].any()),
    }


SCENARIO = Scenario(
    "one_mouse_an_arm",
    measure,
    [Case("2x4 additive, n=1", {}, 300, quick=True)],
    {"type_1_effect": TYPE_1},
    n_quick=10,
)
