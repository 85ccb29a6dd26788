"""Bringing batches together, and what that gained and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from livermet.cells.graph import find_neighbors

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIXING_NEIGHBORS = 30


def merge_batches(components: NDArray[np.float32], batches: NDArray[np.object_], *, seed: int) -> NDArray[np.float32]:
    """Remove from the components what differs between batches (Harmony).

    Cells are softly clustered such that every cluster holds all batches, and each cluster's batch offsets are taken out;
    repeated until it settles (Korsunsky et al. 2019, doi:10.1038/s41592-019-0619-0).

    Parameters
    ----------
    components
        Cells x components.
    batches
        Batch of every cell (cells,).
    seed
        Seed of the starting clusters.

    Returns
    -------
    numpy.ndarray
        Cells x components, float32.
    """
    import harmonypy

    n_clusters = int(np.clip(round(len(components) / 30), 2, 100))
    harmony = harmonypy.run_harmony(
        components,
        pd.DataFrame({"batch": batches}),
        "batch",
        nclust=min(n_clusters, len(components) - 1),
        random_state=seed,
        ncores=1,
        verbose=False,
    )
    merged = np.asarray(harmony.Z_corr, dtype=np.float32)
    return merged if merged.shape == components.shape else np.ascontiguousarray(merged.T)


def compare_integration(
    before: NDArray[np.float32], after: NDArray[np.float32], batches: NDArray[np.object_]
) -> pd.DataFrame:
    """Measure what bringing batches together gained and cost.

    Parameters
    ----------
    before, after
        Cells x components.
    batches
        Batch of every cell (cells,).

    Returns
    -------
    pandas.DataFrame
        One row a measure: `measure`, `before`, `after`, `best`, `meaning`. `batch_mixing` is the inverse Simpson index of
        the batches among a cell's neighbours (as in LISI, doi:10.1038/s41592-019-0619-0), rescaled so that 0 is one
        batch only and 1 the mixture of the whole study; `structure_kept` is the share of a cell's neighbours within its
        own batch that are still its neighbours afterwards. No rows with a single batch: nothing to bring together.
    """
    columns = ["measure", "before", "after", "best", "meaning"]
    if len(np.unique(batches)) < 2:
        return pd.DataFrame([], columns=columns)
    rows = [
        ("batch_mixing", batch_mixing(before, batches), batch_mixing(after, batches), 1.0,
         "batches among a cell's neighbours: 0 its own only, 1 as in the whole study"),
        ("structure_kept", 1.0, structure_kept(before, after, batches), 1.0,
         "share of a cell's neighbours within its batch that stay its neighbours"),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def batch_mixing(points: NDArray[np.float32], batches: NDArray[np.object_]) -> float:
    """Mean inverse Simpson index of the neighbours' batches, from 0 (own batch only) to 1 (as in the whole study)."""
    levels, codes = np.unique(batches, return_inverse=True)
    indices, _ = find_neighbors(points, n_neighbors=MIXING_NEIGHBORS)
    shares = np.stack([(codes[indices] == level).mean(axis=1) for level in range(len(levels))], axis=1)
    overall = np.bincount(codes) / len(codes)
    expected = 1 / (overall**2).sum()
    found = (1 / (shares**2).sum(axis=1)).mean()
    return float((found - 1) / (expected - 1))


def structure_kept(before: NDArray[np.float32], after: NDArray[np.float32], batches: NDArray[np.object_]) -> float:
    """Share of every cell's neighbours within its own batch that are the same before and after, averaged over cells."""
    kept: list[NDArray[np.float64]] = []
    for batch in np.unique(batches):
        members = np.flatnonzero(batches == batch)
        if len(members) < 3:
            continue
        n_neighbors = min(MIXING_NEIGHBORS, len(members) // 2)
        old, _ = find_neighbors(before[members], n_neighbors=n_neighbors)
        new, _ = find_neighbors(after[members], n_neighbors=n_neighbors)
        kept.append((old[:, :, None] == new[:, None, :]).any(axis=2).mean(axis=1))
    return float(np.concatenate(kept).mean()) if kept else float("nan")
