"""Figures of the T cells and their states."""

from livermet.plots.style import as_outputs, look
from livermet.plots.tcell_figures import draw_tcells
from livermet.step import Step

with Step(snakemake) as step, look():
    names = ("layout", "states", "scores", "barcodes", "samples")
    step.save(**as_outputs(draw_tcells(**{name: step.load(name) for name in names})))
