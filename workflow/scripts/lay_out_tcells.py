"""Lay the T cells out on a map of their own."""

from livermet.step import Step
from livermet.tcells.embed import lay_out_tcells

with Step(snakemake) as step:
    step.save(umap=lay_out_tcells(step.load("pca"), step.load("connectivities"), seed=step.params["seed"]))
