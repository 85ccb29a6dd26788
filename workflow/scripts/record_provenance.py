"""The resolved config, the versions in use and the checksums of the input."""

from livermet.report.versions import describe_inputs, read_versions
from livermet.step import Step

with Step(snakemake) as step:
    step.save(
        config=step.params["config"],
        versions=read_versions(),
        inputs=describe_inputs(step.params["files"]),
    )
