# Contract: needs the config; gives the names that every rule file uses. Settings, sheet, design and inputs are checked
# here, before any job, and every problem is said at once.
import time

from snakemake.exceptions import WorkflowError

from livermet import study
from livermet.errors import InputError
from livermet.provenance import sources
from livermet.runs import lock, owner, publishing, start

# A config given by --configfile or `--config file=` stands alone; without one the demo study runs.
try:
    settled, SHEET = study.enter(
        config, workflow.configfiles, "config/config.yaml", workflow.is_main_process
    )
    RESULTS = f"results/{settled['study']}"
    if workflow.is_main_process:
        # One run at a time; what a killed one has left is put right before jobs are planned.
        STARTED = time.time()
        DAMAGED = start.begin(RESULTS, sys.argv, logger.warning)
    else:
        STARTED, DAMAGED = 0.0, []
        owner.end_with_owner(poll=0.3)
except InputError as error:
    raise WorkflowError(str(error)) from None
config.clear()
config.update(settled)

STUDY = config["study"]
STEPS = f"{RESULTS}/steps"
# What people read is laid out here, file by file, and published together by the last rule.
STAGED = f"{RESULTS}/{publishing.STAGED}"
TABLES = f"{STAGED}/tables"
FIGURES = f"{STAGED}/figures"
PROVENANCE = f"{STAGED}/provenance"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"

SAMPLES = list(SHEET.index)
MACROPHAGES = config["macrophages"]["states"] or []
QUESTIONS = [question["name"] for question in config["design"]["questions"]]

# What steps have to tell; a step with notices of its own adds its table here.
NOTICES = [
    *(f"{STEPS}/read_sample/{sample}.notices.tsv" for sample in SAMPLES),
    *(f"{STEPS}/{step}/notices.tsv" for step in ("merge_samples", "check_cells")),
]


wildcard_constraints:
    sample="|".join(SAMPLES).replace(".", r"\."),


def input_files(sample):
    return study.input_files(SHEET, sample)


def raw_files(sample):
    return study.raw_files(SHEET, sample)
