"""HDF5 files of strangers: looked through before anything in them is read.

A file may point into other files (external links, virtual datasets, external storage), and may claim sizes that it does not
hold, which fill the memory of whoever reads them. Neither has a place among counts.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from livermet.errors import InputError, Problem
from livermet.inputs.files import ANEW, reading, what_is

log = logging.getLogger("livermet")

LARGE = 64 << 20  # bytes: below, no claim does harm
MOST_PACKED = 250  # times: sparse counts pack 2 to 10 times, dense ones to 60; gzip cannot do more than 1032
MOST_OBJECTS = 200_000
WHOLE = "a file that holds all of its data itself"
ALONE = "Write the matrix to a file of its own with the tool that made it"


@contextmanager
def open_h5(path: str | Path, expected: str) -> Iterator[Any]:
    """Open an HDF5 file for reading, once it was looked through.

    Parameters
    ----------
    path
        The file.
    expected
        What it should be, for messages.

    Yields
    ------
    h5py.File

    Raises
    ------
    InputError
        Where the file is no HDF5, is broken, points into other files, claims more than it holds, or is laid out in another
        way than what reads it expects.
    """
    path = str(path)
    with reading(path):
        with Path(path).open("rb") as raw:
            found = what_is(raw.read(512))
        if not h5py.is_hdf5(path):
            what = "" if found == "HDF5" else found
            raise InputError(
                Problem(path, f"cannot be read as HDF5: it is {what or 'no HDF5 or cut short'}", expected, ANEW)
            )
        try:
            with h5py.File(path, "r") as file:
                look_through(path, file)
                yield file
        except (
            LookupError,
            ValueError,
            TypeError,
            AttributeError,
            RuntimeError,
            MemoryError,
            OverflowError,
            SystemError,
        ) as error:
            if isinstance(error, UnicodeDecodeError):
                raise
            log.debug("%s", path, exc_info=True)
            said = " ".join(str(error).split())[:200]
            raise InputError(
                Problem(path, f"cannot be read ({type(error).__name__}: {said})", expected, ANEW)
            ) from None


def look_through(path: str, file: Any) -> None:
    """Look at every link and dataset of an open file, not at the data.

    Raises
    ------
    InputError
        At the first that points into another file, or claims more than it holds.
    """
    seen = 0

    def look(name: str, link: Any) -> Problem | None:  # what it returns ends the walk; it must not raise within HDF5
        nonlocal seen
        seen += 1
        if seen > MOST_OBJECTS:
            return Problem(path, f"more than {MOST_OBJECTS} objects", WHOLE, ALONE)
        if isinstance(link, h5py.ExternalLink):
            return Problem(f"{path}, {name}", f"a link into another file ('{link.filename}')", WHOLE, ALONE)
        try:
            item = file.get(name) if isinstance(link, h5py.HardLink) else None
            return find_harm(path, name, item) if isinstance(item, h5py.Dataset) else None
        except (OSError, LookupError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            said = " ".join(str(error).split())[:200]
            return Problem(f"{path}, {name}", f"cannot be read ({type(error).__name__}: {said})", WHOLE, ANEW)

    found = file.visititems_links(look)
    if found is not None:
        raise InputError(found)


def find_harm(path: str, name: str, item: Any) -> Problem | None:
    """What speaks against a dataset: it lies in another file, or is far larger than what is stored of it."""
    where = f"{path}, {name}"
    if item.is_virtual:
        return Problem(where, "a virtual dataset, put together from other files", WHOLE, ALONE)
    if item.external:
        return Problem(where, f"data that lie in another file ('{item.external[0][0]}')", WHOLE, ALONE)
    claimed = math.prod(item.shape or (0,)) * item.dtype.itemsize
    stored = item.id.get_storage_size()
    if claimed > LARGE and claimed > MOST_PACKED * stored:
        return Problem(
            where,
            f"it claims {claimed / 2**20:,.0f} MiB (shape {item.shape}), of which {stored / 2**20:,.1f} MiB are there",
            "as much data as it says",
            "Copy the file anew; a dataset like this fills the memory when it is read",
        )
    return None


def read_text(dataset: Any, stop: int | None = None) -> NDArray[np.object_]:
    """Names out of a dataset of text (or of whole numbers, as some indices are): the first `stop`, or all.

    Raises
    ------
    InputError
        Where it holds something else.
    """
    if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or dataset.dtype.kind not in "OSiu":
        what = f"{dataset.dtype}, {dataset.ndim}-d" if isinstance(dataset, h5py.Dataset) else "a group"
        raise InputError(Problem(f"{dataset.file.filename}, {dataset.name}", what, "names, a 1-d array of text", ANEW))
    values = dataset[:stop].tolist()
    return np.array([item.decode() if isinstance(item, bytes) else str(item) for item in values], dtype=object)


def attribute(item: Any, *names: str) -> str:
    """An attribute as text by the first of these names that there is; "" where there is none."""
    value = next((item.attrs[name] for name in names if name in item.attrs), "")
    return value.decode() if isinstance(value, bytes) else str(value)
