"""Why weak genes are called a little too often: one dispersion for all genes, or a trend, in the same cohorts.

edgeR v4 takes one negative binomial dispersion from the most abundant genes and leaves the rest to the quasi-dispersion, which
scales the variance of all libraries of a gene alike. Where weak genes vary more between mice *and* libraries differ in size,
that is the wrong shape for them. A trended dispersion (`estimateDisp`) has it; it is not what the pipeline uses, since the
port of that trend differs from R's in the second digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import edgepython as ep
import numpy as np

from benchmarks.calibration import cohorts
from benchmarks.calibration.scenarios.genes import LAYOUTS, LEVEL, draw_differential
from benchmarks.common.measures import Case, Counts, Scenario, false_share, share
from livermet.mice.models.libraries import normalise
from livermet.mice.models.linear import adjust


def measure(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """The cohorts of `differential`: the same genes, tested with either dispersion."""
    design = cohorts.make_design(values["n"], **values["layout"])
    change, sums, _ = draw_differential(rng, design, cohorts.Noise())
    matrix = design.matrix.to_numpy()
    libraries = normalise(np.asarray(sums.T, dtype=float), matrix)
    true = change[libraries.kept] != 0
    trend = ep.estimate_disp(libraries.dge.copy(), design=matrix, tagwise=False)["trended.dispersion"]
    found: Counts = {}
    for name, dispersion in (("one", None), ("trended", np.asarray(trend))):
        fit = ep.glm_ql_fit(libraries.dge, design=matrix, legacy=False, dispersion=dispersion)
        for family, question in (("effect", cohorts.REPAIR["name"]), ("interaction", cohorts.INTERACTION["name"])):
            p = ep.glm_ql_ftest(fit, contrast=design.vector(question))["table"]["PValue"].to_numpy()
            called = adjust(p) < LEVEL
            found[f"{name}_type_1_{family}"] = share(p[~true] < LEVEL)
            found[f"{name}_fdp_{family}"] = false_share(called, true)
            found[f"{name}_found_{family}"] = share(called[true])
    return found


SCENARIO = Scenario(
    "dispersions",
    measure,
    [Case(f"{layout}, n={n}", {"n": n, "layout": LAYOUTS[layout]}, 150) for layout, n in (("2x2", 3), ("2x4", 4))],
)
