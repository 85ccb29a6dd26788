"""Who names a cell: its owner's label where there is one, else its markers; what the others say stands beside it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from livermet.cells.lineages.annotate import annotate_cells
from livermet.cells.lineages.own_labels import cross_opinions, take_labels
from livermet.cells.lineages.reference import match_celltypist, match_reference
from livermet.keys import LINEAGE, UNASSIGNED

if TYPE_CHECKING:
    import scipy.sparse as sp
    from anndata import AnnData

log = logging.getLogger("livermet")


def name_lineages(
    counts: AnnData,
    clusters: pd.DataFrame,
    markers: Mapping[str, Any] | pd.DataFrame,
    *,
    connectivities: sp.csr_matrix | None,
    labels: pd.DataFrame | None,
    reference: Any,
    min_margin: float,
    min_score: float,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Name the lineage of every cell.

    Parameters
    ----------
    counts, clusters, markers, connectivities, min_margin, min_score, seed
        As for :func:`livermet.cells.lineages.annotate.annotate_cells`.
    labels
        Index `cell`; `label`: what the owner calls the cells; None where there are none.
    reference
        Mean profiles (a DataFrame), a CellTypist model, or None.

    Returns
    -------
    dict
        ``lineages``: index cell, `leiden lineage subset lineage_margin second_opinion opinions_differ`, with labels of
        one's own `marker_lineage`, with a reference `reference_label reference_margin`; ``evidence`` and ``coverage`` of
        the markers; ``opinions``: what the other opinions say of each lineage's cells.

    Raises
    ------
    InputError
        Where markers, labels or reference do not fit the counts.
    """
    found = annotate_cells(
        counts,
        clusters,
        markers,
        min_margin=min_margin,
        min_score=min_score,
        seed=seed,
        connectivities=connectivities,
    )
    lineages = found.lineages if labels is None else take_labels(found.lineages, labels)
    if reference is not None:
        match = match_reference if isinstance(reference, pd.DataFrame) else match_celltypist
        lineages = lineages.join(match(counts, reference))
    sizes = lineages[LINEAGE].value_counts()
    log.info("lineages: %s", ", ".join(f"{name} {size}" for name, size in sizes.items()))
    if sizes.index.tolist() == [UNASSIGNED]:
        log.warning("no cell has a lineage: look at the evidence of the clusters and at the coverage of the markers")
    return {
        "lineages": lineages,
        "evidence": found.evidence,
        "coverage": found.coverage,
        "opinions": cross_opinions(lineages),
    }
