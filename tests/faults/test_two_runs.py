"""Two runs on one results folder: the second is refused, the owner named, from wherever it is started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from tests.conftest import copy_checkout
from tests.faults.harness import INJECTION
from tests.faults.study import CONFIG, SHEET, write_study

pytestmark = pytest.mark.workflow

FIRST = "results/tiny/steps/check_design/design.json"


def start(folder: Path, *arguments: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", CONFIG, *arguments],
        cwd=folder, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def test_the_second_run_is_refused_from_everywhere_until_the_first_is_dead(tmp_path: Path) -> None:
    folder = copy_checkout(tmp_path / "livermet")
    write_study(folder)
    # The first run: its first job waits for longer than the test takes.
    slow = {"PYTHONPATH": str(INJECTION), "FAULT_AT": r"design\.json$", "FAULT_KIND": "wait"}
    first = start(folder, "--", FIRST, **slow)
    lock = folder / "results" / "tiny" / ".run" / "lock"
    for _ in range(600):
        if lock.exists() and "pid" in lock.read_text():
            break
        time.sleep(0.1)
    try:
        # Another working directory, in which results/ is a link to the first one's.
        other = tmp_path / "other"
        other.mkdir()
        for name in ("results", "resources", "config", "workflow", CONFIG, SHEET):
            (other / name).symlink_to(folder / name)
        seconds = [start(folder, "--", FIRST), start(folder, "--directory", str(other), "--", FIRST)]
        for second in seconds:
            said = second.communicate(timeout=120)[0]
            assert second.returncode != 0
            assert f"results/tiny: another run is at work here: process {first.pid} on {os.uname().nodename}" in said
            assert f"started in {folder}" in said
            assert "Traceback" not in said
        for looking in (["-n"], ["--unlock"], ["--lint"]):
            second = start(folder, *looking)
            said = second.communicate(timeout=120)[0]
            assert "another run is at work" not in said
            assert second.returncode == 0, said
    finally:
        os.killpg(first.pid, 9)
        first.wait()
    heir = start(folder, "--", FIRST)
    said = heir.communicate(timeout=120)[0]
    assert heir.returncode == 0, said
    assert f"did not come to its end (process {first.pid} on" in said
    assert (folder / FIRST).is_file()
    assert lock.read_text() == "", "who ends by itself leaves no name"
    assert yaml.safe_load((folder / "profiles" / "default" / "config.yaml").read_text())["nolock"] is True
