"""Who owns a results folder, as its jobs see it: a job whose run is gone, or has a successor, writes no more and ends.

The main process leaves its name in the lock file (see :mod:`livermet.runs.lock`) and hands the file and a token on in the
environment; jobs on a cluster find the same file on the shared disk.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from livermet.errors import StorageError

VARIABLE = "LIVERMET_RUN"
POLL = 1.0  # seconds
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PIDS = Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class Owner:
    """A run: its process, its machine, and since when."""

    pid: int
    host: str
    boot: str  # of the machine's kernel: containers on one machine share it, and it changes with a reboot
    pids: str  # the space of process numbers that `pid` counts in
    since: str
    directory: str
    token: str

    @classmethod
    def here(cls, token: str) -> Owner:
        """This process."""
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        return cls(os.getpid(), platform.node(), boot_id(), _process_space(), since, str(Path.cwd()), token)

    @classmethod
    def read(cls, path: str | Path) -> Owner | None:
        """Who is named in a lock file; None where nobody is, or the name is just being written."""
        try:
            return cls(**json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def to_text(self) -> str:
        """For the lock file."""
        return json.dumps(asdict(self)) + "\n"

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}, started in {self.directory}"

    @property
    def is_here(self) -> bool:
        """The same machine: the same kernel, or the same name with another kernel (it was started anew)."""
        return self.boot == boot_id() or self.host == platform.node()

    @property
    def is_dead(self) -> bool:
        """No such process, where this can be known."""
        if self.boot != boot_id():
            return self.host == platform.node()
        return self.pids == _process_space() and not _is_alive(self.pid)


def boot_id() -> str:
    """What tells this start of this machine's kernel from all others; the machine's name where there is none."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()


def _process_space() -> str:
    try:
        return str(_PIDS.readlink())
    except OSError:
        return ""


def _is_alive(pid: int) -> bool:
    """A process that has ended but was not yet fetched by its parent is dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return sys.platform != "linux"


def hand_on(lock: Path, token: str) -> None:
    """Tell the jobs of this process whose they are."""
    os.environ[VARIABLE] = f"{token}:{lock.absolute()}"


def is_orphan() -> bool:
    """Whether the run that this job belongs to is over: ended, or followed by another. A job without a run is none."""
    token, _, path = os.environ.get(VARIABLE, "").partition(":")
    if not token:
        return False
    owner = Owner.read(path)
    if owner is None:  # the run has ended and cleared its name, the folder was removed, or a name is just being written
        time.sleep(0.2)
        owner = Owner.read(path)
    return owner is None or owner.token != token or owner.is_dead


def require_owner() -> None:
    """Refuse to put a file in place for a run that is over: another may have begun, with other settings.

    Raises
    ------
    StorageError
        Where this job is an orphan.
    """
    if is_orphan():
        raise StorageError.of(
            f"process {os.getpid()}", "the run that started this job is over", remedy="Nothing was written by it"
        )


def end_with_owner(poll: float = POLL) -> None:
    """Watch the run that this job belongs to from a thread, and kill this process when it is over.

    Killed and not raised: an error would make Snakemake remove outputs, which by then may be the successor's.
    """
    if not os.environ.get(VARIABLE):
        return

    def watch() -> None:
        while not is_orphan():
            time.sleep(poll)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="owner", daemon=True).start()


def end_with_parent(poll: float = POLL) -> None:
    """Watch the parent of this (worker) process from a thread, and end when it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(poll)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()
