"""What tests share: a checkout of its own to run in, the demo study run once, real data where it is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data sets: LIVERMET_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get("LIVERMET_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set LIVERMET_DATA)")
    return folder


def copy_checkout(target: Path) -> Path:
    """The files that git knows or would know of, in a folder of their own: tests may edit them."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listing.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def snakemake(folder: Path, *arguments: str, cores: int = 2, timeout: int = 900) -> subprocess.CompletedProcess[str]:
    """Run Snakemake as a user would; standard output holds everything that it said."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def rules_to_run(folder: Path, *arguments: str) -> dict[str, int]:
    """Rule -> number of jobs that a dry run would start."""
    result = snakemake(folder, "--dry-run", "--quiet", "rules", *arguments)
    assert result.returncode == 0, result.stdout
    return _job_table(result.stdout.splitlines())


def _job_table(lines: Sequence[str]) -> dict[str, int]:
    jobs: dict[str, int] = {}
    inside = False
    for line in lines:
        words = line.split()
        if words == ["job", "count"]:
            inside = True
        elif inside and len(words) == 2 and words[1].isdigit() and words[0] != "total":
            jobs[words[0]] = int(words[1])
        elif inside and words and words[0] == "total":
            break
    return jobs


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which the demo study was run whole, once for all tests. Not to be changed."""
    folder = copy_checkout(tmp_path_factory.mktemp("demo") / "livermet")
    result = snakemake(folder)
    assert result.returncode == 0, result.stdout[-6000:]
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout to do with as a test likes; nothing was run in it."""
    return copy_checkout(tmp_path / "livermet")
