"""The kept cells of a study looked over: programmes, sexes, suspect clusters, samples that no lineage takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from livermet.cells.checks.programmes import score_programmes
from livermet.cells.checks.sex import read_sex, tell_sex
from livermet.cells.checks.suspects import describe_clusters, tell_suspects
from livermet.keys import LEIDEN, LINEAGE, MOUSE, PHASE, SAMPLE, STRESS_SCORE, UNASSIGNED
from livermet.notices import LOUD, Notice, tabulate

if TYPE_CHECKING:
    from anndata import AnnData

    from livermet.files.counts import Counts

STEP = "check_cells"
MIN_SAMPLES = 4  # fewer say nothing about what is usual
STRESS_MADS, MIN_STRESS_SPREAD = 5.0, 0.1
MOSTLY = 0.5  # of a sample's cells in no lineage


def check_cells(
    counts: AnnData | Counts,
    lineages: pd.DataFrame,
    evidence: pd.DataFrame,
    *,
    signatures: Mapping[str, Any],
    bins: pd.DataFrame,
    sheet: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """Look the kept cells over. Nothing is dropped, corrected or regressed out.

    Parameters
    ----------
    counts
        Kept cells x genes, raw counts; `obs` as :func:`livermet.cells.merge.merge_samples` makes it.
    lineages
        Index cell; `leiden`, `lineage`.
    evidence
        One row a cluster: `leiden`, `lineage`.
    signatures
        Content of resources/signatures.yaml.
    bins
        Which genes are expressed alike, see :func:`livermet.cells.checks.programmes.score_programmes`.
    sheet
        The sample sheet, text, index sample.

    Returns
    -------
    dict
        ``programmes``: index cell, stress and cell-cycle scores and the phase. ``profiles``: a row a sample: mean stress,
        shares of S and G2M, the sex found. ``suspects``: a row a cluster with the evidence. ``notices``.
    """
    programmes = score_programmes(counts, signatures, bins)
    found = read_sex(counts, [str(name) for name in sheet.index])
    sample = counts.obs[SAMPLE].astype(str).to_numpy()
    grouped = programmes.groupby(sample)
    profiles = found.assign(
        **{STRESS_SCORE: grouped[STRESS_SCORE].mean()},
        **{
            f"share_{phase}": grouped[PHASE].agg(lambda values, wanted=phase: (values == wanted).mean())
            for phase in ("S", "G2M")
        },
        share_unassigned=(lineages[LINEAGE].reindex(counts.obs_names) == UNASSIGNED).groupby(sample).mean(),
    )
    profiles = profiles[profiles.index.isin(sample)]
    clusters = describe_clusters(
        counts, lineages[LEIDEN].astype(str), evidence.astype({LEIDEN: str}).set_index(LEIDEN)[LINEAGE]
    )
    notices = [
        *tell_sex(profiles, sheet),
        *tell_suspects(clusters),
        *_tell_unassigned(profiles, sheet),
        *_tell_stress(profiles),
    ]
    return {
        "programmes": programmes, "profiles": profiles.reset_index(), "suspects": clusters, "notices": tabulate(notices),
    }  # fmt: skip


def _tell_unassigned(profiles: pd.DataFrame, sheet: pd.DataFrame) -> list[Notice]:
    return [
        Notice(
            str(sample),
            STEP,
            f"Most cells of sample {sample} (mouse {sheet.loc[str(sample), MOUSE]}) belong to no lineage. They were kept.",
            f"{share:.0%} of its cells are unassigned",
            "Look at its ambient RNA and its markers: soup, damaged cells, or cells that the marker sets do not know",
            LOUD,
        )
        for sample, share in profiles["share_unassigned"].items()
        if share > MOSTLY
    ]


def _tell_stress(profiles: pd.DataFrame) -> list[Notice]:
    """Samples that took the dissociation much worse than the others."""
    stress = profiles[STRESS_SCORE].dropna()
    if len(stress) < MIN_SAMPLES:
        return []
    middle = float(stress.median())
    spread = max(1.4826 * float(np.median(np.abs(stress - middle))), MIN_STRESS_SPREAD)
    return [
        Notice(
            str(sample),
            STEP,
            f"Sample {sample} shows more dissociation stress than the others. Nothing was regressed out.",
            f"mean score {value:.2f}, the study's median {middle:.2f}",
            "Early activation and heat-shock genes of its cells may be of the bench; mind them in comparisons with it",
        )
        for sample, value in stress.items()
        if value > middle + STRESS_MADS * spread
    ]
