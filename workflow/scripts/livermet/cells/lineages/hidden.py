"""Lineages too rare to have a cluster of their own: cells that show another lineage's markers inside a cluster.

Twenty NK cells among two hundred T cells make no cluster, and a cluster has one name. They are found one by one: a cell is
a seed of a lineage that no cluster is named for, where the markers that it shows and lacks are a hundred times likelier
for that lineage than for the cluster that it sits in. A few seeds are chance; a lineage is taken up where the study has
enough of them, and more than its cluster's own genes would give by chance.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.lineages.markers import IMMUNE
from livermet.cells.lineages.strays import MIN_PROFILE_CELLS, MOVE_LOG_ODDS, detection_rates
from livermet.keys import UNASSIGNED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from livermet.cells.lineages.markers import Markers, MarkerSet, Panel

log = logging.getLogger("livermet")

MIN_SHOWN = 3  # genes that speak for the lineage and not for the cluster's own, in one cell
ON_RATE = 3e-4  # counts per count of depth of a marker in its own lineage, where no cluster shows more of it
SOUP = 0.1  # of a gene's level where it is loudest: what a cell that does not express it may hold
N_DRAWS = 20
MAX_FALSE_SHARE = 0.2


@dataclass(frozen=True)
class _Rivals:
    """Genes that tell a lineage from a cluster: how likely each is, per count of depth."""

    genes: list[int]
    exclusive: NDArray[np.bool_]
    here: NDArray[np.float64]
    there: NDArray[np.float64]
    hedged: NDArray[np.bool_]  # the cluster's own genes: their absence speaks for the rival, their presence little


def seed_hidden(
    panel: Panel, codes: NDArray[np.int64], called: NDArray[np.object_], markers: Markers, *, seed: int
) -> NDArray[np.object_]:
    """Name the cells of lineages that no cluster is named for.

    Parameters
    ----------
    panel
        Counts of the marker genes.
    codes
        Number of every cell's cluster (cells,).
    called
        Lineage of every cell's cluster (cells,).
    markers
        The sets that are offered.
    seed
        Of the draws that say how many seeds chance gives.

    Returns
    -------
    numpy.ndarray
        `called`, with the name of its own for every seed of a lineage that has at least `MIN_PROFILE_CELLS` of them.
    """
    shown = sp.csr_matrix(panel.counts > 0, dtype=np.float64)
    named, odds = np.full(len(called), "", dtype=object), np.full(len(called), MOVE_LOG_ODDS)
    overall = detection_rates(shown, panel.totals)
    n_clusters = int(codes.max()) + 1
    rates = np.array([detection_rates(shown[codes == k], panel.totals[codes == k]) for k in range(n_clusters)])
    present = set(called) - {UNASSIGNED}
    rng = np.random.default_rng(seed)
    for cluster in range(n_clusters):
        cells = np.flatnonzero(codes == cluster)
        own = str(called[cells[0]])
        for one in markers.sets:
            if own != UNASSIGNED and one.lineage in present:
                continue  # the strays are looked for with the profile that the study itself gives
            rivals = _tell_apart(one, own, panel, markers, rates, overall, cluster)
            if rivals is not None:
                _find_seeds(one.lineage, rivals, shown, panel.totals, cells, named, odds, rng)
    sizes = pd.Series(named[named != ""]).value_counts()
    settled = called.copy()
    for lineage in sorted(sizes.index[sizes >= MIN_PROFILE_CELLS]):
        settled[named == lineage] = lineage
        log.info("%d cells show the markers of %s, that no cluster is named for", sizes[lineage], lineage)
    return settled


def _tell_apart(
    one: MarkerSet,
    own: str,
    panel: Panel,
    markers: Markers,
    rates: NDArray[np.float64],
    overall: NDArray[np.float64],
    cluster: int,
) -> _Rivals | None:
    """Genes that tell a set's cells from a cluster's; None where too few speak for the set alone."""
    place = {symbol: number for number, symbol in enumerate(panel.symbols)}
    owned = {gene for other in markers.sets if other.lineage == own for gene in other.up}
    up = [gene for gene in one.up if gene in place]
    exclusive = [gene not in owned for gene in up]
    if sum(exclusive) < MIN_SHOWN:
        return None
    against = [*one.down, *(markers.immune if one.compartment != IMMUNE else ())]
    down = [gene for gene in dict.fromkeys(against) if gene in place and gene not in up]
    hedged = sorted(gene for gene in owned if gene in place and gene not in up and gene not in down)
    genes = [place[gene] for gene in (*up, *down, *hedged)]
    kind = np.repeat([0, 1, 2], [len(up), len(down), len(hedged)])
    # A twentieth of the study's rate, as for strays: what a cluster never showed is unlikely in it, not impossible.
    here = 0.95 * rates[cluster, genes] + 0.05 * overall[genes]
    # Not the quietest cluster: in a study of sorted T cells all clusters express what NK cells lack.
    quiet = np.maximum(np.minimum(SOUP * rates[:, genes].max(axis=0), here), 1e-9)
    loud = np.maximum(rates[:, genes].max(axis=0), ON_RATE)
    there = np.where(kind == 0, loud, quiet)
    flags = np.zeros(len(genes), dtype=bool)
    flags[: len(up)] = exclusive
    return _Rivals(genes, flags, here, there, kind == 2)


def _find_seeds(
    lineage: str,
    rivals: _Rivals,
    shown: sp.csr_matrix,
    totals: NDArray[np.float64],
    cells: NDArray[np.intp],
    named: NDArray[np.object_],
    odds: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Write the seeds of one lineage in one cluster into `named`, with their log odds."""
    block = shown[cells][:, rivals.genes]
    some = np.flatnonzero(block @ rivals.exclusive.astype(float) >= MIN_SHOWN)
    if not len(some):
        return
    gain = _log_odds(block[some].toarray() > 0, totals[cells[some]], rivals)
    found = some[gain > MOVE_LOG_ODDS]
    if not len(found):
        return
    if _chance_seeds(totals[cells], rivals, rng) > MAX_FALSE_SHARE * len(found):
        return
    better = found[gain[gain > MOVE_LOG_ODDS] > odds[cells[found]]]
    named[cells[better]] = lineage
    odds[cells[better]] = gain[np.isin(some, better)]


def _chance_seeds(totals: NDArray[np.float64], rivals: _Rivals, rng: np.random.Generator) -> float:
    """Seeds that the cluster would give if its cells showed each gene independently, as often as the cluster does."""
    false = 0
    totals = np.sort(totals)  # so that the order of the samples changes nothing
    chance = _chance(totals, rivals.here)
    for _ in range(N_DRAWS):
        drawn = rng.random(chance.shape) < chance
        some = np.flatnonzero(drawn[:, rivals.exclusive].sum(axis=1) >= MIN_SHOWN)
        false += int((_log_odds(drawn[some], totals[some], rivals) > MOVE_LOG_ODDS).sum())
    return false / N_DRAWS


def _log_odds(present: NDArray[np.bool_], totals: NDArray[np.float64], rivals: _Rivals) -> NDArray[np.float64]:
    """Log odds of the rival for every cell."""
    here, there = _chance(totals, rivals.here), _chance(totals, rivals.there)
    there = np.where(rivals.hedged, (here + there) / 2, there)
    each = np.where(present, np.log(there / here), np.log((1 - there) / (1 - here)))
    return np.asarray(each.sum(axis=1))


def _chance(totals: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance that a cell of each depth shows each gene at all."""
    return np.clip(-np.expm1(-totals[:, None] * rates), 1e-6, 0.98)
