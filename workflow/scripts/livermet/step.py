"""The only place that knows Snakemake: loads inputs, saves outputs atomically, keeps the log, seeds and limits threads.

A script reads as one call::

    with Step(snakemake) as step:
        step.save(quality=assess_quality(step.load("counts"), **step.params["settings"]))

`load` and `save` go by the file's extension (see :mod:`livermet.files.formats`). What a job has left is remembered beside
its log, so that the next run finds what was damaged since.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import sys
import time
from types import TracebackType
from typing import Any, NoReturn, Self

from livermet.errors import InputError
from livermet.files.atomic import no_memory
from livermet.files.formats import load, load_counts, save
from livermet.files.records import record
from livermet.runs.owner import end_with_owner

log = logging.getLogger("livermet")


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
        end_with_owner()
        logging.raiseExceptions = False  # a full disk is told once, by what could not be saved
        handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
        if self.snakemake.log:
            with contextlib.suppress(OSError):
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
        usage = resource.getrusage(resource.RUSAGE_SELF)
        if isinstance(error, MemoryError):
            error = no_memory(self.snakemake.rule, usage.ru_maxrss / 1024)
        if isinstance(error, InputError):
            self._give_up(error)
        if error is not None:
            log.exception("failed", exc_info=error)
            return
        missing = set(self.output.keys()) - self._saved
        if missing:
            raise RuntimeError(f"rule {self.snakemake.rule} did not save {sorted(missing)}")
        self._remember()
        log.info(
            "done in %.1f s; the process took %.1f CPU seconds and at most %.0f MB",
            time.monotonic() - self._started,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / 1024,
        )

    def _give_up(self, error: InputError) -> NoReturn:
        """The message is the whole story: no traceback for what a user can mend."""
        log.error("%s", error)
        sys.exit(1)

    def _remember(self) -> None:
        if not self.snakemake.log:
            return
        try:
            record(self.snakemake.log[0], self.output)
        except InputError as error:
            self._give_up(error)

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

    def load_counts(self, name: str) -> Any:
        """Counts with the names of barcodes and genes alone, for a step that needs no more: without anndata's import."""
        return load_counts(self.paths(name)[0])

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


def _limit_threads(threads: int) -> None:
    """Keep the job within its threads, also in libraries that were loaded before."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(threads)
    if "threadpoolctl" in sys.modules or "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
