"""Is it the same result? A digest of what a file says, whatever its bytes: for tests, and for people with two runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from livermet.runs.lock import FOLDER

if TYPE_CHECKING:
    import h5py
    import numpy as np
    import pyarrow
    from numpy.typing import NDArray

# What tells of a run and not of its result: times and messages, notes for ourselves.
OF_A_RUN = ("logs", "benchmarks", FOLDER, "steps/publish_results/new", "steps/publish_results/old")


def digest_folder(results: str | Path) -> dict[str, str]:
    """Digest of every file of a study's results.

    Parameters
    ----------
    results
        `results/<study>`.

    Returns
    -------
    dict
        Path relative to `results` -> digest; without logs and benchmarks, which tell of a run and not of its result.
    """
    return {name: digest(Path(results) / name) for name in names_of(results)}


def names_of(results: str | Path) -> list[str]:
    """Files of a study's results that :func:`digest_folder` looks at."""
    results = Path(results)
    names = sorted(str(path.relative_to(results)) for path in results.rglob("*") if path.is_file())
    return [name for name in names if not name.startswith(tuple(f"{one}/" for one in OF_A_RUN))]


def digest(path: str | Path) -> str:
    """Digest of a file's content.

    Tables, matrices and HDF5 files are taken apart: names, types, shapes and values count; the order of HDF5's members, the
    size of its pieces, compression and the versions of writers do not. Every other file counts byte by byte.
    """
    path = Path(path)
    parts = {".parquet": _parquet, ".npz": _npz, ".h5ad": _hdf5, ".h5": _hdf5}.get(path.suffix, _plain)
    content = hashlib.sha256()
    for part in parts(path):
        content.update(len(part).to_bytes(8, "little"))
        content.update(part)
    return content.hexdigest()


def _plain(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()


def _parquet(path: Path) -> Iterator[bytes]:
    from pyarrow import parquet

    table = parquet.read_table(path)
    yield repr([(field.name, str(field.type)) for field in table.schema]).encode()
    for name in table.column_names:
        yield from _column(table.column(name))


def _column(column: pyarrow.ChunkedArray) -> Iterator[bytes]:
    """Which values are missing, then the values; long columns of numbers and texts as they lie in memory."""
    import numpy as np
    import pyarrow
    from pyarrow import compute, types

    yield np.packbits(column.is_null().to_numpy()).tobytes()
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_floating(column.type) or types.is_integer(column.type) or types.is_boolean(column.type):
        zero = pyarrow.scalar(False if types.is_boolean(column.type) else 0, column.type)
        yield compute.fill_null(column, zero).to_numpy().tobytes()
    elif types.is_string(column.type) or types.is_large_string(column.type):
        texts = compute.fill_null(column.cast(pyarrow.large_string()), "")
        yield compute.binary_length(texts).to_numpy().tobytes()
        yield "".join(texts.to_pylist()).encode()
    else:
        yield repr(column.to_pylist()).encode()


def _npz(path: Path) -> Iterator[bytes]:
    import numpy as np

    with np.load(path, allow_pickle=False) as archive:
        for name in sorted(archive.files):
            yield name.encode()
            yield from _array(archive[name])


def _hdf5(path: Path) -> Iterator[bytes]:
    import h5py

    with h5py.File(path, "r") as file:
        yield from _group(file)


def _group(group: h5py.Group) -> Iterator[bytes]:
    import h5py

    yield from _attributes(group)
    for name in sorted(group):
        item = group[name]
        yield name.encode()
        if isinstance(item, h5py.Dataset):
            yield from _attributes(item)
            yield from _array(item[()])
        else:
            yield from _group(item)


def _attributes(item: h5py.Group | h5py.Dataset) -> Iterator[bytes]:
    for name in sorted(item.attrs):
        yield name.encode()
        yield from _array(item.attrs[name])


def _array(values: NDArray[np.generic]) -> Iterator[bytes]:
    import numpy as np

    values = np.asarray(values)
    yield f"{values.dtype.str} {values.shape}".encode()
    yield repr(values.tolist()).encode() if values.dtype.hasobject else np.ascontiguousarray(values).tobytes()
