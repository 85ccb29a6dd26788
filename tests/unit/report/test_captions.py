"""Every figure has a caption, and every caption is plain sentences for both reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from livermet.report.figures import PLACES

FOLDER = Path(__file__).resolve().parents[3] / "workflow" / "report"
NAMES = [name for names in PLACES.values() for name in names]


def test_captions_and_figures_are_the_same_set() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.rst")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_captions_carry_no_markup(name: str) -> None:
    text = (FOLDER / f"{name}.rst").read_text(encoding="utf-8").strip()
    assert text.endswith(".")
    assert not set("`*_|{}<>\\") & set(text)
    assert len(text.split(". ")) >= 2  # what is seen, and how to read it
