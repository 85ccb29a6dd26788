"""What a case is: a good study with one thing wrong in it (or merely odd), and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.robustness.study import Opened, Study


@dataclass(frozen=True)
class Case:
    """Something that must be refused.

    Parameters
    ----------
    name
        A few words, unique over all files.
    make
        Makes it from the good study: one to three lines, usually a lambda of :class:`tests.robustness.study.Study`'s
        methods.
    says
        Exact parts of the message: where, what, remedy. One text or several.
    reader
        The gate cannot know (it looks at the head of each file): the sample that is refused when it is read. The gate must
        then let the study through.
    run
        Also through Snakemake itself: a second or three, so a few of each group.
    by
        How Snakemake is given the config: `--configfile` is read by Snakemake, `--config file=` by the gate.
    unwritten
        Below the folder in which Snakemake runs: what must not be there afterwards (only with `run`; in-process nothing
        at all may have been written).
    """

    name: str
    make: Callable[[Study], Any]
    says: str | tuple[str, ...]
    reader: str = ""
    run: bool = False
    by: str = "--configfile "
    unwritten: tuple[str, ...] = ("results",)

    @property
    def parts(self) -> tuple[str, ...]:
        """Every part of the message."""
        return (self.says,) if isinstance(self.says, str) else self.says


@dataclass(frozen=True)
class Good:
    """Something odd that must be let through, and what must be read from it.

    Parameters
    ----------
    name, make, run
        As in :class:`Case`; `run` is a dry run through Snakemake.
    read
        Takes something out of what was read: the sheet, the config, the notices, a sample's counts.
    equals
        What it must be.
    """

    name: str
    make: Callable[[Study], Any]
    read: Callable[[Opened], Any]
    equals: Any
    run: bool = False
