"""Real mouse data, four formats, by config alone: healthy against tumour-bearing lung (Zilionis 2019, GSE127465)."""

from __future__ import annotations

import gzip
from pathlib import Path

import anndata
import h5py
import pandas as pd
import pytest
import scipy.io
import yaml
from sklearn.metrics import adjusted_rand_score
from tests.conftest import copy_checkout, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.real]

TYPES = {"T cells": "T_cell", "B cells": "B_cell", "NK cells": "NK_cell", "Neutrophils": "Neutrophil"}
CONFIG = {
    "study": "lung",
    "title": "Healthy and tumour-bearing lung",
    "samples": "lung.tsv",
    "quality": {"min_umis": 300},  # droplets of this study hold fewer transcripts than 10x does
    "design": {
        "factors": {"site": ["healthy", "tumour"]},
        "populations": {name: {"lineages": [name]} for name in TYPES.values()},
        "questions": [
            {"name": "tumour", "kind": "effect", "factor": "site", "level": "tumour", "reference": "healthy"}
        ],
    },
}


@pytest.fixture(scope="module")
def lung(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = real_data / "zilionis_lung"
    folder = copy_checkout(tmp_path_factory.mktemp("lung") / "livermet")
    sheet = pd.read_csv(data / "samples.tsv", sep="\t", dtype=str)
    sheet["path"] = [str(data / path) for path in sheet["path"]]
    # A fifth mouse, of which a dozen cells were caught: it is set aside by name.
    whole = anndata.read_h5ad(data / "t_1.h5ad")
    dozen = pd.DataFrame(whole.X[:12].toarray().astype(int), columns=whole.var_names).rename("dead_{}".format)
    dozen.to_csv(folder / "dead.csv.gz")
    sheet = pd.concat([sheet, sheet.tail(1).assign(sample="t_3", mouse="t_3", path="dead.csv.gz")])
    sheet.to_csv(folder / "lung.tsv", sep="\t", index=False)
    (folder / "lung.yaml").write_text(yaml.safe_dump(CONFIG))
    result = snakemake(folder, "--configfile", "lung.yaml")
    assert result.returncode == 0, result.stdout[-6000:]
    return folder / "results" / "lung"


@pytest.fixture(scope="module")
def labelled(lung: Path, real_data: Path) -> pd.DataFrame:
    """Kept cells beside the authors' labels, which no step has seen."""
    cells = pd.read_parquet(lung / "tables" / "cells.parquet")
    assert (cells["sample"] == "t_3").sum() == 12
    cells = cells[cells["sample"] != "t_3"]
    published = pd.read_csv(real_data / "zilionis_lung" / "published_labels.tsv", sep="\t")
    joined = cells.merge(published, on="barcode", how="inner")
    assert len(joined) == len(cells) == 800
    return joined


def test_counts_equal_the_files_sums(lung: Path, real_data: Path) -> None:
    data = real_data / "zilionis_lung"
    with h5py.File(data / "h_2.h5") as file:
        h5_sum = int(file["matrix/data"][:].sum())
    with gzip.open(data / "t_2.csv.gz", "rt") as file:
        csv_sum = int(pd.read_csv(file, index_col=0).to_numpy().sum())
    sums = {
        "h_1": int(scipy.io.mmread(data / "h_1" / "matrix.mtx.gz").sum()),
        "h_2": h5_sum,
        "t_1": int(anndata.read_h5ad(data / "t_1.h5ad").X.sum()),
        "t_2": csv_sum,
    }
    cells = pd.read_parquet(lung / "tables" / "cells.parquet")
    found = cells.groupby("sample")["n_umis"].sum().astype(int).to_dict()
    assert {name: found[name] for name in sums} == sums


def test_clusters_agree_with_the_published_types(labelled: pd.DataFrame) -> None:
    kept = labelled[labelled["kept"]]
    assert len(kept) >= 0.9 * len(labelled)
    assert adjusted_rand_score(kept["major_cell_type"], kept["leiden"]) >= 0.75


def test_lineages_agree_with_the_published_types(labelled: pd.DataFrame) -> None:
    kept = labelled[labelled["kept"]]
    right = kept["major_cell_type"].map(TYPES) == kept["lineage"]
    assert right.mean() >= 0.9
    assert right.groupby(kept["major_cell_type"]).mean().min() >= 0.8


def test_the_dead_sample_is_set_aside_by_name(lung: Path) -> None:
    notices = pd.read_csv(lung / "tables" / "notices.tsv", sep="\t").set_index("sample")
    assert notices.loc["t_3", "level"] == notices.loc["mouse t_3", "level"] == "loud"
    assert "set aside: 12 of its cells pass, fewer than 50" in notices.loc["t_3", "what"]
    assert "2 of 3 mice are left in tumour" in notices.loc["mouse t_3", "what"]
    assert "tumour falls from confirmatory to exploratory" in notices.loc["mouse t_3", "evidence"]
    page = (lung / "report.html").read_text(encoding="utf-8")
    assert page.index("set aside: 12 of its cells pass") < page.index('id="answers"')
    assert "<dt>mice</dt><dd>4 of 5</dd>" in page


def test_two_against_two_mice_is_called_exploratory(lung: Path) -> None:
    answers = pd.read_csv(lung / "tables" / "answers.tsv", sep="\t")
    estimable = answers[answers["tier"] != "not estimable"]
    assert len(estimable) > 0
    assert set(estimable["tier"]) == {"exploratory"}
    assert (lung / "report.html").stat().st_size > 100_000
