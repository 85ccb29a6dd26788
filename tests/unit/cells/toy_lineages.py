"""A small study with planted lineages: marker genes up in their own, soup in all, bursty counts, depth that varies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
import yaml

ROOT = Path(__file__).resolve().parents[3]
MARKERS: dict[str, Any] = yaml.safe_load((ROOT / "resources" / "lineages.yaml").read_text(encoding="utf-8"))
MIX = {"T_cell": 120, "NK_cell": 70, "B_cell": 90, "Neutrophil": 60}


def up_genes(lineage: str) -> list[str]:
    """Up genes of a lineage, of all its kinds."""
    entry = MARKERS["lineages"][lineage]
    sets = entry["subsets"].values() if "subsets" in entry else [entry]
    return sorted({gene for one in sets for gene in one["up"]})


def make_study(
    mix: dict[str, int] | None = None,
    *,
    seed: int = 0,
    soup: float = 0.02,
    soup_genes: tuple[str, ...] = (),
    batch_effect: float = 0.0,
    boosted: dict[str, tuple[str, ...]] | None = None,
) -> ad.AnnData:
    """Counts of planted lineages.

    Parameters
    ----------
    mix
        Cells of every lineage.
    seed
        Seed of everything.
    soup
        Share of every cell's counts that comes from the mean of all cells.
    soup_genes
        Genes that make up half of the soup although no cell expresses them.
    batch_effect
        Standard deviation of the log factors that set batch b2 apart from b1.
    boosted
        Lineage -> genes that half of its cells express strongly (a state, such as cycling).
    """
    rng = np.random.default_rng(seed)
    mix = mix or MIX
    lineages = list(MARKERS["lineages"])
    immune = MARKERS["compartments"]["immune"]["up"]
    states = sorted({gene for genes in (boosted or {}).values() for gene in genes})
    special = sorted({*(g for name in lineages for g in up_genes(name)), *immune, *states, "Alb", "Hba-a1"})
    genes = [*special, *(f"Background{number}" for number in range(500))]
    place = {gene: number for number, gene in enumerate(genes)}
    base = np.exp(rng.normal(0, 1.2, len(genes)))
    base[: len(special)] = 0.02
    profiles, labels = [], []
    for lineage, size in mix.items():
        profile = base.copy()
        if MARKERS["lineages"].get(lineage, {}).get("compartment") != "non_immune":
            profile[[place[gene] for gene in immune]] = 4.0
        if lineage in lineages:
            profile[[place[gene] for gene in up_genes(lineage)]] = 8.0
        for cell in range(size):
            own = profile.copy()
            if boosted and lineage in boosted and cell % 2:
                own[[place[gene] for gene in boosted[lineage]]] = 12.0
            profiles.append(own / own.sum())
            labels.append(lineage)
    expected = np.array(profiles)
    drift = expected.mean(axis=0)
    for gene in soup_genes:
        drift[place[gene]] = drift.sum() / len(soup_genes)
    expected = (1 - soup) * expected + soup * drift / drift.sum()
    batches = rng.permutation(np.arange(len(labels)) % 2)
    expected = expected * np.exp(np.where(batches[:, None] == 1, rng.normal(0, batch_effect, len(genes)), 0.0))
    depth = rng.lognormal(np.log(2500), 0.3, len(labels))
    rates = expected / expected.sum(axis=1, keepdims=True) * depth[:, None]
    counts = rng.poisson(rates * rng.gamma(3.0, 1 / 3.0, rates.shape))
    names = [f"s{number % 3}_cell{number:04d}" for number in range(len(labels))]
    obs = pd.DataFrame(
        {"sample": [name[:2] for name in names], "batch": np.where(batches == 1, "b2", "b1")}, index=names
    )
    obs["mouse"] = obs["sample"].str.replace("s", "m")
    obs["planted"] = labels
    var = pd.DataFrame(
        {"symbol": genes}, index=pd.Index([f"ENSMUSG{n:011d}" for n in range(len(genes))], name="gene_id")
    )
    var["mitochondrial"] = False
    var["ribosomal"] = False
    var["haemoglobin"] = var["symbol"].str.match("Hb[ab]-")
    return ad.AnnData(sp.csr_matrix(counts.astype(np.int32)), obs=obs, var=var)
