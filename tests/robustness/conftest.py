"""The good study, once a session; a copy of it for each case."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from tests.robustness.study import Study, make_study

from livermet import study as gate


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The good study. Not to be changed."""
    return make_study(tmp_path_factory.mktemp("robustness") / "good")


@pytest.fixture
def study(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A copy of the good study, and the working folder in it, as where Snakemake runs."""
    copy = Study(good, tmp_path / "study")
    monkeypatch.chdir(copy.folder)
    return copy


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resources are parsed once and not for each case: two thirds of the time that the gate takes."""
    monkeypatch.setattr(
        gate, "_read", lambda path: _parse(path, str(Path(path).resolve()), Path(path).stat().st_mtime_ns)
    )


READ = gate._read


@lru_cache
def _parse(path: str, _file: str, _changed: int) -> Any:
    return READ(path)
