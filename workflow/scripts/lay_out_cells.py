"""Two map coordinates for every cell, for figures and the atlas only."""

from livermet.cells.embedding.layout import lay_out_cells
from livermet.step import Step

with Step(snakemake) as step:
    step.save(umap=lay_out_cells(step.load("pca"), step.load("connectivities"), seed=step.params["seed"]))
