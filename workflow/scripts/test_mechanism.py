"""The Fasl-Fas axis, mouse by mouse, for every question."""

from livermet.mice.design import Design
from livermet.mice.mechanism import load, test_mechanism
from livermet.mice.readouts import units_of_cells
from livermet.step import Step
from livermet.tcells import signatures

with Step(snakemake) as step:
    design, counts = Design.from_dict(step.load("design")), step.load("counts")
    results = test_mechanism(
        counts,
        step.load("pseudobulk"),
        step.load("labels"),
        units_of_cells(counts.obs, design),
        design,
        step.params["settings"],
        signatures.load(step.load("signatures")),
        load(step.load("mechanism")),
    )
    step.save(**results)
