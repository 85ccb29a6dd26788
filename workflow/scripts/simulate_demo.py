"""Simulated input for every sample of the demo's sheet, and the truth that was planted in it."""

from livermet.demo.cohort import simulate_cohort
from livermet.step import Step

with Step(snakemake) as step:
    truth = simulate_cohort(gene_table=step.load("genes"), threads=step.threads, **step.params["settings"])
    step.mark_saved("counts")
    step.save(**truth)
