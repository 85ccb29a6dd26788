"""The atlas: what the contract promises is in it, aligned by cell, and it reads back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.unit.cells.toy_lineages import make_study

from livermet.cells.atlas import assemble_atlas
from livermet.cells.embedding.graph import distance_matrix, find_neighbors, fuzzy_graph
from livermet.step import load, save

ABOUT = {"study": "toy", "species": "mouse", "n_neighbors": 15}


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    study = make_study({"T_cell": 40, "B_cell": 30})
    study.obs["site"] = "subcutaneous"
    study.obs["sex"] = "f"
    study.obs["path"] = "somewhere"
    cells = pd.Index(study.obs_names, name="cell")
    rng = np.random.default_rng(0)
    points = rng.normal(size=(70, 4)).astype(np.float32)
    neighbors = find_neighbors(points, n_neighbors=14)
    leiden = pd.Series([str(number % 11) for number in range(70)], index=cells)
    quality = pd.DataFrame(
        {
            "sample": study.obs["sample"], "kept": True, "drop_reason": "", "n_umis": np.asarray(study.X.sum(axis=1)).ravel(),
            "mitochondrial_fraction": rng.random(70), "doublet_score": rng.random(70), "is_doublet": rng.random(70) < 0.1,
            "ambient_fraction": 0.05,
        },
        index=cells,
    )  # fmt: skip
    dropped = quality.iloc[:3].rename(index="s9_{}".format)
    return {
        "counts": study,
        "labels": pd.DataFrame({"leiden": leiden, "lineage": study.obs["planted"], "state": "unassigned"}).iloc[::-1],
        "barcodes": pd.concat([dropped, quality.sample(frac=1, random_state=0)]),
        "pca": pd.DataFrame(points, index=cells),
        "umap": pd.DataFrame(points[:, :2], index=cells),
        "clusters": pd.DataFrame({"leiden": leiden, "leiden_0.5": "0", "leiden_1": leiden}),
        "genes": pd.DataFrame({"highly_variable": np.arange(study.n_vars) < 9}, index=study.var_names),
        "connectivities": fuzzy_graph(*neighbors),
        "distances": distance_matrix(*neighbors),
    }


def test_counts_stay_whole_and_expression_is_their_logarithm(parts: dict[str, Any]) -> None:
    atlas = assemble_atlas(**parts, **ABOUT)
    raw = parts["counts"].X
    assert (atlas.layers["counts"] != raw).nnz == 0
    assert atlas.layers["counts"].dtype == np.int32
    assert atlas.X.dtype == np.float32
    dense = raw.toarray()
    np.testing.assert_allclose(atlas.X.toarray(), np.log1p(1e4 * dense / dense.sum(axis=1, keepdims=True)), rtol=1e-5)


def test_corrected_counts_are_described_as_such(parts: dict[str, Any]) -> None:
    assert assemble_atlas(**parts, **ABOUT).uns["livermet"]["counts"] == "as they were read"
    counts = parts["counts"].copy()
    counts.layers["uncorrected"] = counts.X.copy()
    counts.X = sp.csr_matrix((counts.X.toarray() // 2).astype(np.int32))
    left = np.asarray(counts.X.sum(axis=1)).ravel()
    counts.obs = counts.obs.assign(n_umis=left, n_genes=counts.X.getnnz(axis=1), ambient_fraction=0.01)
    atlas = assemble_atlas(**{**parts, "counts": counts}, **ABOUT)
    assert atlas.uns["livermet"]["counts"] == "corrected for ambient RNA"
    np.testing.assert_array_equal(atlas.obs["n_umis"], left)
    assert set(atlas.obs["ambient_fraction"]) == {0.01}
    np.testing.assert_array_equal(atlas.layers["uncorrected"].toarray(), parts["counts"].X.toarray())


def test_tables_are_joined_by_cell_whatever_their_order(parts: dict[str, Any]) -> None:
    atlas = assemble_atlas(**parts, **ABOUT)
    cells = atlas.obs_names
    assert atlas.obs["lineage"].astype(str).tolist() == parts["counts"].obs["planted"].tolist()
    np.testing.assert_allclose(atlas.obs["doublet_score"], parts["barcodes"].loc[cells, "doublet_score"])
    shuffled = {**parts, "pca": parts["pca"].iloc[::-1], "umap": parts["umap"].iloc[::-1]}
    for key in ("connectivities", "distances"):
        shuffled[key] = sp.csr_matrix(parts[key][::-1][:, ::-1])
    again = assemble_atlas(**shuffled, **ABOUT)
    np.testing.assert_array_equal(again.obsm["X_pca"], atlas.obsm["X_pca"])
    assert (again.obsp["connectivities"] != atlas.obsp["connectivities"]).nnz == 0


def test_obs_holds_the_contract_and_says_what_the_sheet_does_not(parts: dict[str, Any]) -> None:
    obs = assemble_atlas(**parts, **ABOUT).obs
    contract = ["sample", "mouse", "site", "treatment", "tissue", "batch", "leiden", "lineage", "state"]
    assert obs.columns[:9].tolist() == contract
    assert set(obs["treatment"]) == {"not_recorded"}
    assert {"n_umis", "ambient_fraction", "is_doublet", "leiden_0.5", "sex"} <= set(obs.columns)
    assert "path" not in obs
    assert obs["leiden"].cat.categories.tolist() == [str(number) for number in range(11)]


def test_programmes_are_in_obs_where_they_are_given(parts: dict[str, Any]) -> None:
    cells = parts["counts"].obs_names
    programmes = pd.DataFrame({"stress_score": np.arange(70) / 70, "phase": ["G1", "S"] * 35}, index=cells).iloc[::-1]
    obs = assemble_atlas(**parts, **ABOUT, programmes=programmes).obs
    np.testing.assert_allclose(obs["stress_score"], np.arange(70) / 70, rtol=1e-6)
    assert obs["phase"].tolist() == ["G1", "S"] * 35
    assert obs["phase"].cat.categories.tolist() == ["G1", "S"]


def test_it_is_written_without_nullable_strings_and_reads_back(parts: dict[str, Any], tmp_path: Path) -> None:
    atlas = assemble_atlas(**parts, **ABOUT)
    save(atlas, tmp_path / "atlas.h5ad")
    with h5py.File(tmp_path / "atlas.h5ad") as file:
        kinds: list[str] = []
        file.visititems(lambda _, item: kinds.append(str(item.attrs.get("encoding-type", ""))))
    assert "nullable-string-array" not in kinds
    assert "csr_matrix" in kinds
    back: ad.AnnData = load(tmp_path / "atlas.h5ad")
    assert (back.X != atlas.X).nnz == 0
    pd.testing.assert_frame_equal(back.obs, atlas.obs, check_names=False)
    assert back.uns["livermet"]["study"] == "toy"
    assert back.var["symbol"].tolist() == parts["counts"].var["symbol"].tolist()


def test_scanpy_works_on_it_as_it_stands(parts: dict[str, Any]) -> None:
    import scanpy as sc

    atlas = assemble_atlas(**parts, **ABOUT)
    sc.tl.rank_genes_groups(atlas, "lineage", method="t-test")
    top = atlas.var.loc[atlas.uns["rank_genes_groups"]["names"]["B_cell"][:8], "symbol"]
    assert len(set(top) & {"Ms4a1", "Cd19", "Cd79a", "Cd79b", "Pax5", "Bank1", "Ighm", "Ighd"}) >= 6
    sc.tl.leiden(atlas, flavor="igraph", n_iterations=2, directed=False)  # finds the neighbours where it looks for them
    assert sc.get.obs_df(atlas, ["lineage", "Cd3e"], gene_symbols="symbol").shape == (70, 2)
