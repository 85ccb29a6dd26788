"""The multiverse is off by default; one line turns it on, and the study's own specification gives the study's answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tests.conftest import rules_to_run, snakemake

pytestmark = pytest.mark.workflow

RULES = {"vary_quality", "relabel_cells", "retest_mice", "collect_multiverse", "draw_multiverse"}
SMALL = {"enabled": True, "mads": [5.0], "doublets": ["remove"], "integrate": ["none"], "resolutions": [1.0]}
KEYS = ["question", "population", "endpoint", "readout"]
NUMBERS = ["estimate", "ci_low", "ci_high", "adjusted_p_value"]


@pytest.fixture(scope="module")
def run(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished demo, to go on from."""
    return Path(shutil.copytree(demo, tmp_path_factory.mktemp("multiverse") / "livermet", copy_function=shutil.copy2))


def test_it_is_off_by_default(run: Path) -> None:
    assert not RULES & set(rules_to_run(run, "--forceall"))
    assert not (run / "results" / "demo" / "tables" / "multiverse").exists()
    assert "specification_curve" not in (run / "results" / "demo" / "report.html").read_text()


def test_one_line_turns_it_on(run: Path) -> None:
    config = run / "config" / "config.yaml"
    before = config.read_text()
    assert before.count("\n  enabled: false") == 1
    config.write_text(before.replace("\n  enabled: false", "\n  enabled: true"))
    jobs = rules_to_run(run)
    config.write_text(before)
    assert {name: jobs.get(name) for name in RULES} == {
        "vary_quality": 1, "relabel_cells": 12, "retest_mice": 12, "collect_multiverse": 1, "draw_multiverse": 1,
    }  # fmt: skip
    # No step of the study itself is done again.
    assert set(jobs) - RULES <= {"record_provenance", "write_methods", "write_report", "publish_results", "all"}


def test_the_studys_own_specification_gives_its_answers(run: Path) -> None:
    folder, config = run / "results" / "demo", run / "config" / "config.yaml"
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), "multiverse": SMALL}, sort_keys=False))
    result = snakemake(run, "results/demo/steps/deliverables/figures/specification_curve.png")
    assert result.returncode == 0, result.stdout[-6000:]
    tables = {
        name: pd.read_csv(folder / "steps" / "deliverables" / "tables" / "multiverse" / f"{name}.tsv", sep="\t")
        for name in ("estimates", "summary", "specifications")
    }
    # Two integrations; the resolution asked for and the one that the study chose.
    stability = pd.read_csv(folder / "steps" / "cluster_cells" / "stability.tsv", sep="\t")
    chosen = stability.loc[stability["chosen"], "resolution"].iloc[0]
    assert len(tables["specifications"]) == 2 * len({1.0, chosen})
    assert tables["specifications"]["failure"].isna().all()
    answers = pd.read_csv(folder / "tables" / "answers.tsv", sep="\t")
    declared = answers[answers["declared"]]
    assert len(tables["summary"]) == len(declared) > 20
    estimates = tables["estimates"]
    own = estimates[estimates["is_default"]]
    both = own.merge(declared, on=KEYS, suffixes=("", "_study"), validate="one_to_one")
    assert len(both) == len(declared)
    for name in NUMBERS:
        pd.testing.assert_series_equal(both[name], both[f"{name}_study"], check_names=False, rtol=1e-4)
    other = estimates[(estimates["integrate"] == "none") & (estimates["resolution"] == chosen)]
    assert not other["estimate"].reset_index(drop=True).equals(own["estimate"].reset_index(drop=True))
