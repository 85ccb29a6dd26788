"""Who counts as a neighbour when a cell's call looks at its neighbourhood."""

from __future__ import annotations

import numpy as np
from scipy import sparse

#: Share of their neighbours that two cells have in common at least, as is usual (one in fifteen, the neighbours asked for).
MIN_SHARED = 1 / 15
#: Cells from which on shared neighbours count. With fewer, a cell's nearest neighbours are as many as a rare state has cells, and to
#: reach further would reach other states.
MIN_CELLS = 400


def find_neighbourhoods(connectivities: sparse.csr_matrix, shared: sparse.csr_matrix) -> sparse.csr_matrix:
    """Graph over which states are called: of shared neighbours, or of the nearest where cells are few.

    Parameters
    ----------
    connectivities
        Cells x cells, symmetric weights of the neighbour graph.
    shared
        The same from :func:`share_neighbours`.

    Returns
    -------
    csr_matrix
        `shared` with :data:`MIN_CELLS` cells or more, else `connectivities`.
    """
    return shared if connectivities.shape[0] >= MIN_CELLS else connectivities


def share_neighbours(connectivities: sparse.csr_matrix) -> sparse.csr_matrix:
    """Graph of cells that have neighbours in common, whether or not they are neighbours themselves.

    A cell's nearest neighbours are few and, where states lie close, a quarter of them is of another state. Cells that share
    many neighbours lie in the same dense place: weighing by that keeps more cells of the same state together, and reaches
    twice as many of them, than the nearest neighbours do.

    Parameters
    ----------
    connectivities
        Cells x cells, symmetric weights of the neighbour graph; which of them are not zero is what counts.

    Returns
    -------
    csr_matrix of float64
        Cells x cells, symmetric, no cell with itself: the Jaccard index of the cells' neighbours, each cell being one of its
        own, where it is at least :data:`MIN_SHARED`. A cell that shares no more with any keeps its neighbours as they were.

    Notes
    -----
    Shared nearest neighbours: Jarvis and Patrick 1973, doi:10.1109/T-C.1973.223640; with the Jaccard index, for cells: Levine
    et al. 2015, doi:10.1016/j.cell.2015.05.047.
    """
    given = sparse.csr_matrix(connectivities, dtype=np.float64)
    n_cells = given.shape[0]
    near = sparse.csr_matrix((given != 0).astype(np.float64) + sparse.identity(n_cells, format="csr"))
    near.data[:] = 1.0
    n_near = near.getnnz(axis=1)
    common = (near @ near.T).tocoo()
    jaccard = common.data / (n_near[common.row] + n_near[common.col] - common.data)
    kept = (jaccard >= MIN_SHARED) & (common.row != common.col)
    shared = sparse.csr_matrix((jaccard[kept], (common.row[kept], common.col[kept])), shape=given.shape)
    alone = sparse.diags((shared.getnnz(axis=1) == 0).astype(np.float64)) @ given
    return sparse.csr_matrix(shared.maximum(alone).maximum(alone.T))
