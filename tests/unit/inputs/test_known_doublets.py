"""Doublets that multiplexing knows, read from the usual columns of an h5ad."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from livermet.inputs.annotated import read_known_doublets
from livermet.inputs.canonical import read_sample


def write(path: Path, **columns: list[str]) -> Path:
    names = np.array([f"B{number}" for number in range(4)], dtype=object)
    obs = pd.DataFrame({name: np.array(values, dtype=object) for name, values in columns.items()}, index=names)
    var = pd.DataFrame(index=np.array(["Cd3e", "Lyz2", "mt-Co1", "Alb", "Actb"], dtype=object))
    anndata.AnnData(np.arange(1, 21).reshape(4, 5).astype(np.float32), obs=obs, var=var).write_h5ad(path)
    return path


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("HTO_classification.global", ["Singlet", "Doublet", "Negative", "Singlet"]),
        ("DROPLET.TYPE", ["SNG", "DBL", "AMB", "SNG"]),
        ("donor_id", ["donor0", "doublet", "unassigned", "donor1"]),
    ],
)
def test_usual_columns(tmp_path: Path, column: str, values: list[str]) -> None:
    known = read_known_doublets(write(tmp_path / "a.h5ad", **{column: values}))
    assert known is not None
    assert known.to_dict() == {"B0": "singlet", "B1": "doublet", "B2": "", "B3": "singlet"}


def test_other_columns_are_not_taken(tmp_path: Path) -> None:
    predicted = write(tmp_path / "b.h5ad", predicted=["doublet"] * 4, donor_id=["donor1"] * 4)
    assert read_known_doublets(predicted) is None
    assert "known_doublet" not in read_sample(predicted, sample="s1", species="mouse").obs


def test_they_come_with_the_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "c.h5ad", HTO_classification_global=["Singlet", "Doublet", "Negative", "Singlet"])
    obs = read_sample(path, sample="s1", species="mouse").obs
    assert obs.loc["s1_B1", "known_doublet"] == "doublet"
    assert obs["known_doublet"].tolist() == ["singlet", "doublet", "", "singlet"]
