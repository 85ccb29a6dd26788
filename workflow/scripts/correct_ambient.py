"""One sample's counts without the ambient ones that are expected among them."""

from livermet.cells.barcodes.correct import correct_ambient
from livermet.step import Step

with Step(snakemake) as step:
    inputs = {name: step.load(name) for name in ("counts", "quality", "soup")}
    step.save(counts=correct_ambient(**inputs, sample=step.wildcards["sample"], seed=step.params["seed"]))
