"""What the page takes in as it is: pictures and their captions, named by their files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def images_of(paths: Iterable[str]) -> dict[str, bytes]:
    """Figure -> PNG, by file name."""
    return {Path(path).stem: Path(path).read_bytes() for path in paths}


def captions_of(paths: Iterable[str]) -> dict[str, str]:
    """Figure -> caption, by file name; captions are plain sentences."""
    return {Path(path).stem: Path(path).read_text(encoding="utf-8").strip() for path in paths}
