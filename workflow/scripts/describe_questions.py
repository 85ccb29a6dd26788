"""A page beside every question's tables: sentence, formula, contrast vector, mice, tier, family of adjustment."""

from livermet.mice.answers.guide import describe_question
from livermet.step import Step

with Step(snakemake) as step:
    findings, settings = step.load("findings"), step.load("design")["settings"]
    step.save(readme=[describe_question(name, findings, settings) for name in step.params["questions"]])
