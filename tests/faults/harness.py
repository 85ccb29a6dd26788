"""Run a study with a fault in it, and say whether what is left equals a clean run's."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from compare_results import differences
from tests.conftest import CORES
from tests.faults.study import CONFIG, NAME

from livermet.files.digest import names_of

INJECTION = Path(__file__).parent / "injection"
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and cgroups need root")


def run(
    folder: Path,
    *arguments: str,
    cores: int = CORES,
    fault: tuple[str, str] | None = None,
    offline: bool = False,
    **env: str,
) -> subprocess.CompletedProcess[str]:
    """Run the tiny study in a session of its own; standard output holds everything that was said.

    Parameters
    ----------
    folder
        The checkout.
    arguments
        Targets and options.
    cores
        Cores.
    fault
        What strikes (job, main, group) and the pattern of the file before whose replacement it does.
    offline
        Without any network.
    env
        More variables.
    """
    variables = {**os.environ, "PYTHONPATH": str(INJECTION), **env}
    if fault:
        variables |= {"FAULT_KIND": fault[0], "FAULT_AT": fault[1]}
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", CONFIG, "--", *arguments]
    if arguments and arguments[0].startswith("-"):
        command.remove("--")
    return subprocess.run(
        [*(["unshare", "--net"] if offline else []), *command],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
        start_new_session=True,
    )


def results(folder: Path) -> Path:
    return folder / "results" / NAME


def assert_equal(folder: Path, clean: Path, *, only: tuple[str, ...] = ()) -> int:
    """Every file says what it says after a clean run, none is missing, none is left over; gives the number of files."""
    found = differences(results(folder), results(clean))
    if only:
        found = [name for name in found if name.startswith(only)]
    assert found == []
    left = [str(path) for path in results(folder).rglob("*.partial*")]
    assert left == []
    return sum(path.is_file() for path in results(folder).rglob("*"))


def bytes_of(study: Path) -> dict[str, str]:
    """A checksum of every file of a study, byte by byte: stricter than by content, and quicker."""
    return {name: hashlib.blake2b((study / name).read_bytes()).hexdigest() for name in names_of(study)}


def jobs_alive(folder: Path) -> list[str]:
    """Processes at work in a checkout."""
    found = subprocess.run(["pgrep", "-af", str(folder)], capture_output=True, text=True, check=False).stdout
    return [line for line in found.splitlines() if "pgrep" not in line and "pytest" not in line]


def copy_study(source: Path, target: Path) -> Path:
    """A checkout with its results and Snakemake's notes, times kept."""
    return Path(shutil.copytree(source, target, copy_function=shutil.copy2, symlinks=True))


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own in memory, with what was in the folder."""
    aside = folder.with_name(folder.name + ".aside")
    folder.rename(aside)
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        shutil.copytree(aside, folder, copy_function=shutil.copy2, dirs_exist_ok=True)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def truncate(path: Path, by: int) -> int:
    """Take the end off a file and keep its time; gives the size that it had."""
    stat = path.stat()
    os.truncate(path, stat.st_size - by)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return stat.st_size


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Fill a disk up to some bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb") as handle:
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        handle.write(b"\0" * max(0, free - leave))
    return ballast
