"""The old set or the new one: published together, kept through every failure, finished after a kill between two renames."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from livermet.errors import StorageError
from livermet.runs import publishing
from livermet.runs.publishing import find_altered, finish, publish

OLD = {
    "report.html": "old page",
    "tables/a.tsv": "old a",
    "tables/questions/q1/e.tsv": "old e",
    "figures/f.png": "old f",
}
NEW = {
    "report.html": "new page",
    "tables/a.tsv": "new a",
    "tables/questions/q2/e.tsv": "new e",
    "figures/f.png": "new f",
}


class Study:
    """A results folder with a set laid out for publication."""

    def __init__(self, folder: Path) -> None:
        self.results = folder / "results"
        self.work = self.results / "steps" / "publish_results"
        self.staged = self.results / "steps" / "deliverables"

    def lay_out(self, files: dict[str, str]) -> list[Path]:
        for name, text in files.items():
            path = self.staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # as Snakemake does, so that what was published keeps its own file
            path.write_text(text)
        return [self.staged / name for name in files]

    def publish(self, files: dict[str, str]) -> publishing.Record:
        return publish(self.lay_out(files), self.results)

    def seen(self) -> dict[str, str]:
        paths = [path for path in self.results.rglob("*") if path.is_file()]
        names = {str(path.relative_to(self.results)): path for path in paths}
        return {name: path.read_text() for name, path in names.items() if not name.startswith("steps/")}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    study = Study(tmp_path)
    study.publish(OLD)
    return study


def test_the_whole_set_is_where_people_read_it_without_a_second_copy(study: Study) -> None:
    assert study.seen() == OLD
    assert (study.results / "report.html").stat().st_ino == (study.staged / "report.html").stat().st_ino
    assert sorted(one.name for one in study.work.iterdir()) == ["set.json"]


def test_a_new_set_takes_the_place_of_the_old_whole(study: Study) -> None:
    record = study.publish(NEW)
    assert study.seen() == NEW, "tables of a question that is asked no more are gone"
    assert sorted(record) == sorted(NEW)
    assert json.loads((study.work / "set.json").read_text()) == record
    assert find_altered(study.results) == []


def test_what_a_user_put_there_stays(study: Study) -> None:
    (study.results / "figures" / "mine.png").write_text("mine")
    (study.results / "notes.txt").write_text("my notes")
    study.publish(NEW)
    assert study.seen() == {**NEW, "figures/mine.png": "mine", "notes.txt": "my notes"}


def test_without_hard_links_files_are_copied(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(os, "link", no_links)
    study.publish(NEW)
    assert study.seen() == NEW
    assert (study.results / "report.html").stat().st_ino != (study.staged / "report.html").stat().st_ino


class Killed(BaseException):
    """Stands for kill -9: nothing in the code may catch it."""


@pytest.mark.parametrize("at", range(12))
def test_a_kill_between_any_two_renames_is_finished_later(
    study: Study, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    calls = 0
    plain = os.replace

    def replace(source: Path, target: Path) -> None:
        nonlocal calls
        calls += 1
        if calls > at:
            raise Killed
        plain(source, target)

    monkeypatch.setattr(os, "replace", replace)
    try:
        study.publish(NEW)
        assert at >= 7, "seven renames: the list, report.html, two folders twice each, the set"
        died = False
    except Killed:
        died = True
    monkeypatch.undo()
    if at == 0:
        assert study.seen() == OLD
        assert not finish(study.results), "nothing was begun"
        study.publish(NEW)
    else:
        assert finish(study.results) is died
    assert study.seen() == NEW
    assert not finish(study.results)
    assert sorted(one.name for one in study.work.iterdir()) == ["set.json"]


def test_a_set_that_is_not_complete_is_not_published(study: Study) -> None:
    files = study.lay_out(NEW)
    files[2].unlink()
    with pytest.raises(StorageError, match=r"e\.tsv: is missing"):
        publish(files, study.results)
    assert study.seen() == OLD


def test_what_is_missing_or_altered_is_found(study: Study) -> None:
    (study.results / "tables" / "a.tsv").unlink()
    (study.results / "report.html").unlink()
    (study.results / "report.html").write_text("edited")
    found = {str(one.path.relative_to(study.results)): one.found for one in find_altered(study.results)}
    assert found == {"tables/a.tsv": "is missing", "report.html": "has 6 bytes where 8 were written"}
    study.publish(OLD)
    assert study.seen() == OLD
