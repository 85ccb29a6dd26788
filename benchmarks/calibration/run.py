"""The calibration's scenarios, their results and the table of power."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.calibration.scenarios import SCENARIOS
from benchmarks.common.run import Bench


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


BENCH = Bench(
    name="calibration",
    scenarios=SCENARIOS,
    results=Path(__file__).resolve().parent / "results",
    packages=("edgepython", "pylimma", "numpy", "scipy", "pandas", "formulaic", "anndata"),
    extra={"power.tsv": power_table},
)
