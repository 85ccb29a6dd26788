"""Doublets: barcodes that look more like two cells added up than like one.

After Scrublet (Wolock, Lopez and Klein 2019, doi:10.1016/j.cels.2018.11.005): pairs of observed cells are added up, and
a cell among whose neighbours such sums are frequent is likely to be one. What differs from Scrublet: only pairs of unlike
cells are added up, neighbours are few and weighted by distance, depth counts as a coordinate, several sizes of space and
neighbourhood are averaged, and how well two kinds explain the cell counts, too. How many doublets there are is estimated
from the sample, not taken from the number of cells, so that none are called where none are.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from livermet.cells.barcodes.doublet_evidence import log_odds, pair_gain, weigh
from livermet.cells.barcodes.sketch import Sketch, umis

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

MIN_CELLS = 50  # below, neighbourhoods say nothing
# Few in small samples would let the draw of pairs be heard; more in large ones gain nothing.
SIMULATED_PER_CELL, MIN_SIMULATED, MAX_SIMULATED = 3, 2_000, 6_000
N_JUDGED = 1_000  # simulated doublets that are scored themselves, for the weights and the threshold
COMPONENTS = (4, 8, 16)  # leading components of each space in which neighbours are sought
DEPTH_OF_TWO = 0.8  # a droplet with two cells yields less than both apart
DEPTH_WEIGHT = 0.3  # standard deviations of the first component per unit of log depth
# AUROC of the neighbourhoods of simulated pairs against those of observed cells below which nobody is called: in a sample
# of one kind of cell, pairs differ from cells by their depth alone.
MIN_SEPARATION = 0.80
CUTS = np.linspace(0.02, 0.80, 79)  # quantiles of the simulated pairs at which a threshold may lie
# Cuts from which the share of doublets is estimated: below, single cells count, too; above lie pairs of kinds of which no
# two met in this sample.
LOWEST, HIGHEST = 0.30, 0.80
LOW = 0.10  # quantile of the estimates of these cuts
MIN_PRECISION = 0.4  # of the calls, as estimated
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
    estimated_rate
        Share of doublets of unlike cells, estimated from the scores; NaN where there are none.
    """

    score: NDArray[np.float64]
    is_doublet: NDArray[np.bool_]
    threshold: float
    expected_rate: float
    estimated_rate: float


def score_doublets(
    counts: sp.csr_matrix,
    sketch: Sketch,
    labels: NDArray[np.integer[Any]],
    *,
    n_recovered: int,
    expected_doublet_rate_per_1000: float,
    seed: int,
    times: float = 1.0,
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
    times
        Call as if doublets were this many times as frequent as expected and estimated.

    Returns
    -------
    Doublets
    """
    n_cells = counts.shape[0]
    rate = float(np.clip(expected_doublet_rate_per_1000 * n_recovered / 1000, 1e-4, 0.5))
    nothing = Doublets(np.full(n_cells, np.nan), np.zeros(n_cells, dtype=bool), np.nan, rate, np.nan)
    if n_cells < MIN_CELLS:
        log.info("doublets: %d cells are too few to score (%d needed)", n_cells, MIN_CELLS)
        return nothing
    n_pairs = min(max(SIMULATED_PER_CELL * n_cells, MIN_SIMULATED), MAX_SIMULATED)
    pairs = draw_pairs(n_cells, n_pairs, np.random.default_rng(seed))
    # Two cells of one kind added up look like one: as neighbours they would only blur the picture.
    pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
    if len(pairs) < MIN_CELLS:
        log.info("doublets: one kind of cell, none can be told")
        return nothing
    odds, gain = _compare(counts, sketch, labels, pairs)
    evidence = weigh(np.column_stack([odds, gain]), n_cells)
    cut, estimated = np.nan, np.nan
    if _auroc(odds[n_cells:], odds[:n_cells]) >= MIN_SEPARATION:
        cut, estimated = choose_threshold(evidence[:n_cells], evidence[n_cells:], min(0.5, times * rate), times)
    called = evidence[:n_cells] > cut  # never above NaN
    score, threshold = posterior(evidence[:n_cells], rate), float(posterior(np.array(cut), rate))
    log.info(
        "doublets: %d called of %d cells (%.1f expected from their number, %.1f estimated), threshold %.3g",
        called.sum(),
        n_cells,
        rate * n_cells,
        estimated * n_cells,
        threshold,
    )
    return Doublets(score, called, threshold, rate, estimated)


def draw_pairs(n_cells: int, n_pairs: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Pairs of different cells, n_pairs x 2, uniformly."""
    first = rng.integers(0, n_cells, n_pairs)
    second = (first + rng.integers(1, n_cells, n_pairs)) % n_cells
    return np.column_stack([first, second])


def _compare(
    counts: sp.csr_matrix, sketch: Sketch, labels: NDArray[np.integer[Any]], pairs: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two kinds of evidence for two cells: of every observed cell, then of the first simulated pairs."""
    n_judged = min(N_JUDGED, len(pairs))
    chosen, totals = sp.csr_matrix(counts[:, sketch.genes]), umis(counts)
    first, second = pairs.T
    together = totals[first] + totals[second]
    observed = sketch.project_chosen(chosen, totals)
    simulated = sketch.project_chosen(sp.csr_matrix(chosen[first] + chosen[second]), together)

    def space(points: NDArray[np.float32], depth: NDArray[np.float64], number: int) -> NDArray[np.float32]:
        # Two cells hold more RNA than one.
        weighted = DEPTH_WEIGHT * sketch.spread * np.log(np.maximum(depth, 1))
        return np.column_stack([points[:, :number], weighted.astype(np.float32)])

    odds = [
        log_odds(space(observed, totals, number), space(simulated, DEPTH_OF_TWO * together, number), n_judged)
        for number in COMPONENTS
    ]
    gain = pair_gain(np.vstack([observed, simulated[:n_judged]]), observed, labels)
    return np.mean(odds, axis=0), gain


def posterior(odds: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Probability of a doublet, given how much denser doublets lie (log) and how frequent they are."""
    prior = np.log(rate / (1 - rate))
    return np.asarray(1 / (1 + np.exp(-(odds + prior))))


def choose_threshold(
    score: NDArray[np.float64], unlike: NDArray[np.float64], rate: float, times: float = 1.0
) -> tuple[float, float]:
    """Evidence above which a cell is called a doublet, and the share of doublets that the scores speak for.

    If a share p of the cells were doublets like the simulated ones, at least p S(c) of the cells would lie above any cut c,
    S(c) being the share of the simulated above it. The share of cells above, over S(c), is thus never below p, and nearest
    to it where nearly all cells above the cut are doublets: the smallest such ratio estimates p (Blanchard, Lee and Scott
    2010, Semi-supervised novelty detection, JMLR 11). A low quantile of the ratios stands for the smallest, which in a
    small sample hangs on a cell or two. The threshold is the cut with the best F1 of the calls, as estimated with p, at an
    estimated precision of `MIN_PRECISION` or more; but no more cells are called than the expected number and its chance.
    Where p is 0, nobody is called.

    Parameters
    ----------
    score, unlike
        Of the cells and of simulated doublets of unlike cells.
    rate
        Share of doublets expected, at most.
    times
        Take p this many times as large.

    Returns
    -------
    threshold, estimated
        The first is NaN where nobody is called.
    """
    n_cells = len(score)
    cuts = np.quantile(unlike, CUTS)
    above = 1 - np.searchsorted(np.sort(score), cuts, side="right") / n_cells
    found = 1 - np.searchsorted(np.sort(unlike), cuts, side="right") / len(unlike)
    telling = (cuts >= np.quantile(unlike, LOWEST)) & (cuts <= np.quantile(unlike, HIGHEST)) & (found > 0)
    if not telling.any():
        return float("nan"), float("nan")
    estimated = float(np.quantile(above[telling] / found[telling], LOW))
    share = times * estimated
    true = np.minimum(share * found, above)
    precise = (above > 0) & (true >= MIN_PRECISION * above)
    if share * n_cells < 1 or not precise.any():
        return float("nan"), estimated
    expected = rate * n_cells
    most = int(np.ceil(expected + CHANCE * np.sqrt(expected)))
    bound = np.sort(score)[::-1][most] if most < n_cells else -np.inf
    f1 = np.where(precise, 2 * true / (above + share), -1.0)
    return float(max(cuts[int(np.argmax(f1))], bound)), estimated


def _auroc(high: NDArray[np.float64], low: NDArray[np.float64]) -> float:
    """Probability that one of `high` is above one of `low`, ties counted half."""
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, side="left") + np.searchsorted(ordered, high, side="right")
    return float(below.mean() / (2 * len(low)))
