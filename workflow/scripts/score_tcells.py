"""Score every T cell on the gene sets of the states and read-outs."""

from livermet.step import Step
from livermet.tcells.scores import score_states

with Step(snakemake) as step:
    tables = score_states(
        step.load("counts"),
        step.load("lineages"),
        signatures=step.load("signatures"),
        states=step.load("states"),
        bins=step.load("bins"),
        **step.params["settings"],
    )
    step.save(**tables)
