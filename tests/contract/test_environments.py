"""One list of dependencies: pyproject, lock and conda environments say the same."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
from make_envs import environments, locked_versions
from set_up_extras import constraints
from set_up_extras import extras as asked_for

from livermet.provenance import sources

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


NAMES = {
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "skmisc": "scikit-misc",
    "faiss": "faiss-cpu",
    "umap": "umap-learn",
    "scvi": "scvi-tools",
}


def imported(path: Path) -> set[str]:
    """Third-party packages that a file imports, anywhere in it, but for typing alone."""
    found = set()
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        found |= {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names) - {"livermet"}
    return {NAMES.get(module, module) for module in found}


def extras() -> set[str]:
    """Packages that a config may ask for where they are installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [item for items in project["optional-dependencies"].values() for item in items]
    return {re.match(r"[a-z0-9-]+", item)[0] for item in named}  # type: ignore[index]


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.match(r"[a-z0-9-]+", item)[0] for item in project["dependencies"]}  # type: ignore[index]
    used = set().union(*(imported(path) for path in (ROOT / "workflow" / "scripts").rglob("*.py")))
    assert used <= declared | extras(), used - declared


def test_what_is_optional_is_not_in_the_lock() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert extras()
    assert not [name for name in extras() if re.search(rf"^{name}==", lock, flags=re.M)]


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_what_is_optional_has_bounds_and_moves_nothing_of_the_lock(python: str) -> None:
    for item in asked_for():
        assert re.fullmatch(r"[a-z-]+>=[\d.]+,<[\d.]+", item), f"{item}: what was tried, and up to where"
    pins = dict(line.split("==") for line in constraints(python).splitlines())
    assert pins == locked_versions((ROOT / "requirements.lock").read_text(), python)


def rules() -> list[tuple[str, list[str], str]]:
    """Name, modules and conda environment of every rule."""
    found = []
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for block in re.split(r"^ *rule ", path.read_text(), flags=re.M)[1:]:
            modules = re.findall(r'"([a-z_.]+)"', re.search(r"code=sources\(([^)]*)\)", block)[1])  # type: ignore[index]
            environment = re.search(r"envs/([a-z]+)\.yaml", block)[1]  # type: ignore[index]
            found.append((block.split(":")[0], modules, environment))
    return found


@pytest.mark.parametrize(("rule", "modules", "environment"), rules(), ids=[rule[0] for rule in rules()])
def test_a_rules_environment_holds_what_its_code_imports(rule: str, modules: list[str], environment: str) -> None:
    needed = imported(ROOT / "workflow" / "scripts" / f"{rule}.py")
    for name in sources(*modules):
        needed |= imported(Path(name))
    packages = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["livermet"]["envs"][environment])
    # Reading, or checking, a kind of file that a rule does not touch needs nothing (anndata brings h5py).
    optional = {"anndata", "h5py", "matplotlib"} if environment == "report" else {"h5py", "matplotlib"}
    assert needed - optional - extras() <= packages, needed - packages
