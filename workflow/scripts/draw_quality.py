"""Figures of the study's mice and of the quality of its samples."""

from livermet.plots.quality_figures import draw_quality
from livermet.plots.style import as_outputs, look
from livermet.step import Step

with Step(snakemake) as step, look():
    tables = (step.load(name) for name in ("barcodes", "samples", "design"))
    step.save(**as_outputs(draw_quality(*tables, limits=step.params["limits"])))
