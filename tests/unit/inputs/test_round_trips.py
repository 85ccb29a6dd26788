"""What is written in any format is read back equal to the last entry; what is damaged is refused in words or read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.inputs.conftest import GENES, write_folder, write_h5, write_table

from livermet.errors import InputError, Problem
from livermet.inputs.readers import peek, read_counts

QUICK = settings(max_examples=12, deadline=None, derandomize=True, database=None)


def write_star(path: Path, matrix: pd.DataFrame) -> Path:
    """As STARsolo lays its output out."""
    (path / "Solo.out" / "Gene").mkdir(parents=True)
    return write_folder(path / "Solo.out" / "Gene" / "filtered", matrix, gz=False)


def write_annotated(path: Path, matrix: pd.DataFrame, how: Callable[[Any], Any], kind: str) -> Path:
    """An h5ad whose X is stored in a layout and a type of numbers."""
    var = pd.DataFrame({"gene_ids": list(matrix.index)}, index=[GENES[gene] for gene in matrix.index])
    X = how(sp.csr_matrix(matrix.to_numpy().T.astype(kind)))
    anndata.AnnData(X, obs=pd.DataFrame(index=list(matrix.columns)), var=var).write_h5ad(path / "x.h5ad")
    return path / "x.h5ad"


FORMATS: dict[str, Callable[[Path, pd.DataFrame], Path]] = {
    "10x v3": lambda path, matrix: write_folder(path / "f", matrix),
    "10x v3, plain": lambda path, matrix: write_folder(path / "f", matrix, gz=False),
    "10x v2": lambda path, matrix: write_folder(path / "f", matrix, version=2, gz=False),
    "10x v2, packed": lambda path, matrix: write_folder(path / "f", matrix, version=2),
    "GEO": lambda path, matrix: write_folder(path / "f", matrix, prefix="GSM1_a_"),
    "GEO, by its matrix": lambda path, matrix: (
        write_folder(path / "f", matrix, prefix="GSM1_a_") / "GSM1_a_matrix.mtx.gz"
    ),
    "STARsolo": write_star,
    "h5 v3": lambda path, matrix: write_h5(path / "x.h5", matrix),
    "h5 v2": lambda path, matrix: write_h5(path / "x.h5", matrix, version=2),
    "h5ad csr float": lambda path, matrix: write_annotated(path, matrix, sp.csr_matrix, "f4"),
    "h5ad csc int": lambda path, matrix: write_annotated(path, matrix, sp.csc_matrix, "i8"),
    "h5ad dense": lambda path, matrix: write_annotated(path, matrix, lambda X: X.toarray(), "f8"),
    "csv": lambda path, matrix: write_table(path / "x.csv", matrix),
    "csv.gz, cells in rows": lambda path, matrix: write_table(path / "x.csv.gz", matrix, genes_in="columns"),
    "tsv": lambda path, matrix: write_table(path / "x.tsv", matrix),
    "tsv.gz, cells in rows": lambda path, matrix: write_table(path / "x.tsv.gz", matrix, genes_in="columns"),
}


@st.composite
def matrices(draw: st.DrawFn) -> pd.DataFrame:
    """Genes x cells: 4 to 12 genes in any order, 1 to 8 cells, mostly zeros, at least one count; some counts are large."""
    genes = draw(st.permutations(sorted(GENES)))[: draw(st.integers(4, len(GENES)))]
    barcode = st.text("ACGT", min_size=16, max_size=16).map(lambda text: f"{text}-1")
    cells = draw(st.lists(barcode, min_size=1, max_size=8, unique=True))
    value = st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 2**31 - 1))
    values = draw(st.lists(value, min_size=len(genes) * len(cells), max_size=len(genes) * len(cells)))
    table = np.array(values, dtype=np.int64).reshape(len(genes), len(cells))
    table[0, 0] = max(table[0, 0], 1)
    return pd.DataFrame(table, index=genes, columns=cells)


@pytest.mark.parametrize("name", FORMATS)
def test_write_then_read_is_identity(name: str) -> None:
    exact = "float" not in name  # single precision ends at 2**24

    @QUICK
    @given(matrices())
    def check(matrix: pd.DataFrame) -> None:
        matrix = matrix if exact else matrix % 2**24
        with tempfile.TemporaryDirectory() as folder:
            found = read_counts(FORMATS[name](Path(folder), matrix))
        assert found.X.dtype == np.int32
        assert list(found.obs_names) == list(matrix.columns)
        assert list(found.var_names) == list(matrix.index)
        np.testing.assert_array_equal(found.X.toarray(), matrix.T.to_numpy())

    check()


DAMAGED = ("10x v3, plain", "10x v3", "h5 v3", "h5ad csr float", "csv", "tsv.gz, cells in rows")


def refusal(path: Path) -> list[Problem]:
    """What the reader says of an input; nothing where it reads it."""
    try:
        read_counts(path)
    except InputError as error:
        return error.problems
    return []


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_refused_in_words_or_does_no_harm(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(1.5, (len(GENES), 6))
    counts[:, 0] += 1
    barcodes = ["".join(rng.choice(list("ACGT"), 16)) for _ in range(6)]
    path = FORMATS[name](tmp_path, pd.DataFrame(counts, index=list(GENES), columns=barcodes))
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    whole = {file: file.read_bytes() for file in files}

    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(files))
        content = bytearray(whole[file])
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["turn", "cut", "insert", "remove"])):
            case "turn":
                content[at] ^= data.draw(st.integers(1, 255))
            case "cut":
                del content[at:]
            case "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=9))
            case _:
                del content[at : at + data.draw(st.integers(1, 50))]
        file.write_bytes(bytes(content))
        try:
            problems = peek(path, "x") + refusal(path)
        finally:
            file.write_bytes(whole[file])
        assert all(problem.where and problem.found and (problem.expected or problem.remedy) for problem in problems)

    check()
