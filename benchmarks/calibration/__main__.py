"""``python -m benchmarks.calibration``: run the scenarios, print what they found, keep it in `results/`."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

from benchmarks.calibration.run import BENCH, power_table
from benchmarks.common.measures import MISSED
from benchmarks.common.run import run

SEED = 20210
SHOWN = ["scenario", "setting", "quantity", "value", "low", "high", "target", "verdict"]


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; 1 where a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="few data sets, seconds; kept nowhere unless --out is given"
    )
    parser.add_argument(
        "--scenario", action="append", choices=list(BENCH.scenarios), help="only this one (may be repeated)"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, choices=(1, 2), default=1)
    parser.add_argument("--data-sets", type=int, help="data sets of each setting, instead of its own number")
    parser.add_argument("--out", type=Path, help="folder of the results (default: beside the code)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    folder = options.out or (None if options.quick else BENCH.results)
    start = time.perf_counter()
    table = run(
        BENCH,
        options.scenario or list(BENCH.scenarios),
        seed=options.seed,
        quick=options.quick,
        processes=options.processes,
        folder=folder,
        n_data_sets=options.data_sets,
        resume=options.resume,
    )
    print(table[SHOWN].to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    power = power_table(table)
    if len(power):
        print("\nPower at 5 % (Monte-Carlo error):\n" + power.to_string(index=False))
    counts = table["verdict"].value_counts()
    held = ", ".join(f"{counts[name]} {name}" for name in counts.index if name)
    print(f"\nTargets: {held}; {time.perf_counter() - start:.0f} s")
    return int((table["verdict"] == MISSED).any())


if __name__ == "__main__":
    sys.exit(main())
