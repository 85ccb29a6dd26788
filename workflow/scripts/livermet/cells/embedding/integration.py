"""Bringing batches together, so that a kind of cell lies in one place whatever batch it came in."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from livermet.cells.embedding.backends import require

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

RIDGE = 1.0
SCANORAMA_NEIGHBORS = 20  # the package's own default
# Matches weighed at a time. Left to itself the package weighs all at once, cells x matches: 40 GB for 50,000 cells, and where
# they do not fit it goes on without a word to us, with nothing corrected.
SCANORAMA_BLOCK = 1_000


def merge_batches(
    components: NDArray[np.float32],
    batches: NDArray[np.object_],
    *,
    seed: int,
    method: str = "harmony",
    counts: sp.csr_matrix | None = None,
) -> NDArray[np.float32]:
    """Remove from the components what differs between batches.

    Parameters
    ----------
    components
        Cells x components.
    batches
        Batch of every cell (cells,).
    seed
        Seed of whatever the method draws.
    method
        "harmony" (Korsunsky et al. 2019, doi:10.1038/s41592-019-0619-0); "scanorama" (Hie, Bryson, Berger 2019,
        doi:10.1038/s41587-019-0113-3) and "scvi" (Lopez et al. 2018, doi:10.1038/s41592-018-0229-2) where installed.
    counts
        Cells x variable genes, raw: what scVI is trained on; the others do not look at it.

    Returns
    -------
    numpy.ndarray
        Cells x components, float32.

    Raises
    ------
    InputError
        Where the method's package is not installed.
    """
    require(method)
    if method == "scvi":
        if counts is None:
            raise ValueError("scVI is trained on counts")
        return _scvi(counts, batches, n_latent=components.shape[1], seed=seed)
    return _scanorama(components, batches, seed=seed) if method == "scanorama" else _harmony(components, batches, seed)


def _harmony(components: NDArray[np.float32], batches: NDArray[np.object_], seed: int) -> NDArray[np.float32]:
    """Cells are softly clustered such that every cluster holds all batches, and each cluster's batch offsets are taken out.

    The ridge penalty is that of the publication. The package now guesses one by default, and stopped with strong batches
    hardly merged.
    """
    import harmonypy

    n_clusters = int(np.clip(round(len(components) / 30), 2, 100))
    harmony = harmonypy.run_harmony(
        components,
        pd.DataFrame({"batch": batches}),
        "batch",
        lamb=RIDGE,
        nclust=min(n_clusters, len(components) - 1),
        random_state=seed,
        ncores=1,
        verbose=False,
    )
    merged = np.asarray(harmony.Z_corr, dtype=np.float32)
    return merged if merged.shape == components.shape else np.ascontiguousarray(merged.T)


def _scanorama(components: NDArray[np.float32], batches: NDArray[np.object_], *, seed: int) -> NDArray[np.float32]:
    """Batches are stitched along cells that are mutual nearest neighbours; found exactly, so that it is the same again.

    Cells are brought to unit length first, as the package does with its own input: its kernel is made for that scale.
    """
    import scanorama
    from threadpoolctl import threadpool_limits

    places = [np.flatnonzero(batches == batch) for batch in np.unique(batches)]
    lengths = np.linalg.norm(components, axis=1, keepdims=True).astype(np.float64)
    unit = components / np.maximum(lengths, 1e-12)
    np.random.seed(seed)  # noqa: NPY002 - the package draws from numpy's global generator
    with threadpool_limits(limits=1):  # the libraries that it has just brought along, too
        parts = scanorama.assemble(
            [unit[place] for place in places],
            approx=False,
            knn=min(SCANORAMA_NEIGHBORS, min(len(place) for place in places)),
            batch_size=SCANORAMA_BLOCK,
            verbose=0,
        )
    merged = np.empty_like(components)
    for place, part in zip(places, parts, strict=True):
        merged[place] = part
    return merged


def _scvi(counts: sp.csr_matrix, batches: NDArray[np.object_], *, n_latent: int, seed: int) -> NDArray[np.float32]:
    """Latent space of a variational autoencoder that is told the batch of every cell; trained on the processor.

    On one thread: with two, sums end in other digits, training carries these on, and threads that wait for each other on a
    busy machine cost several times the time.
    """
    import anndata
    import scvi
    import torch

    names = pd.Index([str(number) for number in range(len(batches))])
    data = anndata.AnnData(counts.astype(np.float32), obs=pd.DataFrame({"batch": batches.astype(str)}, index=names))
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # else it recommends other products in our log
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        warnings.filterwarnings("ignore", module=r"lightning\.")  # of its own insides, and of srun on any cluster
        scvi.settings.seed = seed
        scvi.model.SCVI.setup_anndata(data, batch_key="batch")
        model: Any = scvi.model.SCVI(data, n_latent=n_latent)
        model.train(accelerator="cpu", enable_progress_bar=False)
        return np.asarray(model.get_latent_representation(), dtype=np.float32)
    finally:
        torch.set_num_threads(threads)
