"""Whether a cluster can say that a job has ended: asked before the first job is sent to it.

Snakemake asks Slurm's accounting. A cluster without it answers with an error, which the executor takes for "not known yet":
jobs end, and the run waits for ever.
"""

from __future__ import annotations

import subprocess  # one fixed command, without a shell # nosec B404
from collections.abc import Mapping
from typing import Any

from livermet.errors import InputError, Problem

ASK = ("sacct", "-X", "-n")
TIMEOUT = 60.0  # seconds


def require_status(options: Mapping[str, Any]) -> None:
    """Stop where jobs would be sent to a Slurm whose accounting does not answer although it is to be asked.

    Parameters
    ----------
    options
        Snakemake's command line and profiles, as its parser gives them.

    Raises
    ------
    InputError
        With what the accounting says, and the two lines of the profile that mend it.
    """
    # Not set by the user: the executor takes sacct; where there is no such command, squeue.
    if options.get("executor") != "slurm" or options.get("slurm_status_command") == "squeue":
        return
    try:
        asked = subprocess.run(ASK, capture_output=True, text=True, timeout=TIMEOUT, check=False)  # noqa: S603 # nosec B603
        said, failed = asked.stderr, asked.returncode != 0
    except FileNotFoundError:
        return
    except subprocess.TimeoutExpired:
        said, failed = f"no answer within {TIMEOUT:g} s", True
    if failed:
        raise InputError(
            Problem(
                "the cluster", f"its accounting does not answer (`{' '.join(ASK)}`: {' '.join(said.split())}), so Snakemake "
                "would wait for ever for jobs that have ended",
                remedy="Is it down for a while, wait. Does the cluster keep none, write `slurm-status-command: squeue` into "
                "profiles/slurm/config.yaml",
            )
        )  # fmt: skip
