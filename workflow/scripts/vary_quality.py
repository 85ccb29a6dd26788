"""Which barcodes every choice of cells keeps, and the counts of all of them."""

import pandas as pd

from livermet.multiverse.grid import read_cell_set
from livermet.multiverse.verdicts import vary_quality
from livermet.step import Step

with Step(snakemake) as step:
    sheet = pd.DataFrame.from_dict(step.params["sheet"], orient="index", dtype=str)
    tables = (step.load_all(name) for name in ("counts", "merged", "quality", "soup"))
    sets = [read_cell_set(name) for name in step.params["sets"]]
    counts, kept = vary_quality(*tables, sheet, sets, step.params["settings"], seed=step.params["seed"])
    step.save(counts=counts, kept=kept)
