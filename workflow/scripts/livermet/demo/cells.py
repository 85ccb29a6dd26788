"""The droplets of one sample: cells, doublets, dying cells, soup and empty droplets."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from livermet.demo import programmes
from livermet.demo.profiles import Floats, Profiles
from livermet.keys import AMBIENT, BARCODE, CELL, IS_DOUBLET, LINEAGE, MOUSE, SAMPLE, STATE

LOW_QUALITY, DOUBLET_KIND, SECOND = "low_quality", "doublet_kind", "second_population"

SHARED_MOUSE_VARIANCE = 0.4  # of a gene's variance between mice that comes from a few factors
BATCH_SD = 0.18  # log2
ABUNDANCE_SD = 0.2  # natural log, of a population's rate between mice
CELLS_SD = 0.25  # natural log, of the number of cells in a mouse
DEPTH_SD = 0.3  # natural log, of UMIs between cells of a population
LOW_QUALITY_SHARE = 0.03
DOUBLETS_PER_CELL = 0.008 / 1000
DOUBLET_DEPTH = 0.8  # a droplet with two cells yields less than both apart
KIN_BETA = 7.0  # cells lie one eighth of the way to a kindred population on average
BLOCK = 128  # cells drawn at a time: bounds memory


@dataclass(frozen=True)
class Sample:
    """What is simulated of one library.

    Parameters
    ----------
    sample, mouse, arm, batch, sex
        From the sheet; sex `m` or `f` turns on the genes of that sex, anything else none.
    """

    sample: str
    mouse: str
    arm: str
    batch: str
    sex: str


@dataclass(frozen=True)
class Droplets:
    """Counts of one sample, barcodes in order.

    Parameters
    ----------
    cells
        Counts of the barcodes that hold cells, csr (cells, genes), int32.
    empty
        Counts of empty droplets, csr (droplets, genes), int32.
    barcodes, empty_barcodes
        16 letters and "-1", sorted, of either.
    truth
        One row a cell; see :func:`simulate_sample`.
    """

    cells: sp.csr_matrix
    empty: sp.csr_matrix
    barcodes: NDArray[np.str_]
    empty_barcodes: NDArray[np.str_]
    truth: pd.DataFrame


def child(seed: int, kind: str, name: str) -> np.random.Generator:
    """A generator that depends on the seed and on a name, and on no other sample of the study."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(f"{kind}:{name}".encode()),)))


def simulate_sample(
    *,
    sample: Sample,
    profiles: Profiles,
    effect: Floats,
    shares: NDArray[np.float64],
    n_cells: int,
    n_empty: int,
    seed: int,
) -> Droplets:
    """Simulate one sample.

    Parameters
    ----------
    sample
        Which one.
    profiles
        Expression of the populations.
    effect
        Log2 change that the sample's arm makes, shape (populations, genes).
    shares
        Expected share of each population in the arm.
    n_cells
        Median number of cells in a mouse.
    n_empty
        Empty droplets.
    seed
        Of the study. Mouse, batch and sample each draw from their own child of it.

    Returns
    -------
    Droplets
        Its truth has the columns cell, sample, barcode, mouse, lineage, state, is_doublet, doublet_kind,
        second_population, ambient_fraction, low_quality.
    """
    rng = child(seed, "sample", sample.sample)
    expression = mouse_expression(sample=sample, profiles=profiles, effect=effect, seed=seed)
    rates = shares * np.exp(child(seed, "abundance", sample.mouse).normal(scale=ABUNDANCE_SD, size=len(shares)))
    n = int(np.clip(np.round(n_cells * np.exp(rng.normal(scale=CELLS_SD))), 0.4 * n_cells, 2.2 * n_cells))
    n_doublets = int(rng.binomial(n, min(DOUBLETS_PER_CELL * n, 0.2)))
    population = rng.choice(len(rates), size=n + n_doublets, p=rates / rates.sum())
    low_quality = rng.random(n + n_doublets) < LOW_QUALITY_SHARE
    low_quality[n:] = False
    counts = _draw_cells(population, low_quality, expression, profiles, rng)
    counts, second = _merge_doublets(counts, n, rng)
    population = population[: n + n_doublets]
    soup = _soup(counts, expression, sample, rng)
    counts, ambient = _add_soup(counts, soup, _soup_share(sample, rng), rng)
    umis = np.clip(rng.lognormal(np.log(35), 0.6, size=n_empty), 5, 150)
    empty = _draw_soup(soup, rng.poisson(umis), rng)
    barcodes = _barcodes(n + n_empty, rng)
    truth = _truth(sample, np.sort(barcodes[:n]), population, second, ambient, low_quality[:n])
    return Droplets(counts, empty, np.sort(barcodes[:n]), np.sort(barcodes[n:]), truth)


def mouse_expression(*, sample: Sample, profiles: Profiles, effect: Floats, seed: int) -> Floats:
    """Mean expression of every population in this mouse: a share of UMIs per gene, rows sum to 1.

    Half of a gene's variance between mice is common to all populations of the mouse, half is the population's own; of
    either, `SHARED_MOUSE_VARIANCE` comes from factors that many genes share.
    """
    rng = child(seed, "mouse", sample.mouse)
    n_populations, n_genes = map(int, profiles.log2.shape)
    factors, k = profiles.mouse_loadings, len(profiles.mouse_loadings)

    def noise(rows: int) -> NDArray[np.float32]:
        shared = rng.normal(size=(rows, k)).astype(np.float32) @ factors
        own = rng.standard_normal(size=(rows, n_genes), dtype=np.float32)
        return np.float32(SHARED_MOUSE_VARIANCE**0.5) * shared + np.float32((1 - SHARED_MOUSE_VARIANCE) ** 0.5) * own

    mouse = np.float32(0.5**0.5) * (noise(1) + noise(n_populations)) * (profiles.bcv / np.float32(np.log(2)))
    batch_rng = child(seed, "batch", sample.batch)
    batch = batch_rng.normal(scale=BATCH_SD, size=n_genes).astype(np.float32)
    batch = batch + batch_rng.normal(scale=0.4 * BATCH_SD, size=(n_populations, n_genes)).astype(np.float32)
    log2 = profiles.log2 + effect + mouse + batch
    for column, sex in profiles.sex.items():
        if sex != sample.sex:
            log2[:, column] = -12.0
    rate = np.exp2(log2)
    return np.asarray(rate / rate.sum(axis=1, keepdims=True), dtype=np.float32)


def _draw_cells(
    population: NDArray[np.intp],
    low_quality: NDArray[np.bool_],
    expression: Floats,
    profiles: Profiles,
    rng: np.random.Generator,
) -> sp.csr_matrix:
    """Negative-binomial counts: the population's mean, the cell's own programmes, gamma noise, Poisson sampling."""
    n = len(population)
    median = np.array([p.umis for p in programmes.POPULATIONS])[population]
    depth = median * np.exp(rng.normal(scale=DEPTH_SD, size=n))
    depth = np.where(low_quality, depth * rng.uniform(0.1, 0.4, size=n), depth).astype(np.float32)
    mito = rng.uniform(0.2, 0.6, size=n).astype(np.float32)
    scores = _programme_scores(population, rng)
    toward, drift = _kin(population, rng)
    shape = (1 / profiles.dispersion).astype(np.float32)
    blocks = []
    for start in range(0, n, BLOCK):
        at = slice(start, min(start + BLOCK, n))
        rate = expression[population[at]] * np.exp2(
            drift[at, None] * (profiles.log2[toward[at]] - profiles.log2[population[at]])
        )
        for name, programme in profiles.programmes.items():
            rate[:, programme.columns] *= np.exp2(scores[name][at, None] * programme.loadings)
        rate /= rate.sum(axis=1, keepdims=True)
        dying = np.flatnonzero(low_quality[at])
        if len(dying):
            rate[dying] = _leak(rate[dying], mito[at][dying], profiles.mitochondrial)
        rate *= depth[at, None]
        rate *= rng.standard_gamma(shape, size=rate.shape, dtype=np.float32) / shape
        blocks.append(sp.csr_matrix(rng.poisson(rate).astype(np.int32)))
    return sp.csr_matrix(sp.vstack(blocks, format="csr"))


def _programme_scores(population: NDArray[np.intp], rng: np.random.Generator) -> dict[str, Floats]:
    """Where each cell stands in cycle, stress and continua."""
    n = len(population)
    cycling = rng.random(n) < np.array([p.cycling for p in programmes.POPULATIONS])[population]
    phase = rng.random(n)
    scores = {
        "s_phase": cycling * np.clip(1.3 - 2 * phase, 0, 1),
        "g2m_phase": cycling * np.clip(2 * phase - 0.7, 0, 1),
        # The whole sample is more or less stressed by dissociation, and some of its cells far more than others.
        "stress": rng.gamma(1.5, rng.uniform(0.15, 0.4), size=n),
        "continuum_1": rng.normal(size=n),
        "continuum_2": rng.normal(size=n),
    }
    return {name: score.astype(np.float32) for name, score in scores.items()}


def _kin(population: NDArray[np.intp], rng: np.random.Generator) -> tuple[NDArray[np.intp], Floats]:
    """Which population of its kin each cell leans towards, and how far (0 not at all, 1 it would be one of them)."""
    rows = {p.name: row for row, p in enumerate(programmes.POPULATIONS)}
    toward, drift = population.copy(), rng.beta(1.0, KIN_BETA, size=len(population))
    for kin in programmes.KIN:
        members = np.array([rows[name] for name in kin])
        at = np.flatnonzero(np.isin(population, members))
        toward[at] = rng.choice(members, size=len(at))
    return toward, drift.astype(np.float32)


def _leak(rate: Floats, mito: Floats, mitochondrial: NDArray[np.bool_]) -> Floats:
    """A dying cell has lost its cytoplasm and keeps its mitochondria: they make `mito` of what is left."""
    inside = np.maximum(rate[:, mitochondrial].sum(axis=1, keepdims=True), 1e-9)
    share = mito[:, None]
    return np.asarray(
        np.where(mitochondrial, rate / inside * share, rate / (1 - inside) * (1 - share)), dtype=np.float32
    )


def _merge_doublets(counts: sp.csr_matrix, n: int, rng: np.random.Generator) -> tuple[sp.csr_matrix, NDArray[np.intp]]:
    """Put the cells after the first `n` into droplets of these; the droplet yields `DOUBLET_DEPTH` of the sum.

    Returns
    -------
    tuple
        Counts (n, genes), and for each droplet the row of its second cell, -1 where there is none.
    """
    extra = counts.shape[0] - n
    second = np.full(n, -1, dtype=np.intp)
    hosts = rng.choice(n, size=extra, replace=False)
    second[hosts] = n + np.arange(extra)
    place = sp.csr_matrix((np.ones(extra, dtype=np.int32), (hosts, np.arange(extra))), shape=(n, extra))
    merged = sp.csr_matrix(counts[:n] + place @ counts[n:])
    for host in hosts:
        at = slice(merged.indptr[host], merged.indptr[host + 1])
        merged.data[at] = rng.binomial(merged.data[at], DOUBLET_DEPTH)
    merged.eliminate_zeros()
    return merged.astype(np.int32), second


def _soup(counts: sp.csr_matrix, expression: Floats, sample: Sample, rng: np.random.Generator) -> NDArray[np.float64]:
    """Ambient profile of the mouse: what its cells spilt, and hepatocytes that burst before they could be counted."""
    names = [p.name for p in programmes.POPULATIONS]
    hepatocyte = expression[names.index("Hepatocyte")].astype(float)
    low, high = (0.15, 0.35) if sample.arm.startswith("subcutaneous_liver.") else (0.05, 0.15)
    share = rng.uniform(low, high)
    spilt = np.asarray(counts.sum(axis=0), dtype=float).ravel() + 0.01
    soup = (1 - share) * spilt / spilt.sum() + share * hepatocyte / hepatocyte.sum()
    return np.asarray(soup / soup.sum())


def _soup_share(sample: Sample, rng: np.random.Generator) -> float:
    """Ambient share of the sample's UMIs: 2 to 10 %, more where the liver is diseased."""
    low, high = (0.05, 0.10) if sample.arm.startswith("subcutaneous_liver.") else (0.02, 0.06)
    return float(rng.uniform(low, high))


def _draw_soup(soup: NDArray[np.float64], umis: NDArray[np.int64], rng: np.random.Generator) -> sp.csr_matrix:
    """Draw the given number of UMIs for each droplet from the soup."""
    bounds = np.cumsum(soup)
    drawn = np.searchsorted(bounds, rng.random(int(umis.sum())) * bounds[-1], side="right")
    rows = np.repeat(np.arange(len(umis)), umis)
    ones = np.ones(len(rows), dtype=np.int32)
    return sp.csr_matrix((ones, (rows, np.minimum(drawn, len(soup) - 1))), shape=(len(umis), len(soup)), dtype=np.int32)


def _add_soup(
    counts: sp.csr_matrix, soup: NDArray[np.float64], share: float, rng: np.random.Generator
) -> tuple[sp.csr_matrix, NDArray[np.float64]]:
    """Add ambient UMIs to every cell; gives the counts and the ambient share that each cell really has."""
    own = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    fraction = np.clip(share * rng.lognormal(-0.02, 0.2, size=len(own)), 0.0, 0.5)
    umis = rng.poisson(own * fraction / (1 - fraction))
    total = sp.csr_matrix(counts + _draw_soup(soup, umis, rng)).astype(np.int32)
    total.sort_indices()
    return total, umis / np.maximum(own + umis, 1)


def _barcodes(n: int, rng: np.random.Generator) -> NDArray[np.str_]:
    """`n` different 16-letter barcodes of gem group 1."""
    letters = np.frombuffer(b"ACGT", dtype="S1")
    found = np.unique(rng.integers(0, 4**16, size=2 * n + 16))
    numbers = rng.permutation(found)[:n]
    digits = (numbers[:, None] >> (2 * np.arange(15, -1, -1))) & 3
    text = np.ascontiguousarray(letters[digits]).view("S16").ravel()
    return np.char.add(text.astype("U16"), "-1")


def _truth(
    sample: Sample,
    barcodes: NDArray[np.str_],
    population: NDArray[np.intp],
    second: NDArray[np.intp],
    ambient: NDArray[np.float64],
    low_quality: NDArray[np.bool_],
) -> pd.DataFrame:
    """One row a cell: what it is."""
    states = np.array([p.name for p in programmes.POPULATIONS])
    lineages = np.array([p.lineage for p in programmes.POPULATIONS])
    n = len(barcodes)
    is_doublet = second >= 0
    other = np.where(is_doublet, population[second], 0)
    alike = lineages[population[:n]] == lineages[other]
    return pd.DataFrame(
        {
            CELL: np.char.add(f"{sample.sample}_", barcodes),
            SAMPLE: sample.sample,
            BARCODE: barcodes,
            MOUSE: sample.mouse,
            LINEAGE: lineages[population[:n]],
            STATE: states[population[:n]],
            IS_DOUBLET: is_doublet,
            DOUBLET_KIND: np.where(is_doublet, np.where(alike, "homotypic", "heterotypic"), ""),
            SECOND: np.where(is_doublet, states[other], ""),
            AMBIENT: ambient,
            LOW_QUALITY: low_quality,
        }
    )
