"""Real cells: mouse lung leucocytes with the authors' labels (Zilionis 2019), where the data are there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from benchmarks.cells import steps
from benchmarks.cells.simulate import HETEROTYPIC, POPULATION, Library, thin
from benchmarks.common import ROOT
from livermet.cells.merge import merge_samples
from livermet.inputs.canonical import read_sample
from livermet.keys import AMBIENT, BARCODE, CELL, IS_DOUBLET, KEPT, LINEAGE, SAMPLE

LINEAGES = {"T cells": "T_cell", "B cells": "B_cell", "NK cells": "NK_cell", "Neutrophils": "Neutrophil"}
BEST_MATCH = "most_likely_immgen_cell_type"


def folder() -> Path:
    """LIVERMET_DATA, or shared/data beside the checkout."""
    return Path(os.environ.get("LIVERMET_DATA", ROOT.parent / "shared" / "data")) / "zilionis_lung"


def lacks() -> str:
    """Why scenarios of real cells cannot be run here; empty where they can."""
    return "" if folder().is_dir() else f"no real cells at {folder()} (set LIVERMET_DATA)"


@dataclass(frozen=True)
class Lung:
    """The study: its samples, its sheet, the authors' labels (index cell)."""

    samples: tuple[anndata.AnnData, ...]
    sheet: pd.DataFrame
    labels: pd.DataFrame

    def lineage(self, cells: pd.Index) -> pd.Series:
        """Published lineage of cells, in the names of the pipeline."""
        named: pd.Series = self.labels.loc[cells, "major_cell_type"].map(LINEAGES)
        return named


@cache
def read() -> Lung:
    """Read it through the pipeline's own reader."""
    sheet = pd.read_csv(folder() / "samples.tsv", sep="\t", dtype=str).set_index(SAMPLE, drop=False)
    samples = tuple(
        read_sample(folder() / path, sample=str(name), species="mouse") for name, path in sheet["path"].items()
    )
    published = pd.read_csv(folder() / "published_labels.tsv", sep="\t").set_index(BARCODE)
    parts = [published.loc[one.obs[BARCODE]].set_axis(one.obs_names) for one in samples]
    return Lung(samples, sheet, pd.concat(parts))


@cache
def pooled() -> tuple[sp.csr_matrix, pd.DataFrame, pd.Series]:
    """All cells x the genes of any sample (samples name some by symbol, some by id), those genes, and the published lineage of each cell."""
    lung = read()
    nothing = pd.DataFrame()
    found = [steps.assess(Library(one, nothing, nothing), raw=False) for one in lung.samples]
    everyone = [table.assign(**{KEPT: True}) for table, _ in found]
    merged = merge_samples(list(lung.samples), everyone, [soup for _, soup in found], lung.sheet).counts
    return sp.csr_matrix(merged.X), merged.var, lung.lineage(merged.obs_names)


def make_library(
    rng: np.random.Generator, *, doublets: float = 0.0, ambient: float = 0.0, part: tuple[float, float] = (0.7, 1.0)
) -> Library:
    """A library made of real cells: none twice, thinned, some added up in pairs, soup added.

    Parameters
    ----------
    rng
        Chance.
    doublets
        Share of barcodes with two cells.
    ambient
        Share of the library's UMIs that is planted soup, drawn from the pool of all cells. The cells brought soup of their
        own that nobody knows.
    part
        Range of the part of UMIs that the library keeps.
    """
    counts, var, lineage = pooled()
    order = rng.permutation(counts.shape[0])
    n_two = round(doublets * len(order) / (1 + doublets))
    n_cells = len(order) - n_two
    thinned = thin(rng, counts[order], rng.uniform(*part))
    first = thinned[:n_cells]
    if n_two:
        both = sp.csr_matrix(first[:n_two] + thinned[n_cells:])
        first = sp.csr_matrix(sp.vstack([thin(rng, both, rng.uniform(0.7, 1.0)), first[n_two:]]))
    names = lineage.to_numpy(dtype=object)[order]
    unlike = np.zeros(n_cells, dtype=bool)
    unlike[:n_two] = names[:n_two] != names[n_cells:]
    pool = np.asarray(counts.sum(axis=0), dtype=float).ravel()
    own = np.asarray(first.sum(axis=1), dtype=float).ravel()
    taken = rng.poisson(ambient / (1 - ambient) * own.mean() * rng.lognormal(-0.03, 0.25, n_cells))
    soup = sp.csr_matrix(rng.multinomial(taken, pool / pool.sum()).astype(np.int32))
    truth = pd.DataFrame(
        {
            LINEAGE: names[:n_cells],
            POPULATION: names[:n_cells],
            IS_DOUBLET: np.arange(n_cells) < n_two,
            HETEROTYPIC: unlike,
            AMBIENT: taken / np.maximum(own + taken, 1),
        }
    )
    shuffled = rng.permutation(n_cells)
    barcodes = [f"cell{number}" for number in range(n_cells)]
    index = pd.Index([f"lung_{barcode}" for barcode in barcodes], name=CELL)
    obs = pd.DataFrame({SAMPLE: "lung", BARCODE: barcodes}, index=index)
    adata = anndata.AnnData(sp.csr_matrix(first + soup)[shuffled].astype(np.int32), obs=obs, var=var.copy())
    raw = pd.DataFrame({"umis": rng.multinomial(60_000, pool / pool.sum())}, index=var.index)
    return Library(adata, raw, truth.iloc[shuffled].set_axis(index))
