"""``python -m benchmarks.cells``: run the scenarios and the data sets at the edge, print what they found, keep it."""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from pathlib import Path

from benchmarks.cells.edges import run_edges
from benchmarks.cells.run import BENCH, EDGES
from benchmarks.common.measures import MISSED
from benchmarks.common.run import run, write

SEED = 20211
SHOWN = ["scenario", "setting", "quantity", "value", "low", "high", "target", "verdict"]


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; 1 where a target was missed or a data set at the edge did not end well."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cells", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a data set or two of a setting each; kept nowhere")
    parser.add_argument(
        "--scenario", action="append", choices=[*BENCH.scenarios, EDGES], help="only this one (may be repeated)"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, choices=(1, 2), default=1)
    parser.add_argument("--data-sets", type=int, help="data sets of each setting, instead of its own number")
    parser.add_argument("--out", type=Path, help="folder of the results (default: beside the code)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    parser.add_argument("--all", action="store_true", help="print the quantities without a target, too")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger(BENCH.name).setLevel(logging.INFO)
    logging.getLogger("livermet").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    folder = options.out or (None if options.quick else BENCH.results)
    names = options.scenario or [*BENCH.scenarios, EDGES]
    start = time.perf_counter()
    table = run(
        BENCH,
        [name for name in names if name in BENCH.scenarios],
        seed=options.seed,
        quick=options.quick,
        processes=options.processes,
        folder=folder,
        n_data_sets=options.data_sets,
        resume=options.resume,
    )
    shown = table if options.all else table[table["target"] != ""]
    print(shown[SHOWN].to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    ended_well = True
    if EDGES in names and not options.quick:
        edges = run_edges()
        ended_well = bool(edges["right"].all())
        print(edges.to_string(index=False, max_colwidth=90))
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            write(edges, folder / f"{EDGES}.tsv")
    counts = table["verdict"].value_counts()
    held = ", ".join(f"{counts[name]} {name}" for name in counts.index if name)
    print(f"\nTargets: {held}; {time.perf_counter() - start:.0f} s")
    return int((table["verdict"] == MISSED).any() or not ended_well)


if __name__ == "__main__":
    sys.exit(main())
