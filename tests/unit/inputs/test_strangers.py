"""Files of strangers: bounds, what may not be opened, what HDF5 may hide, what anndata of every age wrote."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.unit.inputs.conftest import write_folder, write_h5, write_h5ad, write_table

from livermet.errors import InputError
from livermet.inputs import hdf5, texts
from livermet.inputs.files import find_files, what_is
from livermet.inputs.h5ad_tables import Table
from livermet.inputs.hdf5 import open_h5
from livermet.inputs.libraries import read_library
from livermet.inputs.readers import peek, read_counts
from livermet.inputs.texts import read_lines
from livermet.notices import COLUMNS


def test_what_a_file_is_by_its_first_bytes(tmp_path: Path) -> None:
    assert what_is(gzip.compress(b"x")) == "gzip"
    assert what_is(b"\xef\xbb\xbf\n <!DOCTYPE html>") == "a web page or XML"
    assert what_is(b"x" * 257 + b"ustar\x00") == "a tar archive"
    assert what_is(b"%%MatrixMarket matrix") == what_is(b"AAAC-1\n") == what_is(b"") == ""


@pytest.mark.parametrize("write", [write_folder, write_h5, write_h5ad, write_table])
def test_a_file_that_may_not_be_read(
    tmp_path: Path, matrix: pd.DataFrame, write: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = {write_folder: "", write_h5: ".h5", write_h5ad: ".h5ad", write_table: ".csv"}[write]  # type: ignore[index]
    path = write(tmp_path / f"f{end}", matrix)  # type: ignore[operator]

    def closed(self: Path, *_: object, **__: object) -> None:  # root may read everything, so its refusal is played
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", closed)
    (problem,) = peek(path, "samples.tsv row 2")
    assert problem.found == "may not be read"
    assert problem.remedy == "Mend its permissions"
    with pytest.raises(InputError, match="may not be read"):
        read_counts(path)


def test_a_folder_that_may_not_be_read(tmp_path: Path, matrix: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_folder(tmp_path / "f", matrix)

    def closed(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", closed)
    assert [problem.found for problem in peek(path, "x")] == ["may not be read"]


def test_a_pipe_is_not_waited_for(tmp_path: Path, matrix: pd.DataFrame) -> None:
    path = write_folder(tmp_path / "f", matrix)
    (path / "matrix.mtx.gz").unlink()
    os.mkfifo(path / "matrix.mtx.gz")
    assert "no matrix.mtx.gz" in peek(path, "x")[0].found


def test_names_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "names.tsv.gz"
    path.write_bytes(gzip.compress(b"A\n" * 2_000_000))
    assert len(read_lines(str(path))) == 2_000_000
    with pytest.raises(InputError, match=r"names\.tsv\.gz: more than 1 MiB of names"):
        read_lines(str(path), 1 << 20)


def test_a_line_has_a_bound(tmp_path: Path, matrix: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "LONGEST", 1000)
    path = write_folder(tmp_path / "f", matrix)
    (path / "matrix.mtx.gz").write_bytes(gzip.compress(b"%" * 5000))
    assert "a line longer than" in peek(path, "x")[0].found


def test_a_matrix_of_one_column_of_tables_has_a_bound(
    tmp_path: Path, matrix: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from livermet.inputs import tables

    monkeypatch.setattr(tables, "LONGEST", 60)
    assert "a line longer than" in peek(write_table(tmp_path / "f.csv", matrix), "x")[0].found


def test_a_few_mebibytes_of_zeros_are_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f.h5"
    rng = np.random.default_rng(1)
    sparse = np.zeros((1000, 20_000), dtype="f4")  # 80 MB dense, 1 % of them counts: 25 MiB more than the bound
    sparse[rng.integers(0, 1000, 200_000), rng.integers(0, 20_000, 200_000)] = 1
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=sparse, compression="gzip", compression_opts=9)
        file["small"] = np.zeros(100)
    with open_h5(path, "a file") as file:
        assert file["X"].shape == (1000, 20_000)
    monkeypatch.setattr(hdf5, "MOST_PACKED", 5)
    with pytest.raises(InputError, match=r"X: it claims 76 MiB"), open_h5(path, "a file"):
        pass


def test_groups_that_hold_each_other_are_gone_through_once(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["a/b/c"] = [1]
        file["a/b/again"] = file["a"]
    with open_h5(tmp_path / "f.h5", "a file") as file:
        assert list(file["a/b/c"]) == [1]


def write_tables(path: Path) -> None:
    """One table as anndata 0.12, 0.7 and 0.6 keep it, by hand, and one with text that may be missing."""
    text = h5py.string_dtype()
    with h5py.File(path, "w") as file:
        for name in ("new", "masked", "old"):
            file.create_group(name).attrs["_index"] = "names"
            file[name].create_dataset("names", data=["a", "b", "c"], dtype=text)
            file[name]["number"] = [1, 2, 3]
        file["new/kind/codes"], file["new/kind/categories"] = np.array([1, -1, 0], "i1"), np.array(["x", "y"], object)
        file["masked/kind/values"], file["masked/kind/mask"] = np.array(["y", "?", "x"], object), [False, True, False]
        file["old/kind"] = np.array([1, -1, 0], "i1")
        file["old/__categories/kind"] = np.array(["x", "y"], object)
        file["old/kind"].attrs["categories"] = file["old/__categories/kind"].ref
        file["oldest"] = np.array(
            [(b"a", 1, 1), (b"b", -1, 2), (b"c", 0, 3)], [("index", "S1"), ("kind", "i1"), ("number", "i4")]
        )
        file["uns/kind_categories"] = np.array(["x", "y"], object)


@pytest.mark.parametrize("name", ["new", "masked", "old", "oldest"])
def test_tables_of_every_age(tmp_path: Path, name: str) -> None:
    write_tables(tmp_path / "t.h5ad")
    with h5py.File(tmp_path / "t.h5ad") as file:
        table = Table(file[name])
        assert table.n_rows == 3
        assert table.index().tolist() == ["a", "b", "c"]
        assert table.index(2).tolist() == ["a", "b"]
        assert set(table.columns) == {"kind", "number"}
        frame = table.frame()
        assert table.words("number").tolist() == ["1", "2", "3"]
        assert table.words("kind").tolist() == ["y", "", "x"]
    assert list(frame) == ["kind"]  # numbers are not read
    assert frame["kind"].tolist() == ["y", "", "x"]


def test_a_table_is_read_as_anndata_reads_it(tmp_path: Path) -> None:
    obs = pd.DataFrame(
        {"a": ["x", "y", "x"], "b": pd.Categorical(["u", None, "v"]), "n": [1, 2, 3], "t": [True, False, True]},
        index=["c1", "c2", "c3"],
    )
    anndata.AnnData(sp.csr_matrix(np.eye(3)), obs=obs).write_h5ad(tmp_path / "f.h5ad")
    with h5py.File(tmp_path / "f.h5ad") as file:
        frame = Table(file["obs"]).frame()
    assert frame.index.tolist() == ["c1", "c2", "c3"]
    assert frame["a"].tolist() == ["x", "y", "x"]
    assert frame["b"].tolist() == ["u", "", "v"]
    assert set(frame) == {"a", "b"}


def test_what_a_library_tells(tmp_path: Path, matrix: pd.DataFrame) -> None:
    path = write_folder(tmp_path / "f", matrix, types=["Gene Expression"] * 10 + ["Antibody Capture"] * 2)
    counts, _, notices = read_library(path, "", sample="s 1", species="mouse", call_cells="never", seed=1)
    assert tuple(notices) == COLUMNS
    (told,) = notices.to_dict("records")
    assert (told["sample"], told["step"], told["level"]) == ("s 1", "read_sample", "quiet")
    assert told["what"].startswith("2 of its features are no genes; they were kept apart")
    assert told["evidence"] == "2 of type Antibody Capture, such as Mt1, Tnf"
    assert "told" not in counts.uns
    assert counts.obsm["other_features"].shape == (5, 2)
    _, _, nothing = read_library(
        write_h5(tmp_path / "f.h5", matrix), "", sample="s", species="mouse", call_cells="auto", seed=1
    )
    assert nothing.empty
    assert tuple(nothing) == COLUMNS


def test_corrected_counts_are_rounded_alike_in_every_format(tmp_path: Path, matrix: pd.DataFrame) -> None:
    rng = np.random.default_rng(3)
    corrected = (matrix - 0.4 * rng.random(matrix.shape)).clip(lower=0).round(4)
    paths = [
        write_folder(tmp_path / "f", corrected),
        write_h5(tmp_path / "f.h5", corrected),
        write_table(tmp_path / "f.csv", corrected),
        write_table(tmp_path / "g.csv", corrected, genes_in="columns"),
    ]
    found = [read_counts(path, corrected=True, seed=5).X.toarray() for path in paths]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
    np.testing.assert_allclose(found[0].sum(axis=1), corrected.sum(axis=0), atol=1)
    assert (np.abs(found[0] - corrected.T.to_numpy()) < 1).all()
    assert (read_counts(paths[0], corrected=True, seed=6).X.toarray() != found[0]).any()
    with pytest.raises(InputError, match=r"quality: \{counts: corrected\}"):
        read_counts(paths[0])


def test_files_beside_a_matrix(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "geo", matrix, prefix="GSM1_a_")
    (folder / "GSM1_a_matrix.mtx.gz").rename(folder / "GSM1_a.mtx.gz")
    names = [Path(name).name for name in find_files(folder / "GSM1_a.mtx.gz")]
    assert names == ["GSM1_a.mtx.gz", "GSM1_a_barcodes.tsv.gz", "GSM1_a_features.tsv.gz"]
    later = find_files(tmp_path / "later" / "x_matrix.mtx.gz")
    assert [Path(name).name for name in later] == ["x_matrix.mtx.gz", "x_barcodes.tsv.gz", "x_features.tsv.gz"]


def test_an_exact_name_goes_before_a_prefixed_one(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "f", matrix)
    (folder / "marker_genes.tsv").write_text("Cd3e\n")
    assert Path(find_files(folder)[2]).name == "features.tsv.gz"
    np.testing.assert_array_equal(read_counts(folder).X.toarray(), matrix.T.to_numpy())


def test_an_object_that_hdf5_cannot_open(tmp_path: Path, matrix: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_h5(tmp_path / "f.h5", matrix)

    get = h5py.Group.get

    def broken(self: h5py.Group, name: str, *rest: object, **how: object) -> object:
        if how.get("getlink"):
            return get(self, name, *rest, **how)
        raise RuntimeError("Object header message\nis broken")

    monkeypatch.setattr(h5py.Group, "get", broken)  # a callback of HDF5 must not raise: Python then loses the error
    with pytest.raises(InputError, match=r"cannot be read \(RuntimeError: Object header message is broken\)"):
        read_counts(path)
