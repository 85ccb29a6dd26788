"""Pseudobulk libraries made comparable: genes with enough counts, TMM factors, voom precisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
MIN_GENES = 10  # with fewer there is no trend to learn anything from


@dataclass(frozen=True)
class Libraries:
    """Counts of one population, filtered and normalised.

    Attributes
    ----------
    counts
        Kept genes x units.
    kept
        All genes: which were kept.
    size
        Effective library size of each unit: total count x TMM factor.
    dge
        The same as edgeR's object, for edgepython.
    """

    counts: Array
    kept: npt.NDArray[np.bool_]
    size: Array
    dge: Any


def normalise(counts: Array, matrix: Array) -> Libraries:
    """Keep genes that have enough counts for the design, and scale the libraries by TMM.

    Parameters
    ----------
    counts
        Genes x units, raw sums.
    matrix
        Units x columns, the model matrix.

    Returns
    -------
    Libraries
        Filtered as edgeR does by default (Chen, Lun & Smyth 2016, doi:10.12688/f1000research.8987.2), scaled by TMM
        (Robinson & Oshlack 2010, doi:10.1186/gb-2010-11-3-r25).
    """
    import edgepython as ep

    kept = np.asarray(ep.filter_by_expr(ep.make_dgelist(counts), design=matrix), dtype=bool)
    if kept.sum() < MIN_GENES:
        kept[:] = False
        return Libraries(counts[kept], kept, counts.sum(axis=0), None)
    dge = ep.calc_norm_factors(ep.make_dgelist(counts[kept]))
    samples = dge["samples"]
    size = (samples["lib.size"] * samples["norm.factors"]).to_numpy(dtype=np.float64)
    return Libraries(counts[kept], kept, size, dge)


def voom(
    libraries: Libraries, matrix: Array, blocks: Sequence[str] | None = None, correlation: float = 0.0
) -> tuple[Array, Array]:
    """Log2 counts per million and the precision of each (Law et al. 2014, doi:10.1186/gb-2014-15-2-r29).

    Parameters
    ----------
    libraries
        As :func:`normalise` gives them.
    matrix
        Units x columns; residual degrees of freedom are needed.
    blocks, correlation
        The mouse of each unit, and how alike its units are; None where each has one.

    Returns
    -------
    values, weights
        Genes x units each.
    """
    import pylimma

    block = {} if blocks is None else {"block": np.asarray(blocks), "correlation": correlation}
    found = pylimma.voom(libraries.counts, design=matrix, lib_size=libraries.size, adaptive_span=False, **block)
    return np.asarray(found["E"], dtype=np.float64), np.asarray(found["weights"], dtype=np.float64)


def log_cpm(libraries: Libraries) -> Array:
    """Log2 counts per million, genes x units, with a prior count in proportion to the library (2 on average)."""
    import edgepython as ep

    return np.asarray(ep.cpm(libraries.counts, lib_size=libraries.size, log=True, prior_count=2), dtype=np.float64)
