"""Figures of the T cells: their states, and what the states were called from."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from livermet.keys import BATCH, SAMPLE, STATE, UNASSIGNED
from livermet.plots.state_scores import plot_state_scores
from livermet.plots.style import STATES
from livermet.plots.umap import plot_labels


def draw_tcells(
    layout: pd.DataFrame, states: pd.DataFrame, scores: pd.DataFrame, barcodes: pd.DataFrame, samples: pd.DataFrame
) -> dict[str, Figure]:
    """Name -> figure: `umap_tcells`, `states`.

    Parameters
    ----------
    layout
        Index T cell; umap_1, umap_2; without rows where there are too few.
    states
        Index T cell; state.
    scores
        Index T cell; "z:<signature>".
    barcodes
        Index cell; sample.
    samples
        One row a sample: sample, the batch.
    """
    called = states[STATE].reindex(layout.index).astype(str)
    sample = barcodes[SAMPLE].reindex(layout.index).astype(str)
    sheet = samples.astype({SAMPLE: str}).set_index(SAMPLE)
    beside = {"Batch": sample.map(sheet[BATCH])} if BATCH in sheet else {}
    n_states = called[called != UNASSIGNED].nunique()
    title = f"{len(layout):,} T cells in {n_states} states"
    return {
        "umap_tcells": plot_labels(layout, called, STATES, title, beside),
        "states": plot_state_scores(scores, states),
    }
