"""A run begins by putting right what the last one has left; who only looks changes nothing."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from livermet.files.records import record
from livermet.runs import lock, start
from livermet.runs.publishing import MARKER


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study with a damaged output, a rest of a killed writer and a deliverable that somebody has removed."""
    monkeypatch.setattr(lock, "_held", {})
    monkeypatch.delenv("LIVERMET_RUN", raising=False)
    folder = tmp_path / "results" / "demo"
    for name in ("logs", "steps/publish_results", "steps/read"):
        (folder / name).mkdir(parents=True)
    output = folder / "steps" / "read" / "s.parquet"
    output.write_bytes(b"x" * 100)
    record(folder / "logs" / "read.log", [output])
    os.truncate(output, 99)
    (folder / "steps" / "read" / ".t.tsv.99.partial.tsv").touch()
    (folder / "steps" / "publish_results" / "set.json").write_text('{"report.html": [3, "x"]}')
    (folder / MARKER).write_text("{}")
    return folder


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_run_mends_and_says_so(results: Path) -> None:
    said: list[str] = []
    again = start.begin(results, ["snakemake", "--cores", "2"], said.append)
    assert again == [str(results / "steps" / "read" / "s.parquet")]
    assert not (results / "steps" / "read" / "s.parquet").exists()
    assert not (results / "steps" / "read" / ".t.tsv.99.partial.tsv").exists()
    assert not (results / MARKER).exists(), "so that the deliverables are published again"
    assert [line.replace(f"{results}/", "") for line in said] == [
        "Removed steps/read/.t.tsv.99.partial.tsv, which a killed job was writing.",
        "steps/read/s.parquet has 99 bytes where 100 were written: it is made again.",
        "report.html is missing: it is published again.",
    ]


@pytest.mark.parametrize(
    "options",
    [["-n"], ["-np"], ["--dry-run", "--cores", "2"], ["--unlock"], ["--lint"], ["--report", "r.html"], ["--dag"], ["--summary"]],
)  # fmt: skip
def test_who_only_looks_changes_nothing(results: Path, options: list[str]) -> None:
    before, said = listing(results), []
    assert start.begin(results, ["/x/bin/snakemake", *options], said.append) == []
    assert listing(results) == before
    assert any("s.parquet has 99 bytes where 100 were written: the next run will mend it" in line for line in said)


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        (["snakemake", "--cores", "2"], True),
        (["/x/snakemake/__main__.py", "--cores", "2", "--report-after-run", "--report", "r.html"], True),
        (["snakemake", "--cores", "1", "--touch"], True),
        (["snakemake", "--cores", "1", "--delete-all-output"], True),
        (["pytest", "--cores", "2"], False),
        ([], False),
    ],
)
def test_what_runs_and_what_does_not(arguments: list[str], runs: bool) -> None:
    assert start.will_run(arguments) is runs


def test_jobs_that_were_killed_are_named(tmp_path: Path) -> None:
    logs = {
        "done": "INFO x\n2026 INFO done in 1.0 s; the process", "failed": "2026 ERROR failed", "killed": "2026 INFO read_sample",
        "old": "2026 INFO killed yesterday",
    }  # fmt: skip
    for name, text in logs.items():
        (tmp_path / f"{name}.log").write_text(text)
    os.utime(tmp_path / "old.log", (1, 1))
    said: list[str] = []
    start.tell_killed(tmp_path, 100.0, said.append)
    assert len(said) == 1
    assert said[0].startswith(f"{tmp_path}/killed.log ends without an end: the job was killed. Most often memory")


@pytest.mark.parametrize(("local", "paced"), [(True, False), (False, True)])
def test_jobs_of_this_machine_are_not_paced_those_of_a_cluster_are(local: bool, paced: bool) -> None:
    workflow = SimpleNamespace(local_exec=local, scheduler=SimpleNamespace(job_rate_limiter="100 a second"))
    start.unpace(workflow)
    assert (workflow.scheduler.job_rate_limiter is not None) is paced
    start.unpace(SimpleNamespace())  # another Snakemake, which has none of it


def test_the_locked_snakemake_keeps_its_limit_where_it_is_taken_off() -> None:
    """Where a new one does not, `unpace` does nothing: then see whether it is needed still."""
    from snakemake.scheduling.job_scheduler import JobScheduler
    from snakemake.workflow import Workflow

    assert "if self.job_rate_limiter is None:" in inspect.getsource(JobScheduler.job_selector)
    assert isinstance(Workflow.local_exec, property)
