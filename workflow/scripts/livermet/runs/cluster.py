"""What Snakemake keeps to itself about jobs on a cluster: that it will never hear of their end, and that they have failed.

It asks Slurm's accounting whether jobs have ended. A cluster without it answers with an error, which the executor takes for "not
known yet": jobs end, and the run waits for ever. And `quiet: rules`, which spares the user a page a job, hides failures as well:
a local job has said by itself what was wrong, a job elsewhere has not.
"""

from __future__ import annotations

import logging
import subprocess  # one fixed command, without a shell # nosec B404
from collections.abc import Callable, Mapping
from typing import Any

from livermet.errors import InputError, Problem

ASK = ("sacct", "-X", "-n")
TIMEOUT = 60.0  # seconds
HERE = ("local", "dryrun", "touch")  # executors that run nothing elsewhere
JOB_ERROR = "job_error"  # Snakemake's name of the event


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


class FailureTeller(logging.Handler):
    """Tells of every job that has failed, in a sentence.

    Parameters
    ----------
    say
        Tells the user.
    """

    def __init__(self, say: Callable[[str], Any]) -> None:
        super().__init__(logging.ERROR)
        self.say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Look at what Snakemake logs."""
        event = getattr(record, "event", None)
        if getattr(event, "value", event) != JOB_ERROR:
            return
        reason = " ".join(str(getattr(record, "rule_msg", None) or "").split())
        logs = ", ".join(map(str, getattr(record, "log", None) or []))
        self.say(f"Job {getattr(record, 'rule_name', '?')} failed. {reason} Logs: {logs or 'none'}")


def tell_failures(options: Mapping[str, Any], say: Callable[[str], Any]) -> None:
    """Tell of failed jobs where they run elsewhere.

    Parameters
    ----------
    options
        As for :func:`require_status`.
    say
        Tells the user.
    """
    executor = options.get("executor")
    if not isinstance(executor, str) or executor in HERE:
        return
    logger = logging.getLogger("snakemake.logging")
    if not any(isinstance(one, FailureTeller) for one in logger.handlers):
        logger.addHandler(FailureTeller(say))
