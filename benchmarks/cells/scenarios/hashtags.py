"""Hashtags: doublets of two tags and the tag of single cells, against scanpy's hashsolo on the same counts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.cells import tagged
from benchmarks.common.measures import Case, Counts, Scenario, Target
from livermet.inputs.demultiplex import demultiplex

N_CELLS = 1500
NOBODY = -np.inf  # the stain of a tag that failed

HELD = {
    "doublet_precision": Target(low=0.90),
    "singlet_precision": Target(low=0.97),
    "doublet_f1_minus_hashsolo": Target(low=0.0),
    "singlet_precision_minus_hashsolo": Target(low=0.0),
}
HARD = {"singlet_precision_minus_hashsolo": Target(low=0.0)}


def measure(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """One library."""
    drawn = tagged.simulate_tags(rng, values.get("n_cells", N_CELLS), values["tags"], **values["drawn"])
    before = time.process_time()
    found = demultiplex(drawn.counts, drawn.umis)
    seconds = time.process_time() - before
    mine = _count(drawn, found.call, found.tags)
    theirs = _count(drawn, *tagged.hashsolo(drawn.counts))
    counts = mine | {f"hashsolo_{name}": value for name, value in theirs.items()}
    counts |= {
        f"{name}_minus_hashsolo": (_ratio(mine[name]) - _ratio(theirs[name]), 1.0)
        for name in ("doublet_f1", "singlet_precision")
    }
    return counts | {"cpu_seconds": (seconds, 1.0)}


def _count(drawn: tagged.Tagged, call: npt.NDArray[np.object_], tags: npt.NDArray[np.int64]) -> Counts:
    two, none = np.asarray((drawn.tags >= 0).all(axis=1)), drawn.tags[:, 0] < 0
    one = ~two & ~none
    doublets, singlets = call == "doublet", call == "singlet"
    right = float((singlets & one & (tags[:, 0] == drawn.tags[:, 0])).sum())
    both = float((doublets & two).sum())
    return {
        "doublet_precision": (both, float(doublets.sum())),
        "doublet_recall": (both, float(two.sum())),
        "doublet_f1": (2 * both, float(doublets.sum() + two.sum())),
        "singlet_precision": (right, float(singlets.sum())),
        "singlet_recall": (right, float(one.sum())),
        "unstained_given_a_tag": (float((singlets | doublets)[none].sum()), float(none.sum())),
        "uncertain": (float((call == "uncertain").sum()), float(len(call))),
    }


def _ratio(pair: tuple[float, float]) -> float:
    return pair[0] / pair[1] if pair[1] else 0.0


def _case(
    setting: str, tags: int, quick: bool = False, n_cells: int = N_CELLS, hard: bool = False, **drawn: Any
) -> Case:
    values = {"tags": tags, "n_cells": n_cells, "drawn": {"doublets": 0.08, **drawn}}
    return Case(setting, values, 10, quick=quick, targets=HARD if hard else HELD)


SCENARIO = Scenario(
    "hashtags",
    measure,
    [
        _case("4 tags, 4 % doublets", 4, doublets=0.04),
        _case("6 tags, 8 %", 6, quick=True),
        _case("16 tags, 15 %", 16, doublets=0.15),
        _case("6 tags, 8 %, clear", 6, stain_sd=0.4),
        _case("6 tags, 8 %, 200 cells", 6, n_cells=200),
        _case("6 tags, 8 %, one on .5 % of cells", 6, shares=[20, 20, 20, 20, 20, 0.5]),
        _case("6 tags, 8 %, one weak", 6, stain=[6.0] * 5 + [4.7]),
        _case("6 tags, 8 %, one failed", 6, stain=[6.0] * 5 + [NOBODY]),
        _case("6 tags, 8 %, 30 % unstained", 6, negatives=0.3),
        _case("6 tags, 8 %, background of 148", 6, hard=True, floating=5.0),
        _case("6 tags, 8 %, stains of 12", 6, hard=True, stain=2.5, floating=0.0),
    ],
    n_quick=1,
)
