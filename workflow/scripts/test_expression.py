"""Every question put to every gene of every population, with mice as replicates."""

from livermet.mice.design.model import Design
from livermet.mice.endpoints.expression import test_expression
from livermet.step import Step

with Step(snakemake) as step:
    design = Design.from_dict(step.load("design"))
    names = ("min_cells", "confidence", "effect_of_interest")
    expression, samples = test_expression(
        pseudobulk=step.load("pseudobulk"), design=design, **{name: design.settings[name] for name in names}
    )
    step.save(expression=expression, samples=samples)
