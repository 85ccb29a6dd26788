"""What the tables say about power: an effect as large as the smallest detectable one, and as many mice as were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.calibration import cohorts
from benchmarks.calibration.cohorts import Genes, Noise
from benchmarks.calibration.scenarios import genes as single_genes
from benchmarks.calibration.scenarios import signatures
from benchmarks.calibration.scenarios.signatures import N_GENES
from benchmarks.common.measures import Case, Counts, Scenario, Target, share
from livermet import keys

LEVEL = 0.05
NAMES = {"effect": cohorts.REPAIR["name"], "interaction": cohorts.INTERACTION["name"]}
SETS_EFFECT, MICE = 0.4, range(2, 9)
N_MOVED_SETS = 6
POWER = Target(0.75, 0.85)


def _draw_truth(rng: np.random.Generator) -> tuple[Genes, list[Any], Any]:
    """Genes, sets, and which genes outside the sets will be moved."""
    genes, sets = cohorts.plant_sets(rng, cohorts.draw_genes(rng, N_GENES, Noise()), signatures.N_SETS, 30, 0.05)
    outside = np.setdiff1d(np.arange(N_GENES), np.concatenate(sets))
    return genes, sets, rng.choice(outside, 100, replace=False)


def _run(rng: np.random.Generator, n: int, genes: Genes, sets: list[Any], change: Any, name: str) -> tuple[Any, Any]:
    """Fresh mice with these genes: the rows of one question, gene by gene (index place) and set by set."""
    questions = cohorts.QUESTIONS if name == cohorts.INTERACTION["name"] else [cohorts.REPAIR]
    design = cohorts.make_design(n, questions=questions, effect_of_interest=SETS_EFFECT)
    sums = cohorts.draw_sums(rng, genes, cohorts.change_arm(design, cohorts.TREATED, change), Noise())
    tables = single_genes.analyse(*sums, design), signatures.analyse(*sums, design, sets)
    by_gene, by_set = (table[table["question"] == name].set_index("place") for table in tables)
    return by_gene, by_set


def measure_detectable(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """A pilot names the smallest detectable effects; fresh mice have them: how many are found?"""
    found: Counts = {}
    for family, name in NAMES.items():
        genes, sets, moved = _draw_truth(rng)
        by_gene, by_set = _run(rng, values["n"], genes, sets, np.zeros(N_GENES), name)
        change, sign = np.zeros(N_GENES), rng.choice([-1.0, 1.0], N_GENES)
        moved = by_gene.index.intersection(moved).to_numpy()
        change[moved] = sign[moved] * by_gene.loc[moved, keys.MDE]
        for number in range(N_MOVED_SETS):
            change[sets[number]] = (-1.0) ** number * by_set.loc[number, keys.MDE]
        by_gene, by_set = _run(rng, values["n"], genes, sets, change, name)
        rows = by_gene.reindex(moved).dropna(subset=["p_value"])
        right = np.sign(rows["log_fold_change"]) == sign[rows.index]
        found[f"gene_power_{family}"] = share((rows["p_value"] < LEVEL) & right)
        rows = by_set.loc[range(N_MOVED_SETS)]
        found[f"signature_power_{family}"] = share((rows["ci_low"] > 0) | (rows["ci_high"] < 0))
        found[f"fry_power_{family}"] = share(rows["p_value"] < LEVEL)
    return found


def measure_needed(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """A pilot says how many mice an arm an effect takes; fresh cohorts of every size have it: is it found with that many?"""
    name = cohorts.REPAIR["name"]
    genes, sets, moved = _draw_truth(rng)
    pilot_genes, pilot_sets = _run(rng, values["n"], genes, sets, np.zeros(N_GENES), name)
    change = np.zeros(N_GENES)
    change[moved] = rng.choice([-1.0, 1.0], len(moved))
    for number in range(N_MOVED_SETS):
        change[sets[number]] = (-1.0) ** number * SETS_EFFECT
    needed = pilot_genes[keys.MICE_NEEDED].reindex(moved)
    needed_sets = pilot_sets.loc[range(N_MOVED_SETS), keys.MICE_NEEDED]
    hits: dict[str, list[Any]] = {"gene": [], "signature": []}
    for n in MICE:
        by_gene, by_set = _run(rng, n, genes, sets, change, name)
        asked = needed.index[needed == n]
        hits["gene"] += list(by_gene["p_value"].reindex(asked).dropna() < LEVEL)
        rows = by_set.loc[needed_sets.index[needed_sets == n]]
        hits["signature"] += list((rows["ci_low"] > 0) | (rows["ci_high"] < 0))
    return {
        "gene_power": share(hits["gene"]),
        "signature_power": share(hits["signature"]),
        "gene_needs_more_than_8": share(needed.dropna().to_numpy(dtype=float) > max(MICE)),
        "signature_needs_more_than_8": share(needed_sets.to_numpy(dtype=float) > max(MICE)),
    }


DETECTABLE = Scenario(
    "minimum_detectable",
    measure_detectable,
    [Case(f"2x2, n={n}", {"n": n}, 100, quick=n == 3) for n in (2, 3, 4)],
    {f"{kind}_power_{family}": POWER for kind in ("gene", "signature") for family in NAMES},
    n_quick=3,
)
NEEDED = Scenario(
    "mice_needed",
    measure_needed,
    [Case(f"2x2, pilot of n={n}", {"n": n}, 60) for n in (3, 4)],
    {"gene_power": Target(0.75), "signature_power": Target(0.75)},
)
