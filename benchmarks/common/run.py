"""Run scenarios, and keep their results: a table with limits and verdicts, and the versions used."""

from __future__ import annotations

import logging
import platform
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.common import ROOT
from benchmarks.common.measures import NONE, Case, Counts, Scenario, estimate

COLUMNS = (
    "scenario",
    "setting",
    "quantity",
    "value",
    "mc_error",
    "low",
    "high",
    "target",
    "verdict",
    "n_data_sets",
    "seed",
)


@dataclass(frozen=True)
class Bench:
    """A set of scenarios with a place for its results.

    Attributes
    ----------
    name
        Of the log and of the table `<name>.tsv`.
    scenarios
        In the order in which they are run and kept.
    results
        Folder of the committed results.
    packages
        Distributions whose versions are kept beside them.
    extra
        Tables made from the main one: file name -> how.
    chunk
        Data sets handed to a process at once.
    """

    name: str
    scenarios: Mapping[str, Scenario]
    results: Path
    packages: tuple[str, ...]
    extra: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]]
    chunk: int = 4

    def table(self, folder: Path | None = None) -> Path:
        """Path of the main table."""
        return (folder or self.results) / f"{self.name}.tsv"


def measure_one(place: int, *, scenario: Scenario, case: Case, seed: int) -> Counts:
    """One data set. Its random numbers follow from seed, scenario, setting and place alone, whatever else is run."""
    name = zlib.crc32(f"{scenario.name}|{case.setting}".encode())
    with threadpool_limits(1):  # matrices this small only lose by threads
        return scenario.measure(np.random.default_rng([seed, name, place]), case.values)


def run_case(
    scenario: Scenario, case: Case, n: int, seed: int, pool: ProcessPoolExecutor | None = None, chunk: int = 4
) -> pd.DataFrame:
    """Rows of one setting.

    Parameters
    ----------
    scenario, case
        What to run.
    n
        Number of data sets.
    seed
        Of the whole run.
    pool
        Processes to share the data sets out to, `chunk` at a time.
    chunk
        Data sets handed to a process at once.

    Returns
    -------
    pandas.DataFrame
        A row a quantity (:data:`COLUMNS`); quantities in the order in which the data sets name them.
    """
    one = partial(measure_one, scenario=scenario, case=case, seed=seed)
    found = list(pool.map(one, range(n), chunksize=chunk) if pool else map(one, range(n)))
    rows = []
    for quantity in dict.fromkeys(name for counts in found for name in counts):
        pairs = np.array([counts.get(quantity, (0.0, 0.0)) for counts in found])
        result, target = estimate(pairs[:, 0], pairs[:, 1]), scenario.target(case, quantity)
        verdict = target.judge(result.value, result.low, result.high) if target else NONE
        rows.append(
            (scenario.name, case.setting, quantity, result.value, result.error, result.low, result.high,
             str(target or ""), verdict, int((pairs[:, 1] != 0).sum()), seed)
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def run(
    bench: Bench,
    names: Collection[str],
    *,
    seed: int,
    quick: bool = False,
    processes: int = 1,
    folder: Path | None = None,
    n_data_sets: int | None = None,
    resume: bool = False,
) -> pd.DataFrame:
    """Run scenarios setting by setting.

    Parameters
    ----------
    bench
        Whose they are.
    names
        Scenarios.
    seed
        Of everything random.
    quick
        Few data sets of the settings that the tests look at.
    processes
        1 or 2.
    folder
        Where results are kept after every setting; None: nowhere.
    n_data_sets
        Instead of each setting's own number.
    resume
        Take settings that `folder` has with this seed and number from there.

    Returns
    -------
    pandas.DataFrame
        All rows.
    """
    log = logging.getLogger(bench.name)
    path = bench.table(folder) if folder and resume else None
    before = read(path) if path and path.is_file() else pd.DataFrame(columns=list(COLUMNS))
    tables = [pd.DataFrame(columns=list(COLUMNS))]
    with _pool(processes) as pool:
        for name in names:
            scenario = bench.scenarios[name]
            why = scenario.lacks()
            if why:
                log.warning("%s is skipped: %s", name, why)
                continue
            for case in scenario.cases:
                if quick and not case.quick:
                    continue
                start = time.perf_counter()
                kept = before[(before["scenario"] == name) & (before["setting"] == case.setting)]
                n = n_data_sets or (scenario.n_quick if quick else case.n_data_sets)
                if len(kept) and kept["n_data_sets"].max() == n and (kept["seed"] == seed).all():
                    tables.append(kept)
                    continue
                table = run_case(scenario, case, n, seed, pool, bench.chunk)
                log.info("%s: %s: %d data sets, %.0f s", name, case.setting, n, time.perf_counter() - start)
                tables.append(table)
                if folder:
                    keep(bench, table, folder)
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor | None]:
    if processes == 1:
        yield None
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield pool


def keep(bench: Bench, table: pd.DataFrame, folder: Path) -> None:
    """Put rows in the place of earlier ones of the same setting; write what follows from them and the versions anew."""
    folder.mkdir(parents=True, exist_ok=True)
    path = bench.table(folder)
    if path.is_file():
        before = read(path)
        same = before.set_index(["scenario", "setting"]).index.isin(table.set_index(["scenario", "setting"]).index)
        table = pd.concat([before[~same], table], ignore_index=True)
    known = {
        (name, case.setting): (first, second)
        for first, (name, scenario) in enumerate(bench.scenarios.items())
        for second, case in enumerate(scenario.cases)
    }
    about = list(table[["scenario", "setting"]].itertuples(index=False, name=None))
    # What the scenarios no longer have is no longer kept.
    order = sorted((known[key], row) for row, key in enumerate(about) if key in known)
    table = table.iloc[[row for _, row in order]].reset_index(drop=True)
    write(table, path)
    for name, make in bench.extra.items():
        write(make(table), folder / name)
    versions = {"python": platform.python_version(), "livermet": livermet_version()}
    versions |= {name: metadata.version(name) for name in bench.packages}
    write(pd.DataFrame(versions.items(), columns=["package", "version"]), folder / "versions.tsv")


def write(table: pd.DataFrame, path: Path) -> None:
    """Whole or not at all."""
    new = path.with_suffix(".new")
    table.to_csv(new, sep="\t", index=False, float_format="%.4g")
    new.replace(path)


def read(path: Path) -> pd.DataFrame:
    """A table as it was kept."""
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values={name: ["", "nan"] for name in COLUMNS[3:7]})


def livermet_version() -> str:
    """The package's version, from its project file: it runs from the checkout and need not be installed."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])
