"""Every question put to every gene of every population, with mice as replicates."""

from livermet.mice.design.model import Design
from livermet.mice.endpoints.ambience import panel_genes
from livermet.mice.endpoints.expression import test_expression
from livermet.step import Step

with Step(snakemake) as step:
    design = Design.from_dict(step.load("design"))
    names = ("min_cells", "confidence", "effect_of_interest")
    panel = panel_genes(step.load("signatures")["signatures"])
    options = {name: design.settings[name] for name in names}
    expression, samples = test_expression(pseudobulk=step.load("pseudobulk"), design=design, panel=panel, **options)
    step.save(expression=expression, samples=samples)
