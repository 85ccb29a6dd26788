"""Variable genes, principal components, batch integration and the neighbour graph of all kept cells."""

from livermet.cells.embedding.embed import embed_cells
from livermet.step import Step

with Step(snakemake) as step:
    step.save(**vars(embed_cells(step.load_counts("counts"), seed=step.params["seed"], **step.params["settings"])))
