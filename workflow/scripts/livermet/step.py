"""The only place that knows Snakemake: loads inputs, saves outputs atomically, keeps the log, seeds and limits threads.

A script reads as one call::

    with Step(snakemake) as step:
        step.save(quality=assess_quality(step.load("counts"), **step.params["settings"]))

`load` and `save` go by the file's extension: .h5ad AnnData, .parquet DataFrame (its index is kept), .tsv DataFrame, .npz
sparse matrix (scipy), .json and .yaml plain objects, .html .md .txt text, .png .pdf a matplotlib Figure.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from livermet.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("livermet")

LONG = 2000  # rows


class Step:
    """One job of the workflow.

    Parameters
    ----------
    snakemake
        The object that Snakemake gives to a script.
    """

    def __init__(self, snakemake: Any) -> None:
        self.snakemake = snakemake
        self.input = snakemake.input
        self.output = snakemake.output
        self.wildcards = snakemake.wildcards
        self.params: dict[str, Any] = dict(snakemake.params.items())
        self.threads: int = snakemake.threads
        self._saved: set[str] = set()
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        _limit_threads(self.threads)
        handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
        if self.snakemake.log:
            handlers.append(logging.FileHandler(str(self.snakemake.log[0]), mode="w"))
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=handlers, force=True
        )
        logging.captureWarnings(True)
        handlers[0].setLevel(logging.ERROR)
        log.info("%s %s", self.snakemake.rule, dict(self.wildcards.items()) or "")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, InputError):
            log.error("%s", error)
            sys.exit(1)  # the message is the whole story: no traceback for a user's mistake
        if error is not None:
            log.exception("failed", exc_info=error)
            return
        missing = set(self.output.keys()) - self._saved
        if missing:
            raise RuntimeError(f"rule {self.snakemake.rule} did not save {sorted(missing)}")
        usage = resource.getrusage(resource.RUSAGE_SELF)
        log.info(
            "done in %.1f s; the process took %.1f CPU seconds and at most %.0f MB",
            time.monotonic() - self._started,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / 1024,
        )

    def paths(self, name: str) -> list[str]:
        """Every path of a named input."""
        value = self.input.get(name)
        if value is None:
            return []
        return [str(value)] if isinstance(value, str | os.PathLike) else [str(item) for item in value]

    def load(self, name: str) -> Any:
        """The content of a named input, or None where the rule has no such input."""
        paths = self.paths(name)
        return load(paths[0]) if paths else None

    def load_all(self, name: str) -> list[Any]:
        """The contents of a named input with several files, in the rule's order."""
        return [load(path) for path in self.paths(name)]

    def save(self, **contents: Any) -> None:
        """Write named outputs, each file whole or not at all; a list goes to an output of several files, in order."""
        for name, content in contents.items():
            if isinstance(content, list):
                for item, path in zip(content, self.output[name], strict=True):
                    save(item, str(path))
            else:
                save(content, str(self.output[name]))
            self._saved.add(name)

    def mark_saved(self, *names: str) -> None:
        """Say that a function wrote these outputs itself."""
        self._saved.update(names)


def load(path: str | Path) -> Any:
    """Read a file by its extension."""
    path = Path(path)
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
    """Write `content` by the file's extension: temporary name, fsync, then `os.replace`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial{path.suffix}")
    try:
        _writer(path.suffix)(content, partial)
        with partial.open("rb+") as handle:
            os.fsync(handle.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _writer(suffix: str) -> Callable[[Any, Path], None]:
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
    return writers.get(suffix, _write_text)


def _write_text(content: str, path: Path) -> None:
    path.write_text(content, encoding="utf-8")


def _write_yaml(content: Any, path: Path) -> None:
    import yaml

    _write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), path)


def _write_h5ad(content: AnnData, path: Path) -> None:
    import anndata

    # Nullable strings cannot be read by older anndata.
    anndata.settings.allow_write_nullable_strings = False
    # lzf is quick, for intermediates; what people keep is written in gzip, which every HDF5 reader knows.
    if path.name.startswith(".atlas."):
        content.write_h5ad(path, compression="gzip", compression_opts=1)
    else:
        content.write_h5ad(path, compression="lzf")


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


def _limit_threads(threads: int) -> None:
    """Keep the job within its threads, also in libraries that were loaded before."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(threads)
    if "threadpoolctl" in sys.modules or "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
