"""Bad input: a clear error before any compute, everything at once, no traceback, nothing written."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import yaml
from tests.conftest import snakemake

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a small study of its own that would run."""
    from tests.conftest import copy_checkout

    folder = copy_checkout(tmp_path_factory.mktemp("refusals") / "livermet")
    (folder / "mine").mkdir()
    symbols = pd.read_csv(folder / "resources" / "demo_genes.tsv.gz", sep="\t")["symbol"].to_list()
    rng = np.random.default_rng(1)
    for sample in ("a", "b", "c", "d"):
        counts = scipy.sparse.random(60, len(symbols), density=0.02, random_state=rng, format="csr")
        dense = pd.DataFrame(np.ceil(counts.toarray() * 5).astype(int), columns=symbols)
        dense.index = [f"{sample}{i}" for i in range(60)]
        dense.to_csv(folder / "mine" / f"{sample}.csv.gz")
    (folder / "mine" / "samples.tsv").write_text(
        "sample\tmouse\tsite\tbatch\tpath\n"
        "a\tm1\tcontrol\tb1\tmine/a.csv.gz\n"
        "b\tm2\tcontrol\tb2\tmine/b.csv.gz\n"
        "c\tm3\ttumour\tb1\tmine/c.csv.gz\n"
        "d\tm4\ttumour\tb2\tmine/d.csv.gz\n"
    )
    config = {
        "study": "mine",
        "samples": "mine/samples.tsv",
        "design": {
            "factors": {"site": ["control", "tumour"]},
            "populations": {"T_cell": {"lineages": ["T_cell"]}},
            "questions": [
                {"name": "site", "kind": "effect", "factor": "site", "level": "tumour", "reference": "control"}
            ],
        },
    }
    (folder / "mine" / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def refused(study: Path, config: dict | None = None, sheet: str | None = None) -> str:
    """What is said when the study is run with a change; it must not have begun."""
    base = yaml.safe_load((study / "mine" / "config.yaml").read_text())
    if sheet is not None:
        (study / "mine" / "changed.tsv").write_text(sheet)
        base["samples"] = "mine/changed.tsv"
    base.update(config or {})
    (study / "mine" / "changed.yaml").write_text(yaml.safe_dump(base))
    result = snakemake(study, "--configfile", "mine/changed.yaml")
    assert result.returncode != 0, result.stdout
    assert "Traceback" not in result.stdout, result.stdout
    assert not (study / "results" / "mine").exists(), "nothing is written"
    return result.stdout


def sheet_of(study: Path) -> str:
    return (study / "mine" / "samples.tsv").read_text()


def test_the_study_itself_is_let_through(study: Path) -> None:
    result = snakemake(study, "--configfile", "mine/config.yaml", "--dry-run", "--quiet")
    assert result.returncode == 0, result.stdout


def test_unknown_config_key(study: Path) -> None:
    said = refused(study, {"quality": {"min_gene": 3}})
    assert ", quality.min_gene: unknown key. Did you mean 'min_genes'?" in said


def test_misspelt_level(study: Path) -> None:
    said = refused(study, sheet=sheet_of(study).replace("c\tm3\ttumour", "c\tm3\ttumor"))
    assert "row 4, site: 'tumor' is not a level (control, tumour). Did you mean 'tumour'?" in said


def test_missing_file(study: Path) -> None:
    assert "row 3, path: there is no 'mine/x.csv.gz'" in refused(study, sheet=sheet_of(study).replace("b.csv", "x.csv"))


def test_duplicate_sample_id(study: Path) -> None:
    assert "sample id 'a' stands 2 times" in refused(study, sheet=sheet_of(study).replace("b\tm2", "a\tm2"))


def test_one_matrix_under_two_names(study: Path) -> None:
    (study / "mine" / "copy.csv.gz").write_bytes((study / "mine" / "a.csv.gz").read_bytes())
    said = refused(study, sheet=sheet_of(study).replace("b.csv.gz", "copy.csv.gz"))
    assert "samples 'a' and 'b': the same counts (mine/a.csv.gz and mine/copy.csv.gz have the same content)" in said


@pytest.mark.parametrize(("value", "word"), [(1.5, "1.5"), (-1, "-1")])
def test_counts_that_are_not_counts(study: Path, value: float, word: str) -> None:
    table = pd.read_csv(study / "mine" / "c.csv.gz", index_col=0).astype(object)
    table.iloc[3, 7] = value
    table.to_csv(study / "mine" / "wrong.csv.gz")
    said = refused(study, sheet=sheet_of(study).replace("c.csv.gz", "wrong.csv.gz"))
    assert "wrong.csv.gz" in said
    assert word in said


def test_question_that_the_mice_cannot_answer(study: Path) -> None:
    confounded = (
        sheet_of(study)
        .replace("a\tm1\tcontrol\tb1", "a\tm1\tcontrol\tb2")
        .replace("d\tm4\ttumour\tb2", "d\tm4\ttumour\tb1")
    )
    design = yaml.safe_load((study / "mine" / "config.yaml").read_text())["design"]
    said = refused(study, {"design": {**design, "covariates": ["batch"]}}, confounded)
    assert "batch" in said
    assert "site" in said


def test_batches_that_are_the_treatment_are_not_brought_together(study: Path) -> None:
    confounded = sheet_of(study).replace("control\tb2", "control\tb1").replace("tumour\tb1", "tumour\tb2")
    said = refused(study, sheet=confounded)
    assert "batch cannot be told from site (b1: 2 control; b2: 2 tumour)" in said
    assert "Set embed.integrate to none, or name another batch_key" in said
    (study / "mine" / "confounded.tsv").write_text(confounded)
    config = yaml.safe_load((study / "mine" / "config.yaml").read_text())
    config |= {"samples": "mine/confounded.tsv", "embed": {"integrate": "none"}}
    (study / "mine" / "none.yaml").write_text(yaml.safe_dump(config))
    result = snakemake(study, "--configfile", "mine/none.yaml", "--dry-run", "--quiet")
    assert result.returncode == 0, result.stdout


def test_a_way_of_integration_that_is_not_installed(study: Path) -> None:
    if find_spec("scanorama") is not None:
        pytest.skip("Scanorama is installed")
    said = refused(study, {"embed": {"integrate": "scanorama", "batch_key": "bacth"}})
    assert ", embed.integrate: 'scanorama' needs the package scanorama, which is not installed" in said
    assert "the sample sheet has no column 'bacth'. Did you mean 'batch'?" in said


def test_everything_at_once(study: Path) -> None:
    wrong = (
        sheet_of(study).replace("c\tm3\ttumour", "c\tm3\ttumor").replace("b.csv", "x.csv").replace("d\tm4", "d d\tm4")
    )
    said = refused(study, sheet=wrong)
    assert "3 problems" in said
