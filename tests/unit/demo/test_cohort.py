"""The files are what Cell Ranger would write, hold what was simulated, and come out the same however they are made."""

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.io import mmread

from livermet.demo.cells import Sample
from livermet.demo.cohort import prepare, simulate, simulate_cohort

SIZES = {"n_genes": 3000, "cells_per_mouse": 60, "n_empty_droplets": 120, "seed": 5}


def read_h5(path: str) -> tuple[sp.csr_matrix, list[str], list[str], list[str]]:
    with h5py.File(path) as file:
        matrix = file["matrix"]
        n_genes, n_cells = matrix["shape"][:]
        counts = sp.csr_matrix((matrix["data"][:], matrix["indices"][:], matrix["indptr"][:]), shape=(n_cells, n_genes))
        columns = (matrix["barcodes"], matrix["features/id"], matrix["features/feature_type"])
        barcodes, ids, kinds = ([text.decode() for text in column[:]] for column in columns)
    return counts, barcodes, ids, kinds


def test_files_hold_what_was_simulated(sheet: list[dict[str, str]], gene_table: pd.DataFrame) -> None:
    truth = simulate_cohort(samples=sheet, gene_table=gene_table, **SIZES)
    study = prepare(gene_table=gene_table, **SIZES)
    drawn = [
        simulate(study, Sample(f"s{n}", f"m{n}", f"{site}.untreated", "b1", sex))
        for n, site, sex in ((1, "subcutaneous", "m"), (2, "subcutaneous_liver", "f"))
    ]
    folder = Path(sheet[0]["path"])
    with gzip.open(folder / "matrix.mtx.gz") as handle:
        matrix = mmread(handle).tocsc()
    assert matrix.shape == (3000, len(drawn[0].barcodes))
    assert np.issubdtype(matrix.dtype, np.integer)
    assert (matrix.T.tocsr() != drawn[0].cells).nnz == 0
    assert gzip.decompress((folder / "barcodes.tsv.gz").read_bytes()).decode().split() == drawn[0].barcodes.tolist()
    features = pd.read_csv(folder / "features.tsv.gz", sep="\t", header=None)
    assert features[0].tolist() == study.genes["gene_id"].tolist()
    assert features[1].tolist() == study.genes["symbol"].tolist()
    assert set(features[2]) == {"Gene Expression"}

    counts, barcodes, ids, kinds = read_h5(sheet[1]["path"])
    assert (counts != drawn[1].cells).nnz == 0
    assert barcodes == drawn[1].barcodes.tolist()
    assert ids == study.genes["gene_id"].tolist()
    assert set(kinds) == {"Gene Expression"}
    assert truth["cells"]["cell"].tolist() == [f"s{n}_{name}" for n in (1, 2) for name in drawn[n - 1].barcodes]


def test_raw_matrix_holds_cells_and_empty_droplets(sheet: list[dict[str, str]], gene_table: pd.DataFrame) -> None:
    simulate_cohort(samples=sheet, gene_table=gene_table, **SIZES)
    raw, names, _, _ = read_h5(sheet[1]["raw_path"])
    counts, barcodes, _, _ = read_h5(sheet[1]["path"])
    assert names == sorted(names)
    assert len(names) == len(barcodes) + 120
    at = pd.Index(names).get_indexer(barcodes)
    assert (at >= 0).all()
    assert (raw[at] != counts).nnz == 0
    empty = np.setdiff1d(np.arange(len(names)), at)
    assert np.asarray(raw[empty].sum(axis=1)).max() < np.median(np.asarray(counts.sum(axis=1)))


def test_bytes_and_truth_do_not_depend_on_the_workers(sheet: list[dict[str, str]], gene_table: pd.DataFrame) -> None:
    alone = simulate_cohort(samples=sheet, gene_table=gene_table, threads=1, **SIZES)
    root = Path(sheet[0]["path"]).parent
    before = {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    assert len(before) == 3 + 1 + 2  # folder, h5, two raw: and no temporary file
    together = simulate_cohort(samples=sheet[::-1], gene_table=gene_table, threads=2, **SIZES)
    after = {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    assert before == after
    for name in ("genes", "abundance", "rescue"):
        pd.testing.assert_frame_equal(alone[name], together[name])
    pd.testing.assert_frame_equal(
        alone["cells"].sort_values("cell", ignore_index=True), together["cells"].sort_values("cell", ignore_index=True)
    )


def test_another_seed_makes_another_cohort(sheet: list[dict[str, str]], gene_table: pd.DataFrame) -> None:
    first = simulate_cohort(samples=sheet[:1], gene_table=gene_table, **SIZES)
    second = simulate_cohort(samples=sheet[:1], gene_table=gene_table, **{**SIZES, "seed": 6})
    assert not set(first["cells"]["cell"]) & set(second["cells"]["cell"])


def test_summary_of_samples_agrees_with_the_cells(sheet: list[dict[str, str]], gene_table: pd.DataFrame) -> None:
    truth = simulate_cohort(samples=sheet, gene_table=gene_table, **SIZES)
    row = truth["samples"].set_index("sample").loc["s2"]
    cells = truth["cells"][truth["cells"]["sample"] == "s2"]
    assert row["n_cells"] == len(cells)
    assert row["n_doublets"] == cells["is_doublet"].sum()
    assert row["ambient"] == pytest.approx(cells["ambient_fraction"].mean())
    assert row["arm"] == "subcutaneous_liver.untreated"
    assert row["mouse"] == "m2"


def test_sheet_without_raw_matrices_or_with_fewer_genes_simulates(
    sheet: list[dict[str, str]], gene_table: pd.DataFrame
) -> None:
    row = {name: value for name, value in sheet[1].items() if name not in ("raw_path", "batch", "sex")}
    simulate_cohort(samples=[row], gene_table=gene_table, **{**SIZES, "n_genes": 2000})
    counts, _, ids, _ = read_h5(row["path"])
    assert counts.shape[1] == len(ids) == 2000
    assert not Path(sheet[1]["raw_path"]).exists()
