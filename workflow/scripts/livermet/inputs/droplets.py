"""Empty droplets: the sum of what lies in them is the soup; of a matrix with a million barcodes no more is kept."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.errors import InputError, Problem
from livermet.inputs.genes import identify_genes
from livermet.inputs.raw import Raw
from livermet.inputs.tenx import GENE_EXPRESSION
from livermet.keys import BARCODE, GENE_ID, SYMBOL

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

UMIS = "umis"
EMPTY_BELOW = 100  # UMIs: droplets with fewer held no cell (SoupX's default, doi:10.1093/gigascience/giaa151)
ENOUGH_UMIS = 20_000  # fewer than these in all make a poor profile
SHARE_OF_A_CELL = 0.1  # of the median cell's UMIs: how far the bound may rise to gather them


def sum_empty_droplets(path: str | Path, counts: AnnData, *, sample: str, species: str) -> pd.DataFrame:
    """Add up the empty droplets of a raw (unfiltered) matrix.

    Empty is a barcode that the filtered matrix does not have and that holds at most 100 UMIs; where those are too few
    for a profile, at most a tenth of the median cell.

    Parameters
    ----------
    path
        The raw matrix, or "" where there is none.
    counts
        The canonical counts of the sample.
    sample, species
        As in :func:`livermet.inputs.canonical.read_sample`.

    Returns
    -------
    pandas.DataFrame
        Index `gene_id` (the genes of `counts`), column `umis`; without rows where there is no raw matrix or no empty
        droplet in it.

    Raises
    ------
    InputError
        Where the raw matrix is broken or is not the sample's: fewer than half of its barcodes are in it.
    """
    nothing = no_droplets()
    if not str(path):
        return nothing
    raw = Raw.open(path)
    totals = raw.totals()
    is_cell = _match(raw.barcodes, counts.obs[BARCODE].to_numpy(dtype=str), f"sample '{sample}', {path}")
    bound = _bound(totals[~is_cell], counts)
    empty = ~is_cell & (totals > 0) & (totals <= bound)
    log.info("%s: %d of %d droplets are empty (at most %d UMIs)", path, empty.sum(), len(totals), bound)
    if not empty.any():
        return nothing
    profile = identify_sums(raw.sums(empty), raw.features, species, f"sample '{sample}', {path}")
    lost = int(profile.drop(counts.var_names, errors="ignore").sum())
    if lost > 0.5 * profile.sum():
        raise InputError(
            Problem(
                f"sample '{sample}', {path}",
                "most UMIs lie in genes that the sample's counts do not have",
                "the same reference as in the counts",
                "Count both against one reference",
            )
        )
    return pd.DataFrame({UMIS: profile.reindex(counts.var_names, fill_value=0).astype(np.int64)})


def no_droplets() -> pd.DataFrame:
    """The table of a sample without empty droplets."""
    return pd.DataFrame({UMIS: np.zeros(0, dtype=np.int64)}, index=pd.Index([], name=GENE_ID, dtype=str))


def _bound(totals: NDArray[np.int64], counts: AnnData) -> int:
    gathered = totals[totals <= EMPTY_BELOW].sum()
    if gathered >= ENOUGH_UMIS:
        return EMPTY_BELOW
    cells = np.asarray(counts.X.sum(axis=1)).ravel()
    return max(EMPTY_BELOW, int(SHARE_OF_A_CELL * np.median(cells)))


def _match(raw: NDArray[np.str_], cells: NDArray[np.str_], where: str) -> NDArray[np.bool_]:
    """Which raw barcodes are cells'; the lane's number at a barcode's end is not heeded where it hinders."""
    is_cell = np.isin(raw, cells)
    if is_cell.sum() < 0.5 * len(cells):
        bare = [np.array([re.sub(r"-\d+$", "", name) for name in names]) for names in (raw, cells)]
        is_cell = np.isin(bare[0], bare[1])
    if is_cell.sum() < 0.5 * len(cells):
        raise InputError(
            Problem(
                where,
                f"{is_cell.sum()} of the sample's {len(cells)} barcodes are in the raw matrix",
                "all of them",
                "Name the raw matrix of this very sample in raw_path, or leave the cell empty",
            )
        )
    return is_cell


def identify_sums(sums: NDArray[np.int64], features: pd.DataFrame, species: str, where: str) -> pd.Series:
    """UMIs by gene id, through the very identification that the counts went through."""
    import anndata

    genes = (features["type"] == GENE_EXPRESSION).to_numpy()
    kept = features.loc[genes]
    row = sp.csr_matrix(np.minimum(sums[genes], np.iinfo(np.int32).max)[None, :].astype(np.int32))
    var = pd.DataFrame({SYMBOL: kept["symbol"].to_numpy()}, index=pd.Index(kept["id"].astype(str).to_numpy()))
    one = identify_genes(anndata.AnnData(row, obs=pd.DataFrame(index=["empty"]), var=var), species, where)
    return pd.Series(np.asarray(one.X.todense()).ravel(), index=one.var_names)
