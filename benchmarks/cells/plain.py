"""What plain scanpy does, by its defaults: the comparison of every table."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy.ndimage import uniform_filter1d

from benchmarks.cells.steps import by_symbol

Floats = npt.NDArray[np.float64]

BINS, SMOOTHINGS = 256, 10_000  # of the automatic threshold


@dataclass(frozen=True)
class Scrublet:
    """What scanpy's Scrublet finds: a score a cell, the threshold it would set itself (NaN: none), CPU seconds."""

    score: Floats
    threshold: float
    seconds: float


def scrublet(counts: Any, *, rate: float, seed: int) -> Scrublet:
    """`scanpy.pp.scrublet` with its defaults.

    Parameters
    ----------
    counts
        Cells x genes, raw.
    rate
        The expected doublet rate.
    seed
        Of its simulated pairs.

    Notes
    -----
    Its automatic threshold is scikit-image's `threshold_minimum`, which is no dependency of this project; a threshold is handed
    over and that function's rule applied to the simulated scores (Prewitt and Mendelsohn 1966,
    doi:10.1111/j.1749-6632.1965.tb11715.x).
    """
    import scanpy as sc

    adata = _as_float(counts)
    before = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sc.pp.scrublet(adata, expected_doublet_rate=rate, threshold=0.5, random_state=seed, verbose=False)
    seconds = time.process_time() - before
    simulated = np.asarray(adata.uns["scrublet"]["doublet_scores_sim"], dtype=float)
    # Cells that its own gene and cell filter drops have no score: the lowest.
    score = adata.obs["doublet_score"].reindex(counts.obs_names).fillna(0.0).to_numpy(dtype=float)
    return Scrublet(score, minimum_threshold(simulated), seconds)


@cache
def warm_up() -> None:
    """Run Scrublet once on next to nothing: importing and compiling is not what is compared."""
    import anndata

    counts = np.random.default_rng(0).poisson(1.0, (120, 200)).astype(np.float32)
    scrublet(anndata.AnnData(sp.csr_matrix(counts)), rate=0.05, seed=0)


def minimum_threshold(values: Floats) -> float:
    """The valley between the two peaks of a histogram that is smoothed until it has no more; NaN where it never has two."""
    counts, edges = np.histogram(values, BINS)
    smooth = counts.astype(float)
    for _ in range(SMOOTHINGS):
        smooth = uniform_filter1d(smooth, 3)
        peaks = _peaks(smooth)
        if len(peaks) < 3:
            break
    if len(peaks) != 2:
        return float("nan")
    valley = peaks[0] + int(np.argmin(smooth[peaks[0] : peaks[1] + 1]))
    return float((edges[valley] + edges[valley + 1]) / 2)


def _peaks(values: Floats) -> list[int]:
    """Places of local maxima; a plateau counts once."""
    found, rising = [], True
    for place in range(len(values) - 1):
        if rising and values[place + 1] < values[place]:
            rising = False
            found.append(place)
        elif not rising and values[place + 1] > values[place]:
            rising = True
    return found


def embed(counts: Any, *, seed: int, graph: bool = True) -> Any:
    """Normalise, log, variable genes, PCA, neighbours, Leiden (igraph, as scanpy's tutorial has it)."""
    import scanpy as sc

    adata = _as_float(by_symbol(counts))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sc.pp.normalize_total(adata)
        sc.pp.log1p(adata)
        sc.pp.highly_variable_genes(adata)
        sc.pp.pca(adata, random_state=seed)
        if graph:
            sc.pp.neighbors(adata, random_state=seed)
            sc.tl.leiden(adata, flavor="igraph", n_iterations=2, directed=False, random_state=seed)
    return adata


def score_sets(adata: Any, sets: Mapping[str, Sequence[str]], *, seed: int = 0) -> pd.DataFrame:
    """`score_genes` of each set in log-normalised cells."""
    import scanpy as sc

    scores = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, genes in sets.items():
            present = [gene for gene in genes if gene in adata.var_names]
            if present:
                sc.tl.score_genes(adata, present, score_name="_score", random_state=seed)
                scores[name] = adata.obs["_score"].to_numpy()
    return pd.DataFrame(scores, index=adata.obs_names)


def normalised(counts: Any) -> Any:
    """Log-normalised cells with symbols as names."""
    return _normalise(_as_float(by_symbol(counts)))


def name_clusters(adata: Any, sets: Mapping[str, Sequence[str]]) -> pd.Series:
    """The set with the highest mean score in each Leiden cluster, by cell."""
    scores = score_sets(adata, sets)
    means = scores.groupby(adata.obs["leiden"].to_numpy()).mean()
    best: pd.Series = adata.obs["leiden"].astype(str).map(means.idxmax(axis=1).rename(index=str))
    return best


def _normalise(adata: Any) -> Any:
    import scanpy as sc

    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    return adata


def _as_float(counts: Any) -> Any:
    import anndata

    return anndata.AnnData(counts.X.astype(np.float32), obs=counts.obs[[]].copy(), var=counts.var[[]].copy())
