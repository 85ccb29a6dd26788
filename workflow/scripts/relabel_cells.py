"""Labels of one choice of cells, at every resolution."""

from livermet.multiverse.grid import resolutions
from livermet.multiverse.labels import Knowledge, relabel_cells
from livermet.step import Step

with Step(snakemake) as step:
    stability, kept = step.load("stability"), step.load("kept")[step.wildcards["cells"]].to_numpy()
    chosen = stability.loc[stability["chosen"], "resolution"].iloc[0]
    labels, outcomes = relabel_cells(
        step.load("counts")[kept].copy(),
        knowledge=Knowledge(**{name: step.load(name) for name in Knowledge.__annotations__}),
        settings=step.params["settings"],
        integrate=step.wildcards["integrate"],
        resolutions=resolutions(step.params["multiverse"], step.params["cluster"], chosen),
        seed=step.params["seed"],
    )
    step.save(labels=labels, outcomes=outcomes)
