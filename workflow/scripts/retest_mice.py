"""Answers to the study's questions, for every labelling of one choice of cells."""

import pandas as pd

from livermet.mice.design.model import Design
from livermet.multiverse.answers import Knowledge, answer_specifications
from livermet.multiverse.grid import read_cell_set
from livermet.step import Step

with Step(snakemake) as step:
    samples = pd.DataFrame.from_dict(step.params["sheet"], orient="index")
    knowledge = Knowledge(**{name: step.load(name) for name in Knowledge.__annotations__})
    choices = vars(read_cell_set(step.wildcards["cells"])) | {"integrate": step.wildcards["integrate"]}
    tables = (step.load(name) for name in ("counts", "labels", "outcomes"))
    design = Design.from_dict(step.load("design"))
    estimates, outcomes = answer_specifications(*tables, samples, design, knowledge, choices)
    step.save(estimates=estimates, outcomes=outcomes)
