"""Programmes that run on top of an identity: the cell cycle, interferon, residency.

A cycling effector cell is both. As rivals of the identities these programmes would swallow the cycling or stimulated cells
of every state, and a state would seem to shrink where its cells only began to divide. They are flags of their own instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from livermet.tcells.definitions import Programme

MAD_TO_SD = 1.4826


def flag_programmes(
    z: NDArray[np.floating], states: NDArray[np.object_], programmes: tuple[Programme, ...], *, min_z: float
) -> NDArray[np.bool_]:
    """Which programmes each cell shows.

    A cell shows a programme where its genes stand out from the control sets (z of `min_z`) and the cell stands out from
    the cells it is named among: above their median by `min_z` robust standard deviations. The second matters for sets
    whose genes every cell has some of, such as the answer to interferon: a level that all cells share is no programme of
    some of them. (It follows that a programme which all cells run is in the scores, not in the flags.)

    Parameters
    ----------
    z
        Cells x programmes.
    states
        The identity of each cell; those of none may show any programme that is not bound to states.
    programmes
        In order.
    min_z
        What has to be reached, twice.

    Returns
    -------
    ndarray of bool, (cells, programmes)
    """
    flags = np.zeros(z.shape, dtype=bool)
    for column, programme in enumerate(programmes):
        mine = np.asarray(z[:, column], dtype=np.float64)
        if not len(mine):
            continue
        middle = np.median(mine)
        spread = MAD_TO_SD * np.median(np.abs(mine - middle))
        inside = np.isin(states, programme.within) if programme.within else np.ones(len(mine), dtype=bool)
        flags[:, column] = inside & (mine >= min_z) & (mine >= middle + min_z * spread)
    return flags
