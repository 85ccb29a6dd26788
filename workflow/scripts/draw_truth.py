"""The demo's figure of what was planted and what was found."""

from livermet.plots.style import as_outputs, look
from livermet.plots.truth import plot_truth
from livermet.step import Step

with Step(snakemake) as step, look():
    step.save(**as_outputs({"truth": plot_truth(step.load("truth"))}))
