"""Nothing in the product runs what it reads: no pickle, no eval, no shell, no archive that writes where it likes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Tests are left out: they make the pickles that are to be refused.
FILES = sorted(path for folder in ("workflow", "tools", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {
    ("os", "system"), ("os", "popen"), ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"),
    ("pd", "read_pickle"), ("pd", "eval"), ("re", "template"),
}  # fmt: skip


def offences(source: str) -> list[str]:
    """What a text does that it must not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [f"import {alias.name}" for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(f"from {node.module}")
        elif isinstance(node, ast.Call):
            found += _called(node)
    return found


def _called(node: ast.Call) -> list[str]:
    words = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    found = [f"{name}={words[name]}" for name in ("shell", "allow_pickle") if words.get(name) == "True"]
    if isinstance(node.func, ast.Name) and node.func.id in CALLS:
        found.append(f"{node.func.id}()")
    if isinstance(node.func, ast.Attribute):
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        if (owner, node.func.attr) in METHODS:
            found.append(f"{owner}.{node.func.attr}()")
        if node.func.attr in ("extractall", "extract") and words.get("filter") != "'data'" and owner != "str":
            found.append(f"{node.func.attr}() without filter='data'")
        if node.func.attr in ("query", "eval") and owner in ("", "frame", "table", "df"):
            found.append(f"{node.func.attr}() of a table")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_what_it_reads(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    # pandas' `.str.extract` takes no file apart.
    found = [one for one in offences(source) if not (one.startswith("extract()") and ".str.extract(" in source)]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "eval('1')", "subprocess.run('ls', shell=True)", "yaml.load(text)",
        "np.load(path, allow_pickle=True)", "archive.extractall(folder)", "archive.extract(one)", "os.system('ls')",
    ],
)  # fmt: skip
def test_each_offence_is_seen(source: str) -> None:
    assert len(offences(source)) == 1


def test_what_is_allowed_is_let_through() -> None:
    assert (
        offences("yaml.safe_load(t); np.load(p, allow_pickle=False); a.extractall(f, filter='data'); run(['ls'])") == []
    )


def test_bandit_finds_nothing() -> None:
    pytest.importorskip("bandit")
    result = subprocess.run(
        [sys.executable, "-m", "bandit", "--quiet", "--recursive", "workflow", "tools", "benchmarks"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
