"""The beginning of a run: own the results, and put right what a killed run or a failing disk has left.

Snakemake trusts the times of files and its own notes. What it cannot see is looked at here, before it plans its jobs: the
rest of files that were being written, a publication that was broken off, outputs that are not what their jobs have left.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from livermet.files.atomic import clean, explain
from livermet.files.records import Damage, find_damage
from livermet.runs import lock
from livermet.runs.cluster import require_status, tell_failures
from livermet.runs.publishing import MARKER, find_altered, finish

Say = Callable[[str], Any]
# Options of Snakemake that only look, or do something else than run jobs.
LOOKING = (
    "dryrun", "lint", "list_target_rules", "list_rules", "print_compilation", "containerize", "generate_unit_tests", "dag",
    "rulegraph", "filegraph", "d3dag", "unlock", "cleanup_metadata", "cleanup_shadow", "summary", "detailed_summary",
    "archive", "list_changes", "list_input_changes", "list_params_changes", "list_untracked", "conda_cleanup_envs",
    "conda_create_envs_only", "list_conda_envs", "container_cleanup_images",
)  # fmt: skip


def begin(results: str | Path, arguments: Sequence[str], say: Say) -> list[str]:
    """Begin a run, or only look where that is all that was asked for.

    Parameters
    ----------
    results
        Folder of the study.
    arguments
        The command line, its program first.
    say
        Tells the user.

    Returns
    -------
    list of str
        Outputs that were damaged and have been removed: they are to be made again.

    Raises
    ------
    StorageError
        Where another run owns the folder, or it cannot be written.
    InputError
        Where jobs go to a cluster that cannot say whether they have ended.
    """
    results = Path(results)
    if not will_run(arguments):
        for damage in [*find_damage(results / "logs"), *find_altered(results)]:
            say(f"{damage.path} {damage.found}: the next run will mend it.")
        return []
    options = _options(tuple(arguments))
    require_status(options)
    tell_failures(options, say)
    if word := lock.take(results):
        say(word)
    try:
        return mend(results, say)
    except OSError as error:
        raise explain(error, results) or error from None


def will_run(arguments: Sequence[str]) -> bool:
    """Whether a command line of Snakemake runs jobs; its own parser says so, for options may be joined and shortened.

    A program that is not Snakemake's own command uses it as a library: then nothing is known before the jobs start.
    """
    if not arguments or Path(arguments[0]).name not in ("snakemake", "__main__.py"):
        return False
    options = _options(tuple(arguments))
    only_report = options.get("report") is not None and not options.get("report_after_run")
    return not (only_report or any(options.get(name) for name in LOOKING))


@cache
def _options(arguments: tuple[str, ...]) -> dict[str, Any]:
    """Command line and profiles, as Snakemake's own parser reads them."""
    from snakemake.cli import parse_args

    with contextlib.redirect_stderr(io.StringIO()):  # it names the profile, which was named before
        found: dict[str, Any] = vars(parse_args(list(arguments[1:]))[1])
    return found


def mend(results: Path, say: Say) -> list[str]:
    """Put right what an earlier run has left; for the owner alone."""
    for left in clean(results):
        say(f"Removed {left}, which a killed job was writing.")
    if finish(results):
        say(f"Finished the publication in {results} that was broken off.")
    damages = find_damage(results / "logs")
    for damage in damages:
        say(f"{damage.path} {damage.found}: it is made again.")
        damage.path.unlink(missing_ok=True)
    altered = find_altered(results)
    places: dict[str, list[Damage]] = {}
    for damage in altered:
        places.setdefault(damage.path.relative_to(results).parts[0], []).append(damage)
    for first, *others in places.values():
        more = f" (and {len(others)} more beside it)" if others else ""
        say(f"{first.path} {first.found}{more}: it is published again.")
    if altered:
        (results / MARKER).unlink(missing_ok=True)
    return [str(damage.path) for damage in damages]


def unpace(workflow: Any) -> None:
    """Let jobs of this machine start without a limit per second, which guards a cluster's queue and not a laptop.

    To keep the limit (100 a second unless told), Snakemake looks at all jobs again one second after every look at jobs that
    wait: each finished job adds a look a second for the rest of the run, and a run ends with a second of waiting. A future
    Snakemake without these attributes runs as it is. See docs/decisions/0025.

    Parameters
    ----------
    workflow
        Snakemake's workflow, whose scheduler is there (`onstart`).
    """
    scheduler: Any = getattr(workflow, "scheduler", None)
    if getattr(workflow, "local_exec", False) and getattr(scheduler, "job_rate_limiter", None) is not None:
        scheduler.job_rate_limiter = None


def tell_killed(logs: str | Path, since: float, say: Say) -> None:
    """Name the jobs that were killed: their logs end without an end. Snakemake shows a number, and nobody knows why.

    Parameters
    ----------
    logs
        Folder of the logs.
    since
        When the run began, in seconds since 1970.
    say
        Tells the user.
    """
    for path in sorted(Path(logs).rglob("*.log")):
        if path.stat().st_mtime < since:
            continue
        said = path.read_text(encoding="utf-8", errors="replace")
        if " ERROR " not in said and " done in " not in said:
            say(
                f"{path} ends without an end: the job was killed. Most often memory did not suffice: run fewer jobs at once "
                "(--cores 1), or give it more (on a cluster: mem_mb in profiles/slurm/config.yaml). The same command goes on."
            )
