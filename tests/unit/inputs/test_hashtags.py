"""Hashtags among a file's features: found in every format, used for doublets, and for samples that share a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.unit.inputs.conftest import GENES, write_folder, write_h5, write_table

from benchmarks.cells.tagged import Tagged, simulate_tags
from livermet.errors import InputError
from livermet.inputs import emptydrops
from livermet.inputs.hashtags import are_hashtags, read_features
from livermet.inputs.libraries import read_library

TYPES = ["Gene Expression"] * len(GENES) + ["Antibody Capture"] * 5
READ: dict[str, Any] = {"species": "mouse", "call_cells": "auto", "seed": 1}


@pytest.fixture(scope="module")
def drawn() -> Tagged:
    return simulate_tags(np.random.default_rng(4), 300, 4, doublets=0.15, stain_sd=0.5)


@pytest.fixture(scope="module")
def library(drawn: Tagged) -> pd.DataFrame:
    """Genes, four hashtags and an antibody against a protein x 300 cells; the antibody is on half of the cells."""
    rng = np.random.default_rng(5)
    n_cells = len(drawn.counts)
    cells = ["".join(rng.choice(list("ACGT"), 16)) + "-1" for _ in range(n_cells)]
    genes = rng.poisson(3, (len(GENES), n_cells)) + 1
    protein = rng.poisson(np.where(rng.random(n_cells) < 0.5, 400, 20))
    rows = [*GENES, "HTO_1", "HTO_2", "HTO_3", "HTO_4", "CD8a_TotalSeqB"]
    return pd.DataFrame(np.vstack([genes, drawn.counts.T, protein]), index=rows, columns=cells)


def write_h5ad(path: Path, library: pd.DataFrame, **obs: Any) -> Path:
    var = pd.DataFrame(
        {"gene_ids": list(library.index), "feature_types": TYPES}, index=[GENES.get(n, n) for n in library.index]
    )
    table = pd.DataFrame(obs, index=list(library.columns))
    anndata.AnnData(sp.csr_matrix(library.to_numpy().T.astype(np.float32)), obs=table, var=var).write_h5ad(path)
    return path


WRITERS = {
    "10x v3 folder": lambda folder, library: write_folder(folder / "a", library, types=TYPES),
    "10x v2 folder, by their names": lambda folder, library: write_folder(folder / "b", library, version=2),
    "10x h5": lambda folder, library: write_h5(folder / "a.h5", library, types=TYPES),
    "h5ad": lambda folder, library: write_h5ad(folder / "a.h5ad", library),
    "csv": lambda folder, library: write_table(folder / "a.csv", library),
}


@pytest.mark.parametrize("form", list(WRITERS))
def test_every_format_tells_the_same(form: str, tmp_path: Path, library: pd.DataFrame, drawn: Tagged) -> None:
    counts, _, notices = read_library(WRITERS[form](tmp_path, library), "", sample="s", **READ)
    assert counts.n_vars == len(GENES)
    assert counts.X.sum() == library.iloc[: len(GENES)].to_numpy().sum()
    obs = counts.obs
    two = (drawn.tags >= 0).all(axis=1)
    names = np.array(["HTO_1", "HTO_2", "HTO_3", "HTO_4", ""], dtype=object)[drawn.tags]
    known = (obs["known_doublet"] == "doublet").to_numpy()
    assert (obs["known_doublet"] == obs["tag_call"].where(obs["tag_call"].isin(["singlet", "doublet"]), "")).all()
    assert known[two].mean() > 0.85
    assert two[known].mean() > 0.95
    assert (obs["tags"].to_numpy()[known & two] == [" + ".join(pair) for pair in names[known & two]]).mean() > 0.97
    single = (obs["tag_call"] == "singlet").to_numpy()
    assert (obs["tags"].to_numpy()[single] == names[single, 0]).mean() > 0.98
    assert not obs["tags"].str.contains("CD8a").any()
    told = notices.loc[notices["what"].str.startswith("Its hashtags tell")]
    assert len(told) == 1
    assert f"tell {single.sum()} cells of one of 4 hashtags; {known.sum()} droplets" in told["what"].iloc[0]
    assert f"HTO_2 {(single & (obs['tags'] == 'HTO_2')).sum()}" in told["evidence"].iloc[0]


def features(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["id", "symbol", "type"])


@pytest.mark.parametrize(
    "name",
    ["HTO1", "HTO_A", "Hashtag_3", "Hash-tag 2", "anti-mouse_Hashtag_7", "B0301_anti-mouse_Hashtag_1_TotalSeqB", "TotalSeq-C0251",
     "TotalSeqB0305", "CMO301", "LMO2", "SampleTag01_mm", "Sample_Tag_03", "A0302", "hto-tumour"],
)  # fmt: skip
def test_names_of_hashtags(name: str) -> None:
    assert are_hashtags(features(("x", name, "Antibody Capture"))).all()
    assert are_hashtags(features((name, "x", "Antibody Capture"))).all()
    assert not are_hashtags(features(("x", name, "Gene Expression"))).any()  # a gene stays one


@pytest.mark.parametrize(
    "name",
    ["CD8a", "CD8a_TotalSeqB", "TotalSeq-B0002", "CD45_TotalSeqC", "ADT_CD4", "CITE-CD3", "IgG1_control_TotalSeqB", "B0090_IgG1",
     "CD301", "CD252", "CD301b_TotalSeqA", "Photon", "GHTO", "Ly6G", "CMO", "Thy1.2", "A0400", "H-2Kb", "TCRb", "CD3_A0034"],
)  # fmt: skip
def test_antibodies_against_proteins_are_no_hashtags(name: str) -> None:
    assert not are_hashtags(features((name, name, "Antibody Capture"), ("g", "Guide1", "CRISPR Guide Capture"))).any()


def test_types_and_wishes() -> None:
    table = features(
        ("m1", "mouse one", "Multiplexing Capture"),
        ("HTO2", "HTO2", "Antibody Capture"),
        ("CD4", "CD4", "Antibody Capture"),
    )
    assert are_hashtags(table).tolist() == [True, True, False]
    assert are_hashtags(table, "never").tolist() == [False] * 3
    assert are_hashtags(table, ["CD4", "mouse one"]).tolist() == [True, False, True]


def test_never_and_none(tmp_path: Path, library: pd.DataFrame) -> None:
    path = write_h5(tmp_path / "a.h5", library, types=TYPES)
    counts, _, notices = read_library(path, "", sample="s", hashtags="never", **READ)
    assert list(counts.obs) == ["sample", "barcode"]
    assert not notices["what"].str.contains("hashtag").any()
    plain = write_h5(tmp_path / "b.h5", library.iloc[: len(GENES)])
    assert list(read_library(plain, "", sample="s", **READ)[0].obs) == ["sample", "barcode"]


def test_what_an_h5ad_says_itself_goes_before(tmp_path: Path, library: pd.DataFrame) -> None:
    said = ["Doublet"] * 10 + ["Singlet"] * (library.shape[1] - 10)
    path = write_h5ad(tmp_path / "a.h5ad", library, **{"HTO_classification.global": said})
    counts, _, _ = read_library(path, "", sample="s", **READ)
    assert (counts.obs["known_doublet"] == "doublet").sum() == 10
    assert "tags" not in counts.obs


def test_samples_that_share_a_library(tmp_path: Path, library: pd.DataFrame, drawn: Tagged) -> None:
    path = write_h5(tmp_path / "a.h5", library, types=TYPES)
    whole, _, _ = read_library(path, "", sample="s", **READ)
    pool = {"m1": "HTO_1", "m2": "HTO_3"}
    parts = {name: read_library(path, "", sample=name, pool=pool, **READ) for name in pool}
    for name, (counts, _, notices) in parts.items():
        place = int(pool[name][-1]) - 1
        barcodes = counts.obs["barcode"]
        assert set(counts.obs["tags"]) == {pool[name]}
        assert barcodes.tolist() == whole.obs.loc[(whole.obs["tags"] == pool[name]), "barcode"].tolist()
        true = drawn.tags[[library.columns.get_loc(barcode) for barcode in barcodes]]
        assert (true == [place, -1]).all(axis=1).mean() > 0.97
        np.testing.assert_array_equal(counts.X.toarray(), library.iloc[: len(GENES)][barcodes].to_numpy().T)
        assert "known_doublet" not in counts.obs
        told = notices[notices["sample"] == "m1, m2"]
        calls = whole.obs["tag_call"].value_counts()
        nobodys = ((whole.obs["tag_call"] == "singlet") & whole.obs["tags"].isin(["HTO_2", "HTO_4"])).sum()
        assert told["what"].tolist() == [
            f"Samples m1, m2 were told apart by their hashtags; {calls['doublet']} droplets hold cells of two hashtags, "
            f"{calls.get('negative', 0)} bear none and {calls.get('uncertain', 0)} cannot be told, {nobodys} bear hashtags of no "
            "sample in the sheet: these are in no sample."
        ]
    # The library is told of once, whoever tells it.
    assert parts["m1"][2].iloc[-1].equals(parts["m2"][2].iloc[-1])


def test_a_sheet_may_name_any_feature_that_is_no_gene(tmp_path: Path, library: pd.DataFrame) -> None:
    renamed = library.rename(index={"HTO_1": "MouseA", "HTO_2": "MouseB", "HTO_3": "MouseC", "HTO_4": "MouseD"})
    path = write_h5(tmp_path / "a.h5", renamed, types=TYPES)
    pool = {f"m{number}": f"Mouse{letter}" for number, letter in enumerate("ABCD")}
    counts, _, _ = read_library(path, "", sample="m2", pool=pool, **READ)
    assert set(counts.obs["tags"]) == {"MouseC"}
    assert 50 < counts.n_obs < 90


def test_hashtags_that_are_not_there(tmp_path: Path, library: pd.DataFrame) -> None:
    path = write_h5(tmp_path / "a.h5", library, types=TYPES)
    with pytest.raises(
        InputError,
        match=r"hashtag of sample 'm1': no feature, or several, are called 'HTO_9'.*the file has HTO_1, HTO_2.*Did you mean 'HTO_\d'",
    ):
        read_library(path, "", sample="m1", pool={"m1": "HTO_9"}, **READ)
    bare = library.copy()
    bare.loc["HTO_4"] = 0
    dead = write_h5(tmp_path / "b.h5", bare, types=TYPES)
    counts, _, _ = read_library(dead, "", sample="m1", pool={"m1": "HTO_4", "m2": "HTO_1"}, **READ)
    assert counts.shape == (0, len(GENES))
    _, _, notices = read_library(dead, "", sample="m2", pool={"m1": "HTO_4", "m2": "HTO_1"}, **READ)
    assert notices.loc[notices["what"] == "No cell can be said to bear HTO_4.", "level"].tolist() == ["loud"]


def test_cells_called_from_a_raw_matrix_keep_their_tags(
    tmp_path: Path, library: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptydrops, "N_SIMULATIONS", 2000)
    rng = np.random.default_rng(6)
    ids = [*(f"ENSMUSG{number:011d}" for number in range(199)), "ENSMUSG00000064351"]
    level, soup = rng.lognormal(0, 1.5, (2, 200))
    tags = library.iloc[len(GENES) :]
    full = pd.DataFrame(rng.poisson(level[:, None] * np.full(tags.shape[1], 5)), index=ids, columns=tags.columns)
    blank = pd.DataFrame(
        np.vstack([rng.poisson(soup[:, None] * np.full(1200, 0.1)), rng.poisson(50, (5, 1200))]),
        index=[*ids, *tags.index], columns=[f"EMPTY{n:04d}" for n in range(1200)],
    )  # fmt: skip
    cells = pd.concat([full, tags])
    types = ["Gene Expression"] * 200 + ["Antibody Capture"] * 5
    plain, _, _ = read_library(write_h5(tmp_path / "cells.h5", cells, types=types), "", sample="s", **READ)
    together = pd.concat([cells, blank], axis=1)
    var = pd.DataFrame(
        {"gene_ids": list(together.index), "feature_types": types},
        index=[f"g{n}" if n < 199 else "mt-Co1" for n in range(200)] + list(tags.index),
    )
    adata = anndata.AnnData(
        sp.csr_matrix(together.to_numpy().T.astype(np.float32)), obs=pd.DataFrame(index=list(together)), var=var
    )
    adata.write_h5ad(tmp_path / "raw.h5ad")
    for path in (write_h5(tmp_path / "raw.h5", together, types=types), tmp_path / "raw.h5ad"):
        counts, empties, _ = read_library(path, "", sample="s", **READ)
        assert len(empties)
        called = counts.obs[~counts.obs["is_empty"]]
        assert set(called.index) == set(plain.obs_names)
        pd.testing.assert_series_equal(called["tag_call"], plain.obs.loc[called.index, "tag_call"])
        assert (counts.obs.loc[counts.obs["is_empty"], "tag_call"] == "").all()


def test_features_are_read_without_counts(tmp_path: Path, library: pd.DataFrame) -> None:
    for form in ("10x v3 folder", "10x v2 folder, by their names", "10x h5", "h5ad"):
        found = read_features(WRITERS[form](tmp_path, library))
        assert found is not None
        assert found["symbol"].tolist() == list(library.index[len(GENES) :])
    assert read_features(WRITERS["csv"](tmp_path, library)) is None
