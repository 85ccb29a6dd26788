"""Every question put to every gene set that applies to a population, with mice as replicates."""

from livermet.mice.design.model import Design
from livermet.mice.endpoints.ambience import panel_genes
from livermet.mice.endpoints.applicable import LABELLED, defining_genes
from livermet.mice.endpoints.pathways import test_pathways
from livermet.step import Step

with Step(snakemake) as step:
    sets = step.load("signatures")
    step.save(
        pathways=test_pathways(
            pseudobulk=step.load("pseudobulk"),
            design=Design.from_dict(step.load("design")),
            signatures=sets["signatures"],
            aliases=sets["aliases"],
            defining=defining_genes(*(step.load(name) for name in LABELLED), sets["signatures"]),
            panel=panel_genes(sets["signatures"]),
        )
    )
