"""Rescue at a known truth, and where there is nothing to rescue; the naive index beside it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.calibration import cohorts
from benchmarks.calibration.cohorts import POPULATION
from benchmarks.common.measures import Case, Counts, Scenario, Target, when
from livermet.mice.design.model import Design
from livermet.mice.endpoints.composition import test_composition
from livermet.mice.endpoints.readouts import profile
from livermet.mice.endpoints.rescue import test_rescue
from livermet.tcells import signatures

N_GENES, SIZE, N_OTHERS = 1000, 30, 70
LOSS, SCORE = -1.5, 1.0  # log2: activated CD8 T cells lost, and the rise of the signature's genes, in the sick
INFLUX = float(np.log2(2.5))
MARGIN = 0.5  # log2: half of the damage; at a truth of .5 exactly what remains
SET = "death"
POPULATIONS = {
    name: cohorts.POPULATIONS[name] for name in (POPULATION, "Treg", "B_cell", "NK_cell", "Monocyte_derived_macrophage")
}


def _signature(margin: float) -> dict[str, Any]:
    return {"population": POPULATION, "readout": "signature", "signature": SET, "margin": margin}


def _questions(readouts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rescue = {
        "name": "rescue_combo",
        "kind": "rescue",
        "damage": cohorts.SITE["name"],
        "repair": cohorts.REPAIR["name"],
    }
    return [cohorts.SITE, cohorts.REPAIR, {**rescue, "readouts": readouts}]


QUESTIONS = _questions(
    [
        {"population": POPULATION, "readout": "abundance"},
        _signature(MARGIN),
        {"population": POPULATION, "readout": "axis"},
    ]
)
# The calls of single genes are not looked at here.
NO_GENES = pd.DataFrame(columns=["question", "population", "gene_id", "gene", "log_fold_change", "p_value"])


def _gene_sets(places: Any) -> signatures.Signatures:
    symbols = np.array(cohorts.gene_names(N_GENES))[places]
    declared = {"name": SET, "kind": "state", "lineage": "any", "use": "score", "description": "the declared axis",
                "up": symbols.tolist(), "down": [], "source": "simulated", "verification": "curated"}  # fmt: skip
    return signatures.load({"schema_version": 1, "species": "mouse", "aliases": {}, "signatures": [declared]})


def naive_index(sums: Any, design: Design) -> float:
    """What not to do: the axis from the difference of the same mice's means, the shared arm in both effects."""
    values = np.log2((sums + 0.5) / (sums.sum(axis=1, keepdims=True) + 1) * 1e6)
    arm = design.units["arm"].to_numpy()
    healthy, sick, treated = (
        values[arm == name].mean(axis=0) for name in (cohorts.HEALTHY, cohorts.SICK, cohorts.TREATED)
    )
    axis = healthy - sick
    return float((treated - sick) @ axis / (axis @ axis))


def draw_cohort(rng: np.random.Generator, design: Design, truth: float | None) -> tuple[pd.DataFrame, Any, Any, Any]:
    """Cells and sums of one cohort, with the places of the declared set.

    The untreated sick have lost activated CD8 T cells and gained macrophages; in the cells that are left the genes of the set
    are up, and 70 others are moved either way by .5 to 1.5 log2. The treated have 1 - `truth` of all this. None: nobody has.
    """
    left = {cohorts.SICK: 0.0 if truth is None else 1.0, cohorts.TREATED: 0.0 if truth is None else 1.0 - truth}
    damage = {POPULATION: LOSS, "Monocyte_derived_macrophage": INFLUX}
    changes = {arm: {label: part * size for label, size in damage.items()} for arm, part in left.items()}
    cells = cohorts.draw_cells(rng, design, changes, cells=900.0)
    genes, (places,) = cohorts.plant_sets(rng, cohorts.draw_genes(rng, N_GENES, cohorts.Noise()), 1, SIZE, 0.05)
    change = np.zeros(N_GENES)
    others = rng.choice(np.setdiff1d(np.arange(N_GENES), places), N_OTHERS, replace=False)
    change[others] = rng.uniform(0.5, 1.5, N_OTHERS) * rng.choice([-1.0, 1.0], N_OTHERS)
    change[places] = SCORE
    moved = sum((part * cohorts.change_arm(design, arm, change) for arm, part in left.items()), np.zeros(1))
    n_cells = cells[POPULATION].to_numpy()
    sums, _ = cohorts.draw_sums(rng, genes, moved, cohorts.Noise(), n_cells)
    return cells, sums, n_cells, places


@cache
def remains_as_measured(seed: int = 77, n_cohorts: int = 60, n: int = 25) -> float:
    """The part of the damage that remains at a truth of .5, on the scale on which mice are compared.

    Counts per million are relative: where thirty genes rise together, all others seem to fall a little, and the rise of the
    thirty is that much less than what was planted. A margin is a statement about the measured scale, so the size of a test
    at its margin has to be looked at where the measured difference, in very many mice, equals the margin.
    """
    found = []
    design = cohorts.make_design(n, questions=QUESTIONS, populations=POPULATIONS)
    arm = design.units["arm"]
    for place in range(n_cohorts):
        _, sums, n_cells, places = draw_cohort(np.random.default_rng([seed, place]), design, 0.5)
        bulk = cohorts.make_pseudobulk(design, sums, n_cells)
        sets = _gene_sets(places)
        mice = profile(bulk, POPULATION, design, {}, design.settings["min_cells"]).score(sets[SET]).values
        found.append(mice[arm == cohorts.TREATED].mean() - mice[arm == cohorts.HEALTHY].mean())
    return float(np.mean(found))


def measure(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """All mice of a cohort through composition and rescue, as the pipeline does."""
    truth: float | None = values["truth"]
    design = cohorts.make_design(values["n"], questions=QUESTIONS, populations=POPULATIONS, **values["layout"])
    cells, sums, n_cells, places = draw_cohort(rng, design, truth)
    labels, units = cohorts.spell_out(cells)
    abundance = test_composition(labels, units, design, design.settings)["abundance"]
    bulk, sets = cohorts.make_pseudobulk(design, sums, n_cells), _gene_sets(places)
    table = test_rescue(abundance, bulk, NO_GENES, design, design.settings, sets, {})["rescue"]
    found: Counts = {}
    for row in table.to_dict(orient="records"):
        said, kind = bool(row["estimable"]), row["readout"]
        found[f"{kind}_not_estimable"] = (float(not said), 1.0)
        if truth is not None:
            covered = said and row["ci_low"] <= truth <= row["ci_high"]
            found[f"{kind}_coverage"] = when(said, covered)
            found[f"{kind}_bias"] = when(said, row["rescue"] - truth if said else 0.0)
            found[f"{kind}_excludes_zero"] = when(said, bool(row["rescue_excludes_zero"]))
        if kind == "signature" and truth in (0.5, 1.0):
            name = "signature_called_complete" + ("_at_the_planted_margin" if truth == 0.5 else "")
            found[name] = when(said, row["completeness"] == "shown")
    if truth == 0.5:
        asked = _questions([_signature(remains_as_measured())])
        at_margin = cohorts.make_design(values["n"], questions=asked, populations=POPULATIONS, **values["layout"])
        again = test_rescue(abundance, bulk, NO_GENES, at_margin, at_margin.settings, sets, {})["rescue"].iloc[0]
        found["signature_called_complete_at_the_margin"] = when(
            bool(again["estimable"]), again["completeness"] == "shown"
        )
    found["naive_index"] = (naive_index(sums, design), 1.0)
    return found


LAYOUTS: dict[str, dict[str, Any]] = {"2x2": {}, "2x4": {"treatments": cohorts.TREATMENTS}}
_KINDS = ("abundance", "signature", "axis")
SCENARIO = Scenario(
    "rescue",
    measure,
    [
        Case(
            f"{layout}, n={n}, truth {truth:g}",
            {"layout": LAYOUTS[layout], "n": n, "truth": truth},
            400,
            quick=(layout, n, truth) == ("2x2", 3, 0.5),
        )
        for layout, n, truths in (("2x2", 3, (0.0, 0.5, 1.0)), ("2x4", 3, (0.0, 0.5, 1.0)), ("2x2", 4, (0.5,)))
        for truth in truths
    ],
    {f"{kind}_coverage": Target(0.93) for kind in _KINDS}
    | {f"{kind}_bias": Target(-0.05, 0.05) for kind in _KINDS}
    | {"signature_called_complete_at_the_margin": Target(high=0.05)},
    n_quick=12,
)
NO_DAMAGE = Scenario(
    "rescue_without_damage",
    measure,
    [
        Case(
            f"{layout}, n={n}", {"layout": LAYOUTS[layout], "n": n, "truth": None}, 250, quick=(layout, n) == ("2x2", 3)
        )
        for layout, n in (("2x2", 2), ("2x2", 3), ("2x4", 3), ("2x2", 4))
    ],
    {f"{kind}_not_estimable": Target(0.9) for kind in _KINDS},
    n_quick=12,
)
