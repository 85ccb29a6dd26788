"""One list of dependencies: pyproject, lock and conda environments say the same."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from make_envs import environments, locked_versions

ROOT = Path(__file__).resolve().parents[2]


def test_conda_environments_follow_the_lock() -> None:
    for name, content in environments().items():
        assert (ROOT / "envs" / f"{name}.yaml").read_text() == content, f"run `make lock`: envs/{name}.yaml is stale"


def test_every_rule_names_an_environment_that_exists() -> None:
    named = set()
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        named |= set(re.findall(r"envs/([a-z]+)\.yaml", path.read_text()))
    assert named == set(environments())


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_pins_every_dependency_with_hashes(python: str) -> None:
    lock = (ROOT / "requirements.lock").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = locked_versions(lock, python)
    for dependency in project["dependencies"]:
        assert re.match(r"[a-z0-9-]+", dependency)[0] in versions  # type: ignore[index]
    pins = re.findall(r"^[a-z0-9._-]+==.*$", lock, flags=re.M)
    assert lock.count("--hash=sha256:") >= len(pins)
    assert "://" not in lock, "the lock names no host"


def test_what_is_imported_is_declared() -> None:
    names = {
        "yaml": "pyyaml",
        "sklearn": "scikit-learn",
        "skmisc": "scikit-misc",
        "faiss": "faiss-cpu",
        "umap": "umap-learn",
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.match(r"[a-z0-9-]+", item)[0] for item in project["dependencies"]}  # type: ignore[index]
    used = set()
    for path in (ROOT / "workflow" / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            used |= {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names) - {"livermet"}
    used = {names.get(module, module) for module in used}
    assert used <= declared, used - declared
