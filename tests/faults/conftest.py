"""The tiny study, run clean once: its first half for every day, the whole of it for the complete matrix."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.conftest import copy_checkout, run_once
from tests.faults import harness
from tests.faults.study import write_study

# As far as every cell has its label: all that is random happens before.
HALF = "results/tiny/steps/label_cells/labels.parquet"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("LIVERMET_FAULTS") == "all":
        return
    for item in items:
        if "faults_all" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="the complete matrix takes an hour: make faults"))


@pytest.fixture(scope="session")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean run of the first half on two cores; without a network where that can be had. Not to be changed."""

    def make(folder: Path) -> None:
        write_study(copy_checkout(folder / "livermet"))
        result = harness.run(folder / "livermet", HALF, cores=2, offline=os.geteuid() == 0)
        assert result.returncode == 0, result.stdout[-6000:]

    return run_once(tmp_path_factory, "half", make)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean run of every rule that there is, on two cores. Not to be changed."""

    def make(folder: Path) -> None:
        write_study(copy_checkout(folder / "livermet"), everything=True)
        result = harness.run(folder / "livermet", cores=2)
        assert result.returncode == 0, result.stdout[-6000:]

    return run_once(tmp_path_factory, "whole", make)
