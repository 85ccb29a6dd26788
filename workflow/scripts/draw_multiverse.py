"""The specification curve of every headline."""

from livermet.plots.specification_curve import plot_curves
from livermet.plots.style import as_outputs, look
from livermet.step import Step

with Step(snakemake) as step, look():
    names = ("estimates", "summary", "specifications", "mechanism", "design")
    figure = plot_curves(**{name: step.load(name) for name in names})
    step.save(**as_outputs({"specification_curve": figure}))
