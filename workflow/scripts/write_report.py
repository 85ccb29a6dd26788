"""The report: one self-contained HTML page."""

from livermet.report.page import Results, write_page
from livermet.report.sources import captions_of, images_of
from livermet.step import Step

with Step(snakemake) as step:
    page = write_page(
        config=step.params["config"],
        results=Results(**{name: step.load(name) for name in Results.__annotations__}),
        images=images_of(step.paths("figures")),
        captions=captions_of(step.paths("captions")),
        **{name: step.load(name) for name in ("design", "findings", "methods", "versions")},
    )
    step.save(report=page)
