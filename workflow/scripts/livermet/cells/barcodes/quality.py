"""Quality of every barcode of a sample: metrics, ambient share, doublets, and the verdict with its reason in words.

A hepatic CD45+ sample mixes macrophages of 10,000 UMIs with neutrophils of 1,500. An adaptive cut around one median would
drop a lineage, so a cell is an outlier only if it is one in the sample *and* among cells of its own kind.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.barcodes.ambient import ambient_share, soup_profile
from livermet.cells.barcodes.dead_samples import SET_ASIDE, soup_distance, why_dead
from livermet.cells.barcodes.doublets import score_doublets
from livermet.cells.barcodes.sketch import Sketch, find_clusters, fit_sketch, nearest
from livermet.keys import (
    AMBIENT,
    AMBIENT_FOUND_BY,
    AMBIENT_HIGH,
    AMBIENT_LOW,
    BARCODE,
    CELL,
    DOUBLET_SCORE,
    DROP_REASON,
    EMPTY_P_VALUE,
    HAEMO,
    IS_DOUBLET,
    IS_EMPTY,
    IS_HAEMO,
    IS_MITO,
    IS_RIBO,
    KEPT,
    KIND,
    KNOWN_DOUBLET,
    MITO,
    N_GENES,
    N_UMIS,
    RIBO,
    SAMPLE,
)

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

MIN_CELLS = 20  # fewer say nothing about what is usual: hard bounds only
MIN_SPREAD = 0.3  # of log values: cells all alike must not make a small difference an outlier
TO_SD = 1.4826  # median absolute deviation -> standard deviation of a normal
Reasons = list[list[str]]  # why each barcode is not kept; none where it is
MITO_OFFSET = 0.005  # half a percent: below, logs of shares are noise


def assess_quality(
    counts: AnnData,
    raw: pd.DataFrame | None,
    *,
    sample: str,
    seed: int,
    min_umis: int,
    min_genes: int,
    max_mitochondrial_fraction: float,
    max_haemoglobin_fraction: float,
    mads: float,
    min_mitochondrial_cut: float,
    remove_doublets: bool,
    expected_doublet_rate_per_1000: float,
    min_cells_per_sample: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure every barcode of a sample and say which are kept, and why not.

    Parameters
    ----------
    counts
        Canonical counts of the sample, all barcodes.
    raw
        UMIs in the empty droplets (index `gene_id`, column `umis`), without rows or None where there is no raw matrix.
    sample
        Named in the log.
    seed
        Seed of clusters and simulated doublets.
    min_umis, min_genes
        Hard floors.
    max_mitochondrial_fraction, max_haemoglobin_fraction
        Hard ceilings.
    mads
        Median absolute deviations, on the log scale, that make an outlier.
    min_mitochondrial_cut
        The adaptive mitochondrial cut is never stricter than this.
    remove_doublets
        Whether called doublets are dropped.
    expected_doublet_rate_per_1000
        Share of doublets per 1,000 recovered cells.
    min_cells_per_sample
        Fewer cells kept: the whole sample is set aside. So is one whose barcodes are draws from its empty droplets.

    Returns
    -------
    tuple of DataFrame
        Per barcode (index `cell`): sample, barcode, kept, drop_reason, metrics, doublet and ambient columns of
        :mod:`livermet.keys`; per gene (index `gene_id`): `soup`, the share of the ambient profile, and, the same in every
        row, its `source` and how the sample's share was found, with its interval.
    """
    table = measure(counts)
    reasons = check_bounds(table, min_umis, min_genes, max_mitochondrial_fraction, max_haemoglobin_fraction)
    sketch, labels = find_kinds(counts.X, passing(reasons), seed)
    check_outliers(reasons, table, labels, mads, min_mitochondrial_cut, max_mitochondrial_fraction)
    check_doublets(reasons, table, counts.X, sketch, labels, expected_doublet_rate_per_1000, seed, remove_doublets)
    table[KIND] = labels
    check_known_doublets(reasons, table, counts.obs, remove_doublets)
    soup = _add_ambient(table, counts, raw)
    set_aside(reasons, counts.X, soup, min_cells_per_sample, seed)
    table[KEPT] = passing(reasons)
    table[DROP_REASON] = ["; ".join(item) for item in reasons]
    log.info("%s: %d of %d barcodes kept", sample, table[KEPT].sum(), len(table))
    for reason, number in drop_counts(table).items():
        log.info("%s: %d dropped, %s", sample, number, reason)
    columns = [
        SAMPLE,
        BARCODE,
        KEPT,
        DROP_REASON,
        N_UMIS,
        N_GENES,
        MITO,
        RIBO,
        HAEMO,
        DOUBLET_SCORE,
        IS_DOUBLET,
        AMBIENT,
        KIND,
    ]
    return table[columns + [KNOWN_DOUBLET] * (KNOWN_DOUBLET in table)], soup


def measure(counts: AnnData) -> pd.DataFrame:
    """UMIs, genes, and mitochondrial, ribosomal and haemoglobin share of every barcode (index `cell`), and if it is empty."""
    X = sp.csr_matrix(counts.X)
    totals = np.asarray(X @ np.ones(X.shape[1], dtype=np.int64))
    table: pd.DataFrame = counts.obs[[SAMPLE, BARCODE]].astype(str)
    table.index.name = CELL
    table[N_UMIS] = totals
    table[N_GENES] = X.getnnz(axis=1).astype(np.int64)
    for column, mark in ((MITO, IS_MITO), (RIBO, IS_RIBO), (HAEMO, IS_HAEMO)):
        marked = X @ counts.var[mark].to_numpy(dtype=np.int64)
        table[column] = np.divide(marked, totals, out=np.zeros(len(totals)), where=totals > 0)
    called = IS_EMPTY in counts.obs
    table[IS_EMPTY] = counts.obs[IS_EMPTY].to_numpy(dtype=bool) if called else False
    table[EMPTY_P_VALUE] = counts.obs[EMPTY_P_VALUE].to_numpy(dtype=float) if called else np.nan
    return table


def check_bounds(
    table: pd.DataFrame,
    min_umis: int,
    min_genes: int,
    max_mitochondrial_fraction: float,
    max_haemoglobin_fraction: float,
) -> Reasons:
    """Reasons against every barcode of a measured sample that the hard floors and ceilings give."""
    reasons: Reasons = [[] for _ in range(len(table))]
    _flag(reasons, table[EMPTY_P_VALUE], "empty droplet (p {:.2g})", table[IS_EMPTY])
    _flag(reasons, table[N_UMIS], f"too few UMIs ({{:.0f}} < {min_umis})", table[N_UMIS] < min_umis)
    _flag(reasons, table[N_GENES], f"too few genes ({{:.0f}} < {min_genes})", table[N_GENES] < min_genes)
    for column, cut in ((MITO, max_mitochondrial_fraction), (HAEMO, max_haemoglobin_fraction)):
        name = column.removesuffix("_fraction")
        _flag(reasons, table[column], f"{name} share too high ({{:.3f}} > {cut:g})", table[column] > cut)
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
    _flag(reasons, table[MITO], f"mitochondrial share too high ({{:.3f}} > {cut:.3f})", beyond)


def set_aside(reasons: Reasons, X: Any, soup: pd.DataFrame, min_cells: int, seed: int) -> None:
    """Add a reason against every cell that passes so far, where the sample died (:mod:`livermet.cells.barcodes.dead_samples`)."""
    within = passing(reasons)
    why = why_dead(int(within.sum()), min_cells, soup_distance(X, within, soup, seed))
    for place in np.flatnonzero(within) if why else ():
        reasons[place].append(f"{SET_ASIDE} ({why})")


def drop_counts(table: pd.DataFrame) -> dict[str, int]:
    """How many barcodes each reason dropped, numbers left out of its words; one with two reasons counts in both."""
    reasons = table.loc[~table[KEPT], DROP_REASON].str.split("; ").explode().str.replace(r" \(.*", "", regex=True)
    return {str(reason): int(number) for reason, number in reasons.value_counts().sort_index().items()}


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


def _flag(reasons: Reasons, values: pd.Series, text: str, flagged: pd.Series) -> None:
    for position in np.flatnonzero(flagged.to_numpy()):
        reasons[position].append(text.format(values.iloc[position]))


def find_kinds(X: Any, within: NDArray[np.bool_], seed: int) -> tuple[Sketch | None, NDArray[np.int64]]:
    """Embedding of the cells within bounds, and the coarse kind of every barcode (the dropped by the nearest centre)."""
    counts = sp.csr_matrix(X)
    if within.sum() < MIN_CELLS:
        return None, np.zeros(counts.shape[0], dtype=np.int64)
    sketch = fit_sketch(counts[np.flatnonzero(within)])
    everyone = sketch.project(counts)
    centres = find_clusters(everyone[within], seed=seed)
    return sketch, nearest(everyone, centres, 1)[1][:, 0].astype(np.int64)


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
        _flag(reasons, values, text, pd.Series(flagged))


def check_doublets(
    reasons: Reasons,
    table: pd.DataFrame,
    X: Any,
    sketch: Sketch | None,
    labels: NDArray[np.int64],
    per_1000: float,
    seed: int,
    remove: bool,
    times: float = 1.0,
) -> None:
    """Score the cells that pass so far, in the table (the others have no score), and add doublets to the reasons."""
    table[DOUBLET_SCORE], table[IS_DOUBLET] = np.nan, False
    chosen = np.flatnonzero(passing(reasons))
    if sketch is None or not len(chosen):
        return
    found = score_doublets(
        sp.csr_matrix(X)[chosen],
        sketch,
        labels[chosen],
        n_recovered=int((~table[IS_EMPTY]).sum()),
        expected_doublet_rate_per_1000=per_1000,
        seed=seed,
        times=times,
    )
    cells = table.index[chosen]
    table.loc[cells, DOUBLET_SCORE] = found.score
    table.loc[cells, IS_DOUBLET] = found.is_doublet
    if remove:
        text = f"doublet (score {{:.3g}} > {found.threshold:.3g})"
        _flag(reasons, table[DOUBLET_SCORE], text, table[IS_DOUBLET])


def check_known_doublets(reasons: Reasons, table: pd.DataFrame, obs: pd.DataFrame, remove: bool) -> None:
    """Add the doublets that multiplexing knows, where it does: they are called whatever their score."""
    if KNOWN_DOUBLET not in obs:
        return
    table[KNOWN_DOUBLET] = obs[KNOWN_DOUBLET].fillna("").astype(str).to_numpy()
    known = table[KNOWN_DOUBLET] == "doublet"
    log.info(
        "doublets: %d known by multiplexing, %d of them called by their score",
        known.sum(),
        table.loc[known, IS_DOUBLET].sum(),
    )
    new = known & ~table[IS_DOUBLET]
    table.loc[known, IS_DOUBLET] = True
    if remove:
        _flag(reasons, table[DOUBLET_SCORE], "doublet by its tags (known by multiplexing)", new)


def _add_ambient(table: pd.DataFrame, counts: AnnData, raw: pd.DataFrame | None) -> pd.DataFrame:
    """Write the ambient share of every barcode, empty droplets left out; gives the profile."""
    X = sp.csr_matrix(counts.X)
    empty = None
    if raw is not None and len(raw):
        empty = raw["umis"].reindex(counts.var_names, fill_value=0).to_numpy(dtype=np.int64)
    soup = soup_profile(X, empty)
    labels = np.where(table[IS_EMPTY], -1, table[KIND])
    found = ambient_share(X, labels, soup, ~table[IS_DOUBLET].to_numpy())
    table[AMBIENT] = found.share
    log.info("ambient: profile from %s", soup.source)
    of_sample = {AMBIENT_FOUND_BY: found.found_by, AMBIENT_LOW: found.low, AMBIENT_HIGH: found.high}
    return pd.DataFrame(
        {"soup": found.soup.share, "source": soup.source, **of_sample}, index=counts.var_names.rename("gene_id")
    )
