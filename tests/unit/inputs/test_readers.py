"""Every format gives the same counts; what cannot be counts, or is broken, is refused with its place."""

from __future__ import annotations

import gzip
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from tests.unit.inputs.conftest import write_folder, write_h5, write_h5ad, write_table

from livermet.errors import InputError
from livermet.inputs import h5ad_matrices, tenx
from livermet.inputs.readers import find_files, read_counts


def as_table(adata: anndata.AnnData) -> pd.DataFrame:
    return pd.DataFrame(adata.X.toarray(), index=adata.obs_names, columns=adata.var["symbol"].to_numpy())


def test_every_format_gives_the_same_counts(written: Path, expected: pd.DataFrame) -> None:
    adata = read_counts(written)
    assert adata.X.dtype == np.int32
    assert adata.X.format == "csr"
    table = as_table(adata)
    if not set(table.columns) & set(expected.columns) - {"0610007P14Rik"}:  # tables of ids have no symbols
        from tests.unit.inputs.conftest import GENES

        table.columns = [GENES[gene] for gene in table.columns]
    pd.testing.assert_frame_equal(table, expected.astype(np.int32), check_names=False)


def test_files_are_named_before_they_exist(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    assert find_files(folder) == [
        str(folder / name) for name in ("matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz")
    ]
    for name in ("later.h5", "later.h5ad", "later.csv", "later.tsv.gz"):
        assert find_files(tmp_path / name) == [str(tmp_path / name)]


def test_v2_folder_is_found_by_its_own_names(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "v2", matrix, version=2, gz=False)
    assert [Path(name).name for name in find_files(folder)] == ["matrix.mtx", "barcodes.tsv", "genes.tsv"]


def test_two_matrices_in_a_folder_are_refused(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "both", matrix, prefix="a_")
    (folder / "b_matrix.mtx.gz").write_bytes((folder / "a_matrix.mtx.gz").read_bytes())
    with pytest.raises(
        InputError, match=r"2 files end with matrix\.mtx or matrix\.mtx\.gz: .*name the matrix itself as the path"
    ):
        read_counts(folder)


def test_matrix_of_barcodes_by_features_is_turned(tmp_path: Path, matrix: pd.DataFrame, expected: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "turned", matrix, gz=False)
    scipy.io.mmwrite(folder / "matrix.mtx", matrix.T.to_numpy().astype(int))  # dense: not a coordinate matrix
    with pytest.raises(InputError, match="line 1"):
        read_counts(folder)
    import scipy.sparse as sp

    scipy.io.mmwrite(folder / "matrix.mtx", sp.coo_matrix(matrix.T.to_numpy()), field="integer", symmetry="general")
    np.testing.assert_array_equal(read_counts(folder).X.toarray(), expected.to_numpy())


def test_many_blocks_give_the_same_as_one(
    tmp_path: Path, matrix: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenx, "BLOCK", 7)
    for path in (write_folder(tmp_path / "f", matrix), write_h5(tmp_path / "f.h5", matrix)):
        assert len(list(tenx.open_tenx(path).blocks())) > 3
        np.testing.assert_array_equal(read_counts(path).X.toarray(), matrix.T.to_numpy())


@pytest.mark.parametrize("write", [write_folder, write_h5])
def test_antibodies_are_set_apart(tmp_path: Path, matrix: pd.DataFrame, write: object) -> None:
    types = ["Gene Expression"] * 10 + ["Antibody Capture"] * 2
    path = write(tmp_path / ("a" if write is write_folder else "a.h5"), matrix, types=types)  # type: ignore[operator]
    adata = read_counts(path)
    np.testing.assert_array_equal(adata.X.toarray(), matrix.iloc[:10].T.to_numpy())
    np.testing.assert_array_equal(adata.obsm["other_features"].toarray(), matrix.iloc[10:].T.to_numpy())
    assert list(adata.uns["other_features"]["id"]) == list(matrix.index[10:])


def test_only_antibodies_are_refused(tmp_path: Path, matrix: pd.DataFrame) -> None:
    path = write_h5(tmp_path / "a.h5", matrix, types=["Antibody Capture"] * len(matrix))
    with pytest.raises(InputError, match="Gene Expression"):
        read_counts(path)


@pytest.mark.parametrize(
    ("value", "words"),
    [(-1.0, "negative value"), (1.5, "fractional value"), (np.nan, "missing value"), (3e9, "too large")],
)
@pytest.mark.parametrize("kind", ["folder", "h5", "h5ad", "csv"])
def test_what_is_no_count_is_refused_with_its_place(
    tmp_path: Path, matrix: pd.DataFrame, value: float, words: str, kind: str
) -> None:
    bad = matrix.astype(float)
    bad.iloc[2, 1] = value  # Actb of the second cell
    if kind == "folder":
        path = write_folder(tmp_path / "bad", bad)
    elif kind == "h5":
        path = write_h5(tmp_path / "bad.h5", bad)
    elif kind == "h5ad":
        path = write_h5ad(tmp_path / "bad.h5ad", matrix)
        with h5py.File(path, "r+") as file:
            csr = anndata.io.read_elem(file["X"]).tocsr()
            csr[1, 2] = value
            del file["X"]
            anndata.io.write_elem(file, "X", csr)
    else:
        path = write_table(tmp_path / "bad.csv", bad)
    with pytest.raises(InputError, match=words) as caught:
        read_counts(path)
    text = str(caught.value)
    assert path.name in text
    if kind != "h5ad":  # an h5ad is refused as a whole, for each place where counts could be
        assert "AAACCTGAGAAACCGC-1" in text
        assert "Actb" in text or "ENSMUSG00000029580" in text


def test_offender_beyond_the_first_values_of_an_h5ad_has_its_place(
    tmp_path: Path, matrix: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_h5ad(tmp_path / "late.h5ad", matrix)
    with h5py.File(path, "r+") as file:
        file["X/data"][-1] = 0.5
    monkeypatch.setattr(h5ad_matrices, "SAMPLE_SIZE", 4)
    with pytest.raises(InputError, match=r"row AAACGGGCACTTAAGC-1, column \S+: a fractional value"):
        read_counts(path)


def test_h5ad_without_raw_counts_says_what_it_holds(tmp_path: Path, matrix: pd.DataFrame) -> None:
    path = write_h5ad(tmp_path / "logs.h5ad", matrix, "layers")
    with h5py.File(path, "r+") as file:
        del file["layers/counts"]
    with pytest.raises(InputError, match="X holds a fractional value"):
        read_counts(path)


def test_table_with_text_among_the_counts(tmp_path: Path, matrix: pd.DataFrame) -> None:
    table = matrix.astype(object)
    table.iloc[4, 3] = "many"
    path = write_table(tmp_path / "text.csv", table)
    with pytest.raises(InputError, match=r"row 6 \(ENSMUSG00000064370\), column AAACCTGAGGGAACGG-1: 'many'"):
        read_counts(path)


def test_r_table_without_a_corner_and_with_quotes(tmp_path: Path, matrix: pd.DataFrame) -> None:
    lines = ["\t".join(f'"{name}"' for name in matrix.columns)]
    lines += [
        "\t".join([f'"{gene}"', *map(str, row)]) for gene, row in zip(matrix.index, matrix.to_numpy(), strict=True)
    ]
    path = tmp_path / "r.txt"
    path.write_text("\n".join(lines) + "\n")
    adata = read_counts(path)
    assert list(adata.obs_names) == list(matrix.columns)
    assert list(adata.var_names) == list(matrix.index)
    np.testing.assert_array_equal(adata.X.toarray(), matrix.T.to_numpy())


def test_table_with_ids_and_symbols(tmp_path: Path, matrix: pd.DataFrame, expected: pd.DataFrame) -> None:
    table = matrix.copy()
    table.insert(0, "symbol", expected.columns)
    table.to_csv(tmp_path / "two.tsv", sep="\t", index_label="id")
    adata = read_counts(tmp_path / "two.tsv")
    assert list(adata.var["symbol"]) == list(expected.columns)
    np.testing.assert_array_equal(adata.X.toarray(), expected.to_numpy())


def test_table_whose_sides_cannot_be_told(tmp_path: Path) -> None:
    path = tmp_path / "what.csv"
    path.write_text("id,c1,c2\nx1,1,2\nx2,3,4\n")
    with pytest.raises(InputError, match="genes on one side"):
        read_counts(path)


def test_gene_named_na_is_a_gene(tmp_path: Path, matrix: pd.DataFrame) -> None:
    path = write_table(tmp_path / "na.csv", matrix.rename(index={"0610007P14Rik": "NA"}))
    assert "NA" in read_counts(path).var_names


def test_rows_of_different_length(tmp_path: Path, matrix: pd.DataFrame) -> None:
    path = write_table(tmp_path / "ragged.csv", matrix)
    path.write_text(path.read_text().replace("\nENSMUSG00000029580,", "\nENSMUSG00000029580,9,9,9,"))
    with pytest.raises(InputError, match=r"ragged\.csv"):
        read_counts(path)


def test_cut_short(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "cut", matrix)
    whole = (folder / "matrix.mtx.gz").read_bytes()
    (folder / "matrix.mtx.gz").write_bytes(whole[: len(whole) - 12])
    with pytest.raises(InputError, match="cut short"):
        read_counts(folder)
    with gzip.open(folder / "matrix.mtx.gz", "wt") as handle:
        text = gzip.decompress(whole).decode()
        handle.write("\n".join(text.splitlines()[:-2]) + "\n")
    with pytest.raises(InputError, match="as its header says"):
        read_counts(folder)


def test_not_gzip(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "plain", matrix)
    (folder / "features.tsv.gz").write_text("not gzip at all")
    with pytest.raises(InputError, match="gzip"):
        read_counts(folder)


def test_parts_that_do_not_fit(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "misfit", matrix, gz=False)
    (folder / "barcodes.tsv").write_text("A\nB\n")
    with pytest.raises(InputError, match="12 rows and 5 columns"):
        read_counts(folder)


def test_position_outside_the_matrix(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "outside", matrix, gz=False)
    path = folder / "matrix.mtx"
    lines = path.read_text().splitlines()
    lines[3] = "99 1 1"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"line 4: feature number 99 \(expected 1 to 12\)"):
        read_counts(folder)


def test_h5_of_another_kind(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["stuff"] = [1, 2]
    with pytest.raises(InputError, match="one 10x matrix"):
        read_counts(tmp_path / "other.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(InputError, match=r"text\.h5: cannot be read"):
        read_counts(tmp_path / "text.h5")


def test_h5_of_two_genomes(tmp_path: Path, matrix: pd.DataFrame) -> None:
    path = write_h5(tmp_path / "two.h5", matrix, version=2)
    with h5py.File(path, "r+") as file:
        file.copy("mm10", "GRCh38")
    with pytest.raises(InputError, match="2 genomes"):
        read_counts(path)


def test_unknown_format(tmp_path: Path) -> None:
    (tmp_path / "counts.rds").write_text("R")
    with pytest.raises(InputError, match="not known"):
        read_counts(tmp_path / "counts.rds")


@pytest.mark.real
def test_real_files_are_read_to_the_last_umi(real_data: Path) -> None:
    folder = real_data / "zilionis_lung"
    with gzip.open(folder / "h_1" / "matrix.mtx.gz") as handle:
        sums = {"h_1": int(scipy.io.mmread(handle).sum())}
    with h5py.File(folder / "h_2.h5") as file:
        sums["h_2.h5"] = int(file["matrix/data"][:].sum())
    sums["t_1.h5ad"] = int(anndata.read_h5ad(folder / "t_1.h5ad").X.sum())
    sums["t_2.csv.gz"] = int(pd.read_csv(folder / "t_2.csv.gz", index_col=0).to_numpy().sum())
    assert {name: int(read_counts(folder / name).X.sum()) for name in sums} == sums
