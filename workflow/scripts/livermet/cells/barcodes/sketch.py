"""A quick embedding of one sample for its quality control: variable genes, principal components, coarse clusters.

Not the embedding of the study (`embed`): it serves to tell what kind of cell a barcode is, within one fresh process,
so it needs numpy, scipy and faiss only.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

if TYPE_CHECKING:
    from numpy.typing import NDArray

# faiss reports every build of itself that it tries to load, which reads like a failure in a job's log.
logging.getLogger("faiss.loader").setLevel(logging.WARNING)

MIN_CELLS_WITH_GENE = 3
CLIP = 10.0  # standard deviations: one cell with an outlying count must not own a component
CELLS_PER_CLUSTER = 25
MAX_CLUSTERS = 24


@dataclass(frozen=True)
class Sketch:
    """A fitted embedding.

    Attributes
    ----------
    genes
        Columns of the variable genes.
    target
        UMIs that every cell is scaled to.
    mean, scale
        Of the log-normalised variable genes.
    loadings
        Genes x components.
    spread
        Standard deviation of the first component.
    """

    genes: NDArray[np.intp]
    target: float
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    loadings: NDArray[np.float32]
    spread: float = 1.0

    def project(self, counts: sp.csr_matrix) -> NDArray[np.float32]:
        """Coordinates (cells x components) of counts (cells x genes, csr)."""
        return self.project_chosen(counts[:, self.genes], umis(counts))

    def project_chosen(self, counts: sp.csr_matrix, totals: NDArray[np.float64]) -> NDArray[np.float32]:
        """The same from counts of the variable genes alone (cells x variable genes) and all UMIs of each cell."""
        return np.asarray(self._scale(log_normalise(counts, self.target, totals)) @ self.loadings)

    def _scale(self, normalised: sp.csr_matrix) -> NDArray[np.float32]:
        dense = np.asarray(normalised.todense(), dtype=np.float32)
        return np.asarray(np.clip((dense - self.mean) / self.scale, -CLIP, CLIP))


def umis(counts: sp.csr_matrix) -> NDArray[np.float64]:
    """UMIs of each cell."""
    return np.asarray(counts @ np.ones(counts.shape[1]))  # half the time of sum(axis=1)


def log_normalise(counts: sp.csr_matrix, target: float, totals: NDArray[np.float64]) -> sp.csr_matrix:
    """Counts scaled to `target` UMIs a cell, log(1 + x), float32."""
    factors = np.divide(target, totals, out=np.zeros_like(totals), where=totals > 0).astype(np.float32)
    data = np.log1p(counts.data * np.repeat(factors, np.diff(counts.indptr)))
    return sp.csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)


def fit_sketch(counts: sp.csr_matrix, *, n_genes: int = 1000, n_components: int = 20) -> Sketch:
    """Fit the embedding.

    Parameters
    ----------
    counts
        Cells x genes, csr, raw.
    n_genes
        Variable genes used: those whose variance is farthest above the trend over the mean.
    n_components
        Principal components.

    Returns
    -------
    Sketch
    """
    totals = umis(counts)
    target = float(np.median(totals[totals > 0])) if (totals > 0).any() else 1.0
    normalised = log_normalise(counts, target, totals)
    genes = _variable_genes(normalised, n_genes)
    chosen = np.asarray(normalised[:, genes].todense(), dtype=np.float32)
    mean = chosen.mean(axis=0)
    scale = np.maximum(chosen.std(axis=0), 1e-3)
    unfitted = Sketch(genes, target, mean, scale, np.zeros((len(genes), 0), dtype=np.float32))
    scaled = unfitted._scale(normalised[:, genes])
    loadings = _loadings(scaled, n_components)
    spread = float((scaled @ loadings[:, 0]).std()) if loadings.shape[1] else 1.0
    return Sketch(genes, target, mean, scale, loadings, spread)


def _variable_genes(normalised: sp.csr_matrix, n_genes: int) -> NDArray[np.intp]:
    """Genes whose variance lies farthest above a quadratic in the mean (both in logs)."""
    n_cells = normalised.shape[0]
    columns = normalised.indices
    n_genes_all = normalised.shape[1]
    mean = np.bincount(columns, normalised.data, n_genes_all) / n_cells
    square = np.bincount(columns, normalised.data.astype(np.float64) ** 2, n_genes_all) / n_cells
    detected = np.bincount(columns, minlength=n_genes_all)
    variance = square - mean**2
    usable = np.flatnonzero((detected >= min(MIN_CELLS_WITH_GENE, n_cells)) & (variance > 1e-12))
    if len(usable) <= max(n_genes, 10):
        return usable
    x, y = np.log(mean[usable]), np.log(variance[usable])
    excess = y - np.polyval(np.polyfit(x, y, 2), x)
    # A stable sort breaks ties by the column, so that the choice is the same on every machine.
    return np.sort(usable[np.argsort(-excess, kind="stable")[:n_genes]])


def _loadings(scaled: NDArray[np.float32], n_components: int) -> NDArray[np.float32]:
    """Principal axes from the smaller of the two Gram matrices; the sign is fixed by the largest weight."""
    n_cells, n_genes = scaled.shape
    size = min(n_cells, n_genes)
    n_components = min(n_components, size)
    if n_components == 0:
        return np.zeros((n_genes, 0), dtype=np.float32)
    by_genes = n_genes <= n_cells
    gram = (scaled.T @ scaled if by_genes else scaled @ scaled.T).astype(np.float64)
    values, vectors = scipy.linalg.eigh(gram, subset_by_index=[size - n_components, size - 1])
    vectors = vectors[:, ::-1]
    axes = vectors if by_genes else scaled.T @ (vectors / np.sqrt(np.maximum(values[::-1], 1e-9)))
    signs = np.sign(axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])])
    return np.ascontiguousarray(axes * np.where(signs == 0, 1, signs), dtype=np.float32)


def find_clusters(coordinates: NDArray[np.float32], *, seed: int, n_clusters: int | None = None) -> NDArray[np.float32]:
    """Centres of coarse clusters (k-means, seeded, on one thread).

    Parameters
    ----------
    coordinates
        Cells x components.
    seed
        Seed of the starting centres.
    n_clusters
        How many; one to 25 cells, at most 24, where not said.

    Returns
    -------
    ndarray
        Clusters x components.
    """
    import faiss

    n_cells, n_components = coordinates.shape
    number = n_clusters or max(1, min(MAX_CLUSTERS, n_cells // CELLS_PER_CLUSTER))
    if number == 1 or n_components == 0:
        return np.asarray(coordinates.mean(axis=0, keepdims=True))
    with one_thread():
        # The threshold of points per centre only decides whether faiss warns and subsamples; neither is wanted.
        kmeans = faiss.Kmeans(
            n_components,
            number,
            niter=25,
            nredo=3,
            seed=seed % 2**31,
            min_points_per_centroid=1,
            max_points_per_centroid=n_cells,
        )
        kmeans.train(np.ascontiguousarray(coordinates))
    return np.asarray(kmeans.centroids)


def nearest(points: NDArray[np.float32], targets: NDArray[np.float32], k: int) -> tuple[Any, Any]:
    """Exact nearest neighbours: squared distances and positions in `targets`, each points x k."""
    import faiss

    index = faiss.IndexFlatL2(targets.shape[1])
    with one_thread():
        index.add(np.ascontiguousarray(targets))
        return index.search(np.ascontiguousarray(points), k)


class one_thread:  # noqa: N801
    """faiss on one thread, so that sums are added up in the same order every time."""

    def __enter__(self) -> None:
        import faiss

        self.before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        import faiss

        faiss.omp_set_num_threads(self.before)
