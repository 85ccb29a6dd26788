"""Labels that the study's owner gives to the cells."""

from livermet.inputs.labels import read_labels
from livermet.step import Step

with Step(snakemake) as step:
    step.save(labels=read_labels(step.params["paths"], **step.params["settings"]))
