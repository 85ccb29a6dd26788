"""Which lineage a cell belongs to: clusters are named by their marker genes, then cells that sit in the wrong one move.

Cell-cycle genes are in no marker set, so that cycling cells go with their kin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.clusters.cluster import find_clusters
from livermet.cells.lineages.hidden import seed_hidden
from livermet.cells.lineages.lineage_scores import best_kinds, measure_strength, name_kind, score_sets
from livermet.cells.lineages.markers import Markers, Panel, cover, offer, read_markers, take_panel
from livermet.cells.lineages.opinions import agreement, compare_opinions, judge_cells
from livermet.cells.lineages.strays import move_cells
from livermet.keys import CELL, LEIDEN, LINEAGE, N_CELLS, SUBSET, UNASSIGNED

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

MARGIN = "lineage_margin"
AGREEMENT = "agreement"
SPLIT_RESOLUTION = 1.0
MIN_SPLIT = 20  # cells that a cluster has, if it is looked at again in parts
MIN_DISSENT = 5  # cells that speak against its name: of a rare lineage there are not many, and few of them are sure
MAX_DISSENT = 0.15  # share of a cluster's cells that may speak for another lineage
MIN_ASSENT = 0.25  # share that has to speak for its own: most cells may say nothing, but not nearly all
EVIDENCE = [
    LEIDEN, N_CELLS, LINEAGE, SUBSET, "score", "second", "second_score", "margin", "markers", "n_moved", AGREEMENT, "reason",
]  # fmt: skip


@dataclass(frozen=True)
class Annotation:
    """What :func:`annotate_cells` finds.

    Attributes
    ----------
    lineages
        Index `cell`; `leiden`, `lineage`, `subset` (kind within the lineage, of the cell's cluster; empty where none
        stands out or the cell was moved), `lineage_margin` (of the cell's cluster), `second_opinion`,
        `opinions_differ`.
    evidence
        One row a cluster, or a part of one that had to be looked at in parts ("7.2"): `leiden`, `n_cells`, `lineage`,
        `subset`, `score`, `second`, `second_score`, `margin`, `markers` (the genes that speak loudest for the
        lineage), `n_moved` (cells that went to another lineage), `agreement` (share of the cells with an opinion of
        their own that have the cluster's), `reason` (why it is unassigned).
    coverage
        One row a marker set; see :func:`livermet.cells.lineages.markers.cover`.
    """

    lineages: pd.DataFrame
    evidence: pd.DataFrame
    coverage: pd.DataFrame


def annotate_cells(
    counts: AnnData,
    clusters: pd.DataFrame,
    markers: Mapping[str, Any] | pd.DataFrame,
    *,
    min_margin: float,
    min_score: float,
    seed: int,
    connectivities: sp.csr_matrix | None = None,
) -> Annotation:
    """Name every cluster's lineage, with the evidence, and the cells in it that plainly belong to another.

    A cluster that two lineages share is looked at again in parts, where the graph of the cells is given. Lineages that
    no cluster is named for are looked for cell by cell.

    Parameters
    ----------
    counts
        Cells x genes, raw counts in X; `var` has `symbol`.
    clusters
        Index `cell` (the cells of `counts`); `leiden`.
    markers
        Content of the marker file, as resources/lineages.yaml; or a table.
    min_margin
        A cluster whose best lineage leads the second by less stays unassigned.
    min_score
        A cluster whose best lineage scores less stays unassigned.
    seed
        Of the study.
    connectivities
        Cells x cells, in the order of `counts`: the graph that the clusters were found in.

    Returns
    -------
    Annotation
        Labels per cell, evidence per cluster, coverage of the marker sets.

    Raises
    ------
    InputError
        Where the marker sets are malformed or the counts know too few of their genes.
    """
    every = read_markers(markers)
    panel = take_panel(counts, every)
    coverage = cover(panel, every)
    known = offer(every, coverage)
    labels = clusters[LEIDEN].reindex(counts.obs_names).astype(str).to_numpy(dtype=object)
    limits = {"min_margin": min_margin, "min_score": min_score}
    evidence, strength, codes = _explain(panel, labels, known, limits)
    second = judge_cells(panel, codes, known)
    shared = _shared_clusters(evidence, codes, second) if connectivities is not None else []
    if shared:
        parts = split_clusters(labels, shared, sp.csr_matrix(connectivities), counts.obs_names, seed=seed)
        whole = evidence.set_index(LEIDEN)[LINEAGE]
        evidence, strength, codes = _explain(panel, parts, known, limits)
        _fall_back(evidence, whole)
    called = evidence[LINEAGE].to_numpy(dtype=object)[codes]
    settled = move_cells(panel, seed_hidden(panel, codes, called, known, seed=seed), known)
    table = pd.DataFrame({LEIDEN: labels, LINEAGE: settled}, index=pd.Index(counts.obs_names, name=CELL))
    table[SUBSET] = np.where(settled == called, evidence[SUBSET].to_numpy(dtype=object)[codes], "")
    table[MARGIN] = evidence["margin"].to_numpy()[codes]
    table = table.join(compare_opinions(table[LINEAGE], second))
    numbers, names = range(len(evidence)), evidence[LINEAGE].tolist()
    evidence["markers"] = [top_markers(strength.iloc[number], names[number], known) for number in numbers]
    evidence["n_moved"] = np.bincount(codes[settled != called], minlength=len(names))
    evidence[AGREEMENT] = [agreement(called[codes == number], second[codes == number]) for number in numbers]
    return Annotation(lineages=table, evidence=evidence[EVIDENCE], coverage=coverage)


def _explain(
    panel: Panel, labels: NDArray[np.object_], known: Markers, limits: dict[str, float]
) -> tuple[pd.DataFrame, pd.DataFrame, NDArray[np.int64]]:
    """Evidence of every cluster, how strongly it expresses every marker gene, and the number of every cell's cluster."""
    names = sorted(set(labels), key=_natural)
    codes = np.asarray(pd.Categorical(labels, categories=names).codes, dtype=np.int64)
    strength = measure_strength(panel, codes, names)
    scores = score_sets(strength, known)
    evidence = call_clusters(best_kinds(scores), **limits)
    evidence.insert(1, N_CELLS, np.bincount(codes, minlength=len(names)))
    evidence[SUBSET] = [
        name_kind(scores.iloc[number], lineage, min_margin=limits["min_margin"])
        for number, lineage in enumerate(evidence[LINEAGE])
    ]
    return evidence, strength, codes


def _fall_back(evidence: pd.DataFrame, whole: pd.Series) -> None:
    """Parts that say nothing clear keep the name of their cluster, where that had one: the whole is evidence for them."""
    for row in evidence.index[evidence[LINEAGE] == UNASSIGNED]:
        cluster = str(evidence.loc[row, LEIDEN]).split(".")[0]
        if "." in str(evidence.loc[row, LEIDEN]) and whole[cluster] != UNASSIGNED:
            evidence.loc[row, LINEAGE] = whole[cluster]
            evidence.loc[row, "reason"] = f"as the whole of cluster {cluster}: {evidence.loc[row, 'reason']}"


def _natural(name: str) -> tuple[list[int], str]:
    """Clusters in the order of their numbers: "2" before "10", "7.1" after "7"."""
    return [int(piece) for piece in name.split(".") if piece.isdigit()], name


def _shared_clusters(evidence: pd.DataFrame, codes: NDArray[np.int64], second: NDArray[np.object_]) -> list[str]:
    """Clusters in which lineages seem to meet: none leads, many cells speak for another than its own, or few for its own."""
    called = evidence[LINEAGE].to_numpy(dtype=object)[codes]
    dissent = np.bincount(codes[(second != called) & (second != UNASSIGNED)], minlength=len(evidence))
    sizes = evidence[N_CELLS].to_numpy()
    many = (dissent >= MIN_DISSENT) & (dissent >= MAX_DISSENT * sizes)
    few = np.bincount(codes[second == called], minlength=len(evidence)) < MIN_ASSENT * sizes
    unclear = (evidence[LINEAGE] == UNASSIGNED).to_numpy()
    return [str(name) for name in evidence.loc[(many | few | unclear) & (sizes >= MIN_SPLIT), LEIDEN]]


def split_clusters(
    labels: NDArray[np.object_], shared: list[str], connectivities: sp.csr_matrix, cells: pd.Index, *, seed: int
) -> NDArray[np.object_]:
    """Clusters again, those in which lineages meet divided by the graph of their cells alone.

    The parts are found without a look at the markers, so that a part's call is not made by its own making.

    Parameters
    ----------
    labels
        Cluster of every cell (cells,).
    shared
        Clusters to divide.
    connectivities
        Cells x cells.
    cells
        Their names: what is found does not depend on the order in which samples stand.
    seed
        Of the study.

    Returns
    -------
    numpy.ndarray
        "7" becomes "7.1", "7.2", ... where it falls apart.
    """
    parts = labels.copy()
    for name in shared:
        inside = np.flatnonzero(labels == name)
        inside = inside[np.argsort(cells[inside].to_numpy(dtype=str), kind="stable")]
        found = find_clusters(sp.csr_matrix(connectivities[inside][:, inside]), resolution=SPLIT_RESOLUTION, seed=seed)
        if found.max() > 0:
            parts[inside] = [f"{name}.{number + 1}" for number in found]
    return parts


def call_clusters(scores: pd.DataFrame, *, min_margin: float, min_score: float) -> pd.DataFrame:
    """Best lineage of every cluster, or `unassigned` with the reason.

    Parameters
    ----------
    scores
        Clusters x lineages.
    min_margin, min_score
        See :func:`annotate_cells`.

    Returns
    -------
    pandas.DataFrame
        One row a cluster: `leiden`, `lineage`, `score`, `second`, `second_score`, `margin`, `reason`.
    """
    rows = []
    for leiden, row in scores.iterrows():
        ranked = row.dropna().sort_values(ascending=False, kind="stable")
        if ranked.empty:
            rows.append(
                (leiden, UNASSIGNED, 0.0, "", 0.0, 0.0, "immune cells, and no immune lineage in the marker sets")
            )
            continue
        best, score = str(ranked.index[0]), float(ranked.iloc[0])
        second, second_score = (str(ranked.index[1]), float(ranked.iloc[1])) if len(ranked) > 1 else ("", 0.0)
        margin = score - max(second_score, 0.0)
        reason = ""
        if score < min_score:
            reason = f"best score {score:.2f} ({best}) is below {min_score:g}"
        elif margin < min_margin:
            reason = f"{best} leads {second} by {margin:.2f} only, less than {min_margin:g}"
        rows.append((leiden, UNASSIGNED if reason else best, score, second, second_score, margin, reason))
    return pd.DataFrame(rows, columns=[LEIDEN, LINEAGE, "score", "second", "second_score", "margin", "reason"])


def top_markers(strength: pd.Series, lineage: str, markers: Markers, *, n_genes: int = 5) -> str:
    """Genes that speak loudest for a cluster's lineage, with their strength; empty where it is unassigned."""
    weights = markers.weights()
    genes = {gene for one in markers.sets if one.lineage == lineage for gene in one.up} & set(strength.index)
    ranked = sorted(genes, key=lambda gene: (-strength[gene] * weights[gene], gene))[:n_genes]
    return ", ".join(f"{gene} {strength[gene]:.2f}" for gene in ranked)
