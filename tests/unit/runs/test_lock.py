"""One run on one results folder; who died gives way, who lives does not; jobs end with their run."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from livermet.errors import StorageError
from livermet.runs import lock
from livermet.runs.owner import VARIABLE, Owner, is_orphan

ROOT = Path(__file__).resolve().parents[3]
TAKE = "import sys, time; from livermet.runs.lock import take; print(take(sys.argv[1]), flush=True); time.sleep(60)"


def start(results: Path, code: str = TAKE) -> subprocess.Popen[str]:
    """Another process that owns a folder; returns when it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(results)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "scripts")},
        stdout=subprocess.PIPE,
        text=True,
    )
    process.word = process.stdout.readline().strip()  # type: ignore[attr-defined, union-attr]
    return process


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(lock, "_held", {})
    (tmp_path / "a" / "results").mkdir(parents=True)
    return tmp_path / "a" / "results" / "demo"


def test_the_second_run_is_refused_and_the_owner_named_by_every_path(results: Path, tmp_path: Path) -> None:
    owner = start(results)
    try:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "results").symlink_to(results.parent)
        for path in (results, tmp_path / "b" / "results" / "demo", os.path.relpath(results)):
            with pytest.raises(StorageError) as refused:
                lock.take(path)
            said = str(refused.value)
            assert f"another run is at work here: process {owner.pid} on {os.uname().nodename}, since 20" in said
            assert f"started in {Path.cwd()}" in said
            assert "Wait for it to end, or stop it; or give your study another name" in said
    finally:
        owner.kill()
        owner.wait()


def test_who_was_killed_gives_way_with_a_word(results: Path) -> None:
    owner = start(results)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    heir = start(results)
    try:
        assert f"did not come to its end (process {owner.pid} on" in heir.word  # type: ignore[attr-defined]
        assert Owner.read(results / ".run" / "lock").pid == heir.pid  # type: ignore[union-attr]
    finally:
        heir.kill()
        heir.wait()


def test_who_ended_leaves_no_name(results: Path) -> None:
    owner = start(results, TAKE.replace("time.sleep(60)", "None"))
    owner.wait()
    assert (results / ".run" / "lock").read_text() == ""
    assert lock.take(results) == ""
    assert lock.take(results) == "", "taken twice by one process is taken once"


def test_an_owner_on_another_machine_is_believed(results: Path) -> None:
    stranger = dataclasses.replace(Owner.here("x"), host="node17", boot="another", pid=4)
    (results / ".run").mkdir(parents=True)
    path = results / ".run" / "lock"
    path.write_text(stranger.to_text())
    with pytest.raises(StorageError, match=r"process 4 on node17.*it cannot be seen whether it still lives") as refused:
        lock.take(results)
    assert f"If it is dead, remove {path} and run the same command again" in str(refused.value)
    path.unlink()
    assert lock.take(results) == ""


def test_a_machine_that_was_started_anew_has_lost_its_runs(results: Path) -> None:
    (results / ".run").mkdir(parents=True)
    before = dataclasses.replace(Owner.here("x"), boot="the last one", pid=os.getpid())
    (results / ".run" / "lock").write_text(before.to_text())
    assert "did not come to its end" in lock.take(results)


def test_where_the_disk_knows_no_locks_the_name_decides(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_lock", lambda descriptor: None)
    (results / ".run").mkdir(parents=True)
    path = results / ".run" / "lock"
    path.write_text(dataclasses.replace(Owner.here("x"), pid=os.getppid()).to_text())
    with pytest.raises(StorageError, match=f"process {os.getppid()} on"):
        lock.take(results)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path.write_text(dataclasses.replace(Owner.here("x"), pid=ended.pid).to_text())
    assert "did not come to its end" in lock.take(results)


def test_a_job_knows_when_its_run_is_over(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_orphan(), "a notebook belongs to no run"
    lock.take(results)
    path = results / ".run" / "lock"
    assert not is_orphan()
    mine = path.read_text()
    path.write_text(dataclasses.replace(Owner.here("successor")).to_text())
    assert is_orphan(), "another run has begun"
    path.write_text("")
    assert is_orphan(), "the run has ended"
    path.write_text(mine)
    assert not is_orphan()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path.write_text(dataclasses.replace(Owner.read(path), pid=ended.pid).to_text())
    assert is_orphan(), "the run was killed"


def test_a_job_ends_with_its_run(results: Path) -> None:
    """A job at work is killed within seconds after its run was killed: it raises nothing and removes nothing."""
    code = (
        "import subprocess, sys, time; from livermet.runs.lock import take; take(sys.argv[1]);"
        "job = 'from livermet.runs.owner import end_with_owner; import time; end_with_owner(0.1); time.sleep(60)';"
        "print(subprocess.Popen([sys.executable, '-c', job], stdout=subprocess.DEVNULL).pid, flush=True); time.sleep(60)"
    )
    run = start(results, code)
    job = int(run.word)  # type: ignore[attr-defined]
    time.sleep(1.0)
    os.kill(job, 0)
    run.send_signal(signal.SIGKILL)
    run.wait()
    for _ in range(50):
        time.sleep(0.1)
        stat = Path(f"/proc/{job}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return
    os.kill(job, signal.SIGKILL)
    pytest.fail("the job outlives its run")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file where a folder should be")
    with pytest.raises((StorageError, OSError)) as refused:
        lock.take(tmp_path / "results" / "demo")
    assert "results" in str(refused.value)
