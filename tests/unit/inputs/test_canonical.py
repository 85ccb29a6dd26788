"""The canonical form of a sample, and what is refused on the way to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.inputs.conftest import write_folder, write_h5

from livermet.errors import InputError
from livermet.inputs.canonical import read_sample
from livermet.step import load, save


def test_every_format_becomes_canonical(written: Path, matrix: pd.DataFrame, tmp_path: Path) -> None:
    adata = read_sample(written, sample="s-1", species="mouse")
    assert list(adata.obs_names) == [f"s-1_{name}" for name in matrix.columns]
    assert adata.obs.index.name == "cell"
    assert list(adata.obs["barcode"]) == list(matrix.columns)
    assert set(adata.obs["sample"]) == {"s-1"}
    assert adata.var.index.name == "gene_id"
    np.testing.assert_array_equal(adata.X.toarray(), matrix.T.to_numpy())
    assert adata.var["mitochondrial"].sum() == 2
    save(adata, tmp_path / "canonical.h5ad")
    again = load(tmp_path / "canonical.h5ad")
    np.testing.assert_array_equal(again.X.toarray(), matrix.T.to_numpy())
    assert again.var["symbol"].tolist() == adata.var["symbol"].tolist()


def test_barcode_twice(tmp_path: Path, matrix: pd.DataFrame) -> None:
    twice = matrix.set_axis([*matrix.columns[:4], matrix.columns[0]], axis=1)
    with pytest.raises(InputError, match="1 barcodes stand there more than once, such as AAACCTGAGAAACCAT-1"):
        read_sample(write_folder(tmp_path / "twice", twice), sample="s", species="mouse")


def test_no_cell(tmp_path: Path, matrix: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"sample 's'.*no cell"):
        read_sample(write_h5(tmp_path / "none.h5", matrix.iloc[:, :0]), sample="s", species="mouse")


def test_nothing_counted(tmp_path: Path, matrix: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="every count is 0"):
        read_sample(write_folder(tmp_path / "zero", matrix * 0), sample="s", species="mouse")


@pytest.mark.real
def test_real_samples_share_one_gene_space_but_for_the_table(real_data: Path) -> None:
    folder = real_data / "zilionis_lung"
    found = {
        name: read_sample(folder / name, sample="x", species="mouse").var
        for name in ("h_1", "h_2.h5", "t_1.h5ad", "t_2.csv.gz")
    }
    assert {name: len(var) for name, var in found.items()} == dict.fromkeys(found, 24248)
    assert found["h_1"].index.equals(found["h_2.h5"].index)
    assert found["h_1"].index.equals(found["t_1.h5ad"].index)
    assert found["h_1"].index.str.startswith("ENSMUSG").mean() == pytest.approx(0.93, abs=0.005)
    assert found["t_2.csv.gz"].index.equals(pd.Index(found["h_1"]["symbol"], name="gene_id"))
    assert {int(var["mitochondrial"].sum()) for var in found.values()} == {13}


@pytest.mark.real
def test_human_cells_are_refused(real_data: Path) -> None:
    with pytest.raises(InputError, match=r"another species \(human\)"):
        read_sample(real_data / "kang_ifn" / "kang_ifn.h5ad", sample="x", species="mouse")
