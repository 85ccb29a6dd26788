"""Embed the T cells by themselves."""

from livermet.step import Step
from livermet.tcells.embed import embed_tcells

with Step(snakemake) as step:
    found = embed_tcells(
        step.load("counts"),
        step.load("lineages"),
        study_pca=step.load("pca"),
        study_connectivities=step.load("connectivities"),
        signatures=step.load("signatures"),
        states=step.load("definitions"),
        seed=step.params["seed"],
        **step.params["settings"],
    )
    step.save(**found._asdict())
