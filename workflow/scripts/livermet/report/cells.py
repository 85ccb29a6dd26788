"""Tables of the report's quality section: what the cells of every sample are like, and suspect clusters."""

from __future__ import annotations

import pandas as pd

from livermet.keys import LEIDEN, LINEAGE, MOUSE, N_CELLS, SAMPLE, STRESS_SCORE
from livermet.report.tables import Column, Table, build


def table_of_profiles(profiles: pd.DataFrame, samples: pd.DataFrame) -> Table:
    """A line a sample: its sex as the sheet has it and as the cells have it, stress, cycling, cells of no lineage.

    Parameters
    ----------
    profiles
        One row a sample, see :func:`livermet.cells.checks.check.check_cells`.
    samples
        The sheet's rows: sample, mouse and, where known, sex.
    """
    about = samples[[name for name in (SAMPLE, MOUSE, "sex") if name in samples]].astype(str)
    frame = profiles.astype({SAMPLE: str}).merge(about, on=SAMPLE, how="left")
    columns = (
        Column(SAMPLE, "Sample", "code"), Column(MOUSE, "Mouse", "code"), Column("sex", "Sex in the sheet"),
        Column("sex_found", "Sex of the cells"), Column("xist_umis", "Xist UMIs", "count"), Column("y_umis", "Y UMIs", "count"),
        Column(STRESS_SCORE, "Dissociation stress", "number"), Column("share_S", "S phase", "percent"),
        Column("share_G2M", "G2M phase", "percent"), Column("share_unassigned", "No lineage", "percent"),
    )  # fmt: skip
    note = (
        "Stress and cell cycle: mean log expression of a set's genes minus that of genes of like expression; told, never "
        "regressed out. Sex: UMIs of Xist against those of four genes of the Y."
    )
    return build(frame, columns, note=note)


def table_of_suspects(suspects: pd.DataFrame) -> Table:
    """A line a cluster that looks damaged or doubled; none where all look sound.

    Parameters
    ----------
    suspects
        One row a cluster, see :func:`livermet.cells.checks.suspects.describe_clusters`.
    """
    frame = suspects[suspects["suspect"].fillna("").astype(str) != ""]
    columns = (
        Column(LEIDEN, "Cluster", "code"), Column(N_CELLS, "Cells", "count"), Column(LINEAGE, "Lineage", "words"),
        Column("suspect", "Looks like"), Column("because", "Because"),
    )  # fmt: skip
    return build(
        frame, columns, "Clusters to be looked at", "They were kept. The evidence for every cluster is in the steps."
    )
