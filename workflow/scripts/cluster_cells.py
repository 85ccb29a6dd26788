"""Leiden clusters at every resolution, and the resolution chosen by its stability."""

from livermet.cells.clusters.cluster import cluster_cells
from livermet.step import Step

with Step(snakemake) as step:
    clustering = cluster_cells(
        step.load("connectivities"), step.load("pca").index, seed=step.params["seed"], **step.params["settings"]
    )
    step.save(**vars(clustering))
