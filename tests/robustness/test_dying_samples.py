"""Samples that died, one without T cells, an arm that is lost: set aside by name, the rest goes on, and the report says so.

One small study is run whole. Its title and a column of notes hold what a browser, a spreadsheet or a formula setter would
make more of than text, all the way to the tables and the page.
"""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.conftest import ROOT, snakemake
from tests.robustness.study import fingerprints

from livermet.demo import cohort, writing
from livermet.demo.cells import Sample
from livermet.keys import LINEAGE, TAKEN

pytestmark = pytest.mark.workflow

EVIL = "<script>alert(1)</script> $x_1$"
ARMS = {"untreated": "untreated", "drug": "rt", "other": "anti_pdl1"}  # as the demo's simulator calls them
SHEET = """\
sample\tmouse\ttreatment\tpath\thashtag\tnote
a\tm1\tuntreated\tdata/a.h5\t\t{evil}
b\tm2\tuntreated\tdata/lane.h5\tHTO_1\t-/-
c\tm3\t drug \tdata/lane.h5\tHTO_2\t
no_t_cells\tm4\tdrug\tdata/no_t_cells.h5\t\t
few\tm5\tother\tdata/few.h5\t\t
none\tm6\tother\tdata/none.h5\t\t
unstained\tm7\tother\tdata/lane.h5\tHTO_3\t
"""
CONFIG = """\
study: dying
title: {evil}
samples: samples.tsv
embed: {{integrate: none}}
cluster: {{resolutions: [1.0], n_subsamples: 2}}
tcells: {{n_control_sets: 20}}
design:
  factors: {{treatment: [untreated, drug, other]}}
  min_cells: 5
  populations:
    T_cell: {{lineages: [T_cell]}}
    B_cell: {{lineages: [B_cell]}}
  questions:
    - {{name: drug, kind: effect, factor: treatment, level: drug, reference: untreated}}
    - {{name: other, kind: effect, factor: treatment, level: other, reference: untreated}}
"""


def write_inputs(folder: Path) -> None:
    """Five libraries; one holds b and c, told by hashtags, and should hold `unstained`; of `few` thirty cells, of `none` a trace of every count, of `no_t_cells` no T cell."""
    table = pd.read_csv(ROOT / "resources" / "demo_genes.tsv.gz", sep="\t")
    study = cohort.prepare(gene_table=table, n_genes=2500, cells_per_mouse=160, n_empty_droplets=100, seed=8)
    rng, lane = np.random.default_rng(1), []
    for line in SHEET.splitlines()[1:]:
        name, mouse, arm, path, hashtag, _ = (cell.strip() for cell in line.split("\t"))
        if name == "unstained":
            continue
        drawn = cohort.simulate(study, Sample(name, mouse, f"subcutaneous_liver.{ARMS[arm]}", "b1", "f"))
        cells, kept = drawn.cells, np.ones(len(drawn.barcodes), dtype=bool)
        if name == "few":
            kept[30:] = False
        if name == "no_t_cells":
            kept = (drawn.truth[LINEAGE] != "T_cell").to_numpy()
        if name == "none":
            cells = cells.copy()
            cells.data = rng.binomial(cells.data, 0.01).astype(np.int32)
            cells.eliminate_zeros()
        if hashtag:
            lane.append((cells, drawn.barcodes))
        else:
            writing.write_h5(folder / path, cells[np.flatnonzero(kept)], drawn.barcodes[kept], study.genes)
    write_lane(folder / "data" / "lane.h5", lane, study.genes)


def write_lane(path: Path, parts: list[tuple[sp.csr_matrix, np.ndarray]], genes: pd.DataFrame) -> None:
    """Two samples in one file, each stained by its own hashtag of three."""
    rng = np.random.default_rng(2)
    own = np.repeat([0, 1], [counts.shape[0] for counts, _ in parts])
    tags = rng.poisson(25 + (np.arange(3) == own[:, None]) * rng.lognormal(6, 0.4, (len(own), 1)))
    counts = sp.csr_matrix(sp.hstack([sp.vstack([counts for counts, _ in parts]), tags]))
    names = ["HTO_1", "HTO_2", "HTO_3"]
    every = pd.concat([genes, pd.DataFrame({"gene_id": names, "symbol": names})], ignore_index=True)
    writing.write_h5(path, counts, np.concatenate([barcodes for _, barcodes in parts]), every)
    with h5py.File(path, "r+") as file:
        kinds = file["matrix/features/feature_type"][:].astype("S24")
        kinds[-3:] = b"Multiplexing Capture"
        del file["matrix/features/feature_type"]
        file["matrix/features/feature_type"] = kinds


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the study, which was run whole."""
    folder = tmp_path_factory.mktemp("dying") / "study"
    (folder / "data").mkdir(parents=True)
    write_inputs(folder)
    for name in ("resources", "workflow"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "samples.tsv").write_text(SHEET.format(evil=EVIL))
    (folder / "config.yaml").write_text(CONFIG.format(evil=f"'{EVIL}'"))
    before = fingerprints(folder)
    result = snakemake(folder, "--snakefile", str(ROOT / "Snakefile"), "--config", "file=config.yaml")
    assert result.returncode == 0, result.stdout[-6000:]
    after = fingerprints(folder)
    assert {name: after[name] for name in before} == before, "inputs are untouched"
    return folder / "results" / "dying"


@pytest.fixture(scope="module")
def notices(results: Path) -> pd.DataFrame:
    return pd.read_csv(results / "tables" / "notices.tsv", sep="\t", dtype=str, keep_default_na=False)


def test_dead_samples_are_set_aside_by_name_with_evidence_and_remedy(notices: pd.DataFrame) -> None:
    said = notices.set_index("sample")
    few, none = said.loc["few"], said.loc["none"]
    assert "set aside" in few["what"]
    assert "fewer than 50" in few["what"]
    assert "Mouse m5 has no cells of it in any answer" in few["what"]
    assert "set aside" in none["what"]
    assert "none of its 115 barcodes passes quality control" in none["what"]
    assert none["evidence"].split(";")[0].endswith("barcodes")
    assert set(said.loc[["few", "none"], "remedy"]) == {
        "Look at its library and at `quality:` in the config, or take its row out of the sheet"
    }


def test_a_hashtag_that_did_not_stain_sets_its_sample_aside(results: Path, notices: pd.DataFrame) -> None:
    said = notices.set_index("sample")
    whole = "The sample is set aside: no cell bears its hashtag. Mouse m7 has no cells of it in any answer."
    assert (said.loc[["unstained"], "what"] == whole).sum() == 1
    lane = said.loc["b, c, unstained"]
    assert lane["what"].tolist() == [
        "No cell can be said to bear HTO_3.",
        next(
            text
            for text in lane["what"]
            if text.startswith("Samples b, c, unstained were told apart by their hashtags")
        ),
    ]
    assert lane["level"].tolist() == ["loud", "quiet"]
    cells = pd.read_parquet(results / "tables" / "cells.parquet")
    tags = cells.groupby("sample", observed=True)["tags"].unique().map(list).to_dict()
    assert (tags["b"], tags["c"], tags["a"]) == (["HTO_1"], ["HTO_2"], [""])
    assert "Counts of hashtags" in (results / "methods.md").read_text()


def test_the_rest_goes_on(results: Path) -> None:
    cells = pd.read_parquet(results / "tables" / "cells.parquet")
    kept = cells[cells["kept"].astype(bool)]
    assert set(kept["sample"]) == {"a", "b", "c", "no_t_cells"}
    assert set(cells["sample"]) == {"a", "b", "c", "no_t_cells", "few", "none"}, "every barcode is accounted for"
    assert (kept.groupby("sample").size() > 50).all()


def test_the_question_of_the_lost_arm_is_not_estimable_in_words(results: Path, notices: pd.DataFrame) -> None:
    answers = pd.read_csv(results / "tables" / "answers.tsv", sep="\t", keep_default_na=False)
    lost = answers[answers["question"] == "other"]
    assert len(lost)
    assert set(lost["tier"]) == {"not estimable"}
    assert set(lost["p_value"]) == {""}
    said = lost.loc[(lost["endpoint"] == "composition") & (lost["population"] == "B_cell"), "sentence"]
    assert said.tolist() == ["Other: what happens to B cell cannot be answered: no mouse has treatment other."]
    told = notices.set_index("sample")["evidence"]
    assert "other falls from confirmatory to not estimable" in told["mouse m5"]
    assert "0 of 3 mice are left in other" in notices.set_index("sample")["what"]["mouse m6"]


def test_the_sample_without_t_cells_is_named_and_its_other_cells_stay(results: Path, notices: pd.DataFrame) -> None:
    said = notices.set_index("sample").loc["no_t_cells"]
    assert said["what"].startswith("Sample no_t_cells has no T cells. It is left out of what is measured within them")
    assert said["evidence"].endswith(" cells kept, 0 of T_cell")
    cells = pd.read_parquet(results / "tables" / "cells.parquet")
    lineages = cells[cells["kept"].astype(bool) & (cells["sample"] == "no_t_cells")]["lineage"].astype(str)
    assert not (lineages == "T_cell").any()
    assert (lineages == "B_cell").sum() > 10
    tables = pd.read_parquet(results / "steps" / "test_composition" / "composition.parquet")
    row = tables[
        (tables["question"] == "drug") & (tables["population"] == "T_cell") & (tables["level"] == "population")
    ]
    assert row["log_fold_change"].iloc[0] < -1, "none of them is a loss, not a gap"


def test_what_was_trimmed_is_told_by_name(notices: pd.DataFrame) -> None:
    row = notices[notices["what"] == "White space around cells was taken away"].iloc[0]
    assert (row["sample"], row["step"], row["evidence"]) == ("c", "gate", "samples.tsv row 4, treatment: ' drug '")


def test_columns_besides_travel_with_the_cells(results: Path) -> None:
    atlas = anndata.read_h5ad(results / "atlas.h5ad", backed="r")
    notes = atlas.obs.groupby("sample", observed=True)["note"].first()
    assert notes[["a", "b", "c"]].astype(str).tolist() == [EVIL, "-/-", ""]
    samples = pd.read_csv(results / "tables" / "samples.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert samples["note"].tolist() == [EVIL, "-/-", "", "", "", "", ""]
    # A column that the results add must not be one that a sheet may have: it would be overwritten in silence.
    ours = {
        "sample",
        "mouse",
        "treatment",
        "path",
        "note",
        "hashtag",
        "tissue",
        "batch",
        "raw_path",
        "site",
        "leiden_1",
    }
    added = {str(column) for column in [*atlas.obs.columns, *samples] if ": " not in str(column)}
    assert added - ours <= TAKEN


def test_the_report_names_them_and_runs_nothing(results: Path) -> None:
    page = (results / "report.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x_1$" in page
    first = page[: page.index('id="provenance"')]
    for words in ("Before you read on", "few", "none", "mouse m5", "mouse m6"):
        assert words in first
    methods = (results / "methods.md").read_text()
    assert methods.startswith("# Methods: &lt;script>")


def test_no_table_holds_a_formula(results: Path) -> None:
    from livermet.names import is_formula

    for path in (results / "tables").rglob("*.tsv"):
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        for column in table:
            assert not [cell for cell in table[column] if is_formula(cell)], (path.name, column)


def test_the_resolved_config_stands_beside_the_results(results: Path) -> None:
    import yaml

    resolved = yaml.safe_load((results / "provenance" / "config.yaml").read_text())
    assert resolved["title"] == EVIL
    assert resolved["quality"]["min_cells_per_sample"] == 50, "defaults are filled in"
    assert json.loads((results / "provenance" / "versions.json").read_text())
