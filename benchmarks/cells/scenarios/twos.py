"""Doublets: ranking against scanpy's Scrublet in the same library, calls where there are none, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.cells import agreement, plain, steps
from benchmarks.cells.simulate import HETEROTYPIC, Library, simulate_library
from benchmarks.cells.worlds import draw_world
from benchmarks.common.measures import Case, Counts, Scenario, Target, when
from livermet.keys import DOUBLET_SCORE, IS_DOUBLET

N_CELLS = 1500
PER_1000 = 0.008  # doublets per 1,000 cells where nobody says otherwise

HELD = {"auprc_heterotypic": Target(low=0.60), "auprc_heterotypic_minus_scrublet": Target(low=0.0)}
CLEAN = {"called_share": Target(high=0.03)}


def compare(library: Library, rate: float, seed: int, **changed: Any) -> Counts:
    """Both methods on one library, each told the same expected rate.

    Homotypic doublets are left out of the heterotypic curve: they are neither right nor wrong there. CPU seconds of
    ours are given for the whole quality step (metrics, sketch, cuts, doublets, soup) and for the scoring of doublets within it;
    Scrublet's are those of its one call, nothing of it compiled or loaded for the first time.
    """
    n_cells = library.counts.n_obs
    plain.warm_up()
    before = time.process_time()
    with steps.timed_doublets() as alone:
        quality, _ = steps.assess(library, seed=seed, expected_doublet_rate_per_1000=1000 * rate / n_cells, **changed)
    seconds = time.process_time() - before
    scored = quality[DOUBLET_SCORE].notna().to_numpy()
    other = plain.scrublet(library.counts[scored].copy(), rate=rate, seed=seed)
    truth = library.truth[scored]
    mine = quality.loc[scored, DOUBLET_SCORE].to_numpy()
    called, two = quality.loc[scored, IS_DOUBLET].to_numpy(dtype=bool), truth[IS_DOUBLET].to_numpy()
    unlike = truth[HETEROTYPIC].to_numpy()
    theirs = other.score > other.threshold  # nobody where it sets no threshold
    clear = unlike | ~two
    found: Counts = {
        "called_share": (float(called.sum()), float(len(called))),
        "scrublet_called_share": (float(theirs.sum()), float(len(theirs))),
        "scrublet_sets_no_threshold": (float(np.isnan(other.threshold)), 1.0),
        "cpu_seconds_quality_step": (seconds, 1.0),
        "cpu_seconds_doublets_alone": (sum(alone), 1.0),
        "scrublet_cpu_seconds": (other.seconds, 1.0),
        "scrublet_cpu_over_quality_step": (other.seconds, seconds),
        "scrublet_cpu_over_doublets_alone": (other.seconds, sum(alone)),
        "scored_share": (float(scored.sum()), float(n_cells)),
    }
    if two.any():
        own, its = agreement.auprc(unlike[clear], mine[clear]), agreement.auprc(unlike[clear], other.score[clear])
        found |= {
            "auprc_heterotypic": (own, 1.0),
            "scrublet_auprc_heterotypic": (its, 1.0),
            "auprc_heterotypic_minus_scrublet": (own - its, 1.0),
            "auprc_all": (agreement.auprc(two, mine), 1.0),
            "scrublet_auprc_all": (agreement.auprc(two, other.score), 1.0),
            "precision_of_calls": when(bool(called.any()), float(two[called].mean()) if called.any() else 0.0),
            "scrublet_precision_of_calls": when(bool(theirs.any()), float(two[theirs].mean()) if theirs.any() else 0.0),
            "heterotypic_found": (float(called[unlike].sum()), float(unlike.sum())),
            "scrublet_heterotypic_found": (float(theirs[unlike].sum()), float(unlike.sum())),
        }
    return found


def measure(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """One library of many kinds of cells, with 5 % soup."""
    world = draw_world(rng)
    n_cells = values.get("n_cells", N_CELLS)
    share = values["doublets"]
    library = simulate_library(rng, world, n_cells=n_cells, doublets=share, ambient=0.05)
    return compare(library, share or PER_1000 * n_cells / 1000, int(rng.integers(2**31)))


SCENARIO = Scenario(
    "doublets",
    measure,
    [
        Case("none", {"doublets": 0.0}, 10, targets=CLEAN),
        Case("4 %", {"doublets": 0.04}, 12, targets=HELD),
        Case("8 %", {"doublets": 0.08}, 12, targets=HELD),
        Case("15 %", {"doublets": 0.15}, 12, targets=HELD),
        Case("8 % of 500 cells", {"doublets": 0.08, "n_cells": 500}, 12, quick=True, targets=HELD),
    ],
    n_quick=2,
)
