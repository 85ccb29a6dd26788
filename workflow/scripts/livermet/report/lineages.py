"""Tables of the report about lineages: why each cluster has its name, and what other opinions say."""

from __future__ import annotations

import pandas as pd

from livermet.keys import LINEAGE, MARKER_LINEAGE, N_CELLS, REFERENCE_LABEL, SECOND_OPINION, SUBSET, UNASSIGNED
from livermet.report.tables import Column, Table, build

WHO = {
    SECOND_OPINION: "each cell's own markers",
    MARKER_LINEAGE: "the clusters' markers",
    REFERENCE_LABEL: "the reference",
}
NOTE = (
    "Share: of the lineage's cells of which the other opinion says something, those of which it says the same. A "
    "reference has words of its own: there, look at what it says most often."
)


def table_of_evidence(evidence: pd.DataFrame) -> Table:
    """Why each cluster has its name."""
    columns = (
        Column("leiden", "Cluster", "code"), Column(LINEAGE, "Lineage", "words"), Column(SUBSET, "Kind", "words"),
        Column(N_CELLS, "Cells", "count"), Column("score", "Score", "number"), Column("second", "Second", "words"),
        Column("second_score", "Its score", "number"), Column("margin", "Margin", "number"),
        Column("n_moved", "Cells moved", "count"), Column("agreement", "Cells that agree", "percent"),
        Column("markers", "Loudest markers", "gene"), Column("reason", "Why unassigned"),
    )  # fmt: skip
    return build(evidence, columns)


def table_of_opinions(opinions: pd.DataFrame | None) -> Table:
    """One row a lineage and opinion: how often it says the same, and what it says most often otherwise.

    Parameters
    ----------
    opinions
        `opinion`, `lineage`, `other`, `n_cells`, `share`; None where a run wrote none.
    """
    columns = (
        Column(LINEAGE, "Lineage", "words"), Column("who", "Opinion of"), Column(N_CELLS, "Cells", "count"),
        Column("said", "It says something of", "count"), Column("same", "The same", "percent"),
        Column("other", "Most often otherwise", "words"), Column("others", "Of cells", "count"),
    )  # fmt: skip
    rows = []
    for (opinion, lineage), part in [] if opinions is None else opinions.groupby(["opinion", LINEAGE], sort=False):
        said = part[part["other"] != UNASSIGNED]
        same = float(said.loc[said["other"] == lineage, N_CELLS].sum())
        otherwise = said[said["other"] != lineage].nlargest(1, N_CELLS)
        number = int(said[N_CELLS].sum())
        most = (str(otherwise["other"].iloc[0]), int(otherwise[N_CELLS].iloc[0])) if len(otherwise) else ("", 0)
        share = same / number if number and lineage != UNASSIGNED else float("nan")
        rows.append((lineage, WHO.get(str(opinion), str(opinion)), int(part[N_CELLS].sum()), number, share, *most))
    return build(pd.DataFrame(rows, columns=[column.name for column in columns]), columns, note=NOTE)


def table_of_markers(coverage: pd.DataFrame | None) -> Table:
    """Marker sets of which the counts know less than all genes, the least known first."""
    columns = (
        Column(LINEAGE, "Lineage", "words"), Column(SUBSET, "Kind", "words"), Column("n_genes", "Genes", "count"),
        Column("n_found", "Found", "count"), Column("share", "Share", "percent"), Column("enough", "Looked for", "yes"),
        Column("missing", "Not among the counts", "gene"),
    )  # fmt: skip
    if coverage is None:
        return build(pd.DataFrame(columns=[column.name for column in columns]), columns)
    partial = coverage[coverage["n_found"] < coverage["n_genes"]].sort_values("share", kind="stable")
    return build(partial.fillna({SUBSET: ""}), columns)
