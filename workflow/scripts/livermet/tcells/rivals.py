"""Subsets that neighbours do not tell apart: settled by each cell's own counts.

CD4 and CD8 T cells at rest lie among each other in every embedding, since little but the co-receptors differs. The mean of
such a neighbourhood expresses both, and says nothing of the cell in its middle. There the cell's own counts have to decide,
and the neighbours can only say what to expect of a cell that shows neither.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
DISPERSION = 1.0  # negative binomial; cells of one subset differ in a receptor about as much as its level
STUDY_WEIGHT = 0.1  # of the study's shares beside the neighbours' in what is expected of a cell
ROUNDS = 20
PSEUDO = 0.1  # UMIs added to each subset's genes, so that no rate is 0
TINY = 1e-12
PER = 1e4


def settle(
    counts: NDArray[np.floating], totals: Floats, connectivities: sparse.csr_matrix, *, expressed: float
) -> Floats:
    """Chance of each cell to belong to each of some rival subsets.

    A mixture of negative binomials with exposure, fitted by expectation-maximisation: in a subset its own genes have one
    rate and the rivals' genes another (leak and soup), every cell's own total UMIs are the exposure, and the prior of a
    cell is the mean of its neighbours' chances.

    Parameters
    ----------
    counts
        Cells x subsets: UMIs of the genes that tell each subset.
    totals
        UMIs of each cell, (cells,).
    connectivities
        Cells x cells, weights of the neighbour graph.
    expressed
        UMIs per 10,000 that a subset's genes have at least in its own cells: a subset that a study lacks must not become
        that of all cells which show nothing.

    Returns
    -------
    ndarray, (cells, subsets)
        Rows sum to 1.

    Notes
    -----
    Mixture models and EM: Dempster et al. 1977, doi:10.1111/j.2517-6161.1977.tb01600.x.
    """
    values = np.asarray(counts, dtype=np.float64)
    exposure = np.asarray(totals, dtype=np.float64) / PER
    if not len(values):
        return np.zeros(values.shape)
    shown = values > 0
    alone = shown & (shown.sum(axis=1, keepdims=True) == 1)
    chance = np.where(alone.any(axis=1, keepdims=True), alone, 1 / values.shape[1]).astype(np.float64)
    sums = np.asarray(connectivities.sum(axis=1), dtype=np.float64).ravel()
    neighbours = sparse.diags(np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)) @ connectivities
    for _ in range(ROUNDS):
        share = chance.mean(axis=0)
        near = np.where(sums[:, None] > 0, neighbours @ chance, share)
        prior = (1 - STUDY_WEIGHT) * near + STUDY_WEIGHT * share
        log_chance = np.log(np.maximum(prior, TINY)) + _log_likelihood(values, exposure, chance, expressed)
        updated = np.exp(log_chance - log_chance.max(axis=1, keepdims=True))
        chance = updated / updated.sum(axis=1, keepdims=True)
    return np.asarray(chance)


def _log_likelihood(values: Floats, exposure: Floats, chance: Floats, expressed: float) -> Floats:
    """Log chance of each cell's counts in each subset, up to a constant of the cell; rates from the cells as they are."""
    rates = (chance.T @ values + PSEUDO) / ((chance.T @ exposure)[:, None] + 1.0)  # subsets x genes of each subset
    own = np.maximum(np.diag(rates), expressed)
    # What leaks from a rival is less than half of what the rival has: else the two could change places.
    rates = np.where(np.eye(len(own), dtype=bool), own, np.minimum(rates, own / 2))
    mean = exposure[:, None, None] * rates[None]
    shape = 1 / DISPERSION
    terms = values[:, None, :] * np.log(np.maximum(mean / (mean + shape), TINY)) - shape * np.log1p(mean / shape)
    return np.asarray(terms.sum(axis=2))
