"""What speaks for two cells in a droplet: simulated doublets around it, and two kinds that explain it better than one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from livermet.cells.barcodes.sketch import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Densities are averaged over sizes of neighbourhood: rare kinds need small ones, the rest large ones.
NEIGHBORHOODS = (0.2, 0.35)  # times sqrt(cells)
MIN_NEIGHBORS = 10
NEAR = 6  # the neighbour whose distance sets the scale of the weights
MIN_KIND = 5  # cells of a kind from which its mean is taken
RIDGE = 0.01  # on the slopes: perfectly separated classes must not send them to infinity
MAX_STEPS = 30


def log_odds(observed: NDArray[np.float32], simulated: NDArray[np.float32], n_judged: int) -> NDArray[np.float64]:
    """How much denser simulated doublets lie around a cell than observed cells do.

    With q the share of simulated doublets among the neighbours (nearer ones weigh more, one pseudo-neighbour is half
    simulated) and r the number simulated per observed cell: log(q / (r (1 - q))), mean over the sizes of neighbourhood.

    Parameters
    ----------
    observed, simulated
        Coordinates of cells and of simulated doublets.
    n_judged
        Simulated doublets that are judged themselves, the first ones.

    Returns
    -------
    ndarray
        Of the observed cells, then of the judged simulated doublets.
    """
    n_observed = len(observed)
    ratio = len(simulated) / n_observed
    everyone = np.vstack([observed, simulated])
    judged = everyone[: n_observed + n_judged]
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


def pair_gain(
    points: NDArray[np.float32], observed: NDArray[np.float32], labels: NDArray[np.integer[Any]]
) -> NDArray[np.float64]:
    """How much better a mixture of two kinds explains a cell than the best single kind does.

    Parameters
    ----------
    points
        Coordinates of the cells that are judged.
    observed, labels
        Coordinates and kinds of the observed cells, whose means stand for the kinds.

    Returns
    -------
    ndarray
        Log of the squared distance to the nearest mean over that to the nearest point between two means; 0 where there are
        fewer than two kinds.
    """
    kinds, numbers = np.unique(labels, return_counts=True)
    means = np.array([observed[labels == kind].mean(axis=0) for kind in kinds[numbers >= MIN_KIND]], dtype=float)
    if len(means) < 2:
        return np.zeros(len(points))
    places = points.astype(float)
    along = np.ascontiguousarray((places @ means.T).T)
    squares = (means**2).sum(axis=1)[:, None] - 2 * along + (places**2).sum(axis=1)
    single = squares.min(axis=0)
    double = single.copy()
    for first, second in zip(*np.triu_indices(len(means), 1), strict=True):
        apart = ((means[first] - means[second]) ** 2).sum()
        share = np.clip(0.5 + (squares[second] - squares[first]) / (2 * max(apart, 1e-12)), 0, 1)
        # Distance to a point of a segment, from the distances to its ends.
        mixed = share * squares[first] + (1 - share) * squares[second] - share * (1 - share) * apart
        np.minimum(double, mixed, out=double)
    return np.asarray(np.log(np.maximum(single, 1e-9)) - np.log(np.maximum(double, 1e-9)))


def weigh(features: NDArray[np.float64], n_observed: int) -> NDArray[np.float64]:
    """Logistic regression of simulated against observed: how the features are weighed is learned in each sample.

    Parameters
    ----------
    features
        Cells x features; observed cells first, then simulated doublets. Both classes weigh the same.
    n_observed
        Number of observed cells.

    Returns
    -------
    ndarray
        Log-odds of being simulated, a row each.
    """
    spread = features[:n_observed].std(axis=0)
    scaled = (features - features[:n_observed].mean(axis=0)) / np.where(spread > 0, spread, 1)
    matrix = np.column_stack([np.ones(len(scaled)), scaled])
    simulated = np.arange(len(matrix)) >= n_observed
    weights = np.where(simulated, 0.5 / simulated.sum(), 0.5 / n_observed) * len(matrix)
    penalty = np.diag([0.0] + [RIDGE * len(matrix)] * scaled.shape[1])
    slopes = np.zeros(matrix.shape[1])
    for _ in range(MAX_STEPS):
        fitted = 1 / (1 + np.exp(-np.clip(matrix @ slopes, -30, 30)))
        gradient = matrix.T @ (weights * (simulated - fitted)) - penalty @ slopes
        curvature = (matrix * (weights * np.maximum(fitted * (1 - fitted), 1e-9))[:, None]).T @ matrix + penalty
        step = np.linalg.solve(curvature, gradient)
        slopes += step
        if np.abs(step).max() < 1e-8:
            break
    return np.asarray(matrix @ slopes)
