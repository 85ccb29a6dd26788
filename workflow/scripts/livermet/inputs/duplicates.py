"""One matrix under two names: what would make two mice out of one, found before anything is computed where files are alike."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from livermet.errors import InputError, Problem
from livermet.inputs.files import find_files

CHUNK = 1 << 20
REMEDY = "List it once; lanes and re-sequenced libraries of one mouse bear the same `mouse`, and are added up"


def find_duplicates(paths: Mapping[str, str]) -> list[Problem]:
    """Samples whose counts lie in the same file, or in files of the same content.

    Parameters
    ----------
    paths
        Sample -> path, as the sheet has it. Only files of equal size are read.

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
        for size in _groups({sample: file.stat().st_size for sample, file in files.items() if file.is_file()})
        for same in _groups({sample: _fingerprint(files[sample]) for sample in size})
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


def _fingerprint(file: Path) -> bytes:
    digest = hashlib.blake2b()
    with file.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
    return digest.digest()
