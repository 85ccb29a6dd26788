"""Cells that sit in the wrong cluster: a second look at each cell's own marker genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.keys import UNASSIGNED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from livermet.cells.lineages.markers import Markers, Panel

MIN_PROFILE_CELLS = 5
MOVE_LOG_ODDS = float(np.log(100.0))
DEPTH_BINS = 32


def move_cells(panel: Panel, called: NDArray[np.object_], markers: Markers) -> NDArray[np.object_]:
    """Move cells whose own marker genes plainly speak for another lineage that the study has.

    A cluster of cytotoxic cells may hold T and NK cells. Each lineage's chance to show a gene at all in a cell of depth
    N is 1 - exp(-N r), with r fitted to the share of the lineage's cells that show it; a cell moves where the genes that
    it shows and lacks are a hundred times likelier in another lineage than in its cluster's. Whether a gene shows, not
    how much of it: a single loud gene must not decide. What drifts in the soup shows in the cells of every lineage, and
    so speaks for none.

    Parameters
    ----------
    panel
        Counts of the marker genes.
    called
        Lineage of every cell's cluster (cells,).
    markers
        The sets; the genes of lineages that the study has are looked at.

    Returns
    -------
    numpy.ndarray
        Lineage of every cell; cells of unassigned clusters stay unassigned.
    """
    sizes = pd.Series(called[called != UNASSIGNED]).value_counts()
    lineages = sorted(sizes.index[sizes >= MIN_PROFILE_CELLS])
    if len(lineages) < 2:
        return called.copy()
    genes = {gene for one in markers.sets if one.lineage in lineages for gene in (*one.up, *one.down)}
    fit = log_likelihoods(panel.subset(genes), called, lineages)
    own = pd.Index(lineages).get_indexer(pd.Index(called))
    candidates = np.flatnonzero(own >= 0)
    best = fit[candidates].argmax(axis=1)
    gain = fit[candidates, best] - fit[candidates, own[candidates]]
    settled = called.copy()
    moving = gain > MOVE_LOG_ODDS
    settled[candidates[moving]] = np.asarray(lineages, dtype=object)[best[moving]]
    return settled


def log_likelihoods(panel: Panel, called: NDArray[np.object_], lineages: list[str]) -> NDArray[np.float64]:
    """Log chance of the marker genes that every cell shows and lacks, under each lineage.

    Parameters
    ----------
    panel
        Counts of the marker genes.
    called
        Lineage of every cell's cluster (cells,): whose cells are pooled.
    lineages
        Lineages to compare.

    Returns
    -------
    numpy.ndarray
        Cells x lineages.
    """
    shown = sp.csr_matrix(panel.counts > 0, dtype=np.float64)
    result = np.zeros((shown.shape[0], len(lineages)))
    overall = detection_rates(shown, panel.totals)
    for column, lineage in enumerate(lineages):
        pool = np.flatnonzero(called == lineage)
        # A twentieth of the study's rate: a gene that a lineage never showed is unlikely in it, not impossible.
        rate = 0.95 * detection_rates(shown[pool], panel.totals[pool]) + 0.05 * overall
        for cells, depth in depth_bins(panel.totals):
            expected = np.maximum(depth * rate, 1e-6)
            absent, present = -expected, np.log(-np.expm1(-expected))
            result[cells, column] = absent.sum() + shown[cells] @ (present - absent)
    return result


def depth_bins(totals: NDArray[np.float64]) -> list[tuple[NDArray[np.intp], float]]:
    """Cells of like depth, with their median depth: they share their chances, which spares a cells x genes matrix.

    Parameters
    ----------
    totals
        Depth of every cell (cells,).

    Returns
    -------
    list of tuple
        Cells of a bin, and its depth; every cell is in one.
    """
    edges = np.quantile(totals, np.linspace(0, 1, DEPTH_BINS + 1))
    bins = np.clip(np.searchsorted(edges, totals, side="right") - 1, 0, DEPTH_BINS - 1)
    found = [np.flatnonzero(bins == number) for number in np.unique(bins)]
    return [(cells, float(np.median(totals[cells]))) for cells in found]


def detection_rates(shown: sp.csr_matrix, totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rate per count of depth at which each gene shows, from the share of cells that show it.

    From the share of cells rather than the pooled counts, because counts are bursty: a gene with twelve counts in the
    mean cell is still missing from many.

    Parameters
    ----------
    shown
        Cells x genes, 1 where a cell has a count.
    totals
        Depth of every cell (cells,).

    Returns
    -------
    numpy.ndarray
        (genes,).
    """
    share = np.asarray(shown.sum(axis=0)).ravel() / shown.shape[0]
    return np.asarray(-np.log1p(-np.minimum(share, 0.99)) / float(np.mean(totals)))
