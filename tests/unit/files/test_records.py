"""Damage is found although a file's time has not changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from livermet.files.records import describe, find_damage, fingerprint, record

SIZE = 300_000


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "counts.h5ad"
    path.write_bytes(bytes(range(256)) * (SIZE // 256))
    (tmp_path / "logs" / "read").mkdir(parents=True)
    record(tmp_path / "logs" / "read" / "s.1.log", [path])
    return path


def damage(path: Path, at: int, what: bytes) -> None:
    time = path.stat().st_mtime_ns
    content = bytearray(path.read_bytes())
    content[at : at + len(what)] = what
    path.write_bytes(content)
    os.utime(path, ns=(time, time))


def test_untouched_files_are_silent(output: Path) -> None:
    assert find_damage(output.parent / "logs") == []
    assert (output.parent / "logs" / "read" / "s.1.outputs.json").is_file()


@pytest.mark.parametrize("at", [0, 65_000, SIZE - 70_000 + 6_000, SIZE - 300])
def test_changed_ends_are_found(output: Path, at: int) -> None:
    damage(output, at, b"\xff\x00\xff")
    assert [one.found for one in find_damage(output.parent / "logs")] == ["has another content than was written"]


def test_a_lost_end_is_found_with_both_sizes(output: Path) -> None:
    size = output.stat().st_size
    os.truncate(output, size - 1)
    found = find_damage(output.parent / "logs")
    assert str(found[0].path) == str(output)
    assert found[0].found == f"has {size - 1:,} bytes where {size:,} were written"


def test_a_missing_file_is_the_workflows_business(output: Path) -> None:
    output.unlink()
    assert find_damage(output.parent / "logs") == []


def test_small_files_are_looked_at_whole(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"x" * 100_000)
    other.write_bytes(b"x" * 60_000 + b"y" + b"x" * 39_999)
    assert fingerprint(one) != fingerprint(other)
    assert describe([one])[str(one)] == fingerprint(one)
