"""Samples put together: one gene space, nothing lost, nothing invented."""

from __future__ import annotations

import logging
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from livermet.cells.barcodes.correct import correct_ambient
from livermet.cells.barcodes.quality import assess_quality
from livermet.cells.merge import gene_union, merge_samples, shared_ids
from livermet.cells.telling import tell_mixed
from livermet.errors import InputError
from livermet.inputs.canonical import read_sample
from livermet.settings import Quality
from livermet.step import load, save

A, B, C, MT = "ENSMUSG00000000001", "ENSMUSG00000000002", "ENSMUSG00000000003", "ENSMUSG00000064351"


def sample(name: str, genes: dict[str, str], values: list[list[int]]) -> anndata.AnnData:
    obs = pd.DataFrame({"sample": name, "barcode": [f"B{n}" for n in range(len(values))]})
    obs.index = pd.Index([f"{name}_B{n}" for n in range(len(values))], name="cell")
    var = pd.DataFrame({"symbol": list(genes.values())}, index=pd.Index(list(genes), name="gene_id"))
    var[["mitochondrial", "ribosomal", "haemoglobin"]] = False
    return anndata.AnnData(sp.csr_matrix(np.array(values, dtype=np.int32)), obs=obs, var=var)


def quality(adata: anndata.AnnData, kept: list[bool]) -> pd.DataFrame:
    table = adata.obs.copy()
    table["kept"] = kept
    table["drop_reason"] = ["" if keep else "too few UMIs (3 < 500); too few genes (2 < 200)" for keep in kept]
    table["n_umis"], table["n_genes"] = adata.X.sum(axis=1).A1, adata.X.getnnz(axis=1)
    for column in ("mitochondrial_fraction", "ribosomal_fraction", "haemoglobin_fraction", "doublet_score"):
        table[column] = 0.1
    table["is_doublet"], table["ambient_fraction"] = False, [0.02 * (n + 1) for n in range(len(kept))]
    return table


def soup(adata: anndata.AnnData, source: str = "raw matrix") -> pd.DataFrame:
    sums = adata.X.sum(axis=0).A1
    told = {"ambient_found_by": "silent genes", "ambient_low": 0.01, "ambient_high": 0.05}
    return pd.DataFrame({"soup": sums / sums.sum(), "source": source, **told}, index=adata.var_names)


SHEET = pd.DataFrame(
    {"mouse": ["m2", "m1"], "site": ["NA", "None"], "batch": ["1", "2"], "path": ["x", "y"], "raw_path": ["", ""]},
    index=pd.Index(["s2", "s1"], name="sample"),
)


@pytest.fixture
def parts() -> tuple[list[anndata.AnnData], list[pd.DataFrame], list[pd.DataFrame]]:
    """Two samples; the second names Bbb by symbol, lacks Aaa and has a gene of its own."""
    first = sample("s2", {A: "Aaa", B: "Bbb", MT: "mt-Co1"}, [[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    second = sample("s1", {"Bbb": "Bbb", C: "Ccc", MT: "mt-Co1"}, [[10, 20, 30], [40, 50, 60]])
    return (
        [first, second],
        [quality(first, [True, False, True]), quality(second, [True, True])],
        [soup(first), soup(second)],
    )


def test_counts_in_one_gene_space(parts: tuple, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="livermet"):
        merged = merge_samples(*parts, SHEET)
    counts = merged.counts
    assert list(counts.var_names) == [A, B, MT, C]
    assert list(counts.var["symbol"]) == ["Aaa", "Bbb", "mt-Co1", "Ccc"]
    assert counts.var["mitochondrial"].tolist() == [False, False, True, False]
    assert list(counts.obs_names) == ["s2_B0", "s2_B2", "s1_B0", "s1_B1"]
    np.testing.assert_array_equal(counts.X.toarray(), [[1, 2, 3, 0], [7, 8, 9, 0], [0, 10, 30, 20], [0, 40, 60, 50]])
    assert counts.X.dtype == np.int32
    assert counts.X.has_sorted_indices
    assert "s2: lacks 1 of 4 genes" in caplog.text
    assert "s1: 1 genes named by symbol" in caplog.text


def test_sheet_becomes_text_columns(parts: tuple) -> None:
    obs = merge_samples(*parts, SHEET).counts.obs
    assert obs["mouse"].tolist() == ["m2", "m2", "m1", "m1"]
    assert obs["site"].tolist() == ["NA", "NA", "None", "None"]  # words, not missing values
    assert obs["batch"].tolist() == ["1", "1", "2", "2"]
    assert not {"path", "raw_path", "kept", "drop_reason"} & set(obs)


def test_every_barcode_is_accounted_for(parts: tuple, tmp_path: Path) -> None:
    merged = merge_samples(*parts, SHEET)
    assert merged.barcodes["kept"].tolist() == [True, False, True, True, True]
    assert merged.barcodes["mouse"].tolist() == ["m2", "m2", "m2", "m1", "m1"]
    samples = merged.samples.set_index("sample")
    assert samples["n_barcodes"].tolist() == [3, 2]
    assert samples["n_kept"].tolist() == [2, 2]
    assert samples["dropped: too few UMIs"].tolist() == [1, 0]
    assert samples["dropped: too few genes"].tolist() == [1, 0]
    assert samples["median_n_umis"].tolist() == [15.0, 105.0]  # of the kept cells
    assert samples["mean_ambient_fraction"].tolist() == pytest.approx([0.04, 0.03])
    for name in ("counts.h5ad", "barcodes.parquet", "samples.tsv", "soup.parquet"):
        save(getattr(merged, name.split(".")[0]), tmp_path / name)
        assert len(load(tmp_path / name)) > 0


def test_how_the_ambient_share_was_found_is_told(parts: tuple) -> None:
    samples = merge_samples(*parts, SHEET).samples.set_index("sample")
    assert samples["soup_source"].tolist() == ["raw matrix"] * 2
    assert samples["ambient_found_by"].tolist() == ["silent genes"] * 2
    assert samples[["ambient_low", "ambient_high"]].to_numpy().tolist() == [[0.01, 0.05]] * 2
    assert samples["ambient_corrected"].tolist() == [False, False]


def test_corrected_counts_go_on_and_those_read_are_kept(parts: tuple) -> None:
    counts, qualities, soups = parts
    for table in qualities:
        table["ambient_fraction"], table["kind"] = 0.25, 0
    corrected = [
        correct_ambient(adata, table, profile, sample=name, seed=1)
        for adata, table, profile, name in zip(counts, qualities, soups, SHEET.index, strict=True)
    ]
    plain, merged = merge_samples(*parts, SHEET), merge_samples(corrected, qualities, soups, SHEET)
    np.testing.assert_array_equal(merged.counts.layers["uncorrected"].toarray(), plain.counts.X.toarray())
    taken = plain.counts.X.toarray().sum(axis=1) - merged.counts.X.toarray().sum(axis=1)
    np.testing.assert_array_equal(taken, np.rint(0.25 * plain.counts.X.toarray().sum(axis=1)))
    assert merged.counts.obs["n_umis"].tolist() == merged.counts.X.sum(axis=1).A1.tolist()
    # Verdicts and what was found stay those of the counts as they were read.
    pd.testing.assert_frame_equal(merged.barcodes, plain.barcodes)
    assert merged.barcodes["ambient_fraction"].tolist() == [0.25] * 5
    # Left: a quarter times the relative error (.02 of .03), of three quarters.
    np.testing.assert_allclose(merged.counts.obs["ambient_fraction"], 0.25 * (0.02 / 0.03) / 0.75)
    assert merged.samples["ambient_corrected"].tolist() == [True, True]
    qualities[0]["ambient_fraction"] = np.nan
    corrected[0] = correct_ambient(counts[0], qualities[0], soups[0], sample="s2", seed=1)
    assert merge_samples(corrected, qualities, soups, SHEET).samples["ambient_corrected"].tolist() == [False, True]


def test_soups_in_the_same_gene_space(parts: tuple) -> None:
    found = merge_samples(*parts, SHEET).soup
    assert list(found.columns) == ["s2", "s1"]
    assert list(found.index) == [A, B, MT, C]
    np.testing.assert_allclose(found.sum(), 1)
    np.testing.assert_allclose(found["s1"], [0, 50 / 210, 90 / 210, 70 / 210])


def test_sample_without_a_cell_is_set_aside(parts: tuple, caplog: pytest.LogCaptureFixture) -> None:
    counts, qualities, soups = parts
    qualities[0] = quality(counts[0], [False] * 3)
    merged = merge_samples(counts, qualities, soups, SHEET)
    assert set(merged.counts.obs["sample"]) == {"s1"}
    assert "sample 's2' is set aside" in caplog.text
    assert merged.samples["set_aside"].tolist() == ["set aside: none of its 3 barcodes passes quality control", ""]
    assert len(merged.barcodes) == 5
    [told] = merged.notices.to_dict("records")
    assert told["sample"] == "s2"
    assert told["level"] == "loud"
    assert "Mouse m2 has no cells of it" in told["what"]
    assert told["evidence"] == "3 barcodes; too few genes: 3, too few UMIs: 3"


def test_sample_with_a_handful_of_cells_says_how_many(parts: tuple) -> None:
    counts, qualities, soups = parts
    why = "sample set aside (2 of its cells pass, fewer than 50)"
    qualities[0] = quality(counts[0], [False] * 3).assign(drop_reason=["too few UMIs (3 < 500)", why, why])
    merged = merge_samples(counts, qualities, soups, SHEET)
    assert merged.samples["set_aside"].tolist() == ["set aside: 2 of its cells pass, fewer than 50", ""]
    assert merged.samples["dropped: sample set aside"].tolist() == [2, 0]
    assert "set aside: 2 of its cells pass, fewer than 50. Mouse m2" in merged.notices["what"].iloc[0]


def test_known_doublets_check_the_scores(parts: tuple) -> None:
    counts, qualities, soups = parts
    qualities[0] = qualities[0].assign(known_doublet=["doublet", "singlet", "singlet"], doublet_score=[0.5, 0.7, 0.2])
    told = merge_samples(counts, qualities, soups, SHEET).notices.to_dict("records")[-1]
    assert (told["sample"], told["level"]) == ("s2", "quiet")
    assert "knows 1 doublets of sample s2" in told["what"]
    assert "in 50% of pairs" in told["evidence"]


def test_hashtags_of_one_sample_alone(parts: tuple, tmp_path: Path) -> None:
    counts, qualities, soups = parts
    calls = {"known_doublet": ["doublet", "singlet", ""], "tag_call": ["doublet", "singlet", "uncertain"]}
    qualities[0] = qualities[0].assign(**calls, tags=["A + B", "A", ""], tag_probability=[0.99, 0.98, 0.5])
    merged = merge_samples(counts, qualities, soups, SHEET)
    samples = merged.samples.set_index("sample")
    assert samples.loc[
        "s2", ["hashtags: singlet", "hashtags: doublet", "hashtags: negative", "hashtags: uncertain"]
    ].tolist() == [1, 1, 0, 1]
    assert samples.loc["s1", samples.columns.str.startswith("hashtags")].isna().all()
    for table in (merged.barcodes, merged.counts.obs):
        assert set(table.loc[table["sample"] == "s1", "tag_call"]) == {""}
        assert set(table.loc[table["sample"] == "s1", "tags"]) == {""}
    assert merged.barcodes["tags"].tolist()[:3] == ["A + B", "A", ""]
    save(merged.counts, tmp_path / "a.h5ad")
    assert load(tmp_path / "a.h5ad").obs["tags"].astype(str).tolist() == merged.counts.obs["tags"].tolist()


def test_several_hashtags_in_what_the_sheet_calls_one_mouse() -> None:
    table = pd.DataFrame(
        {
            "tag_call": ["singlet"] * 200 + ["doublet"] * 20,
            "tags": ["A"] * 120 + ["B"] * 78 + ["C"] * 2 + ["A + B"] * 20,
        }
    )
    sheet = pd.DataFrame({"mouse": ["m1"]}, index=["s1"])
    [told] = tell_mixed([table], sheet)
    assert told.what == "Cells of sample s1 bear 2 hashtags, and the sheet takes them for one mouse, m1."
    assert (told.evidence, told.level) == ("A 120, B 78", "loud")
    [pooled] = tell_mixed([table], sheet.assign(pool_size="2"))
    assert pooled.level == "quiet"
    assert tell_mixed([table], sheet.assign(hashtag="A")) == []
    assert tell_mixed([table[table["tags"] == "A"]], sheet) == []
    assert tell_mixed([table.drop(columns=["tag_call", "tags"])], sheet) == []


def ambient_notices(*arguments: list) -> list[dict]:
    """What is told of ambient RNA; the toy's samples also lack each other's genes, which is told, too."""
    notices = merge_samples(*arguments, SHEET).notices.to_dict("records")
    return [one for one in notices if "ambient" in one["what"].lower()]


def test_where_ambient_cannot_be_told_the_bound_is_told(parts: tuple) -> None:
    counts, qualities, soups = parts
    told_by = {"ambient_found_by": "cannot be told", "source": "estimated"}
    soups[1] = soups[1].assign(**told_by, ambient_low=0.0, ambient_high=0.004)
    [told] = ambient_notices(counts, qualities, soups)
    assert (told["sample"], told["step"], told["level"]) == ("the study", "merge_samples", "quiet")
    assert "cannot be told in 1 of 2 samples (s1)" in told["what"]
    assert told["evidence"] == "share of all UMIs: s1 at most 0.4%"
    assert "raw_path" in told["remedy"]
    soups[1]["source"] = "raw matrix"
    [measured] = ambient_notices(counts, qualities, soups)
    assert "raw_path" not in measured["remedy"]


def test_a_correction_is_told_with_the_samples_left_out(parts: tuple) -> None:
    counts, qualities, soups = parts
    for adata in counts:
        adata.layers["uncorrected"], adata.obs["ambient_left"] = adata.X.copy(), 0.0
    qualities[1]["ambient_fraction"] = np.nan
    soups[1] = soups[1].assign(ambient_found_by="cannot be told", ambient_low=np.nan, ambient_high=np.nan)
    corrected, untold = ambient_notices(counts, qualities, soups)
    assert corrected["what"].startswith("Counts were corrected")
    assert corrected["what"].endswith("cannot be told: s1.")
    assert "layer 'uncorrected'" in corrected["evidence"]
    assert untold["evidence"] == "share of all UMIs: s1 not known"


def test_nothing_to_tell(parts: tuple) -> None:
    counts, qualities, soups = parts
    again = counts[0].copy()
    again.X = again.X * 2
    again.obs = again.obs.assign(sample="s1", barcode=[f"C{number}" for number in range(3)])
    again.obs_names = [f"s1_C{number}" for number in range(3)]
    both = [counts[0], again], [qualities[0], quality(again, [True] * 3)], [soups[0], soup(again)]
    assert merge_samples(*both, SHEET).notices.empty


def test_genes_that_a_sample_lacks_are_told(parts: tuple) -> None:
    told = merge_samples(*parts, SHEET).notices.set_index("sample")
    assert list(told.index) == ["s2", "s1"]
    assert told.loc["s2", "what"] == "Sample s2 lacks 1 of the 4 genes of the study; they count as 0 in it."
    # of s1's 210 UMIs in kept cells 70 lie in Ccc; of s2's 30, 8 lie in Aaa
    assert told.loc["s2", "evidence"] == "samples that have them hold 33.33% of their UMIs in them, most in Ccc"
    assert told.loc["s1", "evidence"] == "samples that have them hold 26.67% of their UMIs in them, most in Aaa"
    assert set(told["level"]) == {"loud"}


def test_genes_named_as_in_no_other_sample_are_refused(parts: tuple) -> None:
    counts, qualities, soups = parts
    other = sample("s1", {"Xkr4": "Xkr4", "Rp1": "Rp1", "mt-Nd1": "mt-Nd1"}, [[10, 20, 30], [40, 50, 60]])
    alone = [counts[0], other], qualities, [soups[0], soup(other)]
    with pytest.raises(
        InputError, match=r"sample 's1': 3 of its 3 genes are in no other sample .*like Xkr4, Rp1"
    ) as error:
        merge_samples(*alone, SHEET)
    assert len(error.value.problems) == 2


def test_no_cell_in_any_sample(parts: tuple) -> None:
    counts, _, soups = parts
    with pytest.raises(
        InputError, match="'s1': it is set aside: none of its 2 barcodes passes quality control, and so is"
    ):
        merge_samples(counts, [quality(counts[0], [False] * 3), quality(counts[1], [False] * 2)], soups, SHEET)


def test_symbol_with_two_ids_stays_apart(caplog: pytest.LogCaptureFixture) -> None:
    tables = [
        pd.DataFrame({"symbol": ["Dup", "Dup", "One"]}, index=[A, B, C]),
        pd.DataFrame({"symbol": ["Dup", "One"]}, index=["Dup", "One"]),
    ]
    assert shared_ids(tables) == {"One": C}
    assert "Dup" in caplog.text
    genes = gene_union(tables)
    assert genes["symbol"].is_unique
    assert genes.loc[A, "symbol"] == "Dup"


def test_symbol_comes_from_the_sample_that_has_it() -> None:
    tables = [pd.DataFrame({"symbol": [A, "Bbb"]}, index=[A, B]), pd.DataFrame({"symbol": ["Aaa"]}, index=[A])]
    assert gene_union(tables)["symbol"].tolist() == ["Aaa", "Bbb"]


@pytest.mark.real
def test_real_samples_merge_to_one_gene_space(real_data: Path) -> None:
    folder = real_data / "zilionis_lung"
    sheet = pd.read_csv(folder / "samples.tsv", sep="\t", dtype=str).set_index("sample")
    samples = [read_sample(folder / path, sample=name, species="mouse") for name, path in sheet["path"].items()]
    settings = {**Quality().model_dump(exclude={"ambient", "call_cells", "counts", "hashtags"}), "min_umis": 300}
    assessed = [
        assess_quality(adata, None, sample=name, seed=1, **settings)
        for name, adata in zip(sheet.index, samples, strict=True)
    ]
    merged = merge_samples(samples, [table for table, _ in assessed], [profile for _, profile in assessed], sheet)
    assert merged.counts.n_vars == 24248
    assert merged.counts.n_obs >= 780
    kept = [adata[table["kept"].to_numpy()].X.sum() for adata, (table, _) in zip(samples, assessed, strict=True)]
    sums = merged.counts.obs.assign(total=merged.counts.X.sum(axis=1).A1).groupby("sample", sort=False)["total"].sum()
    assert sums.tolist() == kept
    detected = {
        name: set(merged.counts.var_names[merged.counts[merged.counts.obs["sample"] == name].X.sum(axis=0).A1 > 0])
        for name in ("t_1", "t_2")
    }
    assert len(detected["t_1"] & detected["t_2"]) > 0.75 * len(detected["t_2"])  # the same names in both
