"""What a job has left, remembered beside its log, so that damage is found although a file's time has not changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from livermet.files.atomic import write_whole

ENDING = ".outputs.json"
_END = 1 << 16


@dataclass(frozen=True)
class Damage:
    """A file that is not what was written."""

    path: Path
    found: str


def fingerprint(path: str | Path) -> list[int | str]:
    """Size of a file, and a digest of its first and last 64 KiB: quick enough to look at every file before every run."""
    with Path(path).open("rb") as handle:
        digest = hashlib.blake2b(handle.read(_END), digest_size=16)
        size = handle.seek(0, 2)
        if size > _END:
            handle.seek(max(_END, size - _END))
            digest.update(handle.read())
    return [size, digest.hexdigest()]


def describe(paths: Iterable[str | Path]) -> dict[str, list[int | str]]:
    """Path -> fingerprint."""
    return {str(path): fingerprint(path) for path in paths}


def record(log: str | Path, paths: Iterable[str | Path]) -> None:
    """Remember the outputs of a job beside its log."""
    content = json.dumps(describe(paths), indent=1) + "\n"
    log = Path(log)
    write_whole(log.with_name(log.stem + ENDING), lambda partial: _write(partial, content))


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")


def find_damage(logs: Path) -> list[Damage]:
    """Outputs that are there and differ from what their jobs have left; a missing one is the workflow's own business.

    Parameters
    ----------
    logs
        Folder of the logs; every record below it is looked at.
    """
    found = []
    for file in sorted(logs.rglob(f"*{ENDING}")):
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # written whole or not at all: somebody else's
        found += compare(known)
    return found


def compare(known: Mapping[str, list[int | str]]) -> list[Damage]:
    """Files that are there and have another fingerprint than is known of them."""
    damages = []
    for name, (size, digest) in known.items():
        path = Path(name)
        if not path.is_file():
            continue
        size_now, digest_now = fingerprint(path)
        if size_now != size:
            damages.append(Damage(path, f"has {size_now:,} bytes where {size:,} were written"))
        elif digest_now != digest:
            damages.append(Damage(path, "has another content than was written"))
    return damages
