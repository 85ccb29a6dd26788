"""Which package each way of bringing batches together needs; light, so that it can be asked before anything is computed."""

from __future__ import annotations

from importlib.util import find_spec

from livermet.errors import InputError, Problem

#: method -> (module, what pip calls it)
PACKAGES = {
    "harmony": ("harmonypy", "harmonypy"),
    "scanorama": ("scanorama", "scanorama"),
    "scvi": ("scvi", "scvi-tools"),
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
    module, name = PACKAGES.get(method, ("", ""))
    if not module or find_spec(module) is not None:
        return []
    return [
        Problem(
            where,
            f"'{method}' needs the package {name}, which is not installed",
            remedy=f"Install it in the environment that runs the jobs (pip install {name}), or take harmony or none",
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
