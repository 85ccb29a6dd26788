"""Every text of a written h5ad is one that anndata 0.8 can read, whatever pandas kept it in."""

from __future__ import annotations

from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.strings import text_encodings
from tests.unit.inputs.conftest import write_h5

from livermet.inputs.canonical import read_sample
from livermet.step import load, save


def test_of_a_sample_as_it_is_read(tmp_path: Path, matrix: pd.DataFrame) -> None:
    types = ["Gene Expression"] * 10 + ["Antibody Capture"] * 2
    adata = read_sample(write_h5(tmp_path / "a.h5", matrix, types=types), sample="s", species="mouse")
    save(adata, tmp_path / "counts.h5ad")
    found = text_encodings(tmp_path / "counts.h5ad")
    assert {"obs/cell", "var/gene_id", "var/symbol", "uns/other_features/id"} <= set(found)
    assert set(found.values()) == {"string-array"}


def as_data(kind: str) -> anndata.AnnData:
    names = pd.Index(["c1", "c2", "c3"], dtype="object" if kind == "category" else kind, name="cell")
    obs = pd.DataFrame({"lineage": pd.Series(["T_cell", "B_cell", "T_cell"], dtype=kind).to_numpy()}, index=names)
    adata = anndata.AnnData(sp.csr_matrix(np.eye(3)), obs=obs, var=pd.DataFrame(index=["g1", "g2", "g3"]))
    adata.uns["livermet"] = {"study": "toy", "names": np.array(["a", "b"], dtype=object)}
    return adata


@pytest.mark.parametrize("name", ["atlas.h5ad", "counts.h5ad"])
@pytest.mark.parametrize("kind", ["object", "category"])
def test_of_tables(tmp_path: Path, name: str, kind: str) -> None:
    save(as_data(kind), tmp_path / name)
    found = text_encodings(tmp_path / name)
    assert {"obs/cell", "var/_index"} <= set(found)
    assert set(found.values()) <= {"string-array", "string"}
    with h5py.File(tmp_path / name) as file:
        assert isinstance(file["obs/cell"], h5py.Dataset)
    assert load(tmp_path / name).obs["lineage"].astype(str).tolist() == ["T_cell", "B_cell", "T_cell"]


def test_text_with_a_mask_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="allow_write_nullable_strings"):
        save(as_data("string"), tmp_path / "counts.h5ad")
    assert list(tmp_path.iterdir()) == []
