from __future__ import annotations

from pathlib import Path

import pytest

from livermet.provenance import PACKAGE, sources


def package(folder: Path) -> Path:
    """A small package: a imports b by module, b imports a name of c, d stands alone."""
    root = folder / "toy"
    (root / "room").mkdir(parents=True)
    (root / "a.py").write_text("def f():\n    from toy import b\n    return b\n")
    (root / "b.py").write_text("from toy.room.c import NAME\nimport json\n")
    (root / "room" / "__init__.py").write_text("")
    (root / "room" / "c.py").write_text("NAME = 1\n")
    (root / "d.py").write_text("from toy import a\n")
    return root


def test_imports_are_followed_also_inside_functions(tmp_path: Path) -> None:
    root = package(tmp_path)
    found = {Path(name).relative_to(root).as_posix() for name in sources("a", root=root)}
    assert found == {"a.py", "b.py", "room/c.py", "room/__init__.py"}


def test_nothing_else_is_named(tmp_path: Path) -> None:
    root = package(tmp_path)
    assert sorted(Path(name).name for name in sources("room.c", root=root)) == ["__init__.py", "c.py"]


def test_an_unknown_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no module 'room\.x'"):
        sources("room.x", root=package(tmp_path))


def test_names_are_relative_to_where_snakemake_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PACKAGE.parents[2])
    assert sources("errors") == ["workflow/scripts/livermet/errors.py", "workflow/scripts/livermet/names.py"]
