"""One sample in the canonical form, whatever its format, and the sum of its empty droplets."""

from livermet.inputs.canonical import read_sample
from livermet.inputs.droplets import sum_empty_droplets
from livermet.step import Step

with Step(snakemake) as step:
    names = {"sample": step.wildcards["sample"], "species": step.params["species"]}
    counts = read_sample(step.params["path"], **names)
    step.save(counts=counts, empty=sum_empty_droplets(step.params["raw_path"], counts, **names))
