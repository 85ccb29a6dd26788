"""A small cohort that the demo's tests share."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from livermet.demo.cohort import Study, prepare

TABLE = Path(__file__).resolve().parents[3] / "resources" / "demo_genes.tsv.gz"


@pytest.fixture(scope="session")
def gene_table() -> pd.DataFrame:
    """The genes as the repository holds them."""
    return pd.read_csv(TABLE, sep="\t")


@pytest.fixture(scope="session")
def study(gene_table: pd.DataFrame) -> Study:
    """All genes, few cells."""
    return prepare(gene_table=gene_table, n_genes=12000, cells_per_mouse=300, n_empty_droplets=400, seed=3)


@pytest.fixture
def sheet(tmp_path: Path) -> list[dict[str, str]]:
    """Two mice, one written as a folder, the other as h5."""
    rows = []
    for number, (site, suffix) in enumerate([("subcutaneous", ""), ("subcutaneous_liver", ".h5")], 1):
        name = f"s{number}"
        rows.append(
            {
                "sample": name,
                "mouse": f"m{number}",
                "site": site,
                "treatment": "untreated",
                "batch": "b1",
                "sex": "mf"[number - 1],
                "path": str(tmp_path / "input" / f"{name}{suffix}"),
                "raw_path": str(tmp_path / "input" / f"{name}.raw.h5"),
            }
        )
    return rows
