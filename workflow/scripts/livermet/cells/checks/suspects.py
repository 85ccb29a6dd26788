"""Clusters that look like no kind of cell: damaged cells, and doublets of two other clusters. Flagged, never removed.

Doublets are judged after scran's findDoubletClusters (Bach et al. 2017, doi:10.1038/s41467-017-02001-5): their profile lies
between two other clusters', they have no genes of their own and no less RNA than either. Here they must also express what
sets these two apart, of both, and their cells must have high doublet scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.keys import (
    DOUBLET_SCORE,
    IS_HAEMO,
    IS_MITO,
    IS_RIBO,
    LEIDEN,
    LINEAGE,
    MITO,
    N_CELLS,
    N_GENES,
    N_UMIS,
    UNASSIGNED,
)
from livermet.notices import LOUD, Notice

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

    from livermet.files.counts import Counts

STEP = "check_cells"
MIN_CELLS = 10  # of a cluster that is judged, or that others are made of
TEN_THOUSAND = 1e4
CHANCE = 3.0  # Poisson standard deviations by which a gene must lie beyond a level
PRIOR = 0.3  # counts in ten thousand added before a ratio is taken
MARKER_FOLD, MARKER_LEVEL, FEW_MARKERS = 2.0, 0.5, 5  # over all other cells; counts in ten thousand
APART_FOLD, MIN_APART = 4.0, 10  # a gene that sets two clusters apart, and how many there must be
OWN_FOLD = 2.0  # a gene of a cluster's own: so many times above (or below) both of two others
MIN_SHARE = 0.2  # of the level of either parent, in the genes that set it apart from the other
FEW_OWN = 0.05  # own genes over the genes that set the parents apart
MIN_DEPTH = 0.9  # UMIs over those of the richer parent
HIGH_SCORE = 5.0  # median doublet score over that of all cells
HIGH_MITO, LOW_GENES = 2.0, 0.5  # medians over those of all cells


class Profiles(NamedTuple):
    """Clusters as a whole, clusters x genes: UMIs, and counts in ten thousand of the cluster and of all other cells."""

    names: list[str]
    numbers: NDArray[np.int64]
    umis: Array
    level: Array
    rest: Array

    def above(self, of: int, level: Array, fold: float) -> NDArray[np.bool_]:
        """Genes of a cluster that lie `fold` times above a level, beyond the chance of few counts."""
        expected = fold * level * self.umis[of].sum() / TEN_THOUSAND
        return np.asarray(self.umis[of] > expected + CHANCE * np.sqrt(expected) + CHANCE)

    def below(self, of: int, level: Array, fold: float) -> NDArray[np.bool_]:
        """The same, below."""
        expected = level * self.umis[of].sum() / TEN_THOUSAND / fold
        return np.asarray(self.umis[of] < expected - CHANCE * np.sqrt(expected))


def describe_clusters(counts: AnnData | Counts, clusters: pd.Series, lineages: pd.Series) -> pd.DataFrame:
    """What speaks for a cluster being damaged cells, or doublets.

    Parameters
    ----------
    counts
        Kept cells x genes, raw; `obs` has the quality metrics and doublet scores.
    clusters
        Index cell: its cluster.
    lineages
        Index cluster: its lineage.

    Returns
    -------
    pandas.DataFrame
        One row a cluster: `leiden`, `n_cells`, `lineage`, medians of genes, UMIs, mitochondrial share and doublet score,
        `n_markers` (genes at twice the level of all other cells), `parents` (the two clusters that explain it best),
        `parent_lineages`, `share_first`, `share_second` (of their levels, in the genes that set them apart), `n_own`
        (genes outside both, over the genes that set them apart), `depth` (UMIs over those of the richer parent), `suspect`
        ("", "low quality" or "doublets") and `because`.
    """
    labels = clusters.reindex(counts.obs_names).astype(str)
    profiles = _profiles(counts, labels)
    about = counts.obs[[N_GENES, N_UMIS, MITO, DOUBLET_SCORE]].astype(float)
    medians = about.groupby(labels.to_numpy()).median().reindex(profiles.names)
    table = pd.DataFrame({LEIDEN: profiles.names, N_CELLS: profiles.numbers})
    table[LINEAGE] = [str(lineages.get(name, UNASSIGNED)) for name in profiles.names]
    for column in medians:
        table[f"median_{column}"] = medians[column].to_numpy()
    table["n_markers"] = [
        int((profiles.above(place, profiles.rest[place], MARKER_FOLD) & (profiles.level[place] >= MARKER_LEVEL)).sum())
        for place in range(len(table))
    ]
    usual = about.median()
    damaged = [_judge_damage(row, usual) for row in table.to_dict("records")]
    table = table.join(_find_parents(profiles, table, np.array([not said for said in damaged])))
    doubled = [_judge_doublets(row, usual) for row in table.to_dict("records")]
    table["suspect"] = np.select(
        [[bool(x) for x in doubled], [bool(x) for x in damaged]], ["doublets", "low quality"], ""
    )
    table["because"] = [first or second for first, second in zip(doubled, damaged, strict=True)]
    return table


def tell_suspects(table: pd.DataFrame) -> list[Notice]:
    """A notice for every suspect cluster of :func:`describe_clusters`."""
    what = {
        "low quality": "looks like damaged cells, not like a kind of cell",
        "doublets": "looks like doublets of two other clusters",
    }
    return [
        Notice(
            f"cluster {row[LEIDEN]}",
            STEP,
            f"Cluster {row[LEIDEN]} ({row[N_CELLS]} cells, {row[LINEAGE]}) {what[row['suspect']]}. It was kept.",
            row["because"],
            "Look at its markers; a stricter `quality:` drops its cells",
            LOUD,
        )
        for row in table[table["suspect"] != ""].to_dict("records")
    ]


def _profiles(counts: AnnData | Counts, labels: pd.Series) -> Profiles:
    names = sorted(set(labels), key=lambda name: (len(name), name))
    codes = np.asarray(pd.Categorical(labels, categories=names).codes, dtype=np.int64)
    told = np.ones(counts.n_vars, dtype=bool)
    for column in (IS_MITO, IS_RIBO, IS_HAEMO):
        if column in counts.var:
            told &= ~counts.var[column].to_numpy(dtype=bool)  # size, damage and soup are no identity
    members = sp.csr_matrix((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(len(names), len(codes)))
    umis = np.asarray((members @ sp.csr_matrix(counts.X)).todense(), dtype=float)[:, told]
    rest = umis.sum(axis=0) - umis
    level, rest = (TEN_THOUSAND * part / np.maximum(part.sum(axis=1, keepdims=True), 1) for part in (umis, rest))
    loud = level.max(axis=0) > 1  # the others tell nothing, and there are many
    depth = np.zeros((len(names), 1))
    depth[:, 0] = umis[:, ~loud].sum(axis=1)  # keeps the totals of the clusters
    pad = np.zeros_like(depth)
    numbers = np.bincount(codes, minlength=len(names))
    return Profiles(
        names,
        numbers,
        np.hstack([umis[:, loud], depth]),
        np.hstack([level[:, loud], pad]),
        np.hstack([rest[:, loud], pad]),
    )


def _find_parents(profiles: Profiles, table: pd.DataFrame, sound: NDArray[np.bool_]) -> pd.DataFrame:
    """For each cluster the two sound clusters of different lineages that leave the fewest of its genes unexplained."""
    nobody = {"parents": "", "parent_lineages": "", "share_first": np.nan, "share_second": np.nan, "n_own": np.nan, "depth": np.nan}  # fmt: skip
    best: list[dict[str, Any]] = [dict(nobody) for _ in profiles.names]
    kinds, umis = table[LINEAGE].tolist(), table[f"median_{N_UMIS}"].tolist()
    parents = [int(one) for one in np.flatnonzero(sound & (profiles.numbers >= MIN_CELLS))]
    for first, second in combinations(parents, 2):
        if kinds[first] == kinds[second]:
            continue
        a, b = profiles.level[first] + PRIOR, profiles.level[second] + PRIOR
        sides = [((one >= APART_FOLD * other) & (one > 1), one) for one, other in ((a, b), (b, a))]
        apart = [int(mine.sum()) for mine, _ in sides]
        if min(apart) < MIN_APART:
            continue
        for place in range(len(best)):
            if place in (first, second):
                continue
            shares = [float(np.median((profiles.level[place][mine] + PRIOR) / of[mine])) for mine, of in sides]
            if min(shares) < MIN_SHARE:
                continue
            own = profiles.above(place, np.maximum(a, b), OWN_FOLD) | profiles.below(
                place, np.minimum(a, b) - PRIOR, OWN_FOLD
            )
            unexplained = float(own[:-1].sum() / sum(apart))
            if best[place]["parents"] and unexplained >= best[place]["n_own"]:
                continue
            best[place] = {
                "parents": f"{profiles.names[first]} + {profiles.names[second]}",
                "parent_lineages": f"{kinds[first]} + {kinds[second]}",
                "share_first": shares[0], "share_second": shares[1], "n_own": unexplained,
                "depth": umis[place] / max(umis[first], umis[second], 1),
            }  # fmt: skip
    return pd.DataFrame(best)


def _judge_doublets(row: Mapping[Any, Any], usual: pd.Series) -> str:
    """Why a cluster looks like doublets; empty where it does not."""
    score = row[f"median_{DOUBLET_SCORE}"] / max(usual[DOUBLET_SCORE], 1e-9)
    if row[N_CELLS] < MIN_CELLS or not row["parents"]:
        return ""
    if row["n_own"] > FEW_OWN or row["depth"] < MIN_DEPTH or not score >= HIGH_SCORE:
        return ""
    return (
        f"it expresses what sets clusters {row['parents']} ({row['parent_lineages']}) apart, at {row['share_first']:.0%} and "
        f"{row['share_second']:.0%} of their levels, has {row['depth']:.1f} times the UMIs of the richer one, hardly a gene "
        f"of its own, and a median doublet score {score:.1f} times that of all cells"
    )


def _judge_damage(row: Mapping[Any, Any], usual: pd.Series) -> str:
    """Why a cluster looks like damaged cells: two of three signs; empty where it does not."""
    if row[N_CELLS] < MIN_CELLS:
        return ""
    mito, genes = row[f"median_{MITO}"], row[f"median_{N_GENES}"]
    said = []
    if mito > HIGH_MITO * usual[MITO]:
        said.append(f"mitochondrial share {mito:.1%} where cells have {usual[MITO]:.1%}")
    if genes < LOW_GENES * usual[N_GENES]:
        said.append(f"{genes:.0f} genes where cells have {usual[N_GENES]:.0f}")
    if row["n_markers"] < FEW_MARKERS:
        said.append(f"{row['n_markers']} marker genes")
    return ", ".join(said) if len(said) >= 2 else ""
