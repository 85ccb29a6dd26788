"""The Fasl-Fas axis, mouse by mouse, for every question."""

import pandas as pd

from livermet.mice.composition import units_of
from livermet.mice.design import Design
from livermet.mice.mechanism import load, test_mechanism
from livermet.step import Step
from livermet.tcells import signatures

with Step(snakemake) as step:
    design, counts, labels = Design.from_dict(step.load("design")), step.load("counts"), step.load("labels")
    units = units_of(counts.obs, pd.DataFrame.from_dict(step.params["samples"], orient="index"), design)
    sets, readouts = signatures.load(step.load("signatures")), load(step.load("mechanism"), where="resources/mechanism.yaml")
    tests = test_mechanism(counts, step.load("pseudobulk"), labels, units, design, step.params["settings"], sets, readouts)
    step.save(**tests)
