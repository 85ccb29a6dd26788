"""Scores: do they move when a sample is added, or when cells are sequenced less deeply?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anndata
import numpy as np
import pandas as pd

from benchmarks.cells import plain, steps
from benchmarks.cells.simulate import simulate_study, thin
from benchmarks.cells.worlds import draw_world
from benchmarks.common.measures import Case, Counts, Scenario, Target
from livermet.keys import LINEAGE, STATE

PART = 0.4
SCORE, Z = "score:", "z:"


def shift(before: pd.DataFrame, *after: pd.DataFrame) -> tuple[float, float]:
    """Mean shift of each score in its standard deviations, over all of `after`: its mean size over scores, and the largest."""
    spread = before.std().replace(0, np.nan)
    moved = (sum((one - before).mean() for one in after) / len(after) / spread).abs().dropna()
    return float(moved.mean()), float(moved.max())


def gather(libraries: list[Any]) -> tuple[Any, pd.DataFrame]:
    """True T cells of libraries in one matrix, labelled as such."""
    counts = anndata.concat([one.counts for one in libraries], merge="first")
    truth = pd.concat([one.truth for one in libraries])
    labels = pd.DataFrame({LINEAGE: np.where(truth[STATE] != "", "T_cell", truth[LINEAGE])}, index=counts.obs_names)
    return counts, labels


def measure(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """Scores of one sample's T cells: beside another sample of other cells and batch, and at 40 % of their depth."""
    world = draw_world(rng, n_free=values.get("n_free", 6000))
    both = [{"sd": 0.0}, {"sd": 0.5, "depth": 0.5}]
    libraries, _ = simulate_study(rng, world, n_samples=2, n_cells=values["n_cells"], batches=both, doublets=0.0)
    alone, labels = gather(libraries[:1])
    together, all_labels = gather(libraries)
    before = steps.score(alone, labels)["scores"]
    added = steps.score(together, all_labels)["scores"].loc[before.index]
    shallow = [make_shallow(rng, alone) for _ in range(values["thinnings"])]
    thinned = [steps.score(one, labels)["scores"] for one in shallow]
    ours = [name for name in map(str, before) if name.startswith(SCORE)]
    mean, largest = shift(before[ours], *(one[ours] for one in thinned))
    z_mean, _ = shift(before.filter(regex=f"^{Z}"), *(one.filter(regex=f"^{Z}") for one in thinned))
    found: Counts = {
        "sample_added_largest_change": (float((added - before).abs().to_numpy().max()), 1.0),
        "depth_mean_shift_sd": (mean, 1.0),
        "depth_largest_shift_sd": (largest, 1.0),
        "depth_mean_shift_sd_of_z": (z_mean, 1.0),
    }
    return {**found, **compare_plain(alone, together, shallow, before.index)}


def make_shallow(rng: np.random.Generator, counts: Any) -> Any:
    """The same cells at a part of their depth."""
    shallow = counts.copy()
    shallow.X = thin(rng, counts.X, PART)
    return shallow


def compare_plain(alone: Any, together: Any, shallow: list[Any], cells: pd.Index) -> Counts:
    """`score_genes` of the same sets in the same cells."""
    sets = steps.state_sets()
    before, beside, *thinned = (
        plain.score_sets(plain.normalised(item), sets).loc[cells] for item in (alone, together, *shallow)
    )
    mean, largest = shift(before, *thinned)
    added, most = shift(before, beside)
    return {
        "scanpy_sample_added_mean_shift_sd": (added, 1.0),
        "scanpy_sample_added_largest_shift_sd": (most, 1.0),
        "scanpy_depth_mean_shift_sd": (mean, 1.0),
        "scanpy_depth_largest_shift_sd": (largest, 1.0),
    }


SCENARIO = Scenario(
    "scores",
    measure,
    # A score's mean shift is sought, not the chance of one thinning: in the 380 T cells of the larger libraries that has a
    # standard deviation of .06, in the 120 of the smaller .11, and the largest of thirty shifts is twice as much by chance
    # alone. In the mean of as many thinnings as stand here, it is .02 of either.
    [
        Case("900 cells", {"n_cells": 900, "thinnings": 10}, 8),
        Case("300 cells", {"n_cells": 300, "thinnings": 40}, 8, quick=True),
    ],
    {
        "sample_added_largest_change": Target(0.0, 0.0, limit=(-np.inf, np.inf)),  # exactly, in every data set
        "depth_mean_shift_sd": Target(high=0.06),
        "depth_largest_shift_sd": Target(high=0.06),
    },
    n_quick=2,
)
