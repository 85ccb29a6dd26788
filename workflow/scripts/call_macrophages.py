"""Score macrophages and name their states."""

from livermet.step import Step
from livermet.tcells.calls import name_compartment

with Step(snakemake) as step:
    tables = name_compartment(
        step.load("counts"),
        step.load("lineages"),
        study_connectivities=step.load("connectivities"),
        signatures=step.load("signatures"),
        states=step.load("definitions"),
        bins=step.load("bins"),
        **step.params["settings"],
    )
    step.save(**tables)
