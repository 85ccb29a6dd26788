"""Which package each way of bringing batches together needs; light, so that it can be asked before anything is computed."""

from __future__ import annotations

from importlib.util import find_spec

from livermet.errors import InputError, Problem

#: method -> (module, what pip calls it, versions that it was tried with: those of pyproject.toml)
PACKAGES = {
    "harmony": ("harmonypy", "harmonypy", ">=0.0.10"),
    "scanorama": ("scanorama", "scanorama", ">=1.7.4,<1.8"),
    "scvi": ("scvi", "scvi-tools", ">=1.4.2,<1.5"),
}


def find_missing(method: str, where: str = "config embed.integrate") -> list[Problem]:
    """Say what is not installed of what a method needs.

    Parameters
    ----------
    method
        "none", "harmony", "scanorama" or "scvi".
    where
        Key of the config that names it.

    Returns
    -------
    list of Problem
        Empty where the method can run.
    """
    module, name, versions = PACKAGES.get(method, ("", "", ""))
    if not module or find_spec(module) is not None:
        return []
    return [
        Problem(
            where,
            f"'{method}' needs the package {name}, which is not installed",
            remedy=f"`make extras` installs it in .venv (elsewhere: pip install '{name}{versions}' in the environment that runs "
            "the jobs), or take harmony or none",
        )
    ]


def require(method: str) -> None:
    """Stop before any compute where a method's package is not installed.

    Raises
    ------
    InputError
        Naming the package.
    """
    problems = find_missing(method)
    if problems:
        raise InputError(problems)
