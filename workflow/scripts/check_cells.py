"""Stress, cell cycle, sex and suspect clusters of the kept cells."""

import pandas as pd

from livermet.cells.checks.check import check_cells
from livermet.step import Step

with Step(snakemake) as step:
    sheet = pd.DataFrame.from_dict(step.params["sheet"], orient="index", dtype=str)
    tables = (step.load_counts("counts"), step.load("lineages"), step.load("evidence"))
    step.save(**check_cells(*tables, signatures=step.load("signatures"), bins=step.load("bins"), sheet=sheet))
