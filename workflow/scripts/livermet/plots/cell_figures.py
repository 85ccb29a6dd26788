"""Figures of all kept cells: where they lie, what they are called and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from livermet.keys import BATCH, LINEAGE, SAMPLE, UNASSIGNED
from livermet.plots.markers import plot_markers
from livermet.plots.stability import plot_stability
from livermet.plots.style import LINEAGES
from livermet.plots.umap import plot_arms, plot_labels
from livermet.plots.words import arm_of


def draw_cells(
    layout: pd.DataFrame,
    labels: pd.DataFrame,
    barcodes: pd.DataFrame,
    samples: pd.DataFrame,
    clusters: pd.DataFrame,
    stability: pd.DataFrame,
    cluster_stability: pd.DataFrame,
    markers: pd.DataFrame,
    design: Mapping[str, Any],
) -> dict[str, Figure]:
    """Name -> figure: `umap`, `umap_arms`, `markers`, `stability`.

    Parameters
    ----------
    layout
        Index cell; umap_1, umap_2.
    labels
        Index cell; lineage.
    barcodes
        Index cell; sample.
    samples
        One row a sample: sample, the factors, the batch.
    clusters, stability, cluster_stability, markers
        See :func:`plot_stability`, :func:`plot_markers`.
    design
        Content of design.json.
    """
    factors = design["factors"]
    lineages = labels[LINEAGE].reindex(layout.index).astype(str)
    sheet = samples.astype({SAMPLE: str}).set_index(SAMPLE)
    sample = barcodes[SAMPLE].reindex(layout.index).astype(str)
    beside = {"Batch": sample.map(sheet[BATCH])} if BATCH in sheet else {}
    beside["Sample"] = sample
    n_lineages = lineages[lineages != UNASSIGNED].nunique()
    title = f"{len(layout):,} cells of {sample.nunique()} samples fall into {n_lineages} lineages"
    return {
        "umap": plot_labels(layout, lineages, LINEAGES, title, beside),
        "umap_arms": plot_arms(layout, sample.map(arm_of(sheet, factors)), lineages, LINEAGES, factors),
        "markers": plot_markers(markers),
        "stability": plot_stability(stability, clusters, cluster_stability),
    }
