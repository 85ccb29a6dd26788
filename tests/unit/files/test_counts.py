"""Counts read without anndata are those that anndata reads; what is not known here is left to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.conftest import ROOT

from livermet.errors import StorageError
from livermet.files.counts import Counts, read_counts
from livermet.files.formats import load_counts, save


def make(**columns: object) -> anndata.AnnData:
    counts = sp.random(5, 7, density=0.5, format="csr", random_state=1)
    counts.data = np.arange(1, counts.nnz + 1, dtype=np.int32)
    cells = pd.Index([f"s_{name}-1" for name in "abcdé"], name="cell")
    obs = pd.DataFrame({"sample": "s", "barcode": list("abcde"), **columns}, index=cells)
    genes = pd.DataFrame({"symbol": list("ABCDEFG"), "is_mito": [True, False] * 3 + [True]}, index=list("1234567"))
    return anndata.AnnData(counts.astype(np.int32), obs=obs, var=genes)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"known": pd.array(["doublet", None, "singlet", "", None], dtype=object)},
        {
            "empty": [True, False, True, False, True],
            "p": [0.1, np.nan, 1, 0, 1e-300],
            "n": np.arange(5, dtype=np.int64),
        },
        {"kind": pd.Categorical(list("xyxyz"), categories=list("zyx"), ordered=True)},
    ],
    ids=["plain", "missing", "numbers", "ordered"],
)
def test_what_is_read_is_what_anndata_reads(tmp_path: Path, columns: dict[str, object]) -> None:
    save(make(**columns), tmp_path / "s.h5ad")
    ours, theirs = load_counts(tmp_path / "s.h5ad"), anndata.read_h5ad(tmp_path / "s.h5ad")
    assert isinstance(ours, Counts)
    pd.testing.assert_frame_equal(ours.obs, theirs.obs)
    pd.testing.assert_frame_equal(ours.var, theirs.var)
    pd.testing.assert_index_equal(ours.obs_names, theirs.obs_names)
    pd.testing.assert_index_equal(ours.var_names, theirs.var_names)
    assert (ours.n_obs, ours.n_vars) == theirs.shape
    assert type(ours.X) is type(theirs.X)
    assert ours.X.dtype == theirs.X.dtype == np.int32
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(ours.X, part), getattr(theirs.X, part))


def test_what_is_not_known_is_left_to_anndata(tmp_path: Path) -> None:
    save(make(n=pd.array([1, None, 3, 4, 5], dtype="Int64")), tmp_path / "nullable.h5ad")
    dense = make()
    dense.X = dense.X.toarray()
    save(dense, tmp_path / "dense.h5ad")
    for name in ("nullable", "dense"):
        found = read_counts(tmp_path / f"{name}.h5ad")
        assert isinstance(found, anndata.AnnData)
        assert found.shape == (5, 7)


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "s.h5ad").write_bytes(b"x" * 100)
    with pytest.raises(StorageError, match=r"s\.h5ad: is damaged: OSError on reading it \(100 bytes\)"):
        load_counts(tmp_path / "s.h5ad")


def test_quality_is_assessed_without_anndata(tmp_path: Path) -> None:
    save(make(), tmp_path / "s.h5ad")
    code = (
        "import sys, livermet.cells.barcodes.quality, livermet.step; from livermet.files.formats import load_counts;"
        f"load_counts({str(tmp_path / 's.h5ad')!r}); sys.exit('anndata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "workflow" / "scripts", check=False)
    assert done.returncode == 0
