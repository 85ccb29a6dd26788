"""Labels of one's own: read from h5ad columns and tables, translated, and refused in words."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from livermet.errors import InputError
from livermet.inputs.labels import read_labels


def write_sample(path: Path, labels: list[str | None]) -> str:
    obs = pd.DataFrame({"cell type": pd.Categorical(labels)}, index=[f"AAC{n}-1" for n in range(len(labels))])
    anndata.AnnData(np.ones((len(labels), 2), dtype=np.float32), obs=obs).write_h5ad(path)
    return str(path)


def test_a_column_is_read_and_translated(tmp_path: Path) -> None:
    paths = {
        "s1": write_sample(tmp_path / "a.h5ad", ["T cells", "CD8+ T", None]),
        "s2": write_sample(tmp_path / "b.h5ad", ["T cells", "unknown"]),
    }
    found = read_labels(paths, column="cell type", table=None, names={"T cells": "T_cell"})
    assert found["label"].to_dict() == {"s1_AAC0-1": "T_cell", "s1_AAC1-1": "CD8pos_T", "s2_AAC0-1": "T_cell"}
    assert found.index.name == "cell"


@pytest.mark.parametrize(("name", "sep"), [("labels.tsv", "\t"), ("labels.csv", ",")])
def test_a_table_is_read(tmp_path: Path, name: str, sep: str) -> None:
    table = pd.DataFrame({"sample": ["s1", "s2"], "barcode": ["A-1", "A-1"], "type": ["B cell", "NK"]})
    table.to_csv(tmp_path / name, sep=sep, index=False)
    found = read_labels({"s1": "x", "s2": "y"}, column=None, table=str(tmp_path / name), names={"NK": "NK_cell"})
    assert found["label"].to_dict() == {"s1_A-1": "B_cell", "s2_A-1": "NK_cell"}


def test_what_is_wrong_is_said_with_its_place(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.h5ad", ["T", "B"])
    with pytest.raises(InputError, match=r"sample 's1'.*obs has no column 'types' \(expected one of cell type\)"):
        read_labels({"s1": path}, column="types", table=None, names={})
    with pytest.raises(InputError, match=r"sample 's2', folder: not an h5ad.*annotate.labels.table"):
        read_labels({"s1": path, "s2": "folder"}, column="cell type", table=None, names={})
    with pytest.raises(
        InputError, match=r"annotate.labels.names, 'Tcell': no cell has this label \(expected one of B, T\)"
    ):
        read_labels({"s1": path}, column="cell type", table=None, names={"Tcell": "T_cell"})
    table = tmp_path / "labels.tsv"
    table.write_text("sample\tbarcode\tlabel\ns1\tA\tT\ns9\tA\tT\n")
    with pytest.raises(InputError, match=r"row 3: 1 rows are of samples not in the sheet: s9"):
        read_labels({"s1": path}, column=None, table=str(table), names={})
    table.write_text("sample\tbarcode\tlabel\ns1\tA\tT\ns1\tA\tB\n")
    with pytest.raises(InputError, match="1 cells have several, such as s1_A"):
        read_labels({"s1": path}, column=None, table=str(table), names={})
    table.write_text("sample\tcell\tlabel\ns1\tA\tT\n")
    with pytest.raises(InputError, match="columns sample, cell, label"):
        read_labels({"s1": path}, column=None, table=str(table), names={})
