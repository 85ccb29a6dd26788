"""CellTypist models: never loaded unasked, only the pinned file, only with the genes that it knows, and right where installed."""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.unit.cells.toy_lineages import make_study

from livermet.cells.embedding.normalise import log_normalise
from livermet.cells.lineages import reference
from livermet.cells.lineages.reference import match_celltypist, match_reference
from livermet.errors import InputError
from livermet.inputs import references
from livermet.inputs.canonical import read_sample
from livermet.inputs.references import check_reference, read_profiles, read_reference

ROOT = Path(__file__).resolve().parents[4]
MIX = {"T_cell": 60, "B_cell": 60, "Neutrophil": 60}


@pytest.fixture(scope="module")
def study() -> anndata.AnnData:
    return make_study(MIX, seed=5)


def settings_of(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"path": str(path), "sha256": digest, "label": "", "allow_pickle": True}


class Touch:
    """What an evil pickle does: it runs code when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def evil(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"Model": Touch(tmp_path / "ran")}))
    return settings_of(tmp_path / "model.pkl")


def test_a_pickle_is_not_opened_unasked_nor_with_another_checksum(evil: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a pickle: loading it runs whatever code is in it"):
        read_reference({**evil, "allow_pickle": False})
    with pytest.raises(InputError, match=r"annotate\.reference\.sha256: the file's is"):
        read_reference({**evil, "sha256": "0" * 64})
    assert not (tmp_path / "ran").exists()


def test_what_is_not_installed_is_said_before_any_compute(
    evil: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "find_spec", lambda name: None)
    (problem,) = check_reference(**evil)
    assert "CellTypist is not installed" in problem.found
    assert f"`make extras` installs it in .venv (elsewhere: pip install '{references.CELLTYPIST}'" in problem.remedy
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "celltypist", None)
    monkeypatch.setitem(sys.modules, "celltypist.models", None)
    with pytest.raises(InputError, match="CellTypist is not installed"):
        references.load_celltypist(evil["path"])
    assert not (tmp_path / "ran").exists()


def test_the_version_asked_for_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["annotation"] == [references.CELLTYPIST]


def stand_in(study: anndata.AnnData, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """CellTypist's interface, as 1.7 has it, for machines without it: knows every cell by its place."""
    seen: dict[str, Any] = {"totals": [], "blocks": []}
    planted = study.obs["planted"].to_numpy()

    def annotate(data: anndata.AnnData, model: Any, majority_voting: bool) -> SimpleNamespace:
        first = sum(seen["blocks"])
        seen["blocks"].append(data.n_obs)
        seen["totals"].extend(np.expm1(data.X.toarray()).sum(axis=1))
        labels = pd.DataFrame({"predicted_labels": planted[first : first + data.n_obs]}, index=data.obs_names)
        return SimpleNamespace(
            predicted_labels=labels, probability_matrix=pd.DataFrame({"T_cell": 0.9, "B_cell": 0.2}, data.obs_names)
        )

    def load(where: str) -> SimpleNamespace:
        seen.update(path=where, folder=os.environ.get("CELLTYPIST_FOLDER"))
        return SimpleNamespace(cell_types=["T_cell"], features=study.var["symbol"].to_numpy())

    models = SimpleNamespace(Model=SimpleNamespace(load=load))
    monkeypatch.setitem(sys.modules, "celltypist", SimpleNamespace(annotate=annotate, models=models, __spec__=1))
    monkeypatch.setitem(sys.modules, "celltypist.models", models)
    return seen


def test_cells_are_put_in_blocks_as_logs_per_ten_thousand(
    study: anndata.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = stand_in(study, monkeypatch)
    monkeypatch.setattr(reference, "CHUNK", 70)
    (tmp_path / "model.pkl").write_bytes(b"a model")
    monkeypatch.chdir(tmp_path)
    model = read_reference({**settings_of(tmp_path / "model.pkl"), "path": "model.pkl"})
    found = match_celltypist(study, model)
    assert "loading the pickle" in caplog.text
    assert seen["path"] == str(tmp_path / "model.pkl"), "a bare name is one of CellTypist's own models, to be fetched"
    assert seen["blocks"] == [70, 70, 40]
    np.testing.assert_allclose(seen["totals"], 1e4, rtol=1e-4)
    assert found["reference_label"].tolist() == study.obs["planted"].tolist()
    assert set(found["reference_margin"]) == {0.9}
    assert found.index.tolist() == study.obs_names.tolist()


def test_a_model_of_another_species_is_refused(study: anndata.AnnData) -> None:
    human = SimpleNamespace(features=study.var["symbol"].str.upper().to_numpy())
    with pytest.raises(InputError, match=r"0% of its \d+ genes are among the counts'; 100% but for capitals"):
        match_celltypist(study, human)
    other = SimpleNamespace(features=np.array(["T_cell", "x"]))
    with pytest.raises(InputError, match=r"0% of its 2 genes are among the counts' \(expected at least 50%\)"):
        match_celltypist(study, other)


@pytest.fixture(scope="module")
def trained(study: anndata.AnnData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that CellTypist itself has trained on every other cell, and written."""
    pytest.importorskip("celltypist", reason="celltypist is not installed (make extras)")
    return train(study[::2], "planted", tmp_path_factory.mktemp("model") / "toy.pkl")


def train(cells: anndata.AnnData, column: str, path: Path) -> Path:
    celltypist = pytest.importorskip("celltypist", reason="celltypist is not installed (make extras)")
    data = anndata.AnnData(
        log_normalise(sp.csr_matrix(cells.X)),
        obs=pd.DataFrame({"kind": cells.obs[column].to_numpy()}, index=cells.obs_names),
        var=pd.DataFrame(index=cells.var["symbol"].astype(str)),
    )
    data.var_names_make_unique()
    # Stochastic gradient descent: its other way passes an argument that scikit-learn no longer has.
    celltypist.train(data, labels="kind", n_jobs=1, use_SGD=True, feature_selection=True).write(str(path))
    return path


@pytest.mark.extras
def test_a_trained_model_names_the_cells(
    study: anndata.AnnData, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = study[1::2].copy()
    found = match_celltypist(asked, read_reference(settings_of(trained)))
    assert (found["reference_label"] == asked.obs["planted"]).mean() > 0.98
    assert found["reference_margin"].between(0, 1).all()
    monkeypatch.setattr(reference, "CHUNK", 7)
    again = match_celltypist(asked, read_reference(settings_of(trained)))
    pd.testing.assert_frame_equal(again, found, rtol=1e-9)


@pytest.mark.extras
def test_what_is_no_model_ends_in_a_statement(tmp_path: Path, trained: Path) -> None:
    (tmp_path / "other.pkl").write_bytes(pickle.dumps({"classes": ["T_cell"]}))
    with pytest.raises(InputError, match="expected a model that CellTypist has written"):
        read_reference(settings_of(tmp_path / "other.pkl"))
    assert trained.stat().st_size < 1 << 20


@pytest.mark.extras
@pytest.mark.real
def test_real_lung_cells_are_called_what_their_authors_call_them(real_data: Path, tmp_path: Path) -> None:
    """Trained on two mice, asked about two others; the correlation with the same two mice's profiles beside it."""
    pytest.importorskip("celltypist", reason="celltypist is not installed (make extras)")
    folder = real_data / "zilionis_lung"
    published = pd.read_csv(folder / "published_labels.tsv", sep="\t").set_index("barcode")["major_cell_type"]
    cells = {}
    for name, file in {"h_1": "h_1", "h_2": "h_2.h5", "t_1": "t_1.h5ad", "t_2": "t_2.csv.gz"}.items():
        one = read_sample(folder / file, sample=name, species="mouse")
        one.obs["kind"] = published.reindex(one.obs["barcode"]).to_numpy()
        one.var_names = one.var["symbol"].astype(str)
        one.var_names_make_unique()
        cells[name] = one
    known, asked = (
        anndata.concat([cells[one], cells[two]], merge="first") for one, two in (("h_2", "t_1"), ("h_1", "t_2"))
    )
    path = train(known, "kind", tmp_path / "lung.pkl")
    found = match_celltypist(asked, read_reference(settings_of(path)))
    right = found["reference_label"] == asked.obs["kind"]
    assert right.mean() > 0.8
    assert right[found["reference_margin"] >= 0.5].mean() > 0.95, "where the model is sure"
    known.write_h5ad(tmp_path / "known.h5ad")
    beside = match_reference(asked, read_profiles(str(tmp_path / "known.h5ad"), label="kind"))["reference_label"]
    assert (beside == asked.obs["kind"])[beside != "unassigned"].mean() > 0.94
