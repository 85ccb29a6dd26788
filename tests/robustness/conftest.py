"""The good study, once a session; a copy of it for each case."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.robustness.study import Study, make_study


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
