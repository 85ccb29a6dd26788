"""A sentence, an estimate and its worth for every question, population and endpoint."""

from livermet.mice.answers.table import answer
from livermet.mice.design.model import Design
from livermet.step import Step

with Step(snakemake) as step:
    names = ("expression", "pathways", "composition", "mechanism", "rescue", "robustness")
    tables = {name: step.load(name) for name in names}
    step.save(answers=answer(**tables, design=Design.from_dict(step.load("design")), words=step.params["words"]))
