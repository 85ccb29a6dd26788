"""Doublets: barcodes that look more like two cells added up than like one.

After Scrublet (Wolock, Lopez and Klein 2019, doi:10.1016/j.cels.2018.11.005): pairs of observed cells are added up, and
a cell among whose neighbours such sums are frequent is likely to be one. What differs from Scrublet: only pairs of unlike
cells are added up, neighbours are few and weighted by distance, depth counts as a coordinate, and several sizes of
neighbourhood are averaged.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from livermet.cells.sketch import Sketch, nearest, umis

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

MIN_CELLS = 50  # below, neighbourhoods say nothing
SIMULATED_PER_CELL = 7  # in small samples, where the draw of pairs would be heard
MAX_SIMULATED = 20_000  # in large samples, but never fewer than one a cell
N_JUDGED = 1_000  # simulated doublets that are scored themselves, for the threshold
# The score is the mean over two sizes of space and of neighbourhood: rare kinds need small ones, the rest large ones.
COMPONENTS = (8, 16)
NEIGHBORHOODS = (0.2, 0.35)  # times sqrt(cells)
MIN_NEIGHBORS = 10
NEAR = 6  # the neighbour whose distance sets the scale of the weights
DEPTH_OF_TWO = 0.8  # a droplet with two cells yields less than both apart
DEPTH_WEIGHT = 0.3  # standard deviations of the first component per unit of log depth
MIN_SEPARATION = 0.80  # AUROC of unlike simulated pairs against observed cells below which nobody is called
TAIL = 0.10  # of the simulated unlike pairs may score below the cut
CHANCE = 1.0  # standard deviations (Poisson) that the number called may lie above the expected


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
    n_pairs = max(n_cells, min(SIMULATED_PER_CELL * n_cells, MAX_SIMULATED))
    pairs = draw_pairs(n_cells, n_pairs, np.random.default_rng(seed))
    # Two cells of one kind added up look like one: as neighbours they would only blur the picture.
    pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
    if len(pairs) < MIN_CELLS:
        log.info("doublets: one kind of cell, none can be told")
        return Doublets(np.full(n_cells, np.nan), np.zeros(n_cells, dtype=bool), np.nan, rate)
    chosen, totals = sp.csr_matrix(counts[:, sketch.genes]), umis(counts)
    first, second = pairs.T
    simulated = sp.csr_matrix(chosen[first] + chosen[second])
    observed_spaces = _spaces(sketch, chosen, totals)
    simulated_spaces = _spaces(sketch, simulated, totals[first] + totals[second], DEPTH_OF_TWO)
    spaces = zip(observed_spaces, simulated_spaces, strict=True)
    odds = np.mean([log_odds(*space) for space in spaces], axis=0)
    score = posterior(odds, rate)
    threshold = choose_threshold(score[:n_cells], score[n_cells:], rate)
    score = score[:n_cells]
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


def _spaces(
    sketch: Sketch, chosen: sp.csr_matrix, totals: NDArray[np.float64], yielded: float = 1.0
) -> list[NDArray[np.float32]]:
    """Coordinates in which neighbours are sought: leading components, and depth, for two cells hold more RNA."""
    components = sketch.project_chosen(chosen, totals)
    weighted = (DEPTH_WEIGHT * sketch.spread * np.log(np.maximum(yielded * totals, 1))).astype(np.float32)
    return [np.column_stack([components[:, :number], weighted]) for number in COMPONENTS]


def log_odds(observed: NDArray[np.float32], simulated: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much denser simulated doublets lie around a cell than observed cells do.

    With q the share of simulated doublets among the neighbours (nearer ones weigh more, one pseudo-neighbour is half
    simulated) and r the number simulated per observed cell: log(q / (r (1 - q))), mean over the sizes of neighbourhood.

    Parameters
    ----------
    observed, simulated
        Coordinates of cells and of simulated doublets.

    Returns
    -------
    ndarray
        Of the observed cells, then of the first 1,000 simulated doublets.
    """
    n_observed = len(observed)
    ratio = len(simulated) / n_observed
    everyone = np.vstack([observed, simulated])
    judged = everyone[: n_observed + N_JUDGED]
    scale = np.sqrt(n_observed) * (1 + ratio)
    sizes = [min(max(MIN_NEIGHBORS, round(size * scale)), len(everyone) - 1) for size in NEIGHBORHOODS]
    squares, neighbors = nearest(judged, everyone, max(sizes) + 1)
    own = neighbors == np.arange(len(judged))[:, None]
    # The cell itself is no neighbour; among identical cells it may not be listed, then the last one is left out.
    own[~own.any(axis=1), -1] = True
    near = np.maximum(squares[:, min(NEAR, min(sizes)), None], 1e-9)
    weights = np.where(own, 0.0, np.exp(-np.maximum(squares, 0) / near / 2))
    among = weights * (neighbors >= n_observed)
    q = [(among[:, : k + 1].sum(axis=1) + 0.5) / (weights[:, : k + 1].sum(axis=1) + 1.0) for k in sizes]
    return np.asarray(np.mean([np.log(share / (ratio * (1 - share))) for share in q], axis=0))


def posterior(odds: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Probability of a doublet, given how much denser doublets lie (log) and how frequent they are."""
    prior = np.log(rate / (1 - rate))
    return np.asarray(1 / (1 + np.exp(-(odds + prior))))


def choose_threshold(score: NDArray[np.float64], unlike: NDArray[np.float64], rate: float) -> float:
    """Score above which a cell is called a doublet.

    Two bounds, the higher of which holds: below the first lie a tenth of the simulated pairs; above the
    second lie no more cells than the expected number and its chance. Where the simulated pairs of unlike cells
    do not stand clear of the observed cells, as in a sample of one kind of cell, nobody is called.

    Returns
    -------
    float
        NaN where nobody can be called.
    """
    if len(unlike) < MIN_CELLS or _auroc(unlike, score) < MIN_SEPARATION:
        return float("nan")
    expected = rate * len(score)
    most = int(np.ceil(expected + CHANCE * np.sqrt(expected)))
    bound = np.sort(score)[::-1][most] if most < len(score) else -np.inf
    return float(max(np.quantile(unlike, TAIL), bound))


def _auroc(high: NDArray[np.float64], low: NDArray[np.float64]) -> float:
    """Probability that one of `high` is above one of `low`, ties counted half."""
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, side="left") + np.searchsorted(ordered, high, side="right")
    return float(below.mean() / (2 * len(low)))
