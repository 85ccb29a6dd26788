"""The methods of this run, with its numbers and its citations."""

from livermet.report.methods import Facts, compose_methods
from livermet.report.rendering import render
from livermet.step import Step

with Step(snakemake) as step:
    facts = Facts(
        **{name: step.load(name) for name in ("barcodes", "samples", "stability", "integration", "states", "design")}
    )
    outline = compose_methods(step.params["config"], step.load("versions"), facts)
    step.save(outline=outline, methods=render("methods.md.j2", **outline))
