"""One library as the sheet names it: its cells, and its empty droplets.

Where the sheet gives the cells (and, in `raw_path`, perhaps the raw matrix), they are taken as they are. Where it gives a
raw matrix as the counts, the cells are called here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.errors import InputError, Problem
from livermet.inputs.canonical import canonicalise
from livermet.inputs.droplets import EMPTY_BELOW, UMIS, identify_sums, sum_empty_droplets
from livermet.inputs.files import file_format
from livermet.inputs.hashtags import AUTO, read_tags, take_own
from livermet.inputs.raw import Raw
from livermet.inputs.readers import assemble, read_counts
from livermet.inputs.tenx import count_barcodes
from livermet.inputs.told import TOLD, carry_told, take_told, tell_once
from livermet.keys import EMPTY_P_VALUE, IS_EMPTY

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

MANY = 50_000  # barcodes: a matrix with more is not read whole before it is known to be one of cells
MOSTLY_EMPTY = 0.5  # of the barcodes with a count: a matrix of cells has hardly any with so few UMIs
ENOUGH = 500  # empty droplets, and
ENOUGH_UMIS = 20_000  # UMIs in them: with a poorer profile, what it lacks by chance looks like a cell in every droplet
N_FOR_WIDTH = 20_000  # empty droplets from which the width of their distribution is learned


def read_library(
    path: str | Path,
    raw_path: str | Path,
    *,
    sample: str,
    species: str,
    call_cells: str,
    seed: int,
    counts: str = "raw",
    hashtags: str | Sequence[str] = AUTO,
    pool: Mapping[str, str] | None = None,
) -> tuple[AnnData, pd.DataFrame, pd.DataFrame]:
    """Read one library.

    Parameters
    ----------
    path
        Its counts: of cells, or the raw matrix.
    raw_path
        Its raw matrix beside the cells, or "".
    sample, species
        As in :func:`livermet.inputs.canonical.read_sample`.
    call_cells
        "auto": where no raw matrix is named beside `path` and most of the barcodes in `path` hold next to nothing, `path`
        is a raw matrix and cells are called (:mod:`livermet.inputs.emptydrops`). "never": every barcode is taken for one.
    seed
        Of the simulated empty droplets, and of the rounding of corrected counts.
    counts
        "raw"; or "corrected": they were corrected for ambient RNA beforehand, so fractions are rounded and no cells are
        called.
    hashtags
        Which features are hashtags: "auto", "never" or their names (:func:`livermet.inputs.hashtags.are_hashtags`).
    pool
        Sample -> hashtag, of all samples that the sheet takes from this library: the sample's cells are those that bear its
        hashtag and no other. Empty where the library is one sample.

    Returns
    -------
    counts : AnnData
        Canonical counts, with what the hashtags tell of each cell (:func:`livermet.inputs.hashtags.read_tags`). Where cells were called: all barcodes with more than 100 UMIs, obs `is_empty` and
        `empty_p_value`.
    empty : DataFrame
        As :func:`livermet.inputs.droplets.sum_empty_droplets`.
    notices : DataFrame
        What is to be told of the sample (:mod:`livermet.notices`).

    Raises
    ------
    InputError
        Where an input is broken, or a raw matrix has no droplet above the bound.
    """
    names = {"sample": sample, "species": species}
    adata, empty = _read(path, raw_path, call_cells, counts == "corrected", seed, names)
    pool = pool or {}
    where = f"sample '{sample}', {path}"
    known = len(adata.uns.get(TOLD, []))
    own_tags = read_tags(adata, hashtags, pool, where)
    of_library = adata.uns.get(TOLD, [])[known:]
    if not pool:
        return adata, empty, take_told(adata, sample)
    adata.uns[TOLD] = adata.uns[TOLD][:known]
    own = take_own(adata, own_tags[sample])
    return own, empty, pd.concat([take_told(own, sample), tell_once(of_library, pool)], ignore_index=True)


def _read(
    path: str | Path, raw_path: str | Path, call_cells: str, corrected: bool, seed: int, names: dict[str, str]
) -> tuple[AnnData, pd.DataFrame]:
    if call_cells == "auto" and not str(raw_path) and not corrected:
        large = file_format(path) in {"10x folder", "10x h5"} and count_barcodes(path) > MANY
        adata = None if large else read_counts(path)
        raw = Raw(path if adata is None else adata)
        totals = raw.totals()
        if is_raw(totals):
            called, empty = _call(raw, totals, path, seed=seed, **names)
            if adata is not None and file_format(path) == "h5ad":
                carry_told(adata, called)
            return called, empty
        counts = canonicalise(read_counts(path) if adata is None else adata, path, **names)
    else:
        counts = canonicalise(read_counts(path, corrected, seed), path, **names)
    return counts, sum_empty_droplets(raw_path, counts, **names)


def is_raw(totals: NDArray[np.integer]) -> bool:
    """Whether barcodes with these UMIs are those of a raw matrix."""
    small = (totals > 0) & (totals <= EMPTY_BELOW)
    enough = small.sum() >= ENOUGH and totals[small].sum() >= ENOUGH_UMIS
    return bool(enough and small.sum() > MOSTLY_EMPTY * (totals > 0).sum())


def _call(
    raw: Raw, totals: NDArray[np.int64], path: str | Path, *, sample: str, species: str, seed: int
) -> tuple[AnnData, pd.DataFrame]:
    where = f"sample '{sample}', {path}"
    small, tested = (totals > 0) & (totals <= EMPTY_BELOW), totals > EMPTY_BELOW
    if not tested.any():
        raise InputError(
            Problem(
                where,
                f"a raw matrix in which no barcode has more than {EMPTY_BELOW} UMIs",
                "a library with cells",
                "Was it sequenced at all? Leave the sample out of the sheet",
            )
        )
    genes = np.flatnonzero(raw.is_gene)
    sums = raw.sums(small)
    some = np.zeros(len(totals), dtype=bool)
    places = np.flatnonzero(small)
    some[places[:: max(1, -(-len(places) // N_FOR_WIDTH))]] = True
    counts = raw.take(tested)
    p_values, is_cell, knee = call_cells(counts[:, genes], totals[tested], sums[genes], raw.take(some)[:, genes], seed)
    log.info(
        "%s: a raw matrix; of %d barcodes with more than %d UMIs %d hold a cell (%d of them below the knee at %d UMIs)",
        where, tested.sum(), EMPTY_BELOW, is_cell.sum(), (is_cell & (totals[tested] < knee)).sum(), knee,
    )  # fmt: skip
    adata = assemble(path, counts, pd.Index(raw.barcodes[tested]), raw.features)
    canonical = canonicalise(adata, path, sample=sample, species=species)
    canonical.obs[IS_EMPTY], canonical.obs[EMPTY_P_VALUE] = ~is_cell, p_values
    profile = identify_sums(sums, raw.features, species, where)
    return canonical, pd.DataFrame({UMIS: profile.reindex(canonical.var_names, fill_value=0).astype(np.int64)})


def call_cells(
    droplets: sp.csr_matrix,
    totals: NDArray[np.int64],
    sums: NDArray[np.int64],
    empty: sp.csr_matrix,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], int]:
    """Tell cells from empty droplets.

    Parameters
    ----------
    droplets
        Droplets in question x genes, csr.
    totals
        Their UMIs.
    sums
        UMIs of each gene over all empty droplets.
    empty
        Empty droplets, or some of them, x genes.
    seed
        Of the simulated empty droplets.

    Returns
    -------
    p_values
        NaN from the knee on, where every droplet is taken for a cell.
    is_cell
        At a false discovery rate of .1 %.
    knee
        UMIs.
    """
    from livermet.inputs import emptydrops  # scipy.stats, a second that most samples do not need

    share = emptydrops.good_turing(sums)
    ambient = emptydrops.Ambient(share, emptydrops.fit_alpha(empty, share))
    knee = emptydrops.find_knee(totals, EMPTY_BELOW)
    below = totals < knee
    p_values = np.full(len(totals), np.nan)
    p_values[below] = emptydrops.empty_p_values(
        droplets[np.flatnonzero(below)], ambient, seed=seed, n_simulations=emptydrops.N_SIMULATIONS
    )
    is_cell = emptydrops.adjust(np.nan_to_num(p_values, nan=0.0)) <= emptydrops.FALSE_DISCOVERY_RATE
    return p_values, is_cell, knee
