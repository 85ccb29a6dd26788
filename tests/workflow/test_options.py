"""Options that the demo leaves out, end to end: raw matrices alone, corrected counts, own labels, macrophage states, no T cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml
from tests.conftest import copy_checkout, snakemake

from benchmarks.cells.tagged import simulate_tags
from livermet.demo.cohort import simulate_cohort
from livermet.inputs.canonical import read_sample

pytestmark = pytest.mark.workflow

SITES = {"sc": "subcutaneous", "lm": "subcutaneous_liver"}
MACROPHAGES = ["Monocyte_derived_macrophage", "Kupffer_cell"]
DESIGN = {
    "factors": {"site": list(SITES.values())},
    "min_cells": 5,
    "populations": {"B_cell": {"lineages": ["B_cell"]}, "Kupffer": {"states": ["Mac_Kupffer"]}},
    "questions": [
        {"name": "site", "kind": "effect", "factor": "site", "level": "subcutaneous_liver", "reference": "subcutaneous"}
    ],
}
QUICK: dict[str, Any] = {
    "species": "mouse",
    "seed": 3,
    "samples": "own.tsv",
    "cluster": {"resolutions": [1.0], "n_subsamples": 2},
}
LENIENT = {"min_genes": 150, "min_cells_per_sample": 20}  # few genes are simulated


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_checkout(tmp_path_factory.mktemp("options") / "livermet")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return [
        {"sample": f"{short}_1", "mouse": f"{short}_1", "site": site, "treatment": "untreated", "tissue": "liver",
         "batch": "b1", "sex": "f", "path": f"in/{short}_1.h5", "raw_path": f"in/{short}_1.raw.h5"}
        for short, site in SITES.items()
    ]  # fmt: skip


@pytest.fixture(scope="module")
def truth(checkout: Path, rows: list[dict[str, str]]) -> pd.DataFrame:
    """Cells of two simulated mice (index cell); their files are in `in/`."""
    (checkout / "in").mkdir()
    here = [{**row, "path": str(checkout / row["path"]), "raw_path": str(checkout / row["raw_path"])} for row in rows]
    genes = pd.read_csv(checkout / "resources" / "demo_genes.tsv.gz", sep="\t")
    found = simulate_cohort(
        samples=here, gene_table=genes, n_genes=3000, cells_per_mouse=150, n_empty_droplets=900, seed=3
    )
    return found["cells"].set_index("cell", drop=False)


def write_study(checkout: Path, name: str, sheet: pd.DataFrame, **config: Any) -> str:
    sheet.drop(columns="treatment").to_csv(checkout / f"{name}.tsv", sep="\t", index=False)
    path = checkout / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**QUICK, "study": name, **config, "samples": f"{name}.tsv"}))
    return path.name


@pytest.fixture(scope="module")
def raw(checkout: Path, rows: list[dict[str, str]], truth: pd.DataFrame) -> Path:
    """Raw matrices alone, corrected; labels of a table, in which there are no T cells; macrophage states."""
    table = truth.loc[truth["lineage"] != "T_cell", ["sample", "barcode", "lineage"]]
    table.replace({"Neutrophil": "PMN cells"}).to_csv(checkout / "labels.tsv", sep="\t", index=False)
    # The T cells themselves are taken out of the raw matrices: their barcodes come back as empty.
    for row in rows:
        _drop_t_cells(checkout / row["raw_path"], truth[truth["sample"] == row["sample"]])
    config = write_study(
        checkout,
        "raw",
        pd.DataFrame(rows).assign(path=[row["raw_path"] for row in rows], raw_path=""),
        quality={**LENIENT, "ambient": "correct"},
        annotate={"labels": {"table": "labels.tsv", "names": {"PMN cells": "Neutrophil"}}},
        macrophages={"states": "resources/macrophage_states.yaml"},
        design=DESIGN,
    )
    result = snakemake(checkout, "--configfile", config)
    assert result.returncode == 0, result.stdout[-6000:]
    return checkout / "results" / "raw"


def _drop_t_cells(path: Path, cells: pd.DataFrame) -> None:
    import h5py

    gone = set(cells.loc[cells["lineage"] == "T_cell", "barcode"])
    with h5py.File(path, "r+") as file:
        matrix = file["matrix"]
        barcodes = np.array([name.decode() for name in matrix["barcodes"][:]])
        counts = sp.csr_matrix((matrix["data"][:], matrix["indices"][:], matrix["indptr"][:]))
        kept = np.flatnonzero(~np.isin(barcodes, list(gone)))
        left = counts[kept]
        shape = np.array([matrix["shape"][0], len(kept)])
        new = {"barcodes": barcodes[kept].astype("S"), "data": left.data, "indices": left.indices, "indptr": left.indptr, "shape": shape}  # fmt: skip
        for key, values in new.items():
            del matrix[key]
            matrix[key] = values


def test_cells_are_called_from_the_raw_matrices(raw: Path, truth: pd.DataFrame) -> None:
    cells = pd.read_parquet(raw / "tables" / "cells.parquet")
    others = truth[(truth["lineage"] != "T_cell") & ~truth["low_quality"]]
    found = cells.loc[cells["kept"]].index
    assert len(others.index.intersection(found)) > 0.85 * len(others)
    assert set(found) <= set(truth.index)
    assert cells["drop_reason"].str.startswith("empty droplet").sum() > 20


def test_corrected_counts_are_used_and_the_others_kept(raw: Path) -> None:
    atlas = anndata.read_h5ad(raw / "atlas.h5ad")
    corrected, read = atlas.layers["counts"], atlas.layers["uncorrected"]
    assert np.issubdtype(corrected.dtype, np.integer)
    assert ((read - corrected).data > 0).all()
    samples = pd.read_csv(raw / "tables" / "samples.tsv", sep="\t").set_index("sample")
    assert samples["ambient_corrected"].any()
    for name, row in samples.iterrows():
        inside = (atlas.obs["sample"] == name).to_numpy()
        taken = 1 - corrected[inside].sum() / read[inside].sum()
        if row["ambient_corrected"]:
            assert row["ambient_low"] < taken < row["ambient_high"]
        else:  # so few cells that the share cannot be told
            assert taken == 0
            assert row["ambient_found_by"] == "cannot be told"
            assert 0 < row["ambient_high"] < 0.2
    np.testing.assert_array_equal(atlas.obs["n_umis"], np.asarray(corrected.sum(axis=1)).ravel())
    assert atlas.uns["livermet"]["counts"] == "corrected for ambient RNA"


def test_the_correction_is_said_where_people_read(raw: Path) -> None:
    assert "Counts were corrected: the ambient counts" in (raw / "report.html").read_text()
    assert "counts were then corrected" in (raw / "methods.md").read_text()
    assert "cells were told from empty droplets after EmptyDrops" in (raw / "methods.md").read_text()
    notices = pd.read_csv(raw / "tables" / "notices.tsv", sep="\t")
    assert notices["what"].str.startswith("Counts were corrected").sum() == 1


def test_own_labels_and_macrophage_states_stand(raw: Path, truth: pd.DataFrame) -> None:
    labels = anndata.read_h5ad(raw / "atlas.h5ad").obs
    planted = truth.loc[labels.index, "lineage"]
    assert (labels["lineage"].astype(str) == planted).all()
    assert "T_cell" not in set(labels["lineage"])
    state = labels["state"].astype(str)
    assert (state[planted == "Kupffer_cell"] == "Mac_Kupffer").mean() > 0.6
    assert not state[~planted.isin(MACROPHAGES)].str.startswith("Mac_").any()


@pytest.fixture(scope="module")
def lane(checkout: Path, rows: list[dict[str, str]], truth: pd.DataFrame) -> Path:
    """Both mice in one h5ad: their cells, labels, two hashtags of three and an antibody, and 20 droplets with a cell of each."""
    parts = [read_sample(checkout / row["path"], sample=row["sample"], species="mouse") for row in rows]
    numbers = [part.n_obs for part in parts]
    drawn = simulate_tags(np.random.default_rng(2), 8 * sum(numbers), 3, doublets=0.2, stain_sd=0.5, negatives=0)
    single = drawn.tags[:, 1] < 0
    places = [np.flatnonzero(single & (drawn.tags[:, 0] == tag))[:number] for tag, number in enumerate(numbers)]
    both = np.flatnonzero((drawn.tags == [0, 1]).all(axis=1))[:20]
    genes = sp.vstack([*(part.X for part in parts), parts[0].X[:20] + parts[1].X[:20]])
    tags = drawn.counts[np.concatenate([*places, both])]
    protein = np.random.default_rng(3).poisson(100, (len(tags), 1))
    var = parts[0].var[["symbol"]].assign(feature_types="Gene Expression")
    names = ["HTO_A", "HTO_B", "HTO_C", "CD8a_TotalSeqB"]
    more = pd.DataFrame({"symbol": names, "feature_types": "Antibody Capture"}, index=names)
    cells = [truth.loc[part.obs_names, "lineage"] for part in parts]
    obs = pd.DataFrame(
        {"type": [*np.concatenate(cells), *["B_cell"] * 20]},
        index=[*(barcode for part in parts for barcode in part.obs["barcode"]), *(f"TWO{n:02d}" for n in range(20))],
    )
    assert obs.index.is_unique
    counts = sp.csr_matrix(sp.hstack([genes, tags, protein]), dtype=np.float32)
    anndata.AnnData(counts, obs=obs, var=pd.concat([var, more])).write_h5ad(checkout / "in/lane.h5ad")
    return checkout / "in/lane.h5ad"


def test_labels_and_hashtags_of_an_h5ad(
    checkout: Path, rows: list[dict[str, str]], truth: pd.DataFrame, lane: Path
) -> None:
    sheet = pd.DataFrame(rows).assign(path="in/lane.h5ad", raw_path="", hashtag=["HTO_A", "HTO_B"])
    design = {**DESIGN, "populations": {"T_cell": {"lineages": ["T_cell"]}}}
    config = write_study(
        checkout, "bare", sheet, quality=LENIENT, annotate={"labels": {"column": "type"}}, design=design
    )
    wanted = ["results/bare/steps/annotate_cells/lineages.parquet", "results/bare/steps/merge_samples/notices.tsv"]
    result = snakemake(checkout, *wanted, "--configfile", config)
    assert result.returncode == 0, result.stdout[-4000:]
    found = pd.read_parquet(checkout / wanted[0])
    found = found.set_index("cell") if "cell" in found else found
    assert len(found) > 200
    assert found.index.isin(truth.index).mean() > 0.97  # no cell of the other mouse, no droplet of two
    known = found.loc[found.index.isin(truth.index)]
    assert (known["lineage"].astype(str) == truth.loc[known.index, "lineage"]).all()
    steps = checkout / "results/bare/steps"
    samples = pd.read_csv(steps / "merge_samples/samples.tsv", sep="\t").set_index("sample")
    assert (samples["hashtags: singlet"] == samples["n_barcodes"]).all()
    barcodes = pd.read_parquet(steps / "merge_samples/barcodes.parquet")
    assert not barcodes["barcode"].duplicated().any()
    assert barcodes.groupby("sample")["tags"].unique().map(list).to_dict() == {"lm_1": ["HTO_B"], "sc_1": ["HTO_A"]}
    told = [pd.read_csv(steps / f"read_sample/{name}.notices.tsv", sep="\t") for name in samples.index]
    of_lane = [one.loc[one["sample"] == "lm_1, sc_1", ["what", "evidence"]].astype(str) for one in told]
    assert of_lane[0].to_numpy().tolist() == of_lane[1].to_numpy().tolist()
    assert of_lane[0]["what"].str.startswith("Samples lm_1, sc_1 were told apart by their hashtags").sum() == 1
    assert of_lane[0]["what"].tolist()[1:] == ["No cell can be said to bear HTO_C."]
