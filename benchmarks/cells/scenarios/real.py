"""Real cells: the lung study against the authors' labels, and libraries made of its cells with planted doublets and soup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from benchmarks.cells import lung, plain, steps
from benchmarks.cells.scenarios import soup, twos
from benchmarks.cells.simulate import Library
from benchmarks.common.measures import Case, Counts, Scenario, Target, when
from livermet.keys import AMBIENT, LINEAGE, STATE, UNASSIGNED

MIN_UMIS = 300  # these droplets hold fewer transcripts than 10x does
#: What a called state contradicts: words of the best ImmGen match that it must not go with.
CD8_WORDS, CD4_WORDS = ("T_8",), ("T_4",)


def measure_lung(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """The four samples as they are; what varies between data sets is the seed of everything random."""
    study_of = lung.read()
    seed = int(rng.integers(2**31))
    nothing = pd.DataFrame()
    libraries = [Library(one, nothing, nothing) for one in study_of.samples]
    study = steps.run_study(libraries, study_of.sheet, raw=False, seed=seed, changed={"min_umis": values["min_umis"]})
    truth = study_of.lineage(study.counts.obs_names)
    lineages = study.annotation.lineages[LINEAGE]
    fine = (lineages == truth).groupby(truth.to_numpy()).mean()
    adata = plain.embed(study.counts, seed=seed % 2**31)
    named = plain.name_clusters(adata, steps.marker_sets())
    found: Counts = {
        "kept": (float(len(truth)), float(len(study_of.labels))),
        "cluster_ari": (adjusted_rand_score(truth, study.clustering.clusters["leiden"]), 1.0),
        "scanpy_cluster_ari": (adjusted_rand_score(truth, adata.obs["leiden"]), 1.0),
        "lineage_accuracy": (float((lineages == truth).mean()), 1.0),
        "scanpy_lineage_accuracy": (float((named == truth).mean()), 1.0),
        **{f"recall_{name}": (float(value), 1.0) for name, value in fine.items()},
    }
    _, called = steps.call(study, seed=seed)
    best = study_of.labels.loc[called.index, lung.BEST_MATCH].astype(str)
    mine = judge_subsets(called[STATE], best)
    scores = plain.score_sets(adata[called.index].copy(), steps.state_sets())
    theirs = judge_subsets(scores.idxmax(axis=1), best)
    return {**found, **mine, **{f"scanpy_{name}": value for name, value in theirs.items()}}


def judge_subsets(state: pd.Series, best: pd.Series) -> Counts:
    """Calls of CD8 and CD4 states against the best ImmGen match of T cells that is CD8 or CD4; naive against naive."""
    told = state != UNASSIGNED
    side = np.select([best.str.startswith(CD8_WORDS), best.str.startswith(CD4_WORDS)], ["CD8", "CD4"], "")
    call = np.select(
        [state.str.startswith("CD8"), state.str.startswith("CD4") | state.str.startswith("Treg")], ["CD8", "CD4"], ""
    )
    judged = told.to_numpy() & (side != "") & (call != "")
    naive = best.str.contains("Nve").to_numpy() & (side != "")
    regulatory = best.str.contains("FP3").to_numpy()
    return {
        "called_of_T_cells": (float(told.sum()), float(len(told))),
        "contradicted_subset": (float((side != call)[judged].sum()), float(judged.sum())),
        "naive_called_naive": (float(state[naive].str.contains("naive").sum()), float(naive.sum())),
        "regulatory_called_regulatory": when(
            bool(regulatory.any()), float(state[regulatory].str.contains("Treg").mean())
        ),
    }


def measure_doublets(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """Real cells, none twice; pairs of them added up."""
    library = lung.make_library(rng, doublets=values["doublets"])
    rate = values["doublets"] or twos.PER_1000 * library.counts.n_obs / 1000
    return twos.compare(library, rate, int(rng.integers(2**31)), min_umis=MIN_UMIS)


def measure_soup(rng: np.random.Generator, values: Mapping[str, Any]) -> Counts:
    """Soup of the pool of all cells on top of what the cells brought along, which is told from the same cells without it."""
    seed = int(rng.integers(2**31))
    library = lung.make_library(np.random.default_rng(seed), ambient=values["ambient"])
    bare = lung.make_library(np.random.default_rng(seed), ambient=0.0)
    found = [
        steps.assess(one, raw=values["raw"], min_umis=MIN_UMIS)[0][AMBIENT].fillna(0.0).to_numpy()
        for one in (library, bare)
    ]
    true = library.truth[AMBIENT].to_numpy()
    # Planted on top of a native share b, a share rho makes b + (1 - b) rho in all.
    planted = (found[0].mean() - found[1].mean()) / max(1 - found[1].mean(), 0.05)
    error = abs(planted - true.mean())
    return {
        "planted_error_points": (100 * error, 1.0),
        "planted_bias_points": (100 * (planted - true.mean()), 1.0),
        "planted_relative_error": (error, float(true.mean())),
        "native_share_told": (float(found[1].mean()), 1.0),
        "true_share": (float(true.mean()), 1.0),
    }


LUNG = Scenario(
    "lung",
    measure_lung,
    [Case("800 cells of four mice", {"min_umis": MIN_UMIS}, 5, quick=True)],
    {
        "cluster_ari": Target(low=0.80),
        "lineage_accuracy": Target(low=0.95),
        "contradicted_subset": Target(high=0.10),
    },
    n_quick=1,
    needs=lung.lacks,
)
DOUBLETS = Scenario(
    "lung_doublets",
    measure_doublets,
    [Case("none", {"doublets": 0.0}, 10, targets=twos.CLEAN)]
    + [
        Case(f"{share:.0%}".replace("%", " %"), {"doublets": share}, 16, quick=share == 0.08, targets=twos.HELD)
        for share in (0.04, 0.08, 0.15)
    ],
    n_quick=2,
    needs=lung.lacks,
)
SOUP = Scenario(
    "lung_ambient",
    measure_soup,
    [
        Case(
            f"{100 * ambient:g} %, {soup.MATRIX[raw]}", {"ambient": ambient, "raw": raw}, 10,
            quick=ambient == 0.10,
            targets={"planted_relative_error": Target(high=0.20)} if ambient == soup.STRESS
            else {"planted_error_points": Target(high=2.0)},
        )
        for ambient in (*soup.SMALL, soup.STRESS) for raw in (True, False)
    ],
    n_quick=2,
    needs=lung.lacks,
)  # fmt: skip
