"""Is a file that was just written what its name says? Looks at ends and counts, not at all of it: that takes no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def check(path: Path, *, rows: int | None = None) -> None:
    """Open a file again and see that it is whole.

    Parameters
    ----------
    path
        The file; its extension says how it is looked at.
    rows
        Rows that a table (.parquet, .tsv) should have.

    Raises
    ------
    OSError
        Where it is not: the writer went wrong without saying so.
    """
    checks: dict[str, Callable[[Path], bool]] = {
        ".h5ad": _hdf5,
        ".h5": _hdf5,
        ".parquet": lambda one: _parquet(one, rows),
        ".npz": _npz,
        ".png": lambda one: _ends(one, b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
        ".pdf": lambda one: _ends(one, b"%PDF-", b"%%EOF\n"),
        ".gz": lambda one: _ends(one, b"\x1f\x8b", b""),
        ".tsv": lambda one: _ends(one, b"", b"\n") and _lines(one, rows),
        ".json": lambda one: _ends(one, b"", b"\n"),
        ".html": lambda one: _ends(one, b"<!", b""),
    }
    try:
        whole = path.suffix not in checks or checks[path.suffix](path)
    except Exception as error:
        raise OSError(f"{path.name} cannot be read back: {error}") from error
    if not whole:
        raise OSError(f"{path.name} is not whole")


def _ends(path: Path, head: bytes, tail: bytes) -> bool:
    with path.open("rb") as handle:
        starts = handle.read(len(head)) == head
        size = handle.seek(0, 2)
        handle.seek(max(0, size - len(tail)))
        return size > 0 and starts and handle.read() == tail


def _lines(path: Path, rows: int | None) -> bool:
    """A header and at least as many lines as rows: a quoted text may hold more."""
    if rows is None:
        return True
    with path.open("rb") as handle:
        return sum(piece.count(b"\n") for piece in iter(lambda: handle.read(1 << 20), b"")) > rows


def _hdf5(path: Path) -> bool:
    """Every dataset has its shape, and the last piece of each can be unpacked."""
    import h5py

    def last(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.shape and item.size:
            item[tuple(length - 1 for length in item.shape)]

    with h5py.File(path, "r") as file:
        file.visititems(last)
        return len(file) > 0


def _parquet(path: Path, rows: int | None) -> bool:
    from pyarrow import parquet

    found = parquet.read_metadata(path).num_rows
    return rows is None or found == rows


def _npz(path: Path) -> bool:
    """The directory of a zip stands at its end; each array begins with its own header."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        return bool(names) and all(archive.open(name).read(6) == b"\x93NUMPY" for name in names)
