"""Which subset each cell belongs to (CD8, CD4, gamma-delta, NKT, MAIT): its own receptor counts, and what its neighbours say.

A single cell misses most transcripts of a receptor, and the mean of its neighbourhood is no better a witness: resting CD4 and
CD8 cells lie among each other in every embedding, and a rare NKT cell among cells of another subset. So neither decides alone.
Each cell's own counts are its evidence, and its neighbours say what to expect of a cell that shows little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from livermet.tcells.definitions import OTHER, Subset
from livermet.tcells.signatures import GeneIndex

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
PER = 1e4
CERTAIN = 0.75  # chance from which on a cell is of a subset: three to one (nine in ten of such cells are right, decision 0022)
# Negative binomial: what droplets of mixed lung leucocytes show (2.2 to 2.5, benchmarks/cells). It is more than well-made
# libraries have, on purpose: that a cell shows no receptor must not say much, since any cell may miss it.
DISPERSION = 2.5
STUDY_WEIGHT = 0.1  # of the study's shares beside the neighbours' in what is expected of a cell
ROUNDS = 30
FIRST_OWN, FIRST_LEAK = 2.0, 0.1  # UMIs per 10,000 that the first round expects of a mark, and of another's
# UMIs per 10,000 that a subset's cells hold at least of each of its marks, and of each key for it to be there.
LEAST = 0.5
LEAK = 0.5  # of what the owners of a mark hold, at most, in other subsets: else two subsets could change places
MIN_CELLS = 5  # a subset of fewer is not there
PSEUDO = 0.1  # UMIs added to each gene of each subset, so that no rate is 0
TINY = 1e-12


@dataclass(frozen=True)
class Chances:
    """What is known of each cell's subset.

    Attributes
    ----------
    names
        Subsets that the study has.
    chance
        Cells x subsets; rows sum to 1 where the study has any.
    """

    names: tuple[str, ...]
    chance: Floats

    def certain(self) -> NDArray[np.object_]:
        """Subset of every cell that is told by three to one, ``other`` for the rest; (cells,)."""
        return self._told(CERTAIN)

    def likelier(self) -> NDArray[np.object_]:
        """Subset of every cell that is likelier than all others together, ``other`` where none is; (cells,)."""
        return self._told(1 / 2)

    def _told(self, at_least: float) -> NDArray[np.object_]:
        found = np.full(len(self.chance), OTHER, dtype=object)
        if self.names:
            sure = self.chance.max(axis=1) >= at_least
            found[sure] = np.array(self.names, dtype=object)[self.chance.argmax(axis=1)[sure]]
        return found


def settle(
    counts: sparse.csr_matrix, genes: GeneIndex, connectivities: sparse.csr_matrix, subsets: tuple[Subset, ...]
) -> Chances:
    """Chance of each cell to belong to each subset.

    A mixture of negative binomials with exposure, fitted by expectation-maximisation: in a subset its marks have a rate of
    their own, other subsets' marks leak (soup, sterile transcripts), every cell's total UMIs are its exposure, and what is
    expected of a cell beforehand is the mean of its neighbours' chances. A subset whose cells together do not show each of
    its keys is not there: it is taken out and the rest settled anew, so that no other cells end in it for want of a better.

    Parameters
    ----------
    counts
        Raw counts, cells x all genes of the study.
    genes
        The study's genes.
    connectivities
        Cells x cells, weights of the neighbour graph.
    subsets
        The definitions; one of which the study lacks a key is left out.

    Returns
    -------
    Chances

    Notes
    -----
    Mixture models and EM: Dempster et al. 1977, doi:10.1111/j.2517-6161.1977.tb01600.x; cell types told by marker genes
    with negative binomial counts: Zhang et al. 2019, doi:10.1038/s41592-019-0529-1 (without neighbours).
    """
    present = tuple(item for item in subsets if genes.find_all(item.key).size == len(item.key))
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    if not present or not counts.shape[0]:
        return Chances((), np.zeros((counts.shape[0], 0)))
    neighbours = _row_means(sparse.csr_matrix(connectivities))
    while present:
        marks = [gene for item in present for gene in item.marks if genes.find(gene) is not None]
        symbols = list(dict.fromkeys(marks))
        values = counts[:, genes.find_all(symbols)].toarray().astype(np.float64)
        chance = fit(
            values,
            totals / PER,
            neighbours,
            owns=np.array([[gene in item.marks for gene in symbols] for item in present]),
            free=np.array([[gene in item.may for gene in symbols] for item in present]),
        )
        absent = _absent(counts, genes, totals / PER, present, chance)
        if not absent:
            return Chances(tuple(item.name for item in present), chance)
        present = tuple(item for item in present if item.name not in absent)
    return Chances((), np.zeros((counts.shape[0], 0)))


def _absent(
    counts: sparse.csr_matrix, genes: GeneIndex, exposure: Floats, present: tuple[Subset, ...], chance: Floats
) -> set[str]:
    """Subsets whose cells, weighed by their chances, do not show their keys."""
    found = set()
    for place, item in enumerate(present):
        weight = chance[:, place]
        shown = counts[:, genes.find_all(item.key)].T @ weight
        if weight.sum() < MIN_CELLS or (shown < LEAST * (weight @ exposure)).any():
            found.add(item.name)
    return found


def fit(counts: Floats, exposure: Floats, neighbours: sparse.csr_matrix, *, owns: Flags, free: Flags) -> Floats:
    """Fit the mixture.

    Parameters
    ----------
    counts
        Cells x genes: UMIs of the marks of all subsets.
    exposure
        UMIs of each cell in ten thousands, (cells,).
    neighbours
        Cells x cells, rows sum to 1, or to 0 for a cell without neighbours.
    owns
        Subsets x genes: the gene is a mark of the subset.
    free
        Subsets x genes: cells of the subset may express it or not, whatever its owners do.

    Returns
    -------
    ndarray, (cells, subsets)
        Rows sum to 1.
    """
    rates = np.where(owns, FIRST_OWN, np.where(free, FIRST_OWN / 2, FIRST_LEAK))
    alone = np.asarray(neighbours.sum(axis=1)).ravel() == 0
    chance = np.full((len(counts), len(owns)), 1 / len(owns))
    for turn in range(ROUNDS):
        share = chance.mean(axis=0)
        # At first nothing is known of the neighbours.
        near = np.where(alone[:, None], share, neighbours @ chance) if turn else np.broadcast_to(share, chance.shape)
        prior = (1 - STUDY_WEIGHT) * near + STUDY_WEIGHT * share
        log_chance = np.log(np.maximum(prior, TINY)) + _log_likelihood(counts, exposure, rates)
        updated = np.exp(log_chance - log_chance.max(axis=1, keepdims=True))
        chance = updated / updated.sum(axis=1, keepdims=True)
        found = (chance.T @ counts + PSEUDO) / ((chance.T @ exposure)[:, None] + 1.0)
        own = np.maximum(found, LEAST)
        highest = LEAK * np.where(owns, own, np.inf).min(axis=0)
        rates = np.where(owns, own, np.where(free, found, np.minimum(found, highest)))
    return np.asarray(chance)


def _log_likelihood(counts: Floats, exposure: Floats, rates: Floats) -> Floats:
    """Log chance of each cell's counts in each subset, up to a constant of the cell; (cells, subsets)."""
    shape = 1 / DISPERSION
    found = np.empty((len(counts), len(rates)))
    for place, rate in enumerate(rates):
        mean = exposure[:, None] * rate
        terms = counts * np.log(np.maximum(mean / (mean + shape), TINY)) - shape * np.log1p(mean / shape)
        found[:, place] = terms.sum(axis=1)
    return found


def _row_means(graph: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows of weights brought to a sum of 1; rows without weights stay 0."""
    sums = np.asarray(graph.sum(axis=1), dtype=np.float64).ravel()
    return sparse.csr_matrix(sparse.diags(np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)) @ graph)
