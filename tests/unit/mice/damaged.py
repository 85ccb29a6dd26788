"""Simulated pseudobulk with a damage and a known share of it repaired."""

from __future__ import annotations

import anndata
import numpy as np
from tests.unit.mice.pseudobulks import draw_pseudobulk

from livermet.mice.design.model import Design

SICK, TREATED = "tumour.none", "tumour.drug"


def draw_damaged(
    design: Design,
    rng: np.random.Generator,
    *,
    rescue: float,
    n_genes: int = 600,
    n_damaged: int = 60,
    size: float = 1.0,
    bcv: float = 0.25,
    population: str = "CD8_activated",
) -> anndata.AnnData:
    """Sums of a cohort in which the first genes are damaged, up or down, and the treated have `1 - rescue` of it left.

    Parameters
    ----------
    design
        The units; see :mod:`tests.unit.mice.cohort`.
    rng
        The generator.
    rescue
        Share of the damage that the treatment undoes.
    n_genes, n_damaged
        In all, and damaged.
    size
        Mean absolute log2 change of a damaged gene, which lies between half of it and half more.
    bcv
        Coefficient of variation between mice.
    population
        Whose sums they are.
    """
    change = rng.choice([-1.0, 1.0], n_damaged) * rng.uniform(0.5, 1.5, n_damaged) * size
    changes = {
        arm: {f"Gene{place}": float(left * one) for place, one in enumerate(change)}
        for arm, left in ((SICK, 1.0), (TREATED, 1.0 - rescue))
    }
    return draw_pseudobulk(design, rng, n_genes=n_genes, changes=changes, bcv=bcv, populations=(population,))
