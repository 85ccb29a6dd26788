"""One sample in the canonical form, whatever its format, the sum of its empty droplets, and what is to be told of it."""

from livermet.inputs.libraries import read_library
from livermet.step import Step

with Step(snakemake) as step:
    counts, empty, notices = read_library(sample=step.wildcards["sample"], **step.params)
    step.save(counts=counts, empty=empty, notices=notices)
