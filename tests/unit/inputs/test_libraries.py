"""A library as the sheet names it: cells as they are, or a raw matrix whose cells are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.inputs.conftest import write_folder, write_h5, write_h5ad

from livermet.cells.barcodes.quality import assess_quality
from livermet.errors import InputError
from livermet.inputs import emptydrops, libraries, tenx
from livermet.inputs.canonical import read_sample
from livermet.inputs.droplets import sum_empty_droplets
from livermet.inputs.libraries import read_library
from livermet.settings import Quality

NAMES = {"sample": "s", "species": "mouse"}
N_GENES, N_CELLS, N_EMPTY, N_LARGE_EMPTY = 300, 60, 3000, 40


@pytest.fixture(scope="module")
def droplets() -> pd.DataFrame:
    """Genes x barcodes: 60 cells, 40 empty droplets of 120 to 300 UMIs, 3,000 small ones, 200 without a count."""
    rng = np.random.default_rng(3)
    cell, other = (values / values.sum() for values in rng.lognormal(0, 1.5, (2, N_GENES)))
    soup = 0.5 * cell + 0.5 * other
    columns = {
        f"CELL{n:04d}-1": rng.multinomial(rng.integers(1500, 4000), 0.95 * cell + 0.05 * soup) for n in range(N_CELLS)
    }
    columns |= {f"BIG{n:04d}-1": rng.multinomial(rng.integers(120, 300), soup) for n in range(N_LARGE_EMPTY)}
    columns |= {f"EMPTY{n:04d}-1": rng.multinomial(rng.integers(10, 90), soup) for n in range(N_EMPTY)}
    columns |= {f"ZERO{n:04d}-1": np.zeros(N_GENES, dtype=int) for n in range(200)}
    names = list(columns)
    rng.shuffle(names)
    ids = [*(f"ENSMUSG{number:011d}" for number in range(N_GENES - 1)), "ENSMUSG00000064351"]
    return pd.DataFrame({name: columns[name] for name in names}, index=ids)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for 60 cells among 100 droplets; the smallest p-value must stay below the rate."""
    monkeypatch.setattr(emptydrops, "N_SIMULATIONS", 2000)


@pytest.mark.parametrize("write", [write_folder, write_h5, write_h5ad])
def test_cells_of_a_raw_matrix(
    tmp_path: Path, droplets: pd.DataFrame, write: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenx, "BLOCK", 5000)
    end = {write_folder: "", write_h5: ".h5", write_h5ad: ".h5ad"}[write]  # type: ignore[index]
    path = write(tmp_path / f"raw{end}", droplets)  # type: ignore[operator]
    counts, empty, _ = read_library(path, "", call_cells="auto", seed=1, **NAMES)
    large = [name for name in droplets if droplets[name].sum() > 100]
    assert counts.obs["barcode"].tolist() == large
    np.testing.assert_array_equal(counts.X.toarray(), droplets[large].to_numpy().T)
    np.testing.assert_array_equal(counts.obs["is_empty"], [name.startswith("BIG") for name in large])
    small = [name for name in droplets if 0 < droplets[name].sum() <= 100]
    np.testing.assert_array_equal(empty["umis"], droplets[small].sum(axis=1))
    again, _, _ = read_library(path, "", call_cells="auto", seed=1, **NAMES)
    pd.testing.assert_frame_equal(again.obs, counts.obs)


def test_a_large_matrix_is_not_read_whole(
    tmp_path: Path, droplets: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_h5(tmp_path / "raw.h5", droplets)
    counts, empty, _ = read_library(path, "", call_cells="auto", seed=1, **NAMES)
    monkeypatch.setattr(libraries, "MANY", 100)
    monkeypatch.setattr(libraries, "read_counts", lambda *_: pytest.fail("read whole"))
    again, empty_again, _ = read_library(path, "", call_cells="auto", seed=1, **NAMES)
    assert (again.X != counts.X).nnz == 0
    pd.testing.assert_frame_equal(again.obs, counts.obs)
    pd.testing.assert_frame_equal(empty_again, empty)


def test_every_tested_barcode_keeps_its_reason(tmp_path: Path, droplets: pd.DataFrame) -> None:
    path = write_h5(tmp_path / "raw.h5", droplets)
    counts, empty, _ = read_library(path, "", call_cells="auto", seed=1, **NAMES)
    settings = Quality(min_umis=100, min_genes=10).model_dump(exclude={"ambient", "call_cells", "counts", "hashtags"})
    table, soup = assess_quality(counts, empty, sample="s", seed=1, **settings)
    big = counts.obs["is_empty"].to_numpy()
    assert table.loc[big, "drop_reason"].str.match(r"empty droplet \(p [\d.e-]+\)").all()
    assert not table.loc[big, "kept"].any()
    assert table.loc[~big, "kept"].mean() > 0.9
    assert not table.loc[~big, "drop_reason"].str.contains("empty").any()
    assert table.loc[big, "ambient_fraction"].isna().all()
    assert set(soup["source"]) == {"raw matrix"}


def test_cells_are_taken_as_they_are(tmp_path: Path, droplets: pd.DataFrame) -> None:
    raw = write_h5(tmp_path / "raw.h5", droplets)
    filtered = write_h5(tmp_path / "cells.h5", droplets.filter(like="CELL"))
    plain = read_sample(filtered, **NAMES)
    for path, raw_path, call in ((filtered, "", "auto"), (filtered, raw, "auto"), (filtered, "", "never")):
        counts, empty, _ = read_library(path, raw_path, call_cells=call, seed=1, **NAMES)
        assert (counts.X != plain.X).nnz == 0
        pd.testing.assert_frame_equal(counts.obs, plain.obs)
        pd.testing.assert_frame_equal(empty, sum_empty_droplets(raw_path, plain, **NAMES))
    counts, empty, _ = read_library(raw, "", call_cells="never", seed=1, **NAMES)
    assert counts.n_obs == droplets.shape[1]
    assert len(empty) == 0


def test_a_raw_matrix_without_cells(tmp_path: Path, droplets: pd.DataFrame) -> None:
    path = write_h5(tmp_path / "raw.h5", droplets.filter(like="EMPTY"))
    with pytest.raises(InputError, match="no barcode has more than 100 UMIs"):
        read_library(path, "", call_cells="auto", seed=1, **NAMES)


def test_antibodies_are_set_apart_in_a_raw_matrix(tmp_path: Path, droplets: pd.DataFrame) -> None:
    antibody = pd.DataFrame(1000, index=["CD8_TotalSeq"], columns=droplets.columns)  # more than all genes together
    types = ["Gene Expression"] * N_GENES + ["Antibody Capture"]
    path = write_h5(tmp_path / "raw.h5", pd.concat([droplets, antibody]), types=types)
    counts, empty, _ = read_library(path, "", call_cells="auto", seed=1, **NAMES)
    alone, empty_alone, _ = read_library(
        write_h5(tmp_path / "genes.h5", droplets), "", call_cells="auto", seed=1, **NAMES
    )
    pd.testing.assert_frame_equal(counts.obs, alone.obs)
    pd.testing.assert_frame_equal(empty, empty_alone)
