"""The atlas: one AnnData with everything known about the kept cells."""

from livermet.cells.atlas import assemble_atlas
from livermet.step import Step

with Step(snakemake) as step:
    tables = ("counts", "labels", "barcodes", "pca", "umap", "clusters", "genes", "connectivities", "distances")
    programmes = step.load("programmes")
    step.save(
        atlas=assemble_atlas(*(step.load(name) for name in tables), **step.params["about"], programmes=programmes)
    )
