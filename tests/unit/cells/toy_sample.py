"""One sample of four kinds of cells with silent genes, soup and doublets put in by hand, so that all is known."""

from __future__ import annotations

from dataclasses import dataclass

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

N_GENES = 800
KINDS = {"lymphocyte": 4000, "neutrophil": 1200, "macrophage": 11000, "platelet": 2500}  # UMIs of a cell


@dataclass
class Toy:
    """Counts and the truth."""

    adata: anndata.AnnData
    kind: np.ndarray
    ambient: np.ndarray
    is_doublet: np.ndarray
    soup: np.ndarray
    empty: pd.DataFrame


def make_sample(
    numbers: dict[str, int],
    *,
    rho: float = 0.05,
    n_doublets: int = 0,
    seed: int = 0,
    hepatocyte: float = 0.1,
    per_droplet: bool = False,
    burst: dict[str, float] | None = None,
) -> Toy:
    """Simulate a sample; soup is the same share of all cells, or the same amount in every droplet.

    Half of the genes are common to all kinds, each kind has 80 of its own and is silent in the others'; 40 genes are of a
    cell that burst and is in the soup only; `burst` says how readily each kind bursts (else all alike). The last four genes are mitochondrial (3 % of UMIs), one is haemoglobin.
    """
    rng = np.random.default_rng(seed)
    profiles = _profiles(np.random.default_rng(11))
    kind = np.repeat(list(numbers), list(numbers.values()))
    depth = np.array([KINDS[name] for name in kind]) * rng.lognormal(0, 0.3, len(kind))
    own = np.stack([rng.poisson(rng.gamma(4, profiles[name] * n / 4)) for name, n in zip(kind, depth, strict=True)])
    spilt = np.array([(burst or {}).get(name, 1.0) for name in kind]) @ own
    soup = (1 - hepatocyte) * spilt / spilt.sum() + hepatocyte * profiles["hepatocyte"]
    is_doublet = np.zeros(len(kind), dtype=bool)
    if n_doublets:
        # Two of different kinds share a droplet, which yields four fifths of both; the second is not there any more.
        first = rng.choice(len(kind), n_doublets, replace=False)
        others = [rng.choice(np.flatnonzero(kind != kind[cell])) for cell in first]
        own[first] = rng.binomial(own[first] + own[others], 0.8)
        is_doublet[first] = True
    share = np.clip(rho * rng.lognormal(-0.02, 0.2, len(kind)), 0, 0.9)
    total = own.sum(axis=1)
    ambient = rng.poisson((total.mean() if per_droplet else total) * share / (1 - share))
    counts = own + np.stack([rng.multinomial(number, soup / soup.sum()) for number in ambient])
    symbols = [f"Gene{number}" for number in range(N_GENES - 5)] + ["Hbb-bs", "mt-Co1", "mt-Nd1", "mt-Cytb", "mt-Atp6"]
    var = pd.DataFrame(
        {"symbol": symbols}, index=pd.Index([f"ENSMUSG{number:011d}" for number in range(N_GENES)], name="gene_id")
    )
    var["mitochondrial"] = var["symbol"].str.startswith("mt-")
    var["ribosomal"] = np.arange(N_GENES) < 20
    var["haemoglobin"] = var["symbol"].str.startswith("Hb")
    barcodes = [f"BC{number:04d}-1" for number in range(len(kind))]
    obs = pd.DataFrame(
        {"sample": "s1", "barcode": barcodes}, index=pd.Index([f"s1_{name}" for name in barcodes], name="cell")
    )
    adata = anndata.AnnData(sp.csr_matrix(counts.astype(np.int32)), obs=obs, var=var)
    empty = pd.DataFrame({"umis": rng.multinomial(60_000, soup / soup.sum())}, index=var.index)
    return Toy(adata, kind, ambient / np.maximum(total + ambient, 1), is_doublet, soup / soup.sum(), empty)


def _profiles(rng: np.random.Generator) -> dict[str, np.ndarray]:
    profiles = {}
    common = np.zeros(N_GENES)
    common[:400] = rng.lognormal(0, 1, 400)
    for position, name in enumerate([*KINDS, "hepatocyte"]):
        profile = common * rng.lognormal(0, 0.3, N_GENES) if name != "hepatocyte" else np.zeros(N_GENES)
        genes = np.arange(400 + 80 * position, min(480 + 80 * position, N_GENES - 5))
        profile[genes] = rng.lognormal(0.7, 1, len(genes))
        profile /= profile.sum()
        if name != "hepatocyte":
            profile *= 0.97
            profile[-4:] = 0.03 / 4
        profiles[name] = profile
    return profiles
