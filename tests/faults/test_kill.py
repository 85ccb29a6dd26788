"""kill -9 of a job, of Snakemake, of all of them, at every rule: one command afterwards gives a clean run's results."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path

import pytest
from tests.conftest import copy_checkout, snakemake
from tests.faults.conftest import HALF
from tests.faults.harness import INJECTION, assert_equal, bytes_of, jobs_alive, results, run, truncate
from tests.faults.study import write_study

pytestmark = pytest.mark.workflow

CHOSEN = [
    ("simulate_demo", "job"),
    ("read_sample", "main"),
    ("merge_samples", "group"),
    ("cluster_cells", "main"),
    ("call_states", "job"),
]
DELIVERED = ("report.html", "atlas.h5ad", "methods.md", "tables/", "figures/", "provenance/")


def first_output(clean: Path, rule: str) -> str:
    """An output of a rule: what its job has left, says its record."""
    logs = results(clean) / "logs"
    records = [logs / f"{rule}.outputs.json", *sorted((logs / rule).glob("*.outputs.json"))]
    return str(next(iter(json.loads(next(file for file in records if file.is_file()).read_text()))))


def strike(folder: Path, clean: Path, rule: str, kind: str, *, late: bool, cores: int) -> None:
    """Kill at a rule: before its first output has its name, or when all have and Snakemake does not know yet."""
    target = first_output(clean, rule)
    at = rf"logs/{rule}(/.*)?\.outputs\.json$" if late else re.escape(target) + "$"
    result = run(folder, target, cores=cores, fault=(kind, at))
    assert result.returncode != 0, f"{rule} was not struck: {result.stdout[-3000:]}"
    if kind == "job":
        assert f"logs/{rule}" in result.stdout
        assert "ends without an end: the job was killed" in result.stdout
    for _ in range(30):
        if not jobs_alive(folder):
            return
        time.sleep(0.1)
    pytest.fail(f"{rule}, {kind}: jobs outlive their run: {jobs_alive(folder)}")


def test_chosen_rules_struck_one_after_the_other_end_in_a_clean_runs_results(half: Path, tmp_path: Path) -> None:
    """Here, too: one core instead of two, a shuffled sheet, another folder, with a network; resumed and not clean."""
    folder = copy_checkout(tmp_path / "some" / "where" / "else")
    write_study(folder, shuffled=True)
    for number, (rule, kind) in enumerate(CHOSEN):
        strike(folder, half, rule, kind, late=bool(number % 2), cores=1)
    result = run(folder, HALF, cores=1)
    assert result.returncode == 0, result.stdout[-3000:]
    assert assert_equal(folder, half) > 60


@pytest.fixture
def finished(demo: Path, tmp_path: Path) -> Path:
    """The finished demo, with a title that is about to change: report, methods and publication are to be made anew."""
    folder = tmp_path / "livermet"
    shutil.copytree(demo, folder, copy_function=shutil.copy2, symlinks=True)
    return folder


def test_a_failed_rerun_leaves_the_last_deliverables_readable(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, config = finished / "results" / "demo", finished / "config" / "config.yaml"
    before, plain = bytes_of(study), config.read_text()
    config.write_text(plain.replace("in 24 simulated mice", "in 24 mice that were simulated"))
    monkeypatch.setenv("PYTHONPATH", str(INJECTION))
    # The report's job is killed: nothing that people read has changed, although methods.md was made anew.
    monkeypatch.setenv("FAULT_KIND", "job")
    monkeypatch.setenv("FAULT_AT", r"deliverables/report\.html$")
    assert snakemake(finished).returncode != 0
    assert not (study / "steps" / "deliverables" / "report.html").exists()
    after = bytes_of(study)
    delivered = {name for name in before if name.startswith(DELIVERED)}
    assert len(delivered) > 80
    assert {name: after.get(name) for name in delivered} == {name: before[name] for name in delivered}
    # The publication is killed between two renames: the next command finishes it and goes on to what is asked for now.
    monkeypatch.setenv("FAULT_AT", r"results/demo/tables$")
    assert snakemake(finished).returncode != 0
    monkeypatch.delenv("FAULT_AT")
    config.write_text(plain)
    result = snakemake(finished)
    assert result.returncode == 0, result.stdout[-3000:]
    assert "Finished the publication in results/demo that was broken off" in result.stdout
    assert bytes_of(study) == before


def test_what_was_removed_or_damaged_in_a_finished_study_comes_back_by_one_command(finished: Path) -> None:
    study = finished / "results" / "demo"
    before = bytes_of(study)
    (study / "report.html").unlink()
    shutil.rmtree(study / "figures")
    truncate(study / "steps" / "check_truth" / "truth.tsv", 3)
    result = snakemake(finished)
    assert result.returncode == 0, result.stdout[-3000:]
    assert "report.html is missing: it is published again" in result.stdout
    assert re.search(r"figures/answers\.pdf is missing \(and \d+ more beside it\): it is published", result.stdout)
    assert "steps/check_truth/truth.tsv has" in result.stdout
    assert bytes_of(study) == before
    assert "Nothing to be done" in snakemake(finished).stdout


@pytest.mark.faults_all
@pytest.mark.parametrize("kind", ["job", "main", "group"])
def test_every_rule_struck_ends_in_a_clean_runs_results(whole: Path, tmp_path: Path, kind: str) -> None:
    """Kill at every rule in turn, every other time after its outputs have their names; then one command."""
    folder = copy_checkout(tmp_path / "struck")
    write_study(folder, everything=True, shuffled=True)
    log = max((whole / ".snakemake" / "log").iterdir())
    rules = list(dict.fromkeys(re.findall(r"\(Rule: (\w+)\)", log.read_text())))
    rules.remove("all")
    assert len(rules) > 45
    for number, rule in enumerate(rules):
        strike(folder, whole, rule, kind, late=bool(number % 2), cores=1 + number % 2)
    result = run(folder)
    assert result.returncode == 0, result.stdout[-3000:]
    files = assert_equal(folder, whole)
    print(f"{kind}: struck at {len(rules)} rules, one command afterwards, {files} files equal a clean run's")


def test_the_injection_is_not_in_the_product() -> None:
    package = Path(__file__).parents[2] / "workflow"
    assert not [path for path in package.rglob("*.py") if "FAULT_" in path.read_text()]
    assert "FAULT_AT" not in os.environ
