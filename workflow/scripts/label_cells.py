"""Join clusters, lineages and T-cell states: one label table for all cells."""

from livermet.step import Step
from livermet.tcells.labels import label_cells

with Step(snakemake) as step:
    step.save(labels=label_cells(*(step.load(name) for name in ("lineages", "states", "macrophages"))))
