"""One matrix under two names: what would make two mice out of one, found before anything is computed where files are alike."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from livermet.errors import InputError, Problem
from livermet.inputs.files import find_files

CHUNK = 1 << 20
REMEDY = "List it once; lanes and re-sequenced libraries of one mouse bear the same `mouse`, and are added up"


def find_duplicates(paths: Mapping[str, str]) -> list[Problem]:
    """Samples whose counts lie in the same file, or in files of the same content.

    Parameters
    ----------
    paths
        Sample -> path, as the sheet has it. Only files of equal size, or whose contents have the same checksum and size
        in the trailers of gzip, are read.

    Returns
    -------
    list of Problem
        One a group of samples that share their counts. Files that are missing are passed over: others look for them.
    """
    files = {}
    for sample, path in paths.items():
        with contextlib.suppress(InputError):  # said where each input is looked into
            files[sample] = Path(find_files(path)[0])
    alike = [
        same
        for suspects in _groups({sample: _hint(file) for sample, file in files.items() if file.is_file()})
        for same in _groups({sample: _fingerprint(files[sample]) for sample in suspects})
    ]
    return [
        Problem(
            f"samples {' and '.join(repr(sample) for sample in samples)}",
            f"the same counts ({files[samples[0]]} and {files[samples[-1]]} have the same content)",
            expected="a library of its own for every sample",
            remedy=REMEDY,
        )
        for samples in alike
    ]


def _groups(values: Mapping[str, object]) -> Iterable[list[str]]:
    """Samples that share a value, where there are several."""
    found: dict[object, list[str]] = {}
    for sample, value in values.items():
        found.setdefault(value, []).append(sample)
    return [samples for samples in found.values() if len(samples) > 1]


def _hint(file: Path) -> object:
    """What equal contents have in common and can be had without reading: the size, or gzip's checksum and size of it."""
    size = file.stat().st_size
    if file.suffix == ".gz" and size > 18:
        with file.open("rb") as handle:
            handle.seek(-8, 2)
            trailer = handle.read(8)
        if any(trailer[4:]):  # files in blocks end in an empty one, which says nothing
            return trailer
    return size


def _fingerprint(file: Path) -> bytes:
    """Hash of the content, unpacked where it is packed: the same matrix may have been packed twice."""
    try:
        if file.suffix == ".gz":
            with gzip.open(file, "rb") as packed:
                return _digest(packed)
    except (OSError, EOFError, zlib.error):  # broken, which is said where each input is looked into
        pass
    with file.open("rb") as handle:
        return _digest(handle)


def _digest(handle: IO[bytes] | gzip.GzipFile) -> bytes:
    digest = hashlib.blake2b()
    while chunk := handle.read(CHUNK):
        digest.update(chunk)
    return digest.digest()
