"""What the readers have to tell of a sample: gathered on the counts while they are read, given out as notices at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from livermet.notices import QUIET, Notice, tabulate

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

TOLD = "told"  # in uns, until the sample is whole
STEP = "read_sample"


def tell(adata: AnnData, what: str, evidence: str = "", remedy: str = "", level: str = QUIET) -> None:
    """Note something about counts that are being read (see :class:`livermet.notices.Notice`)."""
    adata.uns.setdefault(TOLD, []).append((what, evidence, remedy, level))


def take_told(adata: AnnData, sample: str) -> pd.DataFrame:
    """Everything that was noted, as a table of notices; the counts keep none of it."""
    return tabulate(Notice(sample, STEP, *one) for one in adata.uns.pop(TOLD, []))


def tell_once(told: Iterable[tuple[str, str, str, str]], samples: Iterable[str]) -> pd.DataFrame:
    """What is to be told of a library that holds several samples, as notices that are the same whichever sample tells them."""
    return tabulate(Notice(", ".join(sorted(samples)), STEP, *one) for one in told)


def carry_told(source: AnnData, target: AnnData) -> None:
    """Note of one what was noted of the other, which was read from the same file."""
    target.uns[TOLD] = [*source.uns.get(TOLD, []), *target.uns.get(TOLD, [])]
