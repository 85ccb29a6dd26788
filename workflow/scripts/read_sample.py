"""One sample in the canonical form, whatever its format, and the sum of its empty droplets."""

from livermet.inputs.libraries import read_library
from livermet.step import Step

with Step(snakemake) as step:
    counts, empty = read_library(sample=step.wildcards["sample"], **step.params)
    step.save(counts=counts, empty=empty)
