"""Run scenarios, and keep their results: a table with limits and verdicts, a table of power, and the versions used."""

from __future__ import annotations

import logging
import platform
import time
import zlib
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.calibration.measures import NONE, Case, Counts, Scenario, estimate
from benchmarks.calibration.scenarios import SCENARIOS

log = logging.getLogger("calibration")

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
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
PACKAGES = ("edgepython", "pylimma", "numpy", "scipy", "pandas", "formulaic", "anndata")
CHUNK = 4  # data sets handed to a process at once


def measure_one(place: int, *, scenario: str, case: Case, seed: int) -> Counts:
    """One data set. Its random numbers follow from seed, scenario, setting and place alone, whatever else is run."""
    name = zlib.crc32(f"{scenario}|{case.setting}".encode())
    with threadpool_limits(1):  # matrices this small only lose by threads
        return SCENARIOS[scenario].measure(np.random.default_rng([seed, name, place]), case.values)


def run_case(
    scenario: Scenario, case: Case, n: int, seed: int, pool: ProcessPoolExecutor | None = None
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
        Processes to share the data sets out to.

    Returns
    -------
    pandas.DataFrame
        A row a quantity (:data:`COLUMNS`); quantities in the scenario's order.
    """
    one = partial(measure_one, scenario=scenario.name, case=case, seed=seed)
    found = list(pool.map(one, range(n), chunksize=CHUNK) if pool else map(one, range(n)))
    rows = []
    for quantity in dict.fromkeys(name for counts in found for name in counts):
        pairs = np.array([counts.get(quantity, (0.0, 0.0)) for counts in found])
        result, target = estimate(pairs[:, 0], pairs[:, 1]), scenario.targets.get(quantity)
        verdict = target.judge(result.value, result.low, result.high) if target else NONE
        rows.append(
            (scenario.name, case.setting, quantity, result.value, result.error, result.low, result.high,
             str(target or ""), verdict, int((pairs[:, 1] != 0).sum()), seed)
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def run(
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
    path = folder / "calibration.tsv" if folder and resume else None
    before = read(path) if path and path.is_file() else pd.DataFrame(columns=list(COLUMNS))
    tables = []
    with _pool(processes) as pool:
        for name in names:
            scenario = SCENARIOS[name]
            for case in scenario.cases:
                if quick and not case.quick:
                    continue
                start = time.perf_counter()
                kept = before[(before["scenario"] == name) & (before["setting"] == case.setting)]
                n = n_data_sets or (scenario.n_quick if quick else case.n_data_sets)
                if len(kept) and kept["n_data_sets"].max() == n and (kept["seed"] == seed).all():
                    tables.append(kept)
                    continue
                table = run_case(scenario, case, n, seed, pool)
                log.info("%s: %s: %d data sets, %.0f s", name, case.setting, n, time.perf_counter() - start)
                tables.append(table)
                if folder:
                    keep(table, folder)
    return pd.concat(tables, ignore_index=True)


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor | None]:
    if processes == 1:
        yield None
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield pool


def keep(table: pd.DataFrame, folder: Path) -> None:
    """Put rows in the place of earlier ones of the same setting; write the power table and the versions anew."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "calibration.tsv"
    if path.is_file():
        before = read(path)
        same = before.set_index(["scenario", "setting"]).index.isin(table.set_index(["scenario", "setting"]).index)
        table = pd.concat([before[~same], table], ignore_index=True)
    known = {
        (name, case.setting): (first, second)
        for first, (name, scenario) in enumerate(SCENARIOS.items())
        for second, case in enumerate(scenario.cases)
    }
    about = list(table[["scenario", "setting"]].itertuples(index=False, name=None))
    # What the scenarios no longer have is no longer kept.
    order = sorted((known[key], row) for row, key in enumerate(about) if key in known)
    table = table.iloc[[row for _, row in order]].reset_index(drop=True)
    _write(table, path)
    _write(power_table(table), folder / "power.tsv")
    versions = {"python": platform.python_version(), "livermet": livermet_version()}
    versions |= {name: metadata.version(name) for name in PACKAGES}
    _write(pd.DataFrame(versions.items(), columns=["package", "version"]), folder / "versions.tsv")


def _write(table: pd.DataFrame, path: Path) -> None:
    """Whole or not at all."""
    new = path.with_suffix(".new")
    table.to_csv(new, sep="\t", index=False, float_format="%.4g")
    new.replace(path)


def read(path: Path = RESULTS / "calibration.tsv") -> pd.DataFrame:
    """The table as it was kept."""
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values={name: ["", "nan"] for name in COLUMNS[3:7]})


def power_table(table: pd.DataFrame) -> pd.DataFrame:
    """Power by mice an arm and effect, with its Monte-Carlo error: a row an endpoint, question and effect, a column an n."""
    pattern = r"^(?:(?P<test>fry|camera)_)?power_(?P<bh>after_bh_)?(?P<question>effect|interaction)_(?P<effect>[\d.]+)$"
    chosen = table[table["scenario"].isin(["gene_power", "signature_power"])]
    about = chosen["quantity"].str.extract(pattern)
    rows = chosen[about["effect"].notna()].join(about)
    rows["test"] = rows["test"].fillna("genes") + rows["bh"].notna().map({True: " (both tests, after BH)", False: ""})
    rows["n"] = "n=" + rows["setting"].str.extract(r"n=(\d+)")[0]
    rows["power"] = [f"{value:.2f} ({error:.2f})" for value, error in zip(rows["value"], rows["mc_error"], strict=True)]
    keys = ["test", "question", "effect"]
    return (
        rows.pivot_table(index=keys, columns="n", values="power", aggfunc="first")
        .reset_index()
        .rename_axis(columns=None)
    )


def livermet_version() -> str:
    """The package's version, from its project file: it runs from the checkout and need not be installed."""
    import tomllib

    project = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])
