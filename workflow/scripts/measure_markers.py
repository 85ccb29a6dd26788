"""Level of the marker genes in every lineage, for the marker figure."""

from livermet.plots.marker_levels import measure_markers
from livermet.step import Step

with Step(snakemake) as step:
    step.save(markers=measure_markers(step.load("counts"), step.load("labels"), step.load("markers")))
