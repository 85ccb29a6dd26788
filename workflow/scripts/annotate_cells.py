"""Lineage of every cluster and cell, with the evidence."""

from livermet.cells.annotate import annotate_cells
from livermet.step import Step

with Step(snakemake) as step:
    annotation = annotate_cells(
        step.load("counts"), step.load("clusters"), step.load("markers"), **step.params["settings"]
    )
    step.save(**vars(annotation))
