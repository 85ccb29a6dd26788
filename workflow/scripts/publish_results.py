"""The whole set of deliverables, in the place of the last one."""

from livermet.runs.publishing import publish
from livermet.step import Step

with Step(snakemake) as step:
    step.save(published=publish(step.paths("files"), **step.params))
