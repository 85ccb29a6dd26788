"""The same config twice gives the same: table by table, and byte by byte where there is a promise of bytes."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from compare_results import bytes_differ
from tests.conftest import copy_checkout
from tests.faults.harness import assert_equal, results, run
from tests.faults.study import write_study

from livermet.files.digest import names_of

pytestmark = pytest.mark.workflow


@pytest.mark.faults_all
@pytest.mark.parametrize(("cores", "shuffled"), [(2, False), (1, True)], ids=["same-again", "one-core-shuffled"])
def test_the_whole_study_twice_says_the_same(whole: Path, tmp_path: Path, cores: int, shuffled: bool) -> None:
    folder = copy_checkout(tmp_path / "a" / "folder" / "elsewhere")
    write_study(folder, everything=True, shuffled=shuffled)
    result = run(folder, cores=cores, offline=os.geteuid() == 0)
    assert result.returncode == 0, result.stdout[-3000:]
    assert assert_equal(folder, whole) > 200
    # LZF begins from memory as it is, so its bytes are a matter of chance: intermediates in it are equal by content.
    differing = bytes_differ(results(folder), results(whole))
    assert [name for name in differing if name.endswith("atlas.h5ad") or not name.endswith(".h5ad")] == []


def test_no_result_names_the_folder_the_machine_or_the_day_it_was_made_in(demo: Path) -> None:
    study, host = demo / "results" / "demo", os.uname().nodename
    day = time.strftime("%Y-%m-%d", time.gmtime((study / "steps/publish_results/published.json").stat().st_mtime))
    texts = re.compile(rf"{day}" + (rf"|\b{re.escape(host)}\b" if len(host) > 3 else ""))  # a short name is a word
    found = []
    for name in names_of(study):
        content = (study / name).read_bytes()
        if str(demo).encode() in content:
            found.append(name)
        if name.endswith((".tsv", ".json", ".yaml", ".md", ".html")) and texts.search(content.decode()):
            found.append(name)
    assert found == []
