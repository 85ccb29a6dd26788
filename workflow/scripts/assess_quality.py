"""Metrics, ambient share, doublets and the verdict for every barcode of one sample."""

from livermet.cells.barcodes.quality import assess_quality
from livermet.step import Step

with Step(snakemake) as step:
    quality, soup = assess_quality(
        step.load_counts("counts"),
        step.load("empty"),
        sample=step.wildcards["sample"],
        seed=step.params["seed"],
        **step.params["settings"],
    )
    step.save(quality=quality, soup=soup)
