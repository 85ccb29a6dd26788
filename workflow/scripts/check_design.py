"""Units, model matrix, aliasing, and for every question whether the design can answer it."""

import pandas as pd

from livermet.mice.design.doctor import examine
from livermet.mice.design.integrating import describe_batches
from livermet.mice.design.model import build_design
from livermet.step import Step

with Step(snakemake) as step:
    sheet = pd.DataFrame(step.params["sheet"]).set_index("sample")
    design = build_design(sheet, step.params["settings"])
    notes = describe_batches(sheet, step.params["settings"], step.params["embed"])
    step.save(design=design.to_dict(), findings=examine(design, notes).to_dict())
