"""Kinds of cells of a sample, and what each holds of the genes that some kind may be silent for.

In a kind c of cells with T_c UMIs, gene g of soup share s_g has T_c s_g (rho_c + (1 - rho_c) x_gc) counts: rho_c is the ambient
share, x_gc what the cells themselves express in units of the soup. The ratio of counts to T_c s_g is what a gene says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from scipy.cluster.hierarchy import fcluster, linkage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEP = 0.1  # of the log ratio
LOWEST, HIGHEST = 1e-4, 4.0
LEVELS = np.arange(np.log(LOWEST), np.log(HIGHEST), STEP)
MIN_EXPECTED = 20.0  # counts that a gene would have in a kind that is all soup; weaker genes tell little
MAX_GENES = 500  # the strongest of the soup: enough, and it bounds the work
MIN_GENES = 10
MAX_KINDS = 14  # each costs a mixture of its own, which fits chance where a kind has few cells
GENES_OF_LIKENESS = 400
OWN = 1.5  # times the usual rate makes a gene of a kind's own, or of the soup's
MIN_PART_OF_CELLS = 0.01  # of all UMIs: a smaller kind's rates are chance


@dataclass(frozen=True)
class Kind:
    """What one kind of cells says.

    Attributes
    ----------
    cells
        Rows of its cells.
    clean
        Of these, the ones that are no doublets: the others teach nothing.
    depth
        Mean UMIs of a clean cell.
    umis
        UMIs of the clean cells.
    sums
        Of all genes, UMIs in the clean cells.
    genes
        Genes strong enough in the soup that some kind may be silent for.
    found
        Their counts in the clean cells.
    soup
        Their UMIs in the profile.
    odds
        UMIs of the kind per UMI of the profile.
    """

    cells: NDArray[np.intp]
    clean: NDArray[np.bool_]
    depth: float
    umis: float
    sums: Array
    genes: NDArray[np.intp]
    found: Array
    soup: Array
    odds: float

    @property
    def speaks(self) -> bool:
        """Whether it has enough strong genes."""
        return len(self.genes) >= MIN_GENES

    @property
    def expected(self) -> Array:
        """Counts that the genes would have if all were soup."""
        return self.soup * self.odds

    @cached_property
    def likelihoods(self) -> Array:
        """Of its genes' counts at each of `LEVELS`, see :func:`likelihoods`."""
        return likelihoods(self.found, self.soup, self.odds)


def likelihoods(found: Array, soup: Array, odds: float) -> Array:
    """Likelihood of each gene's counts at each of `LEVELS`, the largest 1.

    The profile is itself a count. Given both together, the count in cells is binomial: no error of the profile is taken
    for expression, or for its lack.
    """
    ratio = odds * np.exp(LEVELS)
    log = found[:, None] * LEVELS - (found + soup)[:, None] * np.log1p(ratio)
    return np.asarray(np.exp(log - log.max(axis=1, keepdims=True)))


def learn_kinds(
    counts: sp.csr_matrix,
    labels: NDArray[np.integer[Any]],
    clean: NDArray[np.bool_],
    soup: Array,
) -> list[Kind]:
    """What every kind of cells says; of more than `MAX_KINDS` kinds those that are alike are taken together.

    Parameters
    ----------
    counts
        Cells x genes, csr.
    labels
        Kind of each cell; a negative one leaves it out.
    clean
        Cells that are no doublets.
    soup
        UMIs of each gene in the profile.

    Returns
    -------
    list of Kind
        No two have a cell in common.
    """
    names = np.unique(labels[labels >= 0])
    if not len(names):
        return []
    members = [np.flatnonzero(labels == name) for name in names]
    sums = np.stack(
        [np.asarray(counts[cells[clean[cells]]].sum(axis=0), dtype=np.float64).ravel() for cells in members]
    )
    likeness = _strongest(may_be_silent(sums, soup), soup, GENES_OF_LIKENESS)
    together = alike(sums[:, likeness], sums.sum(axis=1), MAX_KINDS)
    members = [
        np.sort(np.concatenate([members[place] for place in np.flatnonzero(together == name)]))
        for name in np.unique(together)
    ]
    sums = np.stack([sums[together == name].sum(axis=0) for name in np.unique(together)])
    telling = may_be_silent(sums, soup)
    kinds = []
    for cells, own in zip(members, sums, strict=True):
        umis, odds = float(own.sum()), float(own.sum()) / max(float(soup.sum()), 1.0)
        genes = _strongest(telling & (soup * odds >= MIN_EXPECTED), soup, MAX_GENES)
        depth = umis / max(int(clean[cells].sum()), 1)
        kinds.append(Kind(cells, clean[cells], depth, umis, own, genes, own[genes], soup[genes], odds))
    return kinds


def _strongest(chosen: NDArray[np.bool_], soup: Array, number: int) -> NDArray[np.intp]:
    """Of chosen genes, those that the soup holds most of."""
    places = np.flatnonzero(chosen)
    return places[np.argsort(-soup[places], kind="stable")[:number]]


def alike(sums: Array, umis: Array, most: int) -> NDArray[np.intp]:
    """Groups of kinds that hold alike.

    Parameters
    ----------
    sums
        Kinds x telling genes, UMIs.
    umis
        Of all genes, in each kind.
    most
        Groups; fewer kinds than that are left as they are.

    Returns
    -------
    ndarray
        Group of each kind, from 0.
    """
    if len(sums) <= most:
        return np.arange(len(sums), dtype=np.intp)
    rates = np.log(1e4 * sums / np.maximum(umis, 1.0)[:, None] + 0.3)
    rates -= rates.mean(axis=0)
    rates -= rates.mean(axis=1, keepdims=True)
    rates /= np.maximum(np.linalg.norm(rates, axis=1, keepdims=True), 1e-9)
    return np.asarray(fcluster(linkage(rates, "ward"), most, "maxclust") - 1, dtype=np.intp)


def may_be_silent(sums: Array, soup: Array) -> NDArray[np.bool_]:
    """Genes that some kind may be silent for: stronger in one kind than in all together, or in the soup than in the cells.

    The others, which all kinds express about alike, are most of what is strong in the soup, and would hide the silent ones.

    Parameters
    ----------
    sums
        Kinds x genes, UMIs.
    soup
        UMIs of each gene in the profile.
    """
    umis = np.maximum(sums.sum(axis=1), 1.0)
    together = sums.sum(axis=0) / umis.sum()
    large = umis >= MIN_PART_OF_CELLS * umis.sum()
    most = (sums[large] / umis[large, None]).max(axis=0)
    share = soup / max(float(soup.sum()), 1.0)
    return np.asarray((most >= OWN * together) | (together * OWN <= share))


def usual_depth(kinds: list[Kind]) -> float:
    """Geometric mean depth, weighed by UMIs."""
    return float(np.exp(np.average([np.log(kind.depth) for kind in kinds], weights=[kind.umis for kind in kinds])))
