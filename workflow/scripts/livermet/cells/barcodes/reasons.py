"""Reasons against barcodes: hard bounds, and outliers both in the sample and among cells of their own kind.

A hepatic CD45+ sample mixes macrophages of 10,000 UMIs with neutrophils of 1,500. An adaptive cut around one median would
drop a lineage, so a cell is an outlier only if it is one in the sample *and* among cells of its own kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from livermet.keys import DROP_REASON, EMPTY_P_VALUE, HAEMO, IS_EMPTY, KEPT, MITO, N_GENES, N_UMIS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_CELLS = 20  # fewer say nothing about what is usual: hard bounds only
MIN_SPREAD = 0.3  # of log values: cells all alike must not make a small difference an outlier
TO_SD = 1.4826  # median absolute deviation -> standard deviation of a normal
MITO_OFFSET = 0.005  # half a percent: below, logs of shares are noise
Reasons = list[list[str]]  # why each barcode is not kept; none where it is


def check_bounds(
    table: pd.DataFrame,
    min_umis: int,
    min_genes: int,
    max_mitochondrial_fraction: float,
    max_haemoglobin_fraction: float,
) -> Reasons:
    """Reasons against every barcode of a measured sample that the hard floors and ceilings give."""
    reasons: Reasons = [[] for _ in range(len(table))]
    flag(reasons, table[EMPTY_P_VALUE], "empty droplet (p {:.2g})", table[IS_EMPTY])
    flag(reasons, table[N_UMIS], f"too few UMIs ({{:.0f}} < {min_umis})", table[N_UMIS] < min_umis)
    flag(reasons, table[N_GENES], f"too few genes ({{:.0f}} < {min_genes})", table[N_GENES] < min_genes)
    for column, cut in ((MITO, max_mitochondrial_fraction), (HAEMO, max_haemoglobin_fraction)):
        name = column.removesuffix("_fraction")
        flag(reasons, table[column], f"{name} share too high ({{:.3f}} > {cut:g})", table[column] > cut)
    return reasons


def check_outliers(
    reasons: Reasons,
    table: pd.DataFrame,
    labels: NDArray[np.int64],
    mads: float,
    min_mitochondrial_cut: float,
    max_mitochondrial_fraction: float,
) -> None:
    """Add to the reasons what the adaptive cuts say of the barcodes within the hard bounds."""
    within = passing(reasons)
    for column, name in ((N_UMIS, "UMIs"), (N_GENES, "genes")):
        _flag_outliers(reasons, table[column], name, within, labels, mads)
    cut = mitochondrial_cut(table[MITO].to_numpy()[within], mads, min_mitochondrial_cut, max_mitochondrial_fraction)
    beyond = (table[MITO] > cut) & within
    flag(reasons, table[MITO], f"mitochondrial share too high ({{:.3f}} > {cut:.3f})", beyond)


def _flag_outliers(
    reasons: Reasons,
    values: pd.Series,
    name: str,
    within: NDArray[np.bool_],
    labels: NDArray[np.int64],
    mads: float,
) -> None:
    if within.sum() < MIN_CELLS:
        return
    usual = float(np.median(values[within]))
    for flags, word in zip(
        outliers(values[within].to_numpy(float), labels[within], mads), ("few", "many"), strict=True
    ):
        flagged = np.zeros(len(values), dtype=bool)
        flagged[np.flatnonzero(within)[flags]] = True
        text = f"too {word} {name} ({{:.0f}}, more than {mads:g} MADs from the sample's median {usual:.0f})"
        flag(reasons, values, text, pd.Series(flagged))


def outliers(
    values: NDArray[np.float64], labels: NDArray[np.integer[Any]], mads: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Cells far below and far above both the sample's and their own kind's median, on the log scale.

    Parameters
    ----------
    values
        A positive metric of each cell.
    labels
        Kind of each cell.
    mads
        Median absolute deviations that make an outlier.

    Returns
    -------
    tuple of ndarray of bool
        Low and high outliers.
    """
    logs = np.log(np.maximum(values, 0.5))
    low, high = _beyond(logs, mads)
    for label in np.unique(labels):
        inside = labels == label
        if inside.sum() >= MIN_CELLS:
            own_low, own_high = _beyond(logs[inside], mads)
            low[inside] &= own_low
            high[inside] &= own_high
    return low, high


def mitochondrial_cut(shares: NDArray[np.float64], mads: float, lowest: float, highest: float) -> float:
    """Adaptive upper cut on the mitochondrial share, kept between two hard bounds."""
    if len(shares) < MIN_CELLS:
        return highest
    logs = np.log(shares + MITO_OFFSET)
    cut = float(np.exp(np.median(logs) + mads * _spread(logs)) - MITO_OFFSET)
    return min(max(cut, lowest), highest)


def _spread(logs: NDArray[np.float64]) -> float:
    return max(TO_SD * float(np.median(np.abs(logs - np.median(logs)))), MIN_SPREAD)


def _beyond(logs: NDArray[np.float64], mads: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    distance = (logs - np.median(logs)) / _spread(logs)
    return distance < -mads, distance > mads


def passing(reasons: Reasons) -> NDArray[np.bool_]:
    """Barcodes against which there is no reason."""
    return np.array([not item for item in reasons], dtype=bool)


def flag(reasons: Reasons, values: pd.Series, text: str, flagged: pd.Series) -> None:
    """Add a reason, with the value in its words, against every flagged barcode."""
    for position in np.flatnonzero(flagged.to_numpy()):
        reasons[position].append(text.format(values.iloc[position]))


def drop_counts(table: pd.DataFrame) -> dict[str, int]:
    """How many barcodes each reason dropped, numbers left out of its words; one with two reasons counts in both."""
    reasons = (
        table.loc[~table[KEPT], DROP_REASON].astype(str).str.split("; ").explode().str.replace(r" \(.*", "", regex=True)
    )
    return {str(reason): int(number) for reason, number in reasons.value_counts().sort_index().items()}
