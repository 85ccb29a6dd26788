"""Which barcodes are kept under other strictness and other doublet rules.

What does not depend on the choice is done once a sample: metrics, hard bounds, the kinds of cells. Outliers are found
anew for every strictness, and doublets among the cells that it lets pass, as the study's own quality control would.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from livermet.cells.barcodes.quality import check_doublets, check_known_doublets, find_kinds, measure
from livermet.cells.barcodes.reasons import check_bounds, check_outliers, passing
from livermet.cells.merge import merge_samples
from livermet.keys import CELL, KEPT
from livermet.multiverse.grid import KEEP, STRICT, CellSet

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("livermet")

STRICT_TIMES = 2.0  # as many doublets as expected and estimated


def judge_sample(counts: AnnData, sets: Sequence[CellSet], quality: Mapping[str, Any], *, seed: int) -> pd.DataFrame:
    """Whether each barcode of a sample is kept in each set.

    Parameters
    ----------
    counts
        Canonical counts of the sample, all barcodes.
    sets
        Ways of choosing the cells.
    quality
        The resolved `quality` section; its bounds hold in every set.
    seed
        As for :func:`livermet.cells.barcodes.quality.assess_quality`, with which the study's own set agrees.

    Returns
    -------
    pandas.DataFrame
        Index cell; a column of bool per set.
    """
    table = measure(counts)
    ceiling, rate = quality["max_mitochondrial_fraction"], quality["expected_doublet_rate_per_1000"]
    bounds = check_bounds(
        table, quality["min_umis"], quality["min_genes"], ceiling, quality["max_haemoglobin_fraction"]
    )
    sketch, labels = find_kinds(counts.X, passing(bounds), seed)
    kept = {}
    for mads in sorted({one.mads for one in sets}):
        outlying = [list(item) for item in bounds]
        check_outliers(outlying, table, labels, mads, quality["min_mitochondrial_cut"], ceiling)
        for one in sets:
            if one.mads != mads:
                continue
            reasons = [list(item) for item in outlying]
            if one.doublets != KEEP:
                times = STRICT_TIMES if one.doublets == STRICT else 1.0
                check_doublets(reasons, table, counts.X, sketch, labels, rate, seed, remove=True, times=times)
                check_known_doublets(reasons, table, counts.obs, remove=True)
            kept[one.name] = passing(reasons)
    return pd.DataFrame({one.name: kept[one.name] for one in sets}, index=table.index)


def vary_quality(
    samples: Sequence[AnnData],
    merged: Sequence[AnnData],
    qualities: Sequence[pd.DataFrame],
    soups: Sequence[pd.DataFrame],
    sheet: pd.DataFrame,
    sets: Sequence[CellSet],
    quality: Mapping[str, Any],
    *,
    seed: int,
) -> tuple[AnnData, pd.DataFrame]:
    """Counts of all cells that any set keeps, and which sets keep them; a sample that the study sets aside stays aside.

    Parameters
    ----------
    samples
        Canonical counts, one a sample: what the verdicts rest on.
    merged, qualities, soups, sheet
        As for :func:`livermet.cells.merge.merge_samples`; `merged` are the counts that the study goes on with.
    sets, quality, seed
        As for :func:`judge_sample`.

    Returns
    -------
    counts : AnnData
        Cells that at least one set keeps x genes, as the study's own counts are made.
    kept : DataFrame
        Index cell, the same cells; a column of bool per set.

    Raises
    ------
    InputError
        Where no set keeps a cell.
    """
    judged = [
        judge_sample(counts, sets, quality, seed=seed) & bool(own[KEPT].any())
        for counts, own in zip(samples, qualities, strict=True)
    ]
    widest = [
        table.assign(**{KEPT: found.any(axis=1).reindex(table.index).to_numpy(dtype=bool)})
        for table, found in zip(qualities, judged, strict=True)
    ]
    counts = merge_samples(merged, widest, soups, sheet).counts
    kept = pd.concat(judged).loc[counts.obs_names].rename_axis(CELL)
    for name in kept:
        log.info("%s: %d of %d barcodes kept", name, kept[name].sum(), sum(map(len, judged)))
    return counts, kept
