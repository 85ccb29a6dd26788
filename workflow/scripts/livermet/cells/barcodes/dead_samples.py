"""Samples that died: too few cells to say anything, or barcodes that hold no more than their empty droplets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.barcodes.ambient import RAW_MATRIX

if TYPE_CHECKING:
    from numpy.typing import NDArray

SET_ASIDE = "sample set aside"
SOUP_LIKE = 1.15  # times as far from the soup as a draw from it: below, there is no cell in the droplet
N_DRAWN = 30  # cells compared with the soup


def why_dead(n_cells: int, min_cells: int, distance: float) -> str:
    """Why a sample is set aside, in words; empty where it is not.

    Parameters
    ----------
    n_cells, min_cells
        Cells that pass quality control; fewer than these are too few.
    distance
        Of the cells from the soup, see :func:`soup_distance`.
    """
    why = [f"{n_cells} of its cells pass, fewer than {min_cells}"] * (n_cells < min_cells)
    if distance < SOUP_LIKE:
        why.append(f"its cells are no farther from its empty droplets than draws from these, {distance:.2f} times")
    return ", ".join(why)


def soup_distance(X: Any, within: NDArray[np.bool_], soup: pd.DataFrame, seed: int) -> float:
    """How far the cells lie from the profile of the empty droplets, in units of how far draws from that profile lie.

    The distance is the multinomial deviance (the idea of EmptyDrops, doi:10.1186/s13059-019-1662-y) of a few dozen cells,
    each over that of a draw of as many UMIs from the soup; their median.

    Parameters
    ----------
    X
        Barcodes x genes, counts.
    within
        The cells that pass.
    soup
        Columns `soup`, the share of each gene, and `source`.
    seed
        Of the draws.

    Returns
    -------
    float
        About 1 where the cells are soup; infinite where no profile of empty droplets or no cell is there.
    """
    cells = np.flatnonzero(within)
    if not len(cells) or soup["source"].iloc[0] != RAW_MATRIX:
        return float("inf")
    rng = np.random.default_rng(seed)
    counts = sp.csr_matrix(X)[cells[np.linspace(0, len(cells) - 1, min(N_DRAWN, len(cells))).astype(int)]]
    share = soup["soup"].to_numpy(dtype=float)
    share = (share + 1e-3 / len(share)) / (share.sum() + 1e-3)  # a gene that the empty droplets lack may be in a cell
    ratios = []
    for cell in range(counts.shape[0]):
        drawn = np.bincount(rng.choice(len(share), int(counts[cell].sum()), p=share), minlength=len(share))
        ratios.append(_deviance(counts[cell].toarray().ravel(), share) / max(_deviance(drawn, share), 1e-9))
    return float(np.median(ratios))


def _deviance(counts: NDArray[np.integer[Any]], share: NDArray[np.float64]) -> float:
    seen = counts > 0
    return float(2 * (counts[seen] * np.log(counts[seen] / (counts.sum() * share[seen]))).sum())
