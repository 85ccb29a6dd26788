"""Raw counts summed over the cells of each mouse, tissue and population, and the ambient ones expected among them."""

import pandas as pd

from livermet.mice.design.units import make_units
from livermet.mice.endpoints.pseudobulk import sum_counts
from livermet.step import Step

with Step(snakemake) as step:
    sheet = pd.DataFrame(step.params["sheet"]).set_index("sample")
    units, _ = make_units(sheet, step.params["settings"])  # check_design has looked at what may be wrong
    populations = step.params["settings"]["populations"]
    inputs = {name: step.load(name) for name in ("counts", "labels", "soup")}
    step.save(pseudobulk=sum_counts(populations=populations, units=units, **inputs))
