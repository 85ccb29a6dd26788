"""What bringing batches together gained and cost, in sentences and tables; and which clusters hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from livermet.plots.words import words
from livermet.report.numbers import number, percent
from livermet.report.tables import Column, Table, build

METHODS = {"harmony": "Harmony", "scanorama": "Scanorama", "scvi": "scVI"}
SHOWN = 6  # groups in a notice


@dataclass(frozen=True)
class Told:
    """What the page says of an integration.

    Attributes
    ----------
    sentence
        What was done, and what it did.
    notices
        One sentence a group of cells that was over-corrected; empty where none was.
    measures, groups
        Every measure before and after; every group of cells within a batch, over-corrected ones first.
    """

    sentence: str
    notices: tuple[str, ...]
    measures: Table
    groups: Table


def describe_integration(integration: pd.DataFrame, groups: pd.DataFrame, embed: Mapping[str, Any]) -> Told:
    """Say what bringing batches together did.

    Parameters
    ----------
    integration, groups
        As :func:`livermet.cells.embedding.mixing.measure_integration` gives them; no rows where there is one batch.
    embed
        The resolved `embed` section.

    Returns
    -------
    Told
    """
    shown = integration.assign(measure=[words(name) for name in integration["measure"]])
    measures = build(
        shown,
        (Column("measure", "Measure"), Column("before", "Before", "number"), Column("after", "After", "number"),
         Column("about", "Says"), Column("meaning", "Meaning")),
        note="Each measure is 1 at best. Mixing may rise only as far as what was kept does not fall.",
    )  # fmt: skip
    if integration.empty:
        return Told("There is one batch, and nothing to bring together.", (), measures, _table_of(groups))
    values = integration.set_index("measure")
    wrong = groups[_flags(groups)] if embed["integrate"] != "none" else groups.iloc[:0]
    return Told(_sentence(values, embed, len(groups), len(wrong)), tuple(_notices(wrong)), measures, _table_of(groups))


def _sentence(values: pd.DataFrame, embed: Mapping[str, Any], n_groups: int, n_wrong: int) -> str:
    before, after = values.loc["batch_mixing", "before"], values.loc["batch_mixing", "after"]
    key = words(str(embed["batch_key"]))
    if embed["integrate"] == "none":
        return (
            f"Batches ({key}) were not brought together; among a cell's neighbours they are mixed to {number(before)}, where 0 is "
            "its own batch only and 1 the mixture of the whole study."
        )
    fate = (
        f"None of {n_groups} groups of cells came apart or was laid among cells unlike it."
        if not n_wrong
        else f"{n_wrong} of {n_groups} groups of cells came apart or were laid among cells unlike them."
    )
    return (
        f"Batches ({key}) were brought together with {METHODS[embed['integrate']]}. Among a cell's neighbours their mixing went from "
        f"{number(before)} to {number(after)}, where 0 is its own batch only and 1 the mixture of the whole study; "
        f"{percent(values.loc['structure_kept', 'after'])} of a cell's neighbours within its own batch stayed its neighbours. {fate}"
    )


def _notices(wrong: pd.DataFrame) -> list[str]:
    """One sentence a group, the largest first."""
    told = []
    ordered = wrong.sort_values("n_cells", ascending=False, kind="stable")
    for _, row in ordered.head(SHOWN).iterrows():
        what = f"Batch {row['batch']}, group {row['group']} ({row['n_cells']:,} cells measured, marked by {row['markers']})"
        if "came apart" in str(row["verdict"]):
            told.append(
                f"{what} came apart: {percent(row['purity_before'])} of its cells' neighbours within the batch were of the group "
                f"before, {percent(row['purity_after'])} after."
            )
        else:
            told.append(
                f"{what} was laid among cells of other batches that carry {percent(max(row['markers_shared'], 0.0))} of its "
                "marker signal."
            )
    left = len(ordered) - SHOWN
    return [*told, *([f"So were {left} more groups; the table lists them."] if left > 0 else [])]


def _table_of(groups: pd.DataFrame) -> Table:
    """Every group, over-corrected ones first."""
    ordered = groups.iloc[np.argsort(~_flags(groups), kind="stable")]
    columns = (
        Column("batch", "Batch", "code"), Column("group", "Group", "count"), Column("n_cells", "Cells measured", "count"),
        Column("markers", "Marked by", "gene"), Column("purity_before", "Own neighbours before", "percent"),
        Column("purity_after", "After", "percent"), Column("mixed_before", "Mixed before", "number"),
        Column("mixed_after", "After", "number"), Column("markers_shared", "Markers shared", "number"),
        Column("verdict", "Verdict"),
    )  # fmt: skip
    return build(
        ordered,
        columns,
        note="Groups are clusters of each batch by itself, found before integration. Own neighbours: of its cells' neighbours "
        "within the batch, those of the group. Mixed: neighbours from other batches, 1 as in the whole study. Markers shared: "
        "how much the genes that mark the group in its batch mark those neighbours in theirs, 1 as much.",
    )


def _flags(groups: pd.DataFrame) -> np.ndarray:
    return groups["over_corrected"].astype(str).str.lower().eq("true").to_numpy(dtype=bool)


def table_of_clusters(cluster_stability: pd.DataFrame, stability: pd.DataFrame) -> Table:
    """Clusters of the resolution taken: how well each holds when cells are left out.

    Parameters
    ----------
    cluster_stability, stability
        As :func:`livermet.cells.clusters.cluster.cluster_cells` gives them.
    """
    taken = stability.loc[stability["chosen"].astype(bool), "resolution"]
    rows = cluster_stability[cluster_stability["resolution"].isin(taken)]
    columns = (
        Column("cluster", "Cluster", "code"), Column("n_cells", "Cells", "count"), Column("jaccard", "Jaccard", "number"),
        Column("jaccard_sd", "SD", "number"), Column("verdict", "Holds"),
    )  # fmt: skip
    return build(
        rows,
        columns,
        note="Jaccard similarity of a cluster to the most like cluster of every subsample, averaged: from .85 highly stable, "
        "from .75 stable, below .6 not to be relied on (Hennig 2007).",
    )
