"""What a run has to tell about single samples or the study: found by any step, told in one place.

A step gathers its notices in a small table of its own (:func:`tabulate`); those tables are put together (:func:`gather`)
in tables/notices.tsv and stand at the top of the report. A notice changes nothing by itself: what was done, if anything,
is said in its words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields

import pandas as pd

LOUD, QUIET = "loud", "quiet"
STUDY = "the study"


@dataclass(frozen=True)
class Notice:
    """One thing to know.

    Parameters
    ----------
    sample
        Whom it is about: a sample's name, a mouse, a cluster, or :data:`STUDY`.
    step
        The rule that found it.
    what
        A short sentence: what was found and what was done about it.
    evidence
        The numbers behind it.
    remedy
        What a person can do.
    level
        :data:`LOUD` where answers may be wrong if nothing is done, or mice are lost; else :data:`QUIET`.
    """

    sample: str
    step: str
    what: str
    evidence: str = ""
    remedy: str = ""
    level: str = QUIET

    def __post_init__(self) -> None:
        if self.level not in (LOUD, QUIET):
            raise ValueError(f"no level {self.level!r}")


COLUMNS = tuple(field.name for field in fields(Notice))


def tabulate(notices: Iterable[Notice]) -> pd.DataFrame:
    """A row a notice, text; the columns are there also where there is none."""
    return pd.DataFrame([asdict(one) for one in notices], columns=list(COLUMNS), dtype=object)


def gather(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Notices of several steps as one table: loud ones first, else in the order of the steps.

    Parameters
    ----------
    tables
        Each with the columns of :class:`Notice`, or empty.

    Returns
    -------
    pandas.DataFrame
        No notice twice; empty texts are empty strings.
    """
    parts = [table.reindex(columns=list(COLUMNS)).fillna("").astype(str) for table in tables if len(table)]
    if not parts:
        return tabulate([])
    every = pd.concat(parts, ignore_index=True).drop_duplicates(ignore_index=True)
    loud = every["level"] == LOUD
    return pd.concat([every[loud], every[~loud]], ignore_index=True)
