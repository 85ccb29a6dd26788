"""Provenance: versions that are there, checksums that are right, commits that are honest."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from livermet.report.versions import OPTIONAL, PACKAGES, describe_inputs, read_commit, read_versions

ROOT = Path(__file__).resolve().parents[3]


def test_every_direct_dependency_is_recorded_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = [line for lines in project["optional-dependencies"].values() for line in lines]
    for listed, named in ((project["dependencies"], PACKAGES), (optional, OPTIONAL)):
        assert {re.split(r"[<>=!~ \[;]", line)[0].lower() for line in listed} == set(named)


def test_versions_are_those_installed() -> None:
    import numpy as np

    found = read_versions()
    assert found["packages"]["numpy"] == np.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert not any("+" in version for version in found["packages"].values() if version)


def test_checksums(tmp_path: Path) -> None:
    first, second = tmp_path / "a.bin", tmp_path / "b.bin"
    first.write_bytes(b"counts" * 400_000)
    second.write_bytes(b"")
    table = describe_inputs({"s1": [str(first)], "s2": [str(first), str(second)]})
    assert table["sample"].tolist() == ["s1", "s2", "s2"]
    assert table["bytes"].tolist() == [2_400_000, 2_400_000, 0]
    assert table["sha256"].tolist() == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, first, second)
    ]


def test_commit_and_changes(tmp_path: Path) -> None:
    assert read_commit(tmp_path) == (None, False)

    def git(*arguments: str) -> str:
        options = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *options, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.strip()

    git("init", "-q")
    (tmp_path / "x").write_text("1")
    git("add", "x")
    git("commit", "-q", "-m", "x")
    assert read_commit(tmp_path) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "new").write_text("an output, not a change")
    assert read_commit(tmp_path)[1] is False
    (tmp_path / "x").write_text("2")
    assert read_commit(tmp_path)[1] is True
