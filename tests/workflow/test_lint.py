"""Each rule file declares and never computes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rule_files_declare(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("#"), "opens with its contract"
    if path.name != "common.smk":
        assert not re.search(r"^def ", text, flags=re.M)
    else:
        assert len(text.splitlines()) <= 60
    assert "shell:" not in text
    assert "run:" not in text
    for block in re.split(r"^ *rule ", text, flags=re.M)[1:]:
        name = block.split(":")[0]
        for needed in ('"""', "input:", "output:", "log:", "benchmark:", "conda:", "script:", "code=", "mem_mb"):
            assert needed in block, f"{name}: {needed}"
        assert f"../scripts/{name}.py" in block, f"{name}: script of the same name"


def test_every_script_is_thin_and_has_its_rule() -> None:
    rules = {name for path in RULES for name in re.findall(r"^ *rule (\w+):", path.read_text(), flags=re.M)}
    scripts = {path.stem for path in (ROOT / "workflow" / "scripts").glob("*.py")}
    assert scripts == rules
    for path in (ROOT / "workflow" / "scripts").glob("*.py"):
        assert len(path.read_text().splitlines()) <= 45, path.name


def test_snakefile_is_short() -> None:
    assert len((ROOT / "Snakefile").read_text().splitlines()) <= 60


def test_cells_know_no_treatment_and_mice_no_scanpy() -> None:
    package = ROOT / "workflow" / "scripts" / "livermet"
    for path in [*(package / "cells").glob("*.py"), *(package / "tcells").glob("*.py")]:
        text = path.read_text()
        assert "livermet.mice" not in text, path.name
        assert "p_value" not in text, path.name
    for path in (package / "mice").glob("*.py"):
        assert "scanpy" not in path.read_text(), path.name
        assert "livermet.cells" not in path.read_text(), path.name


def test_per_sample_rules_import_neither_scanpy_nor_numba() -> None:
    import subprocess
    import sys

    code = (
        "import sys, livermet.inputs.readers, livermet.inputs.canonical, livermet.cells.barcodes.quality, livermet.step;"
        "bad = {'scanpy', 'numba', 'sklearn', 'umap'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "workflow" / "scripts", capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
