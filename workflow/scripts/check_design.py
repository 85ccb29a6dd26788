"""Units, model matrix, aliasing, and for every question whether the design can answer it."""

import pandas as pd

from livermet.mice.design.model import build_design
from livermet.step import Step

with Step(snakemake) as step:
    sheet = pd.DataFrame(step.params["sheet"]).set_index("sample")
    step.save(design=build_design(sheet, step.params["settings"]).to_dict())
