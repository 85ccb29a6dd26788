"""Simulated pseudobulk with a planted truth: negative binomial counts, mice that differ, libraries that differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anndata
import numpy as np
import pandas as pd
from scipy import sparse
from tests.unit.mice.cohort import make_settings, make_sheet

from livermet.mice.design.model import Design, build_design

TISSUES = ("liver", "blood")


def draw_pseudobulk(
    design: Design,
    rng: np.random.Generator,
    *,
    n_genes: int = 400,
    changes: dict[str, dict[str, float]] | None = None,
    bcv: float = 0.25,
    populations: tuple[str, ...] = ("B_cell",),
    n_cells: dict[str, int] | None = None,
    mouse_bcv: float = 0.0,
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
    mouse_bcv
        Coefficient of variation between mice that all units of a mouse share.
    """
    genes = [f"Gene{number}" for number in range(n_genes)]
    blocks, rows = [], []
    level = np.exp(rng.normal(0, 1.2, n_genes))
    level /= level.sum()
    shared = {
        mouse: rng.gamma(1 / mouse_bcv**2, mouse_bcv**2, n_genes) if mouse_bcv else 1.0
        for mouse in design.units["mouse"].unique()
    }
    for population in populations:
        for unit, row in design.units.iterrows():
            asked = (changes or {}).get(str(row["arm"]), {})
            change = np.array([asked.get(gene, 0.0) for gene in genes])
            mean = rng.lognormal(np.log(400 * n_genes), 0.4) * level * 2**change * shared[row["mouse"]]
            blocks.append(rng.poisson(mean * rng.gamma(1 / bcv**2, bcv**2, n_genes)))
            rows.append(
                {"unit": unit, **row.to_dict(), "population": population, "n_cells": (n_cells or {}).get(str(unit), 50)}
            )
    obs = pd.DataFrame(rows)
    obs.index = pd.Index(obs["population"] + ":" + obs["unit"].astype(str))
    var = pd.DataFrame({"symbol": genes}, index=pd.Index([f"ENS{gene}" for gene in genes], name="gene_id"))
    return anndata.AnnData(sparse.csr_matrix(np.array(blocks)), obs=obs, var=var)


def add_soup(
    sums: anndata.AnnData,
    rng: np.random.Generator,
    profile: np.ndarray,
    share: dict[str, float],
    silent: Sequence[str] = (),
    told: float = 1.0,
) -> anndata.AnnData:
    """The same sums with ambient counts among them, and what is expected of these.

    Parameters
    ----------
    profile
        Share of each gene in the soup.
    share
        Arm -> share of a unit's counts that is ambient.
    silent
        Genes without counts of their own.
    told
        Times the truth: the share that is given as the estimate.
    """
    own = sums.X.toarray()
    own[:, sums.var["symbol"].isin(silent)] = 0
    part = sums.obs["arm"].astype(str).map(share).to_numpy(dtype=float)
    umis = own.sum(axis=1) * part / (1 - part)
    x = own + rng.poisson(umis[:, None] * profile[None, :])
    obs = sums.obs.assign(ambient_fraction=part * told)
    expected = sparse.csr_matrix((x.sum(axis=1) * part * told)[:, None] * profile[None, :])
    return anndata.AnnData(sparse.csr_matrix(x), obs=obs, var=sums.var, layers={"ambient": expected})


def make_tissues(n: int, questions: list[dict[str, Any]] | None = None) -> Design:
    """Two arms of `n` mice, each mouse in two tissues; the effect of the site in each tissue, and the difference."""
    sheet = make_sheet(n)
    sheet = sheet[sheet["treatment"] == "none"]
    parts = [sheet.assign(tissue=tissue).rename(index=lambda name: f"{name}_{tissue}") for tissue in TISSUES]  # noqa: B023
    asked: list[dict[str, Any]] = [
        {
            "name": tissue,
            "kind": "effect",
            "factor": "site",
            "level": "tumour",
            "reference": "healthy",
            "tissue": tissue,
        }
        for tissue in TISSUES
    ]
    asked.append({"name": "tissue_by_site", "kind": "difference", "of": list(TISSUES)})
    settings = make_settings(factors={"site": ["healthy", "tumour"]}, questions=questions or asked)
    return build_design(pd.concat(parts).rename_axis("sample"), settings)
