"""Two dimensions for the eye (UMAP): figures and the atlas use them, nothing is computed from them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

COLUMNS = ["umap_1", "umap_2"]
MIN_DIST = 0.3
SPREAD = 1.0


def lay_out_cells(pca: pd.DataFrame, connectivities: sp.csr_matrix, *, seed: int) -> pd.DataFrame:
    """Lay a neighbour graph out in the plane.

    UMAP (McInnes, Healy, Melville 2018, doi:10.21105/joss.00861) from the graph that the clustering uses. It starts from
    the first two principal components rather than at random, so that far-apart groups keep a meaning (Kobak and
    Linderman 2021, doi:10.1038/s41587-020-00809-z), and runs in one thread over the cells in the order of their names, so that it gives the same picture again, also from
    a sheet in another order.

    Parameters
    ----------
    pca
        Index `cell`; at least two components where there are more than a few cells.
    connectivities
        Cells x cells, symmetric weights in (0, 1].
    seed
        Seed of the negative samples.

    Returns
    -------
    pandas.DataFrame
        Index `cell`; `umap_1`, `umap_2` (float32, no unit).
    """
    order = np.argsort(pca.index.to_numpy(dtype=str), kind="stable")
    points = _lay_out(pca.to_numpy(dtype=np.float32)[order], connectivities[order][:, order], seed=seed)
    back = np.argsort(order, kind="stable")
    return pd.DataFrame(points[back], index=pca.index, columns=COLUMNS)


def _lay_out(components: NDArray[np.float32], connectivities: sp.csr_matrix, *, seed: int) -> NDArray[np.float32]:
    """The layout of cells that stand in the order of their names."""
    start = _starting_points(components)
    if len(components) < 4 or connectivities.nnz == 0:
        return start
    with warnings.catch_warnings():
        # The library speaks of its own parts on import (a missing optional one, future defaults).
        warnings.simplefilter("ignore")
        umap = _import_umap()
        a, b = umap.find_ab_params(SPREAD, MIN_DIST)
        points, _ = umap.simplicial_set_embedding(
            data=components,
            graph=connectivities.tocoo(),
            n_components=2,
            initial_alpha=1.0,
            a=a,
            b=b,
            gamma=1.0,
            negative_sample_rate=5,
            n_epochs=500 if len(components) <= 2_000 else 200,
            init=start,
            random_state=np.random.RandomState(seed),
            metric="euclidean",
            metric_kwds={},
            densmap=False,
            densmap_kwds={},
            output_dens=False,
            parallel=False,
            verbose=False,
        )
    return np.asarray(points, dtype=np.float32)


def _import_umap() -> Any:
    """umap-learn without its search for neighbours.

    The package behind that search compiles its distance functions when it is imported: seven CPU-seconds in every
    process, for functions that a given graph never calls. They are left uncompiled; the layout itself is compiled as ever.
    """
    import numba

    before = numba.config.DISABLE_JIT
    numba.config.DISABLE_JIT = True
    try:
        import pynndescent  # noqa: F401
    finally:
        numba.config.DISABLE_JIT = before
    import umap.umap_

    return umap.umap_


def _starting_points(components: NDArray[np.float32]) -> NDArray[np.float32]:
    """First two components, the wider one between -10 and 10 (as the library's own starts are)."""
    plane = np.zeros((len(components), 2), dtype=np.float32)
    taken = min(2, components.shape[1])
    plane[:, :taken] = components[:, :taken]
    plane -= plane.mean(axis=0)
    return plane * np.float32(10.0 / max(float(np.abs(plane).max()), 1e-6))
