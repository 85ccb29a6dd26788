"""Doublets: barcodes that look more like two cells added up than like one.

After Scrublet (Wolock, Lopez and Klein 2019, doi:10.1016/j.cels.2018.11.005): pairs of observed cells are added up, and
a cell among whose neighbours such sums are frequent is likely to be one.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from livermet.cells.sketch import Sketch, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

MIN_CELLS = 50  # below, neighbourhoods say nothing
SIMULATED_PER_CELL = 3.0
MIN_SIMULATED = 1500
MIN_SEPARATION = 0.80  # AUROC of unlike simulated pairs against observed cells below which nobody is called
TAIL = 0.10  # of the simulated unlike pairs may score below the cut
BOUND = 2.0  # times the expected rate: the loading is known to no better than that


@dataclass(frozen=True)
class Doublets:
    """What :func:`score_doublets` finds.

    Attributes
    ----------
    score
        Probability-like score of each cell, 0 to 1; NaN where there are too few cells to score.
    is_doublet
        Whether the score is above the threshold.
    threshold
        NaN where nobody can be called.
    expected_rate
        Share expected from the number of cells.
    """

    score: NDArray[np.float64]
    is_doublet: NDArray[np.bool_]
    threshold: float
    expected_rate: float


def score_doublets(
    counts: sp.csr_matrix,
    sketch: Sketch,
    labels: NDArray[np.integer[Any]],
    *,
    n_recovered: int,
    expected_doublet_rate_per_1000: float,
    seed: int,
) -> Doublets:
    """Score cells and call doublets.

    Parameters
    ----------
    counts
        Cells x genes, csr, raw counts of the cells that pass the other filters.
    sketch
        Embedding fitted on them.
    labels
        Coarse cluster of each cell.
    n_recovered
        Barcodes in the sample, from which the expected rate follows.
    expected_doublet_rate_per_1000
        Share of doublets per 1,000 recovered cells.
    seed
        Seed of the simulated pairs.

    Returns
    -------
    Doublets
    """
    n_cells = counts.shape[0]
    rate = float(np.clip(expected_doublet_rate_per_1000 * n_recovered / 1000, 1e-4, 0.5))
    if n_cells < MIN_CELLS:
        log.info("doublets: %d cells are too few to score (%d needed)", n_cells, MIN_CELLS)
        return Doublets(np.full(n_cells, np.nan), np.zeros(n_cells, dtype=bool), np.nan, rate)
    rng = np.random.default_rng(seed)
    pairs = draw_pairs(n_cells, max(MIN_SIMULATED, int(SIMULATED_PER_CELL * n_cells)), rng)
    simulated = counts[pairs[:, 0]] + counts[pairs[:, 1]]
    observed_space = _space(sketch, counts)
    simulated_space = _space(sketch, simulated)
    score, simulated_score = knn_scores(observed_space, simulated_space, rate)
    unlike = labels[pairs[:, 0]] != labels[pairs[:, 1]]
    threshold = choose_threshold(score, simulated_score[unlike], rate)
    called = score > threshold if np.isfinite(threshold) else np.zeros(n_cells, dtype=bool)
    log.info(
        "doublets: %d called of %d cells (expected %.1f), threshold %.3g",
        called.sum(),
        n_cells,
        rate * n_cells,
        threshold,
    )
    return Doublets(score, called, threshold, rate)


def draw_pairs(n_cells: int, n_pairs: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Pairs of different cells, n_pairs x 2, uniformly."""
    first = rng.integers(0, n_cells, n_pairs)
    second = (first + rng.integers(1, n_cells, n_pairs)) % n_cells
    return np.column_stack([first, second])


def _space(sketch: Sketch, counts: sp.csr_matrix) -> NDArray[np.float32]:
    """Coordinates in which neighbours are sought."""
    return sketch.project(counts)


def knn_scores(
    observed: NDArray[np.float32], simulated: NDArray[np.float32], rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scrublet's Bayesian score from the share of simulated doublets among the nearest neighbours.

    With q = (n_sim + 1) / (k + 2) the share among k neighbours, r simulated per observed and rho the expected rate:
    score = q rho / r / (1 - rho - q (1 - rho - rho / r)).

    Parameters
    ----------
    observed, simulated
        Coordinates of cells and of simulated doublets.
    rate
        Expected share of doublets, rho.

    Returns
    -------
    tuple of ndarray
        Scores of observed cells and of simulated doublets.
    """
    n_observed, n_simulated = len(observed), len(simulated)
    ratio = n_simulated / n_observed
    k = round(0.5 * np.sqrt(n_observed) * (1 + ratio))
    everyone = np.vstack([observed, simulated])
    _, neighbors = nearest(everyone, everyone, k + 1)
    own = neighbors == np.arange(len(everyone))[:, None]
    # The cell itself is no neighbour; among identical cells it may not come first, then the last one is left out.
    own[~own.any(axis=1), -1] = True
    among = ((neighbors >= n_observed) & ~own).sum(axis=1)
    q = (among + 1) / (k + 2)
    score = q * rate / ratio / (1 - rate - q * (1 - rate - rate / ratio))
    return score[:n_observed], score[n_observed:]


def choose_threshold(score: NDArray[np.float64], unlike: NDArray[np.float64], rate: float) -> float:
    """Score above which a cell is called a doublet.

    Two bounds, the higher of which holds: below the first lie a tenth of the simulated pairs of unlike cells; above the
    second lie no more cells than twice the expected number and its chance. Where the simulated pairs of unlike cells
    do not stand clear of the observed cells, as in a sample of one kind of cell, nobody is called.

    Returns
    -------
    float
        NaN where nobody can be called.
    """
    if len(unlike) < MIN_CELLS or _auroc(unlike, score) < MIN_SEPARATION:
        return float("nan")
    expected = BOUND * rate * len(score)
    most = int(np.ceil(expected + 2 * np.sqrt(expected)))
    bound = np.sort(score)[::-1][most] if most < len(score) else -np.inf
    return float(max(np.quantile(unlike, TAIL), bound))


def _auroc(high: NDArray[np.float64], low: NDArray[np.float64]) -> float:
    """Probability that one of `high` is above one of `low`, ties counted half."""
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, side="left") + np.searchsorted(ordered, high, side="right")
    return float(below.mean() / (2 * len(low)))
