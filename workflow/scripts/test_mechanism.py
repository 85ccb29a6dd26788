"""The Fasl-Fas axis, mouse by mouse, for every question."""

from livermet.mice.design.model import Design
from livermet.mice.endpoints.applicable import LABELLED, defining_genes
from livermet.mice.endpoints.mechanism import load, test_mechanism
from livermet.mice.endpoints.readouts import units_of_cells
from livermet.step import Step
from livermet.tcells import signatures

with Step(snakemake) as step:
    design, counts, sets = Design.from_dict(step.load("design")), step.load("counts"), step.load("signatures")
    inputs = {"counts": counts, "units": units_of_cells(counts.obs, design), "design": design}
    inputs |= {name: step.load(name) for name in ("pseudobulk", "labels")} | {"settings": step.params["settings"]}
    inputs |= {"signatures": signatures.load(sets), "mechanism": load(step.load("mechanism"))}
    called = defining_genes(*(step.load(name) for name in LABELLED), sets["signatures"])
    step.save(**test_mechanism(**inputs, defining=called))
