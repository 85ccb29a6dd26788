"""Figures of the samples: who was asked, and how good their cells are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from livermet.plots.design import plot_design
from livermet.plots.quality import plot_quality
from livermet.plots.samples import plot_samples


def draw_quality(
    barcodes: pd.DataFrame, samples: pd.DataFrame, design: Mapping[str, Any], limits: Mapping[str, float]
) -> dict[str, Figure]:
    """Name -> figure: `design`, `quality`, `samples`.

    Parameters
    ----------
    barcodes
        One row an input barcode.
    samples
        One row a sample: the sheet and more.
    design
        Content of design.json.
    limits
        The config's quality section.
    """
    factors = design["factors"]
    strata = list(dict.fromkeys([*design["settings"]["covariates"], "batch", "sex"]))
    return {
        "design": plot_design(samples, factors, strata),
        "quality": plot_quality(barcodes, samples, factors, limits),
        "samples": plot_samples(barcodes, samples, factors),
    }
