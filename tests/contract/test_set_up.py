"""Set-up says in one line what is missing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def set_up(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(ROOT / "tools" / "set_up.sh"), python], cwd=folder, capture_output=True, text=True, check=False
    )


def stand_in(folder: Path, body: str) -> str:
    """A Python that answers as the test wants."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            'case "$*" in *version_info*) exit 1;; --version) echo "Python 3.9.2";; esac',
            "Python 3.9.2 is not supported",
        ),
        ('case "$*" in *ensurepip*) exit 1;; esac', "apt-get install python3-venv"),
        ('case "$*" in "-m venv .venv") exit 1;; esac', "could not make .venv here"),
        (
            'if [ "$1" = -m ]; then mkdir -p .venv/bin; printf "#!/bin/sh\\nexit 1\\n" > .venv/bin/python; '
            "chmod +x .venv/bin/python; fi",
            "is there a network?",
        ),
    ],
    ids=["old", "no venv", "not writable", "no network"],
)
def test_what_is_missing_is_said(tmp_path: Path, body: str, words: str) -> None:
    result = set_up(tmp_path, stand_in(tmp_path, body))
    assert result.returncode == 1
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / ".venv" / ".set-up").exists()


def test_no_python_at_all(tmp_path: Path) -> None:
    result = set_up(tmp_path, "python-that-is-not-there")
    assert result.returncode == 1
    assert "there is no 'python-that-is-not-there'" in result.stderr


def test_make_help_lists_every_target() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    said = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, env=environment
    ).stdout
    assert [line.split()[1] for line in said.splitlines()] == [
        "help",
        "demo",
        "test",
        "extras",
        "test-extras",
        "faults",
        "lint",
        "lock",
        "docs",
        "calibrate",
        "benchmark-cells",
        "clean",
    ]
