"""Lineage of every cluster and cell, with the evidence and what others would say."""

from livermet.cells.lineages.precedence import name_lineages
from livermet.inputs.references import read_reference
from livermet.step import Step

with Step(snakemake) as step:
    tables = name_lineages(
        **{name: step.load(name) for name in ("counts", "clusters", "markers", "connectivities", "labels")},
        reference=read_reference(step.params["reference"]),
        seed=step.params["seed"],
        **step.params["settings"],
    )
    step.save(**tables)
