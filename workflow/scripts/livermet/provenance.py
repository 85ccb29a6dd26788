"""Which files of the package a rule's code depends on, so that editing one re-runs the rules that use it.

Snakemake watches the `script:` file only. Each rule therefore lists `sources("cells.barcodes.quality")` as an input: the module
and, transitively, every module of this package that it imports, anywhere in its text.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent


def sources(*modules: str, root: Path = PACKAGE) -> list[str]:
    """Files that the named modules are made of.

    Parameters
    ----------
    modules
        Dotted names within the package, such as ``"cells.barcodes.quality"``.
    root
        The package's folder.

    Returns
    -------
    list of str
        Sorted paths, relative to the working folder where they lie below it. The package's own `__init__.py` holds the
        version and nothing else, and is left out: a new version alone re-runs nothing.
    """
    found: set[Path] = set()
    waiting = [_file(root, name) for name in modules]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting.extend(_imports(root, path))
        face = path.parent / "__init__.py"
        if path.parent != root and face.is_file():
            waiting.append(face)  # it runs whenever a module beside it is imported
    cwd = Path.cwd()
    return sorted(str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path) for path in found)


def _file(root: Path, dotted: str) -> Path:
    path = root.joinpath(*dotted.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    raise ValueError(f"no module {dotted!r} in {root}")


@cache
def _imports(root: Path, path: Path) -> tuple[Path, ...]:
    """Files of the package that one file imports."""
    package = root.name
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            # `from livermet.cells import quality` names a module, `from livermet.keys import CELL` does not.
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = set()
    for name in names:
        if name.startswith(f"{package}."):
            try:
                files.add(_file(root, name.removeprefix(f"{package}.")))
            except ValueError:
                continue  # a name within a module, not a module
    return tuple(sorted(files))
