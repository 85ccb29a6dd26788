"""The demo study, from counts to answers: what was planted is found, what was not stays null."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.io
import yaml
from sklearn.metrics import average_precision_score, f1_score
from tests.conftest import snakemake
from tests.strings import text_encodings

pytestmark = pytest.mark.workflow

NAMES = [question["name"] for question in yaml.safe_load(
    (Path(__file__).parents[2] / "config" / "config.yaml").read_text())["design"]["questions"]]  # fmt: skip
EQUIVALENCE = "combo_like_healthy"


@pytest.fixture(scope="module")
def results(demo: Path) -> Path:
    return demo / "results" / "demo"


@pytest.fixture(scope="module")
def cells(results: Path) -> pd.DataFrame:
    """Every barcode, with what was planted in it beside what was found."""
    found = pd.read_parquet(results / "tables" / "cells.parquet")
    found = found.set_index(found["sample"] + "_" + found["barcode"])
    truth = pd.read_parquet(results / "truth" / "cells.parquet")
    if "cell" in truth:
        truth = truth.set_index("cell")
    assert set(found.index) == set(truth.index), "every input barcode is accounted for"
    return found.join(truth.add_prefix("true_"))


@pytest.fixture(scope="module")
def answers(results: Path) -> pd.DataFrame:
    return pd.read_csv(results / "tables" / "answers.tsv", sep="\t")


def test_second_run_has_nothing_to_do(demo: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(demo, tmp_path / "livermet", copy_function=shutil.copy2)  # another worker may read the demo
    result = snakemake(Path(copy))
    assert result.returncode == 0, result.stdout
    assert "Nothing to be done" in result.stdout


def test_every_barcode_has_a_verdict(cells: pd.DataFrame) -> None:
    assert (cells["kept"] == (cells["drop_reason"].fillna("") == "")).all()
    kept = cells[cells["kept"]]
    assert kept[["lineage", "state", "leiden"]].notna().all().all()
    good = ~cells["true_is_doublet"] & ~cells["true_low_quality"]
    assert cells.loc[good, "kept"].mean() > 0.9, "good cells are not thrown away"
    assert cells.loc[cells["true_low_quality"], "kept"].mean() < 0.3


def test_lineages_are_found(cells: pd.DataFrame) -> None:
    kept = cells[cells["kept"] & ~cells["true_is_doublet"] & ~cells["true_low_quality"]]
    truth = kept["true_lineage"]
    common = truth.value_counts().loc[lambda n: n >= 10].index
    scores = f1_score(truth, kept["lineage"], labels=list(common), average="macro")
    assert scores >= 0.95


def test_states_are_found_and_most_cells_called(cells: pd.DataFrame) -> None:
    kept = cells[cells["kept"] & ~cells["true_is_doublet"] & ~cells["true_low_quality"]]
    tcells = kept[(kept["true_lineage"] == "T_cell") & (kept["lineage"] == "T_cell")]
    called = tcells[tcells["state"] != "unassigned"]
    assert len(called) / len(tcells) >= 0.75
    states = sorted(tcells["true_state"].unique())
    assert f1_score(called["true_state"], called["state"], labels=states, average="macro") >= 0.85


def test_doublets_score_high(cells: pd.DataFrame) -> None:
    scored = cells[cells["doublet_score"].notna()]
    assert average_precision_score(scored["true_is_doublet"], scored["doublet_score"]) >= 0.5
    singlets = scored[~scored["true_is_doublet"]]
    assert singlets["is_doublet"].mean() < 0.03


def test_ambient_share_is_measured(cells: pd.DataFrame) -> None:
    means = cells[cells["kept"]].groupby("sample")[["ambient_fraction", "true_ambient_fraction"]].mean()
    assert (means["ambient_fraction"] - means["true_ambient_fraction"]).abs().mean() <= 0.02


def test_loss_of_activated_cd8_is_found(results: Path) -> None:
    table = pd.read_csv(results / "tables" / "questions" / "site_untreated" / "composition.tsv", sep="\t")
    row = table[(table["population"] == "CD8_activated") & (table["level"] == "population")].iloc[0]
    assert row["log_fold_change"] < 0
    assert row["ci_high"] < 0
    truth = pd.read_parquet(results / "truth" / "abundance.parquet")
    planted = truth[(truth["population"] == "CD8_activated") & (truth["arm"] == "subcutaneous_liver.untreated")]
    assert row["ci_low"] < planted.iloc[0, planted.columns.get_loc("log_fold_change")] < row["ci_high"]


def test_combination_rescues_and_anti_pdl1_alone_does_less(results: Path) -> None:
    combo = pd.read_csv(results / "tables" / "questions" / "rescue_combo" / "rescue.tsv", sep="\t")
    row = combo[(combo["population"] == "CD8_activated") & (combo["readout"] == "abundance")].iloc[0]
    assert row["estimable"]
    assert row["ci_low"] > 0, "excludes 0"
    assert row["ci_low"] <= 1 <= row["ci_high"], "contains the planted 1"
    alone = pd.read_csv(results / "tables" / "questions" / "rescue_anti_pdl1" / "rescue.tsv", sep="\t")
    other = alone[(alone["population"] == "CD8_activated") & (alone["readout"] == "abundance")].iloc[0]
    # .3 is planted in the population of mice; those that were drawn show about 0 of it, by their true labels.
    drawn = drawn_rescue(results, "CD8_activated", "anti_pdl1")
    assert abs(drawn) < 0.3
    assert other["ci_low"] <= drawn <= other["ci_high"], "contains what these mice have"
    assert other["rescue"] < row["rescue"] - 0.5


def drawn_rescue(results: Path, state: str, treatment: str) -> float:
    """Rescue of a state's abundance by a treatment in the mice as they were drawn: from the true states of all cells."""
    truth = pd.read_parquet(results / "truth" / "cells.parquet")
    sheet = pd.read_csv(results / "tables" / "samples.tsv", sep="\t").set_index("sample")
    numbers = pd.crosstab(truth["sample"], truth["state"])
    logs = np.log2(numbers.loc[:, numbers.sum() > 50] + 0.5)
    level = logs[state] - logs.mean(axis=1)
    mean = level.groupby([sheet["site"].reindex(level.index), sheet["treatment"].reindex(level.index)]).mean()
    sick, healthy = mean["subcutaneous_liver"], mean["subcutaneous"]["untreated"]
    return float((sick[treatment] - sick["untreated"]) / (healthy - sick["untreated"]))


def test_null_question_stays_null(results: Path) -> None:
    folder = results / "tables" / "questions" / "anti_pdl1_subcutaneous"
    expression = pd.read_csv(folder / "expression.tsv", sep="\t")
    assert len(expression) > 10_000
    assert (expression["adjusted_p_value"] < 0.05).sum() <= 0.0005 * len(expression)
    rate = (expression["p_value"] < 0.05).mean()
    assert 0.02 < rate < 0.09
    pathways = pd.read_csv(folder / "pathways.tsv", sep="\t")
    assert (pathways["adjusted_p_value"] < 0.05).mean() <= 0.05
    composition = pd.read_csv(folder / "composition.tsv", sep="\t")
    assert (composition["adjusted_p_value"] < 0.05).mean() <= 0.05


def test_radiation_response_is_found_in_both_sites(results: Path) -> None:
    for question in ("rt_livermet", "rt_subcutaneous"):
        table = pd.read_csv(results / "tables" / "questions" / question / "pathways.tsv", sep="\t")
        rows = table[table["signature"] == "p53_radiation_response"]
        assert (rows["adjusted_p_value"] < 0.05).mean() > 0.7, question
        assert (rows["estimate"] > 0).mean() > 0.9, question


def test_the_contract_of_the_tables(results: Path, answers: pd.DataFrame) -> None:
    needed = {
        "expression": "population gene log_fold_change standard_error ci_low ci_high p_value consensus_p_value adjusted_p_value mean_log_cpm "
        "minimum_detectable_log_fold_change",
        "pathways": "population signature estimate p_value adjusted_p_value ci_low ci_high",
        "composition": "population level log_fold_change ci_low ci_high p_value adjusted_p_value",
        "mechanism": "readout population estimate ci_low ci_high p_value adjusted_p_value",
    }
    for name in NAMES:
        folder = results / "tables" / "questions" / name
        if name.startswith("rescue"):
            assert (folder / "rescue.tsv").is_file()
            continue
        for table, columns in needed.items():
            header = pd.read_csv(folder / f"{table}.tsv", sep="\t", nrows=5)
            assert set(columns.split()) <= set(header.columns), f"{name}/{table}"
        expression = pd.read_csv(folder / "expression.tsv", sep="\t", nrows=5)
        if name == EQUIVALENCE:  # single genes are not put to it
            assert expression.empty
            continue
        assert sum(column.startswith("n_mice_") for column in expression.columns) >= 2
    assert set(answers["question"]) == set(NAMES)
    assert answers["sentence"].str.len().gt(20).all()
    assert set(answers["tier"]) <= {"confirmatory", "exploratory", "descriptive", "not estimable"}
    for table in ("samples.tsv", "composition.tsv", "state_scores.tsv"):
        assert len(pd.read_csv(results / "tables" / table, sep="\t")) >= 24
    for figure in (results / "figures").glob("*.png"):
        assert figure.with_suffix(".pdf").is_file()
        assert figure.stat().st_size > 5_000
    assert len(list((results / "figures").glob("*.png"))) >= 8


def test_intervals_and_p_values_agree(results: Path) -> None:
    table = pd.read_csv(results / "tables" / "questions" / "combo_livermet" / "expression.tsv", sep="\t").dropna()
    excludes = (table["ci_low"] > 0) | (table["ci_high"] < 0)
    assert ((table["p_value"] < 0.05) == excludes).mean() > 0.999
    assert ((table["ci_low"] <= table["log_fold_change"]) & (table["log_fold_change"] <= table["ci_high"])).all()


def test_atlas_follows_the_conventions(results: Path, cells: pd.DataFrame) -> None:
    atlas = anndata.read_h5ad(results / "atlas.h5ad")
    assert atlas.n_obs == cells["kept"].sum()
    assert {"sample", "mouse", "site", "treatment", "tissue", "batch", "leiden", "lineage", "state"} <= set(atlas.obs)
    assert {"X_pca", "X_umap"} <= set(atlas.obsm)
    counts = atlas.layers["counts"]
    assert np.issubdtype(counts.dtype, np.integer) or (counts.data == np.round(counts.data)).all()
    assert counts.data.min() > 0
    depth = np.asarray(counts.sum(axis=1)).ravel()
    assert np.allclose(np.asarray(np.expm1(atlas.X).sum(axis=1)).ravel(), 1e4, rtol=1e-3)
    assert np.array_equal(depth, atlas.obs["n_umis"].to_numpy())


def test_every_text_of_every_h5ad_can_be_read_by_older_anndata(results: Path) -> None:
    for path in [results / "atlas.h5ad", *sorted((results / "steps").rglob("*.h5ad"))[:3]]:
        found = text_encodings(path)
        assert len(found) >= 4, path
        assert set(found.values()) <= {"string-array", "string"}, path


def test_counts_are_those_of_the_input(results: Path) -> None:
    folder = results / "input" / "sc_untreated_1"
    planted = int(scipy.io.mmread(folder / "matrix.mtx.gz").sum())
    table = pd.read_parquet(results / "tables" / "cells.parquet")
    assert table.loc[table["sample"] == "sc_untreated_1", "n_umis"].sum() == planted


def test_report_says_that_it_is_simulated_and_leads_with_answers(results: Path, answers: pd.DataFrame) -> None:
    page = (results / "report.html").read_text(encoding="utf-8")
    body = page[page.index("<body") :]
    assert "simulated" in body[:1500].lower()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "<script src" not in page
    assert '<link rel="stylesheet"' not in page
    for name in NAMES:
        assert name in page
    assert page.count("data:image/png;base64,") >= 8
    assert body.lower().index("answers") < body.lower().index("methods")
    assert "{{" not in page


def test_provenance_is_written(results: Path, demo: Path) -> None:
    config = yaml.safe_load((results / "provenance" / "config.yaml").read_text())
    assert config["seed"] == 20210104
    assert config["tcells"]["n_pcs"] == 25, "defaults are written out"
    versions = json.loads((results / "provenance" / "versions.json").read_text())
    assert "edgepython" in json.dumps(versions)
    inputs = pd.read_csv(results / "provenance" / "inputs.tsv", sep="\t")
    assert inputs["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert set(inputs["sample"]) == {
        line.split("\t")[0] for line in (demo / "config/samples.tsv").read_text().splitlines()[1:]
    }


def test_logs_of_jobs_hold_no_warning_of_a_library(results: Path) -> None:
    """A warning that is always there hides the one that matters."""
    said = [
        f"{path.name}: {line}"
        for path in (results / "logs").rglob("*.log")
        for line in path.read_text().splitlines()
        if "FutureWarning" in line or "DeprecationWarning" in line
    ]
    assert not said, said[:5]
