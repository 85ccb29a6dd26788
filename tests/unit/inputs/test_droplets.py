"""Empty droplets: which they are, and what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.inputs.conftest import GENES, write_folder, write_h5, write_h5ad

from livermet.errors import InputError
from livermet.inputs import droplets, tenx
from livermet.inputs.canonical import read_sample
from livermet.inputs.droplets import sum_empty_droplets

NAMES = {"sample": "s", "species": "mouse"}


@pytest.fixture
def raw(matrix: pd.DataFrame) -> pd.DataFrame:
    """The cells, 30 droplets of 1 to 60 UMIs, and one large droplet that was not called a cell."""
    rng = np.random.default_rng(5)
    empties = {f"EMPTY{number}-1": rng.poisson(rng.uniform(0.1, 5), len(matrix)) for number in range(30)}
    large = {"LARGE-1": np.full(len(matrix), 50)}
    return pd.concat([pd.DataFrame({**empties, **large}, index=matrix.index), matrix], axis=1)


@pytest.mark.parametrize("write", [write_folder, write_h5, write_h5ad])
def test_sum_of_what_is_no_cell_and_small(
    tmp_path: Path, matrix: pd.DataFrame, raw: pd.DataFrame, write: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = read_sample(write_h5(tmp_path / "cells.h5", matrix), **NAMES)
    monkeypatch.setattr(tenx, "BLOCK", 50)  # several blocks
    end = {write_folder: "", write_h5: ".h5", write_h5ad: ".h5ad"}[write]  # type: ignore[index]
    found = sum_empty_droplets(write(tmp_path / f"raw{end}", raw), counts, **NAMES)  # type: ignore[operator]
    expected = raw.filter(like="EMPTY").sum(axis=1).to_numpy()
    assert found.index.tolist() == counts.var_names.tolist()
    np.testing.assert_array_equal(found["umis"].to_numpy(), expected)


def test_bound_rises_only_where_droplets_are_poor(tmp_path: Path, matrix: pd.DataFrame) -> None:
    deep = matrix * 400  # median cell of about 12,000 UMIs: a tenth is 1,200
    shallow = pd.DataFrame({"E1-1": np.full(len(matrix), 40), "E2-1": np.full(len(matrix), 900)}, index=matrix.index)
    counts = read_sample(write_h5(tmp_path / "cells.h5", deep), **NAMES)
    path = write_h5(tmp_path / "raw.h5", pd.concat([deep, shallow], axis=1))
    assert sum_empty_droplets(path, counts, **NAMES)["umis"].tolist() == [40] * len(GENES)


def test_lane_number_may_differ(tmp_path: Path, matrix: pd.DataFrame, raw: pd.DataFrame) -> None:
    counts = read_sample(write_h5(tmp_path / "cells.h5", matrix.rename(columns=lambda name: name[:-2])), **NAMES)
    found = sum_empty_droplets(write_h5(tmp_path / "raw.h5", raw), counts, **NAMES)
    assert found["umis"].sum() == raw.filter(like="EMPTY").to_numpy().sum()


def test_raw_matrix_of_another_sample(tmp_path: Path, matrix: pd.DataFrame, raw: pd.DataFrame) -> None:
    counts = read_sample(write_h5(tmp_path / "cells.h5", matrix), **NAMES)
    other = raw.rename(columns=lambda name: f"T{name}")
    with pytest.raises(InputError, match="0 of the sample's 5 barcodes are in the raw matrix"):
        sum_empty_droplets(write_h5(tmp_path / "raw.h5", other), counts, **NAMES)


def test_without_a_raw_matrix_or_empty_droplets(tmp_path: Path, matrix: pd.DataFrame) -> None:
    counts = read_sample(write_h5(tmp_path / "cells.h5", matrix), **NAMES)
    for path in ("", write_h5(tmp_path / "same.h5", matrix)):
        found = sum_empty_droplets(path, counts, **NAMES)
        assert len(found) == 0
        assert list(found.columns) == [droplets.UMIS]
