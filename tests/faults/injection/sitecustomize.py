"""Strikes where a test says: Python imports this file at its start when its folder is on PYTHONPATH.

FAULT_AT is a pattern: the fault comes just before a file whose name matches takes its final place. FAULT_KIND says what:
`job` kills the process that writes, `main` Snakemake, `group` both and all that belong to them. FAULT_CGROUP is a control
group that the job of FAULT_RULE enters. Nothing of it is in the product.
"""

import os
import re
import signal
import sys
import time
from pathlib import Path

if os.environ.get("FAULT_AT"):
    os.environ.setdefault("FAULT_MAIN", str(os.getpid()))  # the first Python of a run is Snakemake itself
    _replace = os.replace

    def _strike() -> None:
        kind = os.environ["FAULT_KIND"]
        if kind == "job":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "wait":
            time.sleep(120)
        elif kind == "group":
            os.killpg(0, signal.SIGKILL)
        else:
            os.kill(int(os.environ["FAULT_MAIN"]), signal.SIGKILL)
            time.sleep(8)  # an orphan at work: it must not live to put the file in place

    def replace(source, target, **options):
        if re.search(os.environ["FAULT_AT"], str(target)):
            _strike()
        return _replace(source, target, **options)

    os.replace = replace

if os.environ.get("FAULT_CGROUP") and sys.orig_argv[-1].endswith(f".{os.environ['FAULT_RULE']}.py"):
    (Path(os.environ["FAULT_CGROUP"]) / "cgroup.procs").write_text(str(os.getpid()))
