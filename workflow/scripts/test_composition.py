"""Abundance of every population, mouse by mouse, for every question."""

import pandas as pd

from livermet.mice.design.model import Design
from livermet.mice.endpoints.composition import test_composition, units_of
from livermet.mice.endpoints.totals import find_totals
from livermet.step import Step

with Step(snakemake) as step:
    design = Design.from_dict(step.load("design"))
    samples = pd.DataFrame.from_dict(step.params["sheet"], orient="index")
    labels, barcodes = step.load("labels"), step.load("barcodes")
    units = units_of(barcodes.loc[labels.index], samples, design)
    counted = find_totals(samples, design)
    step.save(**test_composition(labels, units, design, step.params["settings"], counted))
