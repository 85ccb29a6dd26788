"""The quick embedding: principal components as by definition, kinds told apart, the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from tests.unit.cells.toy_sample import make_sample

from livermet.cells.barcodes.sketch import find_clusters, fit_sketch, nearest


@pytest.mark.parametrize("n_genes", [60, 700])  # fewer genes than cells, and more
def test_components_are_the_singular_vectors(n_genes: int) -> None:
    counts = make_sample({"lymphocyte": 80, "macrophage": 60}).adata.X
    sketch = fit_sketch(counts, n_genes=n_genes, n_components=5)
    totals = counts.sum(axis=1).A1
    logs = np.log1p(counts.toarray() * (np.median(totals) / totals)[:, None])[:, sketch.genes]
    scaled = np.clip((logs - logs.mean(axis=0)) / np.maximum(logs.std(axis=0), 1e-3), -10, 10)
    vectors = np.linalg.svd(scaled, full_matrices=False)[2][:5]
    np.testing.assert_allclose(np.abs(vectors @ sketch.loadings).diagonal(), 1, atol=1e-3)
    np.testing.assert_allclose(sketch.project(counts), scaled @ sketch.loadings, atol=2e-3)


def test_kinds_are_told_apart_and_seeded() -> None:
    toy = make_sample({"lymphocyte": 100, "neutrophil": 80, "macrophage": 80, "platelet": 60})
    space = fit_sketch(toy.adata.X).project(toy.adata.X)
    centres = find_clusters(space, seed=3, n_clusters=4)
    assert adjusted_rand_score(toy.kind, nearest(space, centres, 1)[1][:, 0]) > 0.95
    np.testing.assert_array_equal(centres, find_clusters(space, seed=3, n_clusters=4))
