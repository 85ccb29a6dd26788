"""Write envs/*.yaml: the conda environments of the rules, with the versions of the lock.

Run by `make lock`; a test fails when the files and the lock differ.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "3.11"
CONDA_NAMES = {"igraph": "python-igraph", "matplotlib": "matplotlib-base"}
ONLY_ON_PYPI = {"edgepython", "pylimma"}


def locked_versions(lock: str, python: str = PYTHON) -> dict[str, str]:
    """Versions that the lock pins for one Python version."""
    versions = {}
    for name, version, marker in re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)(?: ; ([^\\\n]+))?", lock, flags=re.M):
        bounds = re.findall(r"python_full_version (<|>=) '([\d.]+)'", marker)
        minor = tuple(map(int, python.split(".")))
        applies = all((minor < tuple(map(int, v.split(".")))) == (op == "<") for op, v in bounds)
        if applies:
            versions[name] = version
    return versions


def environments() -> dict[str, str]:
    """Content of each envs/<name>.yaml."""
    envs = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["livermet"]["envs"]
    versions = locked_versions((ROOT / "requirements.lock").read_text())
    return {name: _environment(packages, versions) for name, packages in envs.items()}


def _environment(packages: list[str], versions: dict[str, str]) -> str:
    lines = [
        "# Written by `make lock` from pyproject.toml and requirements.lock: do not edit.",
        "channels:",
        "  - conda-forge",
        "  - bioconda",
        "  - nodefaults",
        "dependencies:",
        f"  - python={PYTHON}",
    ]
    lines += [f"  - {CONDA_NAMES.get(name, name)}={versions[name]}" for name in packages if name not in ONLY_ON_PYPI]
    pypi = [name for name in packages if name in ONLY_ON_PYPI]
    if pypi:
        lines += ["  - pip", "  - pip:", *[f"      - {name}=={versions[name]}" for name in pypi]]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the files."""
    for name, content in environments().items():
        (ROOT / "envs" / f"{name}.yaml").write_text(content)


if __name__ == "__main__":
    main()
