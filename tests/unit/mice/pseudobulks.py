"""Simulated pseudobulk with a planted truth: negative binomial counts, mice that differ, libraries that differ."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from livermet.mice.design.model import Design


def draw_pseudobulk(
    design: Design,
    rng: np.random.Generator,
    *,
    n_genes: int = 400,
    changes: dict[str, dict[str, float]] | None = None,
    bcv: float = 0.25,
    populations: tuple[str, ...] = ("B_cell",),
    n_cells: dict[str, int] | None = None,
) -> anndata.AnnData:
    """Sums of a cohort.

    Parameters
    ----------
    design
        The units.
    changes
        Arm -> gene -> log2 fold change.
    bcv
        Coefficient of variation between mice.
    populations
        Each is drawn alike.
    n_cells
        Unit -> cells, where not 50.
    """
    genes = [f"Gene{number}" for number in range(n_genes)]
    blocks, rows = [], []
    level = np.exp(rng.normal(0, 1.2, n_genes))
    level /= level.sum()
    for population in populations:
        for unit, row in design.units.iterrows():
            asked = (changes or {}).get(str(row["arm"]), {})
            change = np.array([asked.get(gene, 0.0) for gene in genes])
            mean = rng.lognormal(np.log(400 * n_genes), 0.4) * level * 2**change
            blocks.append(rng.poisson(mean * rng.gamma(1 / bcv**2, bcv**2, n_genes)))
            rows.append(
                {"unit": unit, **row.to_dict(), "population": population, "n_cells": (n_cells or {}).get(str(unit), 50)}
            )
    obs = pd.DataFrame(rows)
    obs.index = pd.Index(obs["population"] + ":" + obs["unit"].astype(str))
    var = pd.DataFrame({"symbol": genes}, index=pd.Index([f"ENS{gene}" for gene in genes], name="gene_id"))
    return anndata.AnnData(sparse.csr_matrix(np.array(blocks)), obs=obs, var=var)
