"""Figures of the answers and of the genes."""

from livermet.plots.mouse_figures import draw_answers
from livermet.plots.style import as_outputs, look
from livermet.step import Step

with Step(snakemake) as step, look():
    names = ("answers", "expression", "mechanism", "calls", "left_out", "design")
    step.save(**as_outputs(draw_answers(**{name: step.load(name) for name in names})))
