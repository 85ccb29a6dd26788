"""Notices of several steps in one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from livermet.notices import COLUMNS, LOUD, Notice, gather, tabulate
from livermet.step import load, save


def test_loud_ones_come_first_and_none_twice(tmp_path: Path) -> None:
    first = tabulate([Notice("s1", "a", "quiet word"), Notice("s2", "a", "loud word", level=LOUD)])
    save(first, tmp_path / "first.tsv")
    save(tabulate([]), tmp_path / "none.tsv")
    again = load(tmp_path / "first.tsv")
    table = gather(
        [load(tmp_path / "none.tsv"), again, tabulate([Notice("01", "b", "third"), Notice("s1", "a", "quiet word")])]
    )
    assert table["what"].tolist() == ["loud word", "quiet word", "third"]
    assert table["remedy"].tolist() == ["", "", ""]
    assert table["sample"].tolist() == ["s2", "s1", "01"]
    assert list(gather([]).columns) == list(COLUMNS)


def test_a_level_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="shout"):
        Notice("s1", "a", "what", level="shout")
