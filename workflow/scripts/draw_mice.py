"""Figures of the answers and of the mice behind them."""

from livermet.plots.mouse_figures import draw_mice
from livermet.plots.style import as_outputs, look
from livermet.step import Step

with Step(snakemake) as step, look():
    names = ("answers", "expression", "pathways", "proportions", "readouts", "mechanism", "design")
    step.save(**as_outputs(draw_mice(**{name: step.load(name) for name in names})))
