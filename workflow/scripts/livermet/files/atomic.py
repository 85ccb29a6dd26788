"""A file is whole or it is not there: written under a temporary name, synced, opened again, and only then put in place."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from livermet.errors import StorageError
from livermet.files.checks import check
from livermet.runs.owner import require_owner

PARTIAL = re.compile(r"^\..+\.\d+\.partial(\.[A-Za-z0-9]+)?$")
AGAIN = "then run the same command again: it goes on from here"
_NUMBER = re.compile(r"(?:\[Errno |errno = )(\d+)")
_MEGA = 1e6


def write_whole(path: str | Path, write: Callable[[Path], None], *, rows: int | None = None) -> None:
    """Write a file so that its name never stands for less than all of it.

    Parameters
    ----------
    path
        Where the file shall stand; its folder is made where it is not there.
    write
        Writes the content under the name that it is given: beside `path`, with the same extension.
    rows
        Rows that a table should have when it is opened again.

    Raises
    ------
    StorageError
        Where disk, rights or memory do not allow it. What stood at `path` before stands there still.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        _sync(partial)
        check(partial, rows=rows)
        require_owner()
        partial.replace(path)
        sync_folder(path.parent)
    except (OSError, MemoryError, RuntimeError) as error:
        told = explain(error, path)
        if told is None:
            raise
        raise told from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def clean(folder: Path) -> list[Path]:
    """Remove what killed writers left below a folder; for the owner of the folder alone, when no job of it runs."""
    left = [Path(root) / name for root, _, names in os.walk(folder) for name in names if PARTIAL.match(name)]
    for path in left:
        path.unlink(missing_ok=True)
    return sorted(left)


def explain(error: BaseException, path: Path) -> StorageError | None:
    """What a user can do about a failed write; None where it is not the machine's fault."""
    if isinstance(error, StorageError):
        return error
    if isinstance(error, MemoryError):
        return StorageError.of(str(path), "there is not enough memory to write it", remedy=f"{_MEMORY}, {AGAIN}")
    folder = next((one for one in path.absolute().parents if one.is_dir()), Path("/"))
    number = next((found for found in map(_errno, _chain(error)) if found is not None), None)
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        free = -1
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or (number is None and 0 <= free < _MEGA):
        quota = " (or your quota is used up)" if number == errno.EDQUOT else ""
        return StorageError.of(
            str(path),
            f"no space is left on the disk{quota}: {max(free, 0) / _MEGA:,.1f} MB are free in {folder}",
            remedy=f"What stood there before is untouched. Free some space or move the results to a larger disk, {AGAIN}",
        )
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        why = "the disk is read-only" if number == errno.EROFS else "you may not write there"
        return StorageError.of(
            str(path), f"cannot be written: {why}", remedy=f"Make {folder} writable or work in another folder, {AGAIN}"
        )
    if number == errno.EIO:
        return StorageError.of(str(path), "the disk reports an error (EIO)", remedy=f"Look after the disk, {AGAIN}")
    return None


_MEMORY = "Give the run more memory, or run fewer jobs at once (--cores 1)"


def no_memory(rule: str, peak: float) -> StorageError:
    """What to say where a job's memory did not suffice; `peak` in MB."""
    return StorageError.of(
        f"rule {rule}",
        f"there is not enough memory: it had taken {peak:,.0f} MB when more was refused",
        remedy=f"{_MEMORY}; on a cluster raise mem_mb of this rule in profiles/slurm/config.yaml; {AGAIN}",
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what lies behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _errno(error: BaseException) -> int | None:
    """The system's number of an error; HDF5 and Arrow name it in words only."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = _NUMBER.search(str(error))
    return int(found[1]) if found else None


def _sync(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk, too; not every system can open a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
