"""How much of a damage each repair undoes, on the read-outs that the config declares, and gene by gene."""

from livermet.mice.design.model import Design
from livermet.mice.endpoints.applicable import LABELLED, defining_genes
from livermet.mice.endpoints.rescue import test_rescue
from livermet.step import Step
from livermet.tcells import signatures

with Step(snakemake) as step:
    sets = step.load("signatures")
    inputs = {name: step.load(name) for name in ("abundance", "pseudobulk", "expression")}
    inputs |= {"design": Design.from_dict(step.load("design")), "settings": step.params["settings"]}
    called = defining_genes(*(step.load(name) for name in LABELLED), sets["signatures"])
    step.save(**test_rescue(**inputs, signatures=signatures.load(sets), defining=called))
