"""How much of a damage each repair undoes, on the read-outs that the config declares, and gene by gene."""

from livermet.mice.design import Design
from livermet.mice.rescue import test_rescue
from livermet.step import Step
from livermet.tcells import signatures

with Step(snakemake) as step:
    design, sets = Design.from_dict(step.load("design")), signatures.load(step.load("signatures"))
    tables = [step.load(name) for name in ("abundance", "pseudobulk", "expression")]
    step.save(**test_rescue(*tables, design=design, settings=step.params["settings"], signatures=sets))
