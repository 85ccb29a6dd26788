"""Call the state of every T cell."""

from livermet.step import Step
from livermet.tcells.calls import name_states

with Step(snakemake) as step:
    tables = name_states(
        step.load("counts"),
        step.load("lineages"),
        scores=step.load("scores"),
        connectivities=step.load("connectivities"),
        signatures=step.load("signatures"),
        states=step.load("definitions"),
        bins=step.load("bins"),
        **step.params["settings"],
    )
    step.save(**tables)
