"""Labels of one's own come first, and a reference is a second opinion that is pinned and never trusted blindly."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import spearmanr
from tests.unit.cells.toy_lineages import MARKERS, make_study

from livermet.cells.lineages.own_labels import take_labels
from livermet.cells.lineages.precedence import name_lineages
from livermet.cells.lineages.reference import match_reference, telling_genes
from livermet.errors import InputError
from livermet.inputs.references import check_reference, read_profiles, read_reference

MIX = {"T_cell": 60, "B_cell": 60, "Neutrophil": 60}


@pytest.fixture(scope="module")
def study() -> anndata.AnnData:
    return make_study(MIX, seed=5)


def name(study: anndata.AnnData, **others: Any) -> dict[str, pd.DataFrame]:
    clusters = pd.DataFrame({"leiden": pd.factorize(study.obs["planted"])[0].astype(str)}, index=study.obs_names)
    settings = {"labels": None, "reference": None, "connectivities": None, **others}
    return name_lineages(study, clusters, MARKERS, min_margin=0.15, min_score=0.3, seed=1, **settings)


def test_labels_of_ones_own_come_first_and_the_markers_say_beside_them(study: anndata.AnnData) -> None:
    own = study.obs["planted"].replace({"B_cell": "Macrophage"}).iloc[:170]
    labels = pd.DataFrame({"label": [*own, "T_cell"]}, index=pd.Index([*own.index, "s9_dropped"], name="cell"))
    tables = name(study, labels=labels)
    found = tables["lineages"]
    assert found["lineage"].iloc[:170].tolist() == own.tolist()
    assert set(found["lineage"].iloc[170:]) == {"unassigned"}
    assert (found["marker_lineage"] == study.obs["planted"]).mean() > 0.98
    crossed = tables["opinions"].query("opinion == 'marker_lineage'").set_index(["lineage", "other"])["n_cells"]
    mine = (own == "Macrophage").sum()
    assert crossed.loc["Macrophage"].max() >= mine - 1
    assert crossed.loc["Macrophage"].idxmax() == "B_cell"


def test_labels_of_other_cells_are_refused_with_both_names(study: anndata.AnnData) -> None:
    labels = pd.DataFrame({"label": ["T_cell"]}, index=pd.Index(["s0_AAAC"], name="cell"))
    lineages = pd.DataFrame({"lineage": "T_cell", "subset": ""}, index=study.obs_names)
    with pytest.raises(InputError, match=r"0% of the 180 kept cells have one \(s0_AAAC, ...\).*s0_cell0000"):
        take_labels(lineages, labels)


def reference_of(study: anndata.AnnData, path: Path) -> dict[str, Any]:
    other = make_study(MIX, seed=11)
    labelled = anndata.AnnData(other.X, obs=pd.DataFrame({"kind": other.obs["planted"].to_numpy()}, index=other.obs_names), var=other.var)  # fmt: skip
    labelled.write_h5ad(path)
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "label": "kind", "allow_pickle": False}  # fmt: skip


def test_a_reference_of_labelled_cells_names_the_cells(study: anndata.AnnData, tmp_path: Path) -> None:
    settings = reference_of(study, tmp_path / "reference.h5ad")
    tables = name(study, reference=read_reference(settings))
    said = tables["lineages"]["reference_label"]
    named = said != "unassigned"
    assert named.mean() > 0.9
    assert (said[named] == study.obs["planted"][named]).mean() > 0.98
    assert (tables["lineages"]["lineage"] == study.obs["planted"]).mean() > 0.98
    assert set(tables["opinions"]["opinion"]) == {"second_opinion", "reference_label"}


def test_profiles_as_a_table_say_the_same(study: anndata.AnnData, tmp_path: Path) -> None:
    settings = reference_of(study, tmp_path / "reference.h5ad")
    profiles = read_profiles(settings["path"], label="kind")
    np.expm1(profiles).to_csv(tmp_path / "profiles.tsv", sep="\t")
    again = read_profiles(str(tmp_path / "profiles.tsv"), label="")
    assert (match_reference(study, again)["reference_label"] == match_reference(study, profiles)["reference_label"]).mean() > 0.95  # fmt: skip


def test_the_first_round_is_spearmans_correlation_over_the_telling_genes(study: anndata.AnnData) -> None:
    rng = np.random.default_rng(0)
    profiles = pd.DataFrame(rng.gamma(1.0, 2.0, (study.n_vars, 3)), index=study.var["symbol"], columns=["a", "b", "c"])
    found = match_reference(study, profiles)
    values = profiles.to_numpy()
    genes = telling_genes(values, (0, 1, 2))
    for cell in (0, 77, 150):
        counts = study.X[cell].toarray().ravel().astype(float)
        logged = np.log1p(1e4 * counts / counts.sum())
        r = [spearmanr(logged[genes], values[genes, column]).statistic for column in range(3)]
        assert found["reference_margin"].iloc[cell] == pytest.approx(max(r) - np.median(r), abs=1e-6)


def test_a_reference_that_is_not_the_pinned_one_is_refused(study: anndata.AnnData, tmp_path: Path) -> None:
    settings = reference_of(study, tmp_path / "reference.h5ad")
    with pytest.raises(InputError, match=r"annotate\.reference\.sha256: the file's is"):
        read_reference({**settings, "sha256": "0" * 64})
    assert "missing" in str(check_reference(**{**settings, "label": ""})[0])
    assert "there is no" in str(check_reference(**{**settings, "path": "nowhere.h5ad"})[0])
    with pytest.raises(InputError, match="obs has no column 'type'"):
        read_reference({**settings, "label": "type"})
    far = pd.DataFrame(np.eye(3), index=["x", "y", "z"], columns=["a", "b", "c"])
    with pytest.raises(InputError, match="0 of their 3 genes are among the counts'"):
        match_reference(study, far)


def test_the_first_of_genes_with_one_symbol_is_taken(study: anndata.AnnData, tmp_path: Path) -> None:
    settings = reference_of(study, tmp_path / "reference.h5ad")
    twice = study.copy()
    twice.var["symbol"] = twice.var["symbol"].where(twice.var["symbol"] != "Background7", "Background8")
    found, before = (match_reference(one, read_reference(settings)) for one in (twice, study))
    assert (found["reference_label"] == before["reference_label"]).mean() > 0.95


def test_scaled_data_are_no_reference(tmp_path: Path) -> None:
    scaled = anndata.AnnData(sp.csr_matrix(np.array([[-1.0, 2.0]] * 6)), obs=pd.DataFrame({"kind": ["a"] * 6}, index=list("abcdef")))  # fmt: skip
    scaled.write_h5ad(tmp_path / "scaled.h5ad")
    with pytest.raises(InputError, match="negative ones"):
        read_profiles(str(tmp_path / "scaled.h5ad"), label="kind")
