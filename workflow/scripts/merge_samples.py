"""The kept cells of all samples in one gene space, and what became of every barcode."""

import pandas as pd

from livermet.cells.merge import merge_samples
from livermet.step import Step

with Step(snakemake) as step:
    sheet = pd.DataFrame.from_dict(step.params["sheet"], orient="index", dtype=str)
    merged = merge_samples(step.load_all("counts"), step.load_all("quality"), step.load_all("soup"), sheet)
    step.save(**merged._asdict())
