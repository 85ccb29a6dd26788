"""Normalisation, variable genes, components, batches and neighbours, each against a slow twin or a planted truth."""

from __future__ import annotations

from importlib.metadata import version

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from tests.unit.cells.toy_lineages import make_study

from livermet.cells.embed import embed_cells, find_components, scale_genes
from livermet.cells.genes import exclusion_reasons, rank_genes, standardised_variance
from livermet.cells.graph import distance_matrix, find_neighbors, fuzzy_graph
from livermet.cells.integration import batch_mixing, merge_batches, structure_kept
from livermet.cells.normalise import log_normalise
from livermet.errors import InputError

SETTINGS = {
    "n_top_genes": 200, "n_pcs": 10, "n_neighbors": 15, "integrate": "harmony", "batch_key": "batch", "seed": 1,
}  # fmt: skip


def test_log_normalise_scales_every_cell_to_ten_thousand() -> None:
    counts = sp.csr_matrix(np.array([[1, 3, 0], [0, 0, 0], [50, 0, 150]]))
    expected = np.log1p([[2500, 7500, 0], [0, 0, 0], [2500, 0, 7500]])
    np.testing.assert_allclose(log_normalise(counts).toarray(), expected, rtol=1e-6)


def test_log_normalise_of_some_genes_uses_the_depth_over_all() -> None:
    whole = sp.csr_matrix(np.array([[1, 3, 6], [2, 2, 4]]))
    part = log_normalise(sp.csr_matrix(whole[:, :2]), totals=np.array([10.0, 8.0]))
    np.testing.assert_allclose(part.toarray(), log_normalise(whole).toarray()[:, :2])


def test_variable_genes_are_those_of_scanpy() -> None:
    import scanpy as sc

    study = make_study(batch_effect=0.3)
    study.var["haemoglobin"] = False  # scanpy leaves no gene out
    ours = rank_genes(study.X, study.var, batches=study.obs["batch"].to_numpy(dtype=object), n_top_genes=150)
    theirs = sc.pp.highly_variable_genes(study, flavor="seurat_v3", n_top_genes=150, batch_key="batch", inplace=False)
    # Equal to scanpy 1.11; from 1.12 on (Python 3.12 and later) its own values moved by up to half a percent.
    moved = tuple(map(int, version("scanpy").split(".")[:2])) >= (1, 12)
    np.testing.assert_allclose(ours["standardised_variance"], theirs["variances_norm"], rtol=0.01 if moved else 1e-6)
    # Rare genes with the very same counts tie; their order among themselves is chance there and the table's order here.
    np.testing.assert_allclose(ours["highly_variable_rank"], theirs["highly_variable_rank"], atol=10)
    assert (ours["highly_variable"] & theirs["highly_variable"]).sum() >= 145


def test_a_sparse_batch_of_a_hundred_cells_has_variable_genes() -> None:
    rng = np.random.default_rng(3)
    rates = np.exp(rng.normal(-4, 1.5, 3000))
    rates[:30] *= np.where(rng.random((110, 30)) < 0.3, 20, 0.2).mean()
    counts = rng.poisson(np.tile(rates, (110, 1)))
    counts[:40, :30] += rng.poisson(3.0, (40, 30))
    found = standardised_variance(sp.csr_matrix(counts))
    assert np.isfinite(found).all()
    assert set(np.argsort(-found)[:25]) <= set(range(30))


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [
        ("Ighv1-82", "V(D)J segment"), ("Trav12-1", "V(D)J segment"), ("Trbj2-7", "V(D)J segment"),
        ("Tcrg-V6", "V(D)J segment"), ("Ighd", ""), ("Ighm", ""), ("Trac", ""), ("Trdc", ""), ("Tcrg-C1", ""),
        ("Traf1", ""), ("Xist", "sex"), ("Ddx3y", "sex"), ("mt-Co1", "mitochondrial"), ("Cd3e", ""),
    ],
)  # fmt: skip
def test_genes_of_clone_sex_and_quality_do_not_shape_the_embedding(symbol: str, reason: str) -> None:
    var = pd.DataFrame({"symbol": [symbol], "mitochondrial": [symbol.startswith("mt-")]})
    assert exclusion_reasons(var).tolist() == [reason]


def test_excluded_genes_use_up_no_rank() -> None:
    study = make_study()
    batches = np.full(study.n_obs, "all", dtype=object)
    var = study.var.copy()
    loud = rank_genes(study.X, var, batches=batches, n_top_genes=100)
    var["ribosomal"] = loud["highly_variable_rank"].to_numpy() < 10
    quiet = rank_genes(study.X, var, batches=batches, n_top_genes=100)
    assert quiet["highly_variable"].sum() == 100
    assert not quiet.loc[var["ribosomal"], "highly_variable"].any()


def test_components_are_those_of_a_dense_singular_value_decomposition() -> None:
    study = make_study()
    expression = log_normalise(study.X)
    ours = find_components(expression, n_pcs=5)
    dense = scale_genes(expression).toarray()
    left, values, _ = np.linalg.svd(dense - dense.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(ours), np.abs(left[:, :5] * values[:5]), rtol=1e-3, atol=1e-3)


def test_scaled_genes_have_unit_variance_and_outliers_are_clipped() -> None:
    rng = np.random.default_rng(0)
    values = rng.poisson(2.0, (400, 3)).astype(float)
    values[:, 1] = 0
    values[7, 1] = 5  # one cell only: 20 standard deviations before clipping
    scaled = scale_genes(sp.csr_matrix(values)).toarray()
    np.testing.assert_allclose(scaled[:, [0, 2]].var(axis=0, ddof=1), 1.0)
    assert scaled[7, 1] == pytest.approx(10 + 1 / 400 * 5 / values[:, 1].std(ddof=1))


def test_neighbours_are_those_of_brute_force() -> None:
    points = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32) + 100
    indices, distances = find_neighbors(points, n_neighbors=7)
    exact = np.linalg.norm(points[:, None].astype(float) - points[None], axis=2)
    np.fill_diagonal(exact, np.inf)
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :7], rtol=1e-4)
    assert not (indices == np.arange(200)[:, None]).any()


def test_identical_cells_are_each_others_neighbours_but_never_their_own() -> None:
    points = np.repeat(np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32), 5, axis=0)
    indices, distances = find_neighbors(points, n_neighbors=4)
    assert (indices // 5 == (np.arange(30) // 5)[:, None]).all()
    assert not (indices == np.arange(30)[:, None]).any()
    graph = fuzzy_graph(indices, distances)
    assert graph.nnz == 30 * 4
    assert distance_matrix(indices, distances).nnz == 30 * 4


def test_fuzzy_graph_is_symmetric_with_full_weight_to_the_nearest() -> None:
    points = np.random.default_rng(2).normal(size=(150, 5)).astype(np.float32)
    indices, distances = find_neighbors(points, n_neighbors=14)
    graph = fuzzy_graph(indices, distances)
    assert abs(graph - graph.T).max() < 1e-6
    assert graph.diagonal().sum() == 0
    np.testing.assert_allclose([graph[cell, indices[cell, 0]] for cell in range(150)], 1.0, rtol=1e-6)


def test_harmony_brings_batches_together_and_keeps_lineages_apart() -> None:
    study = make_study(batch_effect=0.4)
    embedding = embed_cells(study, **SETTINGS)
    mixing = embedding.integration.set_index("measure")
    assert mixing.loc["batch_mixing", "before"] < 0.5
    assert mixing.loc["batch_mixing", "after"] > 0.9
    assert 0.9 < mixing.loc["structure_kept", "after"] < 1.0
    groups = KMeans(4, n_init=5, random_state=0).fit_predict(embedding.pca)
    assert adjusted_rand_score(study.obs["planted"], groups) > 0.95


def test_without_integration_the_components_are_left_alone() -> None:
    study = make_study(batch_effect=0.8)
    plain = embed_cells(study, **{**SETTINGS, "integrate": "none"})
    alone = embed_cells(study, **{**SETTINGS, "batch_key": "absent"})
    assert plain.integration.set_index("measure").loc["structure_kept", "after"] == 1.0
    assert plain.integration["before"].equals(plain.integration["after"])
    assert alone.integration.empty


def test_embedding_is_the_same_again() -> None:
    study = make_study(batch_effect=0.5)
    once, again = embed_cells(study, **SETTINGS), embed_cells(study, **SETTINGS)
    pd.testing.assert_frame_equal(once.pca, again.pca, check_exact=True)
    assert (once.connectivities != again.connectivities).nnz == 0


def test_tables_are_keyed_by_cell_and_gene() -> None:
    study = make_study()
    embedding = embed_cells(study, **SETTINGS)
    assert embedding.pca.index.tolist() == study.obs_names.tolist()
    assert embedding.pca.index.name == "cell"
    assert embedding.pca.columns.tolist() == [f"pc_{n}" for n in range(1, 11)]
    assert embedding.genes.index.equals(study.var_names)
    assert embedding.genes["highly_variable"].sum() == 200


@pytest.mark.parametrize("n_cells", [3, 12, 40])
def test_few_cells_get_fewer_components_and_neighbours(n_cells: int) -> None:
    study = make_study({"T_cell": 30, "B_cell": 30})[::2][:n_cells].copy()
    embedding = embed_cells(study, **{**SETTINGS, "n_pcs": 30})
    assert embedding.pca.shape == (len(study), min(30, len(study) - 1))
    assert np.isfinite(embedding.pca.to_numpy()).all()
    assert embedding.connectivities.shape == (len(study), len(study))


def test_too_few_cells_are_said_and_not_computed() -> None:
    with pytest.raises(InputError, match="at least 3"):
        embed_cells(make_study()[:2].copy(), **SETTINGS)


def test_constant_counts_are_said_and_not_computed() -> None:
    study = make_study()[:20].copy()
    flat = ad.AnnData(sp.csr_matrix(np.ones(study.shape, dtype=np.int32)), obs=study.obs, var=study.var)
    with pytest.raises(InputError, match="no gene varies"):
        embed_cells(flat, **SETTINGS)


def test_mixing_is_one_for_random_batches_and_zero_for_apart() -> None:
    rng = np.random.default_rng(0)
    batches = np.array(["a", "b"], dtype=object)[rng.integers(0, 2, 600)]
    together = rng.normal(size=(600, 4)).astype(np.float32)
    apart = together + np.where(batches == "a", 100, 0)[:, None].astype(np.float32)
    assert batch_mixing(together, batches) > 0.9
    assert batch_mixing(apart, batches) == pytest.approx(0.0, abs=1e-9)
    assert structure_kept(together, apart, batches) == pytest.approx(1.0, abs=0.02)
    assert structure_kept(together, rng.permutation(together), batches) < 0.2


def test_harmony_takes_a_handful_of_cells() -> None:
    rng = np.random.default_rng(0)
    merged = merge_batches(rng.normal(size=(8, 3)).astype(np.float32), np.array(["a", "b"] * 4, dtype=object), seed=1)
    assert merged.shape == (8, 3)
    assert np.isfinite(merged).all()
