"""One small matrix and writers for every format it may come in; counts, names and order are known."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

GENES = {
    "ENSMUSG00000032093.7": "Cd3e",
    "ENSMUSG00000053977": "Cd8a",
    "ENSMUSG00000029580": "Actb",
    "ENSMUSG00000064351": "mt-Co1",
    "ENSMUSG00000064370": "mt-Cytb",
    "ENSMUSG00000000740": "Rpl13",
    "ENSMUSG00000061787": "Rps17",
    "ENSMUSG00000003644": "Rps6ka1",
    "ENSMUSG00000069919": "Hba-a1",
    "0610007P14Rik": "0610007P14Rik",
    "ENSMUSG00000017765": "Mt1",
    "ENSMUSG00000024401": "Tnf",
}
CELLS = ["AAACCTGAGAAACCAT-1", "AAACCTGAGAAACCGC-1", "AAACCTGAGACAGACC-1", "AAACCTGAGGGAACGG-1", "AAACGGGCACTTAAGC-1"]


def write_gz(path: Path, text: str) -> None:
    """Text, gzipped where the name says so."""
    if path.suffix == ".gz":
        with gzip.open(path, "wt") as handle:
            handle.write(text)
    else:
        path.write_text(text)


def write_mtx(path: Path, genes_by_cells: np.ndarray, kind: str = "integer") -> None:
    """A matrix market file, as 10x writes it: features in rows, column by column."""
    rows, columns = np.nonzero(genes_by_cells)
    order = np.lexsort((rows, columns))
    lines = [f"{r + 1} {c + 1} {genes_by_cells[r, c]:.15g}" for r, c in zip(rows[order], columns[order], strict=True)]
    head = f"%%MatrixMarket matrix coordinate {kind} general\n%\n"
    shape = genes_by_cells.shape
    write_gz(path, head + "\n".join([f"{shape[0]} {shape[1]} {len(lines)}", *lines]) + "\n")


def write_folder(
    folder: Path, matrix: pd.DataFrame, *, version: int = 3, gz: bool = True, prefix: str = "", types: Any = None
) -> Path:
    """A 10x folder; `matrix` is genes x cells, index of gene ids."""
    folder.mkdir()
    end = ".gz" if gz else ""
    write_mtx(
        folder / f"{prefix}matrix.mtx{end}", matrix.to_numpy(), "real" if matrix.dtypes.eq(float).any() else "integer"
    )
    write_gz(folder / f"{prefix}barcodes.tsv{end}", "\n".join(matrix.columns) + "\n")
    kinds = types or ["Gene Expression"] * len(matrix)
    lines = [
        "\t".join([gene, GENES.get(gene, gene), kind] if version == 3 else [gene, GENES.get(gene, gene)])
        for gene, kind in zip(matrix.index, kinds, strict=True)
    ]
    write_gz(folder / f"{prefix}{'features' if version == 3 else 'genes'}.tsv{end}", "\n".join(lines) + "\n")
    return folder


def write_h5(path: Path, matrix: pd.DataFrame, *, version: int = 3, types: Any = None) -> Path:
    """A 10x .h5; `matrix` is genes x cells."""
    columns = sp.csc_matrix(matrix.to_numpy())
    ids = np.array(list(matrix.index), dtype="S")
    names = np.array([GENES.get(gene, gene) for gene in matrix.index], dtype="S")
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix" if version == 3 else "mm10")
        group["barcodes"] = np.array(list(matrix.columns), dtype="S")
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(columns, part)
        group["shape"] = np.array(matrix.shape)
        if version == 3:
            group["features/id"], group["features/name"] = ids, names
            group["features/feature_type"] = np.array(types or ["Gene Expression"] * len(matrix), dtype="S")
        else:
            group["genes"], group["gene_names"] = ids, names
    return path


def write_h5ad(path: Path, matrix: pd.DataFrame, place: str = "X") -> Path:
    """An h5ad with the counts in X, layers["counts"] or raw, and log values elsewhere."""
    counts = sp.csr_matrix(matrix.to_numpy().T.astype(np.float32))
    logs = counts.copy()
    logs.data = np.log1p(logs.data / 3)
    var = pd.DataFrame({"gene_ids": list(matrix.index)}, index=[GENES.get(gene, gene) for gene in matrix.index])
    obs = pd.DataFrame(index=list(matrix.columns))
    adata = anndata.AnnData(counts if place in {"X", "raw"} else logs, obs=obs, var=var)
    if place == "layers":
        adata.layers["counts"] = counts
    if place == "raw":
        adata.raw = adata.copy()
        adata.X = logs
    adata.write_h5ad(path)
    return path


def write_table(path: Path, matrix: pd.DataFrame, *, genes_in: str = "rows", names: str = "id") -> Path:
    """A dense table, gene ids or symbols, genes in the rows or in the columns."""
    if names == "symbol":
        matrix = matrix.rename(index=GENES)
    table = matrix if genes_in == "rows" else matrix.T
    table.to_csv(path, sep="," if ".csv" in path.name else "\t")
    return path


@pytest.fixture
def matrix() -> pd.DataFrame:
    """12 genes x 5 cells of small counts; every gene and every cell has some."""
    counts = np.random.default_rng(3).poisson(2.0, (len(GENES), len(CELLS)))
    counts[:, 0] += 1
    counts[0, :] += 1
    return pd.DataFrame(counts, index=list(GENES), columns=CELLS)


@pytest.fixture
def expected(matrix: pd.DataFrame) -> pd.DataFrame:
    """What any format must give: cells x symbols."""
    table = matrix.T.copy()
    table.columns = [GENES[gene] for gene in matrix.index]
    return table


Writer = Callable[[Path, pd.DataFrame], Path]
FORMATS: dict[str, Writer] = {
    "10x v3 folder": lambda path, matrix: write_folder(path / "v3", matrix),
    "10x v3 folder, plain": lambda path, matrix: write_folder(path / "v3", matrix, gz=False),
    "10x v2 folder": lambda path, matrix: write_folder(path / "v2", matrix, version=2, gz=False),
    "10x folder with prefixes": lambda path, matrix: write_folder(path / "geo", matrix, prefix="GSM1_a_"),
    "10x v3 h5": lambda path, matrix: write_h5(path / "v3.h5", matrix),
    "10x v2 h5": lambda path, matrix: write_h5(path / "v2.h5", matrix, version=2),
    "h5ad X": lambda path, matrix: write_h5ad(path / "x.h5ad", matrix),
    "h5ad layers": lambda path, matrix: write_h5ad(path / "layers.h5ad", matrix, "layers"),
    "h5ad raw": lambda path, matrix: write_h5ad(path / "raw.h5ad", matrix, "raw"),
    "csv, genes in rows": lambda path, matrix: write_table(path / "a.csv", matrix),
    "csv.gz, genes in columns": lambda path, matrix: write_table(path / "a.csv.gz", matrix, genes_in="columns"),
    "tsv, symbols in rows": lambda path, matrix: write_table(path / "a.tsv", matrix, names="symbol"),
    "tsv.gz, symbols in columns": lambda path, matrix: write_table(
        path / "a.tsv.gz", matrix, genes_in="columns", names="symbol"
    ),
}


@pytest.fixture(params=list(FORMATS))
def written(request: pytest.FixtureRequest, tmp_path: Path, matrix: pd.DataFrame) -> Path:
    """The matrix in each of the formats in turn."""
    return FORMATS[request.param](tmp_path, matrix)
