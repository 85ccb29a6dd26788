"""The tables of every rescue."""

from livermet.mice.answers.files import select_question
from livermet.mice.design.model import Design
from livermet.step import Step

with Step(snakemake) as step:
    design = Design.from_dict(step.load("design"))
    tables = {name: step.load(name) for name in step.output.keys()}  # noqa: SIM118 - a named list, not a dict
    chosen = [select_question(question, design, **tables) for question in step.params["questions"]]
    step.save(**{name: [of_question[name] for of_question in chosen] for name in tables})
