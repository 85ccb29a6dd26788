"""Labels given by the study's owner take precedence; the call by markers stays beside them as a second opinion."""

from __future__ import annotations

import logging

import pandas as pd

from livermet.errors import InputError, Problem
from livermet.keys import (
    LINEAGE,
    MARKER_LINEAGE,
    N_CELLS,
    OWN_LABEL,
    REFERENCE_LABEL,
    SECOND_OPINION,
    SUBSET,
    UNASSIGNED,
)

log = logging.getLogger("livermet")

MIN_COVERED = 0.5
OPINION, OTHER, SHARE = "opinion", "other", "share"
MISMATCH = (
    "Barcodes must be written as in the counts, with their suffix (such as -1); see tables/cells.parquet of a run "
    "without labels"
)


def take_labels(lineages: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Put the owner's labels in the place of the calls.

    Parameters
    ----------
    lineages
        Index `cell`, the kept cells; `lineage`, `subset` and others.
    labels
        Index `cell`; `label`. May name cells that were not kept, and lack some that were.

    Returns
    -------
    pandas.DataFrame
        As `lineages`; `lineage` as given, `unassigned` where no label is given; `marker_lineage` what the markers say.
        Kinds stay where both say the same.

    Raises
    ------
    InputError
        Where fewer than half of the kept cells have a label.
    """
    given = labels[OWN_LABEL].reindex(lineages.index)
    covered = float(given.notna().mean()) if len(given) else 1.0
    strangers = int((~labels.index.isin(lineages.index)).sum())
    log.info(
        "%.1f %% of the %d kept cells have a label of their owner's; %d labels are of cells that are not kept or not there",
        100 * covered, len(given), strangers,
    )  # fmt: skip
    if covered < MIN_COVERED:
        here, there = ", ".join(map(str, lineages.index[:2])), ", ".join(map(str, labels.index[:2]))
        raise InputError(
            Problem(
                "labels of the cells", f"{covered:.0%} of the {len(given)} kept cells have one ({there}, ...)",
                f"labels of the cells of the counts ({here}, ...)", MISMATCH,
            )
        )  # fmt: skip
    table = lineages.copy()
    table[MARKER_LINEAGE] = table[LINEAGE]
    table[LINEAGE] = given.fillna(UNASSIGNED).astype(str).to_numpy(dtype=object)
    table[SUBSET] = table[SUBSET].where(table[LINEAGE] == table[MARKER_LINEAGE], "")
    return table


def cross_opinions(lineages: pd.DataFrame) -> pd.DataFrame:
    """What the other opinions say of the cells of every lineage.

    Parameters
    ----------
    lineages
        Index `cell`; `lineage` and any of `second_opinion`, `marker_lineage`, `reference_label`.

    Returns
    -------
    pandas.DataFrame
        `opinion` (the column), `lineage`, `other` (what that opinion says), `n_cells`, `share` (of the lineage's cells),
        the most common first.
    """
    parts = []
    for opinion in (SECOND_OPINION, MARKER_LINEAGE, REFERENCE_LABEL):
        if opinion in lineages:
            counted = lineages.groupby([LINEAGE, opinion], observed=True).size().rename(N_CELLS).reset_index()
            counted = counted.rename(columns={opinion: OTHER}).assign(**{OPINION: opinion})
            counted[SHARE] = counted[N_CELLS] / counted.groupby(LINEAGE)[N_CELLS].transform("sum")
            parts.append(counted.sort_values([LINEAGE, N_CELLS], ascending=[True, False], kind="stable"))
    return pd.concat(parts, ignore_index=True)[[OPINION, LINEAGE, OTHER, N_CELLS, SHARE]]
