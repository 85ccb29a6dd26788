"""Which lineage a cell belongs to: clusters are named by their marker genes, then cells that sit in the wrong one move.

Scores are shares, from 0 to 1, of how strongly a cluster expresses a lineage's genes. Cell-cycle genes are in no marker
set, so that cycling cells go with their kin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.markers import IMMUNE, MIN_GENES, Markers, Panel, read_markers, take_panel
from livermet.cells.normalise import TARGET_SUM
from livermet.cells.strays import move_cells
from livermet.keys import CELL, LEIDEN, LINEAGE, N_CELLS, UNASSIGNED

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

MARGIN = "lineage_margin"
FLOOR = float(np.log1p(1.0))  # a gene with less than one count in ten thousand in its best cluster is hardly expressed
DOWN_WEIGHT = 0.5
PRIOR_COUNTS = 10_000.0
IS_IMMUNE = 0.5


@dataclass(frozen=True)
class Annotation:
    """What :func:`annotate_cells` finds.

    Attributes
    ----------
    lineages
        Index `cell`; `leiden`, `lineage`, `lineage_margin` (that of the cell's cluster).
    evidence
        One row a cluster: `leiden`, `n_cells`, `lineage`, `score`, `second`, `second_score`, `margin`, `markers` (the
        genes that speak loudest for the lineage), `n_moved` (cells that went to another lineage), `reason`.
    """

    lineages: pd.DataFrame
    evidence: pd.DataFrame


def annotate_cells(
    counts: AnnData, clusters: pd.DataFrame, markers: dict[str, Any], *, min_margin: float, min_score: float
) -> Annotation:
    """Name every cluster's lineage, with the evidence, and move the cells that plainly belong to another.

    Parameters
    ----------
    counts
        Cells x genes, raw counts in X; `var` has `symbol`.
    clusters
        Index `cell` (the cells of `counts`); `leiden`.
    markers
        Content of the marker file, as resources/lineages.yaml.
    min_margin
        A cluster whose best lineage leads the second by less stays unassigned.
    min_score
        A cluster whose best lineage scores less stays unassigned.

    Returns
    -------
    Annotation
        Labels per cell and evidence per cluster.

    Raises
    ------
    InputError
        Where the marker sets are malformed or the counts know too few of their genes.
    """
    known = read_markers(markers)
    panel = take_panel(counts, known)
    labels = clusters[LEIDEN].reindex(counts.obs_names).astype(str).to_numpy(dtype=object)
    names = sorted(set(labels), key=lambda name: (len(name), name))
    codes = np.asarray(pd.Categorical(labels, categories=names).codes, dtype=np.int64)
    strength = measure_strength(panel, codes, names)
    evidence = call_clusters(score_lineages(strength, known), min_margin=min_margin, min_score=min_score)
    evidence.insert(1, N_CELLS, np.bincount(codes, minlength=len(names)))
    evidence["markers"] = [
        top_markers(strength.loc[leiden], lineage, known)
        for leiden, lineage in zip(evidence[LEIDEN], evidence[LINEAGE], strict=True)
    ]
    called = evidence[LINEAGE].to_numpy(dtype=object)[codes]
    settled = move_cells(panel, called, known)
    evidence["n_moved"] = np.bincount(codes[settled != called], minlength=len(names))
    lineages = pd.DataFrame(
        {LEIDEN: labels, LINEAGE: settled, MARGIN: evidence["margin"].to_numpy()[codes]},
        index=pd.Index(counts.obs_names, name=CELL),
    )
    columns = [LEIDEN, N_CELLS, LINEAGE, "score", "second", "second_score", "margin", "markers", "n_moved", "reason"]
    return Annotation(lineages=lineages, evidence=evidence[columns])


def measure_strength(panel: Panel, codes: NDArray[np.int64], names: list[str]) -> pd.DataFrame:
    """How strongly every cluster expresses every marker gene, from 0 to 1.

    The log of the cluster's mean counts per ten thousand, over that of the cluster with most of the gene. The
    denominator has a floor, so that the best cluster of a gene that nobody expresses is not made to shine. Unlike a
    z-score over clusters this does not depend on how many clusters share a lineage or which lineages a study has.

    Parameters
    ----------
    panel
        Counts of the marker genes.
    codes
        Number of every cell's cluster (cells,).
    names
        Names of the clusters.

    Returns
    -------
    pandas.DataFrame
        Clusters x genes.
    """
    members = sp.csr_matrix((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(len(names), len(codes)))
    sums = np.asarray((members @ panel.counts).todense())
    depth = np.asarray(members @ panel.totals)
    overall = sums.sum(axis=0) / max(depth.sum(), 1.0)
    # A cluster of a dozen cells borrows a little from the whole: one stray count is half a count in ten thousand there.
    level = np.log1p(TARGET_SUM * (sums + PRIOR_COUNTS * overall) / (depth + PRIOR_COUNTS)[:, None])
    return pd.DataFrame(
        level / np.maximum(level.max(axis=0), FLOOR), index=pd.Index(names, name=LEIDEN), columns=panel.symbols
    )


def score_lineages(strength: pd.DataFrame, markers: Markers) -> pd.DataFrame:
    """Score of every lineage in every cluster.

    The mean strength of the genes that speak for the lineage, those named by several lineages weighing less (their
    number's inverse, the idea of ScType, doi:10.1038/s41467-022-28803-w), minus half the mean strength of the two
    that speak loudest against it; the best kind of a lineage counts. A cluster with the genes of every immune cell is offered immune
    lineages only: hepatocyte, haemoglobin and platelet transcripts drift in a liver's soup and are found in all cells.

    Parameters
    ----------
    strength
        Clusters x genes (see :func:`measure_strength`).
    markers
        The sets.

    Returns
    -------
    pandas.DataFrame
        Clusters x lineages; NaN where a lineage is not offered. Sets with fewer than three known genes are left out.
    """
    weights = markers.weights()
    known = set(strength.columns)
    shared = [gene for gene in markers.immune if gene in known]
    is_immune = strength[shared].mean(axis=1) >= IS_IMMUNE if shared else pd.Series(False, index=strength.index)
    scores: dict[str, pd.Series] = {}
    for one in markers.sets:
        up = [gene for gene in one.up if gene in known]
        down = [gene for gene in one.down if gene in known]
        if len(up) < MIN_GENES:
            continue
        weight = np.array([weights[gene] for gene in up])
        score = pd.Series(strength[up].to_numpy() @ weight / weight.sum(), index=strength.index)
        if down:
            loudest = np.sort(strength[down].to_numpy(), axis=1)[:, -2:]
            score -= DOWN_WEIGHT * loudest.mean(axis=1)
        if one.compartment != IMMUNE:
            score = score.where(~is_immune)
        best = scores.get(one.lineage)
        scores[one.lineage] = score if best is None else best.where(best.ge(score) | score.isna(), score)
    return pd.DataFrame(scores, index=strength.index)


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
