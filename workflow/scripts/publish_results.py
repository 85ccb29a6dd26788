"""The whole set of deliverables, in the place of the last one."""

from pathlib import Path

from livermet.runs.publishing import MARKER, publish
from livermet.step import Step

with Step(snakemake) as step:
    results = Path(str(step.output["published"]).removesuffix(MARKER))
    step.save(published=publish(step.paths("files"), results))
