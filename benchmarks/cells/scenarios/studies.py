"""Whole studies: lineages, T-cell states and batches, from droplets to calls, beside plain scanpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from benchmarks.cells import agreement, biology, plain, steps
from benchmarks.cells.simulate import OVERLAY, SECOND, simulate_study
from benchmarks.cells.worlds import DISPERSION, draw_world
from benchmarks.common.measures import Case, Counts, Scenario, Target
from livermet.keys import BATCH, IS_DOUBLET, LINEAGE, STATE, UNASSIGNED

ACCEPTED_LINEAGES = {name: biology.accepted(name) for name in biology.KINDS}
ACCEPTED_STATES = {name: biology.accepted(name) for name in biology.STATES}
RARE = 0.02  # of the cells of a mouse, at most: a rare lineage
STRONG = ({"sd": 0.3}, {"sd": 0.5, "depth": 0.5})

LINEAGES = {"lineage_macro_f1": Target(low=0.97)}
STATES = {"state_macro_f1_of_called": Target(low=0.90), "state_called": Target(low=0.80)}
MIXED = {"batch_mixing_gain": Target(low=0.0), "cluster_ari_gain": Target(low=-0.02), "purity_gain": Target(low=-0.02)}


def judge_lineages(called: pd.Series, truth: pd.DataFrame, prefix: str = "") -> Counts:
    """Macro-F1 and accuracy of lineages; the F1 of the rare ones apart."""
    names = truth[LINEAGE].to_numpy()
    f1 = agreement.per_class_f1(called.to_numpy(), names, ACCEPTED_LINEAGES, min_cells=5)
    rare = [value for name, value in f1.items() if biology.KINDS[name].share <= RARE]
    fine = agreement.right(called.to_numpy(), names, ACCEPTED_LINEAGES)
    found: Counts = {
        f"{prefix}lineage_macro_f1": (float(np.mean(list(f1.values()))), 1.0),
        f"{prefix}lineage_accuracy": (float(fine.mean()), 1.0),
        f"{prefix}lineage_unassigned": (float((called == UNASSIGNED).mean()), 1.0),
    }
    if rare:
        found[f"{prefix}rare_lineage_f1"] = (float(np.mean(rare)), 1.0)
    if not prefix:
        found |= {f"lineage_f1_{name}": (value, 1.0) for name, value in f1.items()}
    return found


def judge_states(called: pd.Series, truth: pd.DataFrame, prefix: str = "", flags: pd.DataFrame | None = None) -> Counts:
    """Macro-F1 of the states of called cells, how many are called, and how precise calls are.

    A cell that cycles or answers interferon on top of its identity may be called by either; `flags` are programmes that
    calls tell beside the state. A call that commits to no state counts as none.
    """
    names = truth[STATE].to_numpy(dtype=object)
    calls = called.to_numpy(dtype=object).copy()
    for programme, (*_, allowed) in biology.OVERLAYS.items():
        on_top = (truth[OVERLAY] == programme).to_numpy() & np.isin(calls.astype(str), list(allowed))
        calls[on_top] = [biology.accepted(name)[0] for name in names[on_top]]
    for name, programme in biology.PROGRAMMES.items():
        if flags is not None and programme in flags:
            shown = (names == name) & flags[programme].to_numpy(dtype=bool)
            calls[shown] = name
    calls[np.isin(calls.astype(str), list(biology.HEDGED))] = UNASSIGNED
    is_called = calls != UNASSIGNED
    f1 = agreement.per_class_f1(calls[is_called], names[is_called], ACCEPTED_STATES)
    found: Counts = {
        f"{prefix}state_macro_f1_of_called": (float(np.mean(list(f1.values()))) if f1 else 0.0, 1.0),
        f"{prefix}state_called": (float(is_called.sum()), float(len(calls))),
        f"{prefix}state_accuracy_of_called": (
            float(agreement.right(calls[is_called], names[is_called], ACCEPTED_STATES).sum()),
            float(is_called.sum()),
        ),
        f"{prefix}state_macro_f1_of_all": (agreement.macro_f1(calls, names, ACCEPTED_STATES), 1.0),
    }
    if not prefix:
        found |= {f"state_f1_{name}": (value, 1.0) for name, value in f1.items()}
    return found


def judge_space(points: Any, clusters: Any, truth: pd.DataFrame, batches: Any, prefix: str) -> Counts:
    """Batches mixed within lineages (1: as in the whole), neighbours of one lineage (1: all), clusters against lineages."""
    lineage = truth[LINEAGE].to_numpy()
    return {
        f"{prefix}batch_mixing": (agreement.lisi(points, batches, within=lineage), 1.0),
        f"{prefix}purity": (1 - agreement.lisi(points, lineage), 1.0),
        f"{prefix}cluster_ari": (float(adjusted_rand_score(lineage, np.asarray(clusters).astype(str))), 1.0),
    }


def measure(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """One study; doublets that slipped through are no part of the truth."""
    states = list(biology.STATES) if values.get("states") == "all" else None
    world = draw_world(rng, states=states, dispersion=values.get("dispersion", DISPERSION))
    libraries, sheet = simulate_study(
        rng, world, n_samples=values["n_samples"], n_cells=values["n_cells"], batches=values["batches"],
        only_in_last=values.get("only_in_last", ()),
    )  # fmt: skip
    study = steps.run_study(libraries, sheet)
    everyone = pd.concat([library.truth for library in libraries])
    truth = everyone.loc[study.counts.obs_names]
    single = ~truth[IS_DOUBLET].to_numpy()
    lineages = study.annotation.lineages
    found = {
        "kept_of_single": (float(single.sum()), float((~everyone[IS_DOUBLET]).sum())),
        "doublets_left": (float((truth[SECOND] != "").sum()), float(len(truth))),
        **judge_lineages(lineages.loc[single, LINEAGE], truth[single]),
    }
    for name in values.get("only_in_last", ()):
        own = single & (truth[LINEAGE] == name).to_numpy()
        fine = agreement.right(lineages.loc[own, LINEAGE], truth.loc[own, LINEAGE], ACCEPTED_LINEAGES)
        found["right_of_one_batch_lineages"] = tuple(
            np.add(found.get("right_of_one_batch_lineages", (0.0, 0.0)), (float(fine.sum()), float(own.sum())))
        )
    _, called = steps.call(study)
    of_t = single & (truth[STATE] != "").to_numpy() & truth.index.isin(called.index)
    told = called.reindex(truth.index[of_t])
    found |= judge_states(told[STATE], truth[of_t], flags=told)
    found |= judge_batches(study, truth, single)
    if values.get("plain", True):
        found |= compare_plain(study, truth, single, of_t)
    return found


def judge_batches(study: steps.Study, truth: pd.DataFrame, single: Any) -> Counts:
    """Batches and biology with integration and without it."""
    if study.embedding.integration.empty:
        return {}
    batches = study.counts.obs[BATCH].to_numpy()[single]
    without = steps.annotate(study.merged, integrate="none")
    with_it = judge_space(
        study.embedding.pca.to_numpy()[single],
        study.clustering.clusters.loc[single, "leiden"],
        truth[single],
        batches,
        "",
    )
    bare = judge_space(
        without.embedding.pca.to_numpy()[single],
        without.clustering.clusters.loc[single, "leiden"],
        truth[single],
        batches,
        "unintegrated_",
    )
    gains = {
        f"{name}_gain": (with_it[name][0] - bare[f"unintegrated_{name}"][0], 1.0)
        for name in ("batch_mixing", "purity", "cluster_ari")
    }
    told = judge_lineages(without.annotation.lineages.loc[single, LINEAGE], truth[single], "unintegrated_")
    return {**with_it, **bare, **gains, **told}


def compare_plain(study: steps.Study, truth: pd.DataFrame, single: Any, of_t: Any) -> Counts:
    """Scanpy's defaults on the very cells that ours kept: Leiden, `score_genes` argmax of lineages and of states."""
    adata = plain.embed(study.counts, seed=0)
    named = plain.name_clusters(adata, steps.marker_sets())
    found = judge_lineages(named[single], truth[single], "scanpy_")
    scores = plain.score_sets(adata[np.flatnonzero(of_t)].copy(), steps.state_sets())
    found |= judge_states(scores.idxmax(axis=1), truth[of_t], "scanpy_")
    if not study.embedding.integration.empty:
        batches = study.counts.obs[BATCH].to_numpy()[single]
        found |= judge_space(
            adata.obsm["X_pca"][single], adata.obs["leiden"][single], truth[single], batches, "scanpy_"
        )
    return found


SCENARIO = Scenario(
    "study",
    measure,
    [
        Case("one batch", {"n_samples": 3, "n_cells": 900, "batches": [{"sd": 0.0}]}, 5, targets=LINEAGES | STATES),
        Case(
            "two strong batches",
            {"n_samples": 4, "n_cells": 750, "batches": STRONG},
            8,
            targets=LINEAGES | STATES | MIXED,
        ),
        Case(
            "two strong batches, three lineages in one of them",
            {
                "n_samples": 4,
                "n_cells": 750,
                "batches": STRONG,
                "only_in_last": ["Kupffer_cell", "cDC2", "Plasma_cell"],
            },
            5,
            targets=LINEAGES | STATES | MIXED | {"right_of_one_batch_lineages": Target(low=0.95)},
        ),
        Case(
            "all states of the plan",
            {"n_samples": 3, "n_cells": 1200, "batches": [{"sd": 0.0}], "states": "all"},
            5,
            targets=STATES,
        ),
        Case(
            "one batch, cells as noisy as the lung's",
            {"n_samples": 3, "n_cells": 900, "batches": [{"sd": 0.0}], "dispersion": 1.5},
            5,
        ),
        Case(
            "small, two strong batches",
            {"n_samples": 2, "n_cells": 700, "batches": STRONG, "plain": False},
            8,
            quick=True,
        ),
    ],
    n_quick=1,
)
