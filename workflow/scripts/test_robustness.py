"""Does a headline hang on one mouse, and could the labels alone have made it?"""

from livermet.mice.checks.gene_null import permute_genes
from livermet.mice.checks.quantities import Sources
from livermet.mice.checks.robustness import test_robustness
from livermet.mice.design.model import Design
from livermet.mice.endpoints.applicable import LABELLED, defining_genes
from livermet.step import Step
from livermet.tcells import signatures

with Step(snakemake) as step:
    design, sets = Design.from_dict(step.load("design")), step.load("signatures")
    tables = {name: step.load(name) for name in ("abundance", "readouts", "mechanism", "pseudobulk")}
    called = defining_genes(*(step.load(name) for name in LABELLED), sets["signatures"])
    sources = Sources(**tables, sets=sets["signatures"], signatures=signatures.load(sets), defining=called)
    step.save(**test_robustness(design, sources, step.params["seed"]))
    step.save(label_permutations=permute_genes(tables["pseudobulk"], design, step.params["seed"]))
