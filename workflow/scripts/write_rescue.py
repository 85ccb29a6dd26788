"""The rescue of one question."""

from livermet.mice.design import Design
from livermet.mice.tables import select_question
from livermet.step import Step

with Step(snakemake) as step:
    design = Design.from_dict(step.load("design"))
    names = step.output.keys()
    step.save(**select_question(step.wildcards.question, design, **{name: step.load(name) for name in names}))
