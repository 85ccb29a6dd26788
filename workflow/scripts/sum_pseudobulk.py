"""Raw counts summed over the cells of each mouse, tissue and population."""

import pandas as pd

from livermet.mice.design.units import make_units
from livermet.mice.endpoints.pseudobulk import sum_counts
from livermet.step import Step

with Step(snakemake) as step:
    sheet = pd.DataFrame(step.params["sheet"]).set_index("sample")
    units, _ = make_units(sheet, step.params["settings"])  # check_design has looked at what may be wrong
    populations = step.params["settings"]["populations"]
    counts, labels = step.load("counts"), step.load("labels")
    step.save(pseudobulk=sum_counts(counts=counts, labels=labels, populations=populations, units=units))
