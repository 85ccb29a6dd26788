"""One run at a time on a results folder, from wherever and by whatever path it is started.

Two things together: a lock of the kernel on a file in the folder (it goes by the file and not by its path, and vanishes
with its process, also under kill -9), and the owner's name in that file (for the message, for the jobs, and where a disk
knows no locks).
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import os
import secrets
from pathlib import Path

from livermet.errors import StorageError
from livermet.files.atomic import explain
from livermet.runs.owner import Owner, hand_on

FOLDER = ".run"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_held: dict[tuple[int, int], int] = {}  # (device, inode) of the lock file -> descriptor, kept open as long as we live


def take(results: str | Path) -> str:
    """Become the owner of a results folder, until this process ends; does nothing where it is the owner already.

    Parameters
    ----------
    results
        The folder; made where it is not there.

    Returns
    -------
    str
        What is to be said about an owner that died, or nothing.

    Raises
    ------
    StorageError
        Where another run owns the folder, or the folder cannot be written.
    """
    path = Path(results) / FOLDER / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)  # not inherited: a job holds nothing
    except OSError as error:
        raise explain(error, path) or error from None
    stat = os.fstat(descriptor)
    key = (stat.st_dev, stat.st_ino)
    if key in _held:
        os.close(descriptor)
        return ""
    try:
        word = _judge(Path(results), path, locked=_lock(descriptor))
        _write(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    _held[key] = descriptor
    return word


def _lock(descriptor: int) -> bool | None:
    """Whether the kernel's lock is ours; None where this disk has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def _judge(results: Path, path: Path, locked: bool | None) -> str:
    owner = Owner.read(path)
    if locked is False or (owner and locked is None and owner.is_here and not owner.is_dead):
        raise StorageError.of(
            str(results),
            f"another run is at work here: {owner or 'it is just starting'}",
            remedy="Wait for it to end, or stop it; or give your study another name (`study:` in the config)",
        )
    if owner is None:
        return ""
    if not owner.is_here:
        # The kernel's lock may not reach from one machine to another over a network disk: the name is believed.
        raise StorageError.of(
            str(results),
            f"another run is at work here: {owner}; from this machine it cannot be seen whether it still lives",
            remedy=f"Wait for it to end. If it is dead, remove {path} and run the same command again",
        )
    return f"The last run in {results} did not come to its end ({owner}). This one goes on from what it has left."


def _write(descriptor: int, path: Path) -> None:
    owner = Owner.here(secrets.token_hex(8))
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, owner.to_text().encode(), 0)
        os.fsync(descriptor)
    except OSError as error:
        raise explain(error, path) or error from None
    hand_on(path, owner.token)
    atexit.register(_let_go, descriptor, os.getpid())


def _let_go(descriptor: int, pid: int) -> None:
    """At the end: nobody owns the folder. The file stays, for a lock on a removed file protects nothing."""
    if os.getpid() == pid:  # not in a forked worker
        os.ftruncate(descriptor, 0)
        os.close(descriptor)
