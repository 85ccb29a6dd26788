"""What a run was made with and from: package versions, the commit, checksums of the input."""

from __future__ import annotations

import hashlib
import platform
import subprocess  # git is asked for the commit, without a shell # nosec B404
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from livermet import __version__
from livermet.keys import SAMPLE

# The direct dependencies; a test holds this against pyproject.toml.
PACKAGES = (
    "snakemake", "snakemake-executor-plugin-slurm", "anndata", "h5py", "numpy", "pandas", "pyarrow", "pydantic", "pyyaml",
    "scipy", "faiss-cpu", "harmonypy", "igraph", "numba", "pynndescent", "scanpy", "scikit-learn", "scikit-misc", "umap-learn",
    "edgepython", "formulaic", "pylimma", "jinja2", "matplotlib", "seaborn", "threadpoolctl",
)  # fmt: skip
# Those that a config may ask for: named where they are installed.
OPTIONAL = ("scanorama", "scvi-tools", "torch", "celltypist")
_CHUNK = 1 << 20


def read_versions(folder: Path | None = None) -> dict[str, Any]:
    """Versions of the interpreter, of livermet and of every direct dependency.

    Parameters
    ----------
    folder
        Where to ask git for a commit; the package's own by default.

    Returns
    -------
    dict
        livermet, commit (None outside a checkout), modified (whether tracked files differ from the commit), python,
        packages (name -> version without build tags, None where it is not installed; optional ones where they are).
    """
    commit, modified = read_commit(folder or Path(__file__).parent)
    return {
        "livermet": __version__,
        "commit": commit,
        "modified": modified,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES}
        | {name: version for name in OPTIONAL if (version := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        return None


def read_commit(folder: Path) -> tuple[str | None, bool]:
    """The commit that a folder's checkout stands at, and whether tracked files were changed since; (None, False) without git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None, False
    return commit, bool(changed)


def _git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(  # noqa: S603 # nosec B603 B607
        ["git", *arguments],  # noqa: S607
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return result.stdout.strip()


def describe_inputs(files: Mapping[str, Iterable[str]]) -> pd.DataFrame:
    """Size and checksum of every input file.

    Parameters
    ----------
    files
        Sample -> paths.

    Returns
    -------
    pandas.DataFrame
        sample, file, bytes, sha256: one row a file, in the order given.
    """
    rows = [
        (sample, path, Path(path).stat().st_size, checksum(path)) for sample, paths in files.items() for path in paths
    ]
    return pd.DataFrame(rows, columns=[SAMPLE, "file", "bytes", "sha256"])


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, read a piece at a time."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while piece := handle.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()
