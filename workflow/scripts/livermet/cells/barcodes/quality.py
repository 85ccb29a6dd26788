"""Quality of every barcode of a sample: metrics, ambient share, doublets, and the verdict with its reason in words."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.barcodes.ambient import ambient_share, soup_profile
from livermet.cells.barcodes.dead_samples import SET_ASIDE, soup_distance, why_dead
from livermet.cells.barcodes.doublets import score_doublets
from livermet.cells.barcodes.reasons import (
    MIN_CELLS,
    Reasons,
    check_bounds,
    check_outliers,
    drop_counts,
    flag,
    passing,
)
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
    TAG_CALL,
    TAG_PROBABILITY,
    TAGS,
)

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from livermet.files.counts import Counts

log = logging.getLogger("livermet")


def assess_quality(
    counts: AnnData | Counts,
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
        :mod:`livermet.keys`, and what hashtags tell, where there are any; per gene (index `gene_id`): `soup`, the share of the ambient profile, and, the same in every
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
    table[DROP_REASON] = np.array(["; ".join(item) for item in reasons], dtype=object)
    for column in (TAGS, TAG_CALL, TAG_PROBABILITY):
        if column in counts.obs:
            table[column] = counts.obs[column].to_numpy()
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
    of_tags = [column for column in (KNOWN_DOUBLET, TAGS, TAG_CALL, TAG_PROBABILITY) if column in table]
    return table[columns + of_tags], soup


def measure(counts: AnnData | Counts) -> pd.DataFrame:
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


def set_aside(reasons: Reasons, X: Any, soup: pd.DataFrame, min_cells: int, seed: int) -> None:
    """Add a reason against every cell that passes so far, where the sample died (:mod:`livermet.cells.barcodes.dead_samples`)."""
    within = passing(reasons)
    why = why_dead(int(within.sum()), min_cells, soup_distance(X, within, soup, seed))
    for place in np.flatnonzero(within) if why else ():
        reasons[place].append(f"{SET_ASIDE} ({why})")


def find_kinds(X: Any, within: NDArray[np.bool_], seed: int) -> tuple[Sketch | None, NDArray[np.int64]]:
    """Embedding of the cells within bounds, and the coarse kind of every barcode (the dropped by the nearest centre)."""
    counts = sp.csr_matrix(X)
    if within.sum() < MIN_CELLS:
        return None, np.zeros(counts.shape[0], dtype=np.int64)
    sketch = fit_sketch(counts[np.flatnonzero(within)])
    everyone = sketch.project(counts)
    centres = find_clusters(everyone[within], seed=seed)
    return sketch, nearest(everyone, centres, 1)[1][:, 0].astype(np.int64)


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
        flag(reasons, table[DOUBLET_SCORE], text, table[IS_DOUBLET])


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
        flag(reasons, table[DOUBLET_SCORE], "doublet by its tags (known by multiplexing)", new)


def _add_ambient(table: pd.DataFrame, counts: AnnData | Counts, raw: pd.DataFrame | None) -> pd.DataFrame:
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
