"""The frozen reference."""

from __future__ import annotations

import gzip
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from scipy import sparse

from livermet.errors import InputError
from livermet.tcells.bins import check_bins, cut_bins, learn_bins


def test_bins_are_cut_from_the_top_by_size_and_by_span() -> None:
    levels = np.array([1, 1, 1, 1.05, 2, 2.1, 2.1, 8, 9, 10.0])
    # The top three span less than 1.2 at 9, so 8 joins them; four genes of about 2 and 1 follow.
    assert cut_bins(levels, min_genes=3, ratio=1.2).tolist() == [1, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert cut_bins(levels, min_genes=3, ratio=3).tolist() == [1, 1, 1, 1, 1, 1, 1, 2, 2, 2]


def test_genes_are_ordered_by_expression_and_rare_ones_left_out() -> None:
    rng = np.random.default_rng(3)
    rates = np.geomspace(0.02, 5, 200)
    counts = sparse.csr_matrix(rng.poisson(rates, size=(400, 200)))
    symbols = pd.Index([f"g{number:03d}" for number in range(200)])
    table = learn_bins(counts, symbols, symbols, min_genes=10, ratio=1.1, min_cells=12)
    seen = np.asarray((counts > 0).sum(axis=0)).ravel() >= 12
    assert table["symbol"].tolist() == symbols[seen].tolist()
    assert table["bin"].min() == 1
    assert np.corrcoef(table["bin"], np.log(rates[seen]))[0, 1] > 0.99


def test_a_broken_table_is_refused(bins: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="no column bin"):
        check_bins(bins.drop(columns="bin"))
    with pytest.raises(InputError, match="more than once"):
        check_bins(pd.concat([bins, bins.head(1)]))


def test_the_table_is_what_the_function_makes_of_the_reference(bins: pd.DataFrame, real_data: Path) -> None:
    folder = real_data / "zilionis_lung"
    features = pd.read_csv(folder / "h_1" / "features.tsv.gz", sep="\t", header=None)
    with gzip.open(folder / "h_1" / "matrix.mtx.gz") as handle:
        first = sparse.csr_matrix(scipy.io.mmread(handle).T)
    with h5py.File(folder / "h_2.h5") as handle:
        group = handle["matrix"]
        second = sparse.csc_matrix(
            (group["data"][:], group["indices"][:], group["indptr"][:]), shape=group["shape"][:]
        ).T
    third = anndata.read_h5ad(folder / "t_1.h5ad")
    fourth = pd.read_csv(folder / "t_2.csv.gz", index_col=0)
    parts = [
        first,
        second,
        third.X[:, third.var_names.get_indexer(features[1])],
        sparse.csr_matrix(fourth.loc[features[1]].to_numpy().T),
    ]
    counts = sparse.csr_matrix(sparse.vstack(parts))
    made = learn_bins(counts, pd.Index(features[1]), pd.Index(features[0]))
    pd.testing.assert_frame_equal(made, bins, check_dtype=False)
