"""Cells as replicates: a test over cells, on the null that the mouse-level test keeps to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.calibration import cohorts
from benchmarks.calibration.scenarios.genes import TYPE_1, analyse, call
from benchmarks.common.measures import Case, Counts, Scenario, share
from livermet.mice.models.linear import adjust

N_GENES = 600
LEVEL = 0.05


def measure(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """Two arms are compared, neither differs; cells of one mouse share what is the mouse's."""
    design = cohorts.make_design(values["n"])
    noise = cohorts.Noise(cells=values["cells"], depth=1200.0)
    genes = cohorts.draw_genes(rng, N_GENES, noise)
    n_mice = len(design.units)
    level, n_cells = genes.level * cohorts.draw_mice(rng, genes, n_mice), cohorts.draw_n_cells(rng, n_mice, noise)
    depth = noise.depth * rng.lognormal(0, noise.depth_sd, n_mice)
    sums, cells = [], []
    for mouse in range(n_mice):
        shape = (n_cells[mouse], N_GENES)
        library = rng.lognormal(np.log(depth[mouse]), 0.4, (shape[0], 1))
        counts = rng.poisson(library * level[mouse] * rng.gamma(1 / genes.dispersion, genes.dispersion, shape))
        sums.append(counts.sum(axis=0))
        cells.append(np.log1p(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 1e4))
    arm = design.units["arm"].to_numpy()
    first, second = (
        np.vstack([cells[mouse] for mouse in np.flatnonzero(arm == name)]) for name in (cohorts.TREATED, cohorts.SICK)
    )
    p = stats.mannwhitneyu(first, second, axis=0, method="asymptotic").pvalue
    table = call(analyse(np.array(sums), n_cells, design))
    ours = table[table["question"] == cohorts.REPAIR["name"]]
    return {
        "cells_type_1": share(p < LEVEL),
        "cells_genes_called": (float((adjust(p) < LEVEL).sum()), 1.0),
        "cells_any_call": (float((adjust(p) < LEVEL).any()), 1.0),
        "mice_type_1": share(ours["p_value"] < LEVEL),
        "mice_genes_called": (float(ours["called"].sum()), 1.0),
        "mice_any_call": (float(ours["called"].any()), 1.0),
    }


SCENARIO = Scenario(
    "cells_as_replicates",
    measure,
    [
        Case(f"2x2, n={n}, {cells} cells", {"n": n, "cells": cells}, 150, quick=(n, cells) == (3, 50))
        for n, cells in ((3, 50), (3, 200))
    ],
    {"mice_type_1": TYPE_1},
    n_quick=6,
)
