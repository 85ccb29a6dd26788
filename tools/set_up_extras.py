"""Install the optional packages of pyproject.toml into .venv, beside the lock and without moving any of its versions."""

from __future__ import annotations

import subprocess  # pip, without a shell # nosec B404
import sys
import tempfile
import tomllib
from pathlib import Path

from make_envs import locked_versions

ROOT = Path(__file__).resolve().parents[1]


def extras() -> list[str]:
    """What pyproject.toml offers, as pip takes it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [item for items in project["optional-dependencies"].values() for item in items]


def constraints(python: str) -> str:
    """The lock's versions for one version of Python, as pip takes constraints (with hashes it would ask for all of them)."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return "".join(f"{name}=={version}\n" for name, version in sorted(locked_versions(lock, python).items()))


def main() -> None:
    """Install them with the pip of the Python that runs this."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "constraints.txt"
        path.write_text(constraints(python), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        # A PyTorch that is there and suits is kept: who wants a build for processors alone installs it first.
        subprocess.run([*pip, "install", "--quiet", "--constraint", str(path), *extras()], check=True)  # nosec B603
        subprocess.run([*pip, "check"], check=True)  # nosec B603


if __name__ == "__main__":
    main()
