"""Figures of all kept cells, their lineages and their clusters."""

from livermet.plots.cell_figures import draw_cells
from livermet.plots.style import as_outputs, look
from livermet.step import Step

with Step(snakemake) as step, look():
    names = (
        "layout",
        "labels",
        "barcodes",
        "samples",
        "clusters",
        "stability",
        "cluster_stability",
        "markers",
        "design",
    )
    step.save(**as_outputs(draw_cells(**{name: step.load(name) for name in names})))
