"""A Slurm that keeps no accounting is told before the first job, not found out by waiting for ever."""

from __future__ import annotations

from dataclasses import MISSING
from pathlib import Path
from typing import Any

import pytest

from livermet.errors import InputError
from livermet.runs import cluster, start

SLURM: dict[str, Any] = {"executor": "slurm", "slurm_status_command": MISSING}


@pytest.fixture
def sacct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that says what Slurm 22.05 says without accounting, and leaves a trace."""
    path = tmp_path / "bin" / "sacct"
    path.parent.mkdir()
    path.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho "Slurm accounting storage is disabled" >&2\nexit 1\n'
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent))
    return path


def test_a_cluster_without_accounting_is_refused_with_the_remedy(sacct: Path) -> None:
    with pytest.raises(
        InputError, match=r"accounting storage is disabled.*wait for ever.*slurm-status-command: squeue"
    ):
        cluster.require_status(SLURM)
    with pytest.raises(InputError, match="does not answer"):
        cluster.require_status({**SLURM, "slurm_status_command": "sacct"})


def test_who_asks_the_queue_or_stays_at_home_is_let_through(sacct: Path, tmp_path: Path) -> None:
    cluster.require_status({**SLURM, "slurm_status_command": "squeue"})
    cluster.require_status({"executor": "local"})
    cluster.require_status({"executor": None})
    assert not (tmp_path / "asked").exists(), "nothing is asked"


def test_accounting_that_answers_and_none_at_all_are_let_through(sacct: Path, tmp_path: Path) -> None:
    sacct.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    cluster.require_status(SLURM)
    assert (tmp_path / "asked").read_text() == "-X -n\n"
    sacct.unlink()
    cluster.require_status(SLURM)


def test_a_silent_accounting_is_not_waited_for_without_end(sacct: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sacct.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    monkeypatch.setattr(cluster, "TIMEOUT", 0.3)
    with pytest.raises(InputError, match=r"no answer within 0\.3 s"):
        cluster.require_status(SLURM)


def test_a_job_that_fails_elsewhere_is_told_with_status_and_logs() -> None:
    from snakemake.logging import logger
    from snakemake_interface_logger_plugins.common import LogEvent

    said: list[str] = []
    before = list(logger.handlers)
    cluster.tell_failures({"executor": "local"}, said.append)
    cluster.tell_failures({"executor": MISSING}, said.append)
    assert logger.handlers == before
    try:
        for _ in range(2):  # once is enough
            cluster.tell_failures(SLURM, said.append)
        told = {
            "rule_name": "read_sample",
            "rule_msg": "SLURM-job '52' failed,\n status is: 'CANCELLED'.",
            "log": ["a.log", "52.log"],
        }
        logger.error("Error in rule", extra={"event": LogEvent.JOB_ERROR, **told})
        logger.error("something else")
    finally:
        for handler in set(logger.handlers) - set(before):
            logger.removeHandler(handler)
    assert said == ["Job read_sample failed. SLURM-job '52' failed, status is: 'CANCELLED'. Logs: a.log, 52.log"]


def test_the_profile_is_what_is_looked_at(sacct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the README says it, `--profile profiles/slurm`: refused before anything is written, let through once mended."""
    monkeypatch.setenv("PATH", f"{sacct.parent}:/usr/bin:/bin")
    profile = Path(__file__).resolve().parents[3] / "profiles" / "slurm" / "config.yaml"
    (tmp_path / "slurm").mkdir()
    mine = tmp_path / "slurm" / "config.yaml"
    mine.write_text(profile.read_text(encoding="utf-8"))
    command = ["snakemake", "--profile", str(mine.parent)]
    results = tmp_path / "results"
    with pytest.raises(InputError, match="slurm-status-command: squeue"):
        start.begin(results, command, print)
    assert not results.exists()
    start._options.cache_clear()
    mine.write_text(mine.read_text().replace("# slurm-status-command: squeue", "slurm-status-command: squeue"))
    monkeypatch.setattr(start.lock, "take", lambda folder: "")
    monkeypatch.setattr(start, "tell_failures", lambda options, say: None)
    assert start.begin(results, command, print) == []
