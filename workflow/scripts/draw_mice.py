"""Figures of the mice behind the answers."""

from livermet.plots.mouse_figures import draw_mice
from livermet.plots.style import as_outputs, look
from livermet.step import Step

with Step(snakemake) as step, look():
    names = ("pathways", "proportions", "readouts", "mechanism", "composition", "design")
    step.save(**as_outputs(draw_mice(**{name: step.load(name) for name in names})))
