"""The whole demo cohort: every sample of the sheet simulated and written, and the truth beside them."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.demo import planted
from livermet.demo.cells import Droplets, Sample, child, simulate_sample
from livermet.demo.genes import first_genes
from livermet.demo.profiles import Floats, Profiles, make_profiles
from livermet.demo.writing import write_folder, write_h5
from livermet.keys import AMBIENT, IS_DOUBLET, MOUSE, SAMPLE
from livermet.runs.owner import end_with_parent

log = logging.getLogger("livermet")


@dataclass(frozen=True)
class Study:
    """What every sample of a cohort needs to know."""

    genes: pd.DataFrame
    profiles: Profiles
    effects: dict[str, Floats]
    cells_per_mouse: int
    n_empty_droplets: int
    seed: int


def prepare(*, gene_table: pd.DataFrame, n_genes: int, cells_per_mouse: int, n_empty_droplets: int, seed: int) -> Study:
    """Draw what the samples share: genes, profiles and planted effects.

    Parameters
    ----------
    gene_table
        `gene_id`, `symbol`, `level`, the indispensable genes first.
    n_genes
        How many of them are simulated.
    cells_per_mouse, n_empty_droplets
        Median cells, and empty droplets, of a sample.
    seed
        Everything follows from it.
    """
    genes = first_genes(gene_table, n_genes)
    profiles = make_profiles(genes, child(seed, "study", "profiles"))
    effects = planted.gene_effects(genes["symbol"].tolist(), child(seed, "study", "effects"))
    return Study(genes, profiles, effects, cells_per_mouse, n_empty_droplets, seed)


def simulate(study: Study, sample: Sample) -> Droplets:
    """Simulate one sample of a study."""
    return simulate_sample(
        sample=sample,
        profiles=study.profiles,
        effect=study.effects[sample.arm],
        shares=planted.shares(sample.arm),
        n_cells=study.cells_per_mouse,
        n_empty=study.n_empty_droplets,
        seed=study.seed,
    )


def simulate_cohort(
    *,
    samples: Sequence[Mapping[str, str]],
    gene_table: pd.DataFrame,
    n_genes: int,
    cells_per_mouse: int,
    n_empty_droplets: int,
    seed: int,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """Simulate every sample of a sheet and write its files.

    Parameters
    ----------
    samples
        Rows of the sheet: sample, mouse, site, treatment, path and, where they are there, raw_path, batch and sex. A
        `path` that ends in `.h5` becomes a 10x h5, any other a 10x folder.
    gene_table, n_genes, cells_per_mouse, n_empty_droplets, seed
        As in :func:`prepare`.
    threads
        Worker processes; what comes out does not depend on it.

    Returns
    -------
    dict of pandas.DataFrame
        The truth: `cells`, `genes`, `abundance`, `rescue`, `samples`.

    Raises
    ------
    InputError
        Where a row names an arm that the demo does not know.
    """
    study = prepare(
        gene_table=gene_table,
        n_genes=n_genes,
        cells_per_mouse=cells_per_mouse,
        n_empty_droplets=n_empty_droplets,
        seed=seed,
    )
    arms = planted.arms_of(samples)
    jobs = [
        (
            Sample(r["sample"], r["mouse"], arms[r["sample"]], r.get("batch", ""), r.get("sex", "")),
            r["path"],
            r.get("raw_path", ""),
        )
        for r in samples
    ]
    if threads > 1:
        with ProcessPoolExecutor(threads, _context(), initializer=_share, initargs=(study,)) as pool:
            truths = list(pool.map(_make_shared, jobs))
    else:
        truths = [_make(study, *job) for job in jobs]
    genes, abundance = planted.gene_table(study.effects, study.genes), planted.abundance_table()
    cells = pd.concat(truths, ignore_index=True)
    log.info("simulated %d cells of %d samples", len(cells), len(jobs))
    return {
        "cells": cells,
        "genes": genes,
        "abundance": abundance,
        "rescue": planted.rescue_table(genes, abundance),
        "samples": _summarise(cells, arms),
    }


def _make(study: Study, sample: Sample, path: str, raw_path: str) -> pd.DataFrame:
    """Simulate and write one sample; gives its truth."""
    droplets = simulate(study, sample)
    write = write_h5 if path.endswith(".h5") else write_folder
    write(path, droplets.cells, droplets.barcodes, study.genes)
    if raw_path:
        names = np.concatenate([droplets.barcodes, droplets.empty_barcodes])
        order = np.argsort(names)
        both = sp.csr_matrix(sp.vstack([droplets.cells, droplets.empty], format="csr"))[order]
        write_h5(Path(raw_path), both, names[order], study.genes)
    return droplets.truth


_shared: list[Study] = []


def _context() -> multiprocessing.context.BaseContext:
    """Forked workers have the profiles already; elsewhere they are sent once to each."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("fork" if "fork" in methods else "spawn")


def _share(study: Study) -> None:
    end_with_parent()  # a killed job leaves no workers behind
    _shared[:] = [study]


def _make_shared(job: tuple[Sample, str, str]) -> pd.DataFrame:
    return _make(_shared[0], *job)


def _summarise(cells: pd.DataFrame, arms: Mapping[str, str]) -> pd.DataFrame:
    """One row a sample; `ambient` is the mean ambient share of its cells."""
    groups = cells.groupby(SAMPLE, sort=False)
    table = groups.agg(
        mouse=(MOUSE, "first"), ambient=(AMBIENT, "mean"), n_cells=(SAMPLE, "size"),
        n_doublets=(IS_DOUBLET, "sum"), n_low_quality=("low_quality", "sum"),
    ).reset_index()  # fmt: skip
    return table.assign(arm=table[SAMPLE].map(arms))
