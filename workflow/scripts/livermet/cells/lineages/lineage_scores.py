"""Scores of lineages in clusters: shares, from 0 to 1, of how strongly a cluster expresses a lineage's genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.embedding.normalise import TARGET_SUM
from livermet.cells.lineages.markers import IMMUNE, Markers, Panel
from livermet.keys import LEIDEN, LINEAGE, UNASSIGNED

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "kind"
FLOOR = float(np.log1p(1.0))  # a gene with less than one count in ten thousand in its best cluster is hardly expressed
DOWN_WEIGHT = 0.5
ALIKE = 0.5  # of the cells that would show a gene if all expressed it alike
PRIOR_COUNTS = 10_000.0
IS_IMMUNE = 0.5


def measure_strength(panel: Panel, codes: NDArray[np.int64], names: list[str]) -> pd.DataFrame:
    """How strongly every cluster expresses every marker gene, from 0 to 1.

    The log of the cluster's mean counts per ten thousand, over that of the cluster with most of the gene; less where
    few of the cluster's cells hold all of it: a dozen mast cells among T cells do not make these mast cells. The
    denominator has a floor, so that the best cluster of a gene that nobody expresses is not made to shine. Unlike a
    z-score over clusters this does not depend on how many clusters share a lineage or which lineages a study has: a
    study of sorted T cells is named as it would be among others.

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
    sizes = np.maximum(np.asarray(members.sum(axis=1)).ravel(), 1.0)[:, None]
    shown = np.asarray((members @ (panel.counts > 0).astype(float)).todense()) / sizes
    # What the same mean would show if all cells expressed the gene alike. Counts are bursty: half of it is all of it.
    alike = -np.expm1(-sums / sizes)
    spread = np.minimum(1.0, shown / np.maximum(ALIKE * alike, 1e-9))
    strength = spread * level / np.maximum(level.max(axis=0), FLOOR)
    return pd.DataFrame(strength, index=pd.Index(names, name=LEIDEN), columns=panel.symbols)


def score_sets(strength: pd.DataFrame, markers: Markers) -> pd.DataFrame:
    """Score of every marker set in every cluster.

    The mean strength of the genes that speak for the lineage, those named by several lineages weighing less (their
    number's inverse, the idea of ScType, doi:10.1038/s41467-022-28803-w), minus half the mean strength of the two
    that speak loudest against it. A cluster with the genes of every immune cell is offered immune lineages only:
    hepatocyte, haemoglobin and platelet transcripts drift in a liver's soup and are found in all cells.

    Parameters
    ----------
    strength
        Clusters x genes (see :func:`measure_strength`).
    markers
        The sets that are offered.

    Returns
    -------
    pandas.DataFrame
        Clusters x (lineage, kind); NaN where a set is not offered to a cluster.
    """
    weights = markers.weights()
    known = set(strength.columns)
    shared = [gene for gene in markers.immune if gene in known]
    is_immune = strength[shared].mean(axis=1) >= IS_IMMUNE if shared else pd.Series(False, index=strength.index)
    scores: dict[tuple[str, str], pd.Series] = {}
    for one in markers.sets:
        up = [gene for gene in one.up if gene in known]
        down = [gene for gene in one.down if gene in known]
        weight = np.array([weights[gene] for gene in up])
        score = pd.Series(strength[up].to_numpy() @ weight / weight.sum(), index=strength.index)
        if down:
            loudest = np.sort(strength[down].to_numpy(), axis=1)[:, -2:]
            score -= DOWN_WEIGHT * loudest.mean(axis=1)
        scores[one.lineage, one.kind] = score if one.compartment == IMMUNE else score.where(~is_immune)
    table = pd.DataFrame(scores, index=strength.index)
    table.columns = pd.MultiIndex.from_tuples(list(scores), names=[LINEAGE, KIND])
    return table


def best_kinds(scores: pd.DataFrame) -> pd.DataFrame:
    """Score of every lineage: that of its best kind.

    Parameters
    ----------
    scores
        Clusters x (lineage, kind).

    Returns
    -------
    pandas.DataFrame
        Clusters x lineages, in the order of the sets.
    """
    order = list(dict.fromkeys(scores.columns.get_level_values(LINEAGE)))
    return pd.DataFrame({name: scores[name].max(axis=1) for name in order}, index=scores.index)


def name_kind(scores: pd.Series, lineage: str, *, min_margin: float) -> str:
    """Kind of a cluster within its lineage; empty where it has one set only or no kind leads the others clearly.

    Parameters
    ----------
    scores
        A cluster's row: (lineage, kind) -> score.
    lineage
        What the cluster is called.
    min_margin
        What the best kind has to lead by.
    """
    if lineage == UNASSIGNED or lineage not in scores.index.get_level_values(LINEAGE):
        return ""
    kinds = scores[lineage].sort_values(ascending=False, kind="stable")
    if len(kinds) < 2 or kinds.iloc[0] - kinds.iloc[1] < min_margin:
        return ""
    return str(kinds.index[0])
