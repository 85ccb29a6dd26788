"""How a file is read and written, by its extension.

.h5ad AnnData, .parquet DataFrame (its index is kept), .tsv DataFrame, .npz sparse matrix (scipy), .json and .yaml plain
objects, .html .md .txt text, .png .pdf a matplotlib Figure. The same content makes the same bytes in every format: no
times, no paths, no names of machines are written.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livermet.errors import StorageError
from livermet.files.atomic import explain, write_whole

if TYPE_CHECKING:
    from anndata import AnnData

LONG = 2000  # rows
ATLAS = "atlas.h5ad"
BINARY = (".h5ad", ".parquet", ".npz")  # a text is what it is; these have a form that damage breaks


def load(path: str | Path) -> Any:
    """Read a file by its extension.

    Raises
    ------
    StorageError
        Where a file that a step has made (.h5ad, .parquet, .npz) cannot be read: it is damaged, and will be made again.
    """
    return _whole(Path(path), _load)


def load_counts(path: str | Path) -> Any:
    """Read `X`, `obs` and `var` alone of an .h5ad (see :mod:`livermet.files.counts`); raises as :func:`load` does."""
    from livermet.files.counts import read_counts

    return _whole(Path(path), read_counts)


def _whole(path: Path, read: Callable[[Path], Any]) -> Any:
    if path.suffix not in BINARY or not path.is_file():
        return read(path)
    try:
        return read(path)
    except MemoryError:
        raise
    except Exception as error:
        raise StorageError.of(
            str(path),
            f"is damaged: {type(error).__name__} on reading it ({path.stat().st_size:,} bytes)",
            remedy="Run the same command again: damaged files are found at its start and made again. If that does not "
            "help, remove this file and run again",
        ) from error


def _load(path: Path) -> Any:
    match path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix:
        case ".h5ad":
            import anndata

            return anndata.read_h5ad(path)
        case ".parquet":
            import pandas as pd

            return pd.read_parquet(path)
        case ".tsv":
            import pandas as pd

            return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""])
        case ".npz":
            import scipy.sparse

            return scipy.sparse.load_npz(path)
        case ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        case ".yaml" | ".yml":
            import yaml

            return yaml.safe_load(path.read_text(encoding="utf-8"))
        case ".html" | ".md" | ".txt" | ".rst":
            return path.read_text(encoding="utf-8")
        case _:
            raise ValueError(f"no reader for {path}")


def save(content: Any, path: str | Path) -> None:
    """Write `content` by the file's extension, whole or not at all (see :func:`livermet.files.atomic.write_whole`)."""
    path = Path(path)
    rows = len(content) if path.suffix in (".parquet", ".tsv") else None
    write_whole(path, partial(_writer(path), content), rows=rows)


def _writer(path: Path) -> Callable[[Any, Path], None]:
    if path.name == ATLAS:
        return _write_atlas
    writers: dict[str, Callable[[Any, Path], None]] = {
        ".h5ad": _write_h5ad,
        ".parquet": _write_parquet,
        ".tsv": _write_tsv,
        ".npz": _write_npz,
        ".json": lambda content, path: _write_text(json.dumps(content, indent=1, default=str) + "\n", path),
        ".yaml": _write_yaml,
        ".png": lambda figure, path: figure.savefig(path, dpi=130, metadata={"Software": None}),
        ".pdf": lambda figure, path: figure.savefig(path, metadata={"CreationDate": None}),
    }
    return writers.get(path.suffix, _write_text)


def _write_text(content: str, path: Path) -> None:
    path.write_text(content, encoding="utf-8")


def _write_yaml(content: Any, path: Path) -> None:
    import yaml

    _write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), path)


def _write_h5ad(content: AnnData, path: Path, **compression: Any) -> None:
    import anndata

    # Nullable strings cannot be read by older anndata.
    anndata.settings.allow_write_nullable_strings = False
    told = sys.unraisablehook, sys.excepthook
    sys.unraisablehook = sys.excepthook = _keep_quiet
    try:
        content.write_h5ad(path, **(compression or {"compression": "lzf"}))
    except (OSError, RuntimeError) as error:
        if explain(error, path) is None:  # the content's fault, not the disk's
            sys.unraisablehook, sys.excepthook = told
        else:
            # HDF5 cannot close what it could not write: it says so again and again, and would crash when Python takes
            # itself apart. The error itself goes its way; the process ends before that.
            atexit.register(_leave)
        raise
    sys.unraisablehook, sys.excepthook = told


def _keep_quiet(*_: object) -> None:
    pass


def _leave() -> None:
    logging.shutdown()
    sys.stderr.flush()
    os._exit(1)


def _write_atlas(content: AnnData, path: Path) -> None:
    """What people keep is written in gzip, which every HDF5 reader knows; lzf is quick, for intermediates."""
    _write_h5ad(content, path, compression="gzip", compression_opts=1)


def _write_parquet(content: Any, path: Path) -> None:
    content.to_parquet(path, compression="zstd")


def _write_tsv(content: Any, path: Path) -> None:
    """Six significant digits; long tables through Arrow, which takes a tenth of pandas' time."""
    if len(content) < LONG:
        content.to_csv(path, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
        return
    import pyarrow
    from pyarrow import csv

    rounded = content.assign(**{name: _round(content[name]) for name in content.select_dtypes("float")})
    table = pyarrow.Table.from_pandas(rounded, preserve_index=False)
    try:
        csv.write_csv(table, path, csv.WriteOptions(delimiter="\t", quoting_style="none", quoting_header="none"))
    except pyarrow.ArrowInvalid:  # a value with a tab or a quote: then every text is quoted
        csv.write_csv(table, path, csv.WriteOptions(delimiter="\t", quoting_style="needed"))


def _round(values: Any) -> Any:
    """Six significant digits; what is too small or too large to scale stays as it is."""
    import numpy as np

    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        scale = 10.0 ** (5 - np.floor(np.log10(np.abs(values))))
        rounded = np.round(values * scale) / scale
    return rounded.where(np.isfinite(rounded), values)


def _write_npz(content: Any, path: Path) -> None:
    import scipy.sparse

    scipy.sparse.save_npz(path, content, compressed=False)
