# livermet: counts of single cells in, answers mouse by mouse out. This file reads the settings and names what is made.
import sys

from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.10")
sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")


include: "workflow/rules/common.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/ingest.smk"
include: "workflow/rules/cells.smk"
include: "workflow/rules/tcells.smk"
include: "workflow/rules/mice.smk"
include: "workflow/rules/multiverse.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/publish.smk"


onstart:
    lock.take(RESULTS)  # ours already, but where Snakemake is used as a library
    start.unpace(workflow)
    logger.info(study.describe_design(SHEET, config))


onerror:
    start.tell_killed(LOGS, STARTED, logger.error)


rule all:
    """Everything that a study gives: the report, the tables, the figures and the atlas."""
    default_target: True
    input:
        f"{RESULTS}/{publishing.MARKER}",
        MADE_AGAIN,
