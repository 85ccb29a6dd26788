"""What tests share: a checkout of its own to run in, the demo study run once, real data where it is there."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data sets: LIVERMET_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get("LIVERMET_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set LIVERMET_DATA)")
    return folder


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    """A step limits its process to its threads by the environment; this process goes on with other tests."""
    names = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")]
    before = {name: os.environ.get(name) for name in names}
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


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


# Several workers of pytest-xdist share the machine's cores (`make test`): a run inside a test then takes one.
CORES = 1 if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1 else 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where there are several workers, begin with the files that take minutes; who needs the demo comes when it is made."""
    if CORES > 1:
        return
    rank: dict[Path, int] = {}
    for item in items:
        here = 3 if "workflow" not in item.keywords else 2 if "demo" in getattr(item, "fixturenames", ()) else 1
        best = rank.get(item.path, 3)
        rank[item.path] = 0 if item.path.name == "test_demo.py" else 2 if 2 in (here, best) else min(here, best)
    items.sort(key=lambda item: rank[item.path])


def run_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> Path:
    """A folder for all workers of a session: the first that asks makes it, the others wait. Not to be changed by any."""
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = base / name, base / f"{name}.done"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
            make(folder)
            done.touch()
    return folder / "livermet"


def snakemake(
    folder: Path, *arguments: str, cores: int = CORES, timeout: int = 900
) -> subprocess.CompletedProcess[str]:
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

    def make(folder: Path) -> None:
        result = snakemake(
            copy_checkout(folder / "livermet"), cores=2
        )  # the longest of all: none shall wait in the end
        assert result.returncode == 0, result.stdout[-6000:]

    return run_once(tmp_path_factory, "demo", make)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout to do with as a test likes; nothing was run in it."""
    return copy_checkout(tmp_path / "livermet")
