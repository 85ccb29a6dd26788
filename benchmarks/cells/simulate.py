"""Droplets of a simulated library: cells, doublets, soup; and studies of several libraries with strong batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anndata
import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from benchmarks.cells import biology
from benchmarks.cells.biology import KINDS, STATES
from benchmarks.cells.worlds import World
from livermet.inputs.genes import identify_genes
from livermet.keys import AMBIENT, BARCODE, CELL, IS_DOUBLET, LINEAGE, SAMPLE, STATE

Floats = npt.NDArray[np.float64]

POPULATION, SECOND, HETEROTYPIC, OVERLAY = "population", "second", "heterotypic", "overlay"
DROPLET, CELL_WISE = "droplet", "cell"
DEPTH_SD = 0.35  # natural log, between cells of a population
SOUP_SD = 0.25  # natural log, of the soup a droplet takes up
LYSIS_SD = 0.6  # natural log, of how readily a population bursts
MOUSE_SD = 0.12  # natural log, of a gene between mice
TRANSITION, FARTHEST = 0.10, 0.4  # share of T cells on the way to another state of their subset, and how far at most
CAPTURED_OF_TWO = (0.6, 1.0)  # part of two cells' UMIs that their common droplet yields
BLOCK = 400


@dataclass(frozen=True)
class Drawn:
    """What a library was drawn from.

    Attributes
    ----------
    rate
        Populations x genes of the world, with what batch and mouse do.
    pool
        Share of each of these genes in the soup.
    """

    rate: Floats
    pool: Floats


@dataclass(frozen=True)
class Library:
    """One simulated library.

    Attributes
    ----------
    counts
        Canonical: barcodes x genes, obs `sample`, `barcode`.
    raw
        Index gene id, `umis`: the sum of its empty droplets.
    truth
        Index cell: `lineage`, `state` (T cells), `is_doublet`, `heterotypic`, `ambient_fraction`, `overlay`.
    drawn
        Of simulated cells.
    """

    counts: anndata.AnnData
    raw: pd.DataFrame
    truth: pd.DataFrame
    drawn: Drawn | None = None


@dataclass(frozen=True)
class Batch:
    """What a batch does to every library in it.

    Attributes
    ----------
    shift
        Natural log, populations x genes.
    depth
        Factor on UMIs.
    """

    shift: Floats
    depth: float = 1.0


def draw_batch(rng: np.random.Generator, world: World, *, sd: float, depth: float = 1.0) -> Batch:
    """Lognormal factors of genes, seven tenths of their variance common to all populations.

    Parameters
    ----------
    rng, world
        Chance and populations.
    sd
        Natural log.
    depth
        Factor on UMIs.
    """
    n_genes = len(world.genes)
    common = rng.normal(0, np.sqrt(0.7) * sd, n_genes)
    lineages = [world.lineage(name) for name in world.names]
    own = {name: rng.normal(0, np.sqrt(0.3) * sd, n_genes) for name in dict.fromkeys(lineages)}
    return Batch(np.stack([common + own[name] for name in lineages]), depth)


def simulate_library(
    rng: np.random.Generator,
    world: World,
    *,
    n_cells: int,
    sample: str = "s1",
    batch: Batch | None = None,
    doublets: float = 0.0,
    ambient: float = 0.0,
    soup: str = DROPLET,
    lacks: Sequence[str] = (),
    depth: float = 1.0,
) -> Library:
    """Draw one library.

    Parameters
    ----------
    rng, world
        Chance and populations.
    n_cells
        Barcodes with a cell, or two.
    sample
        Its name.
    batch
        What its batch does.
    doublets
        Share of barcodes with two cells.
    ambient
        Share of the library's UMIs that is soup.
    soup
        "droplet": a droplet takes up soup whatever its cell is, so that small cells have a larger share of it; "cell": in
        proportion to the cell's UMIs, so that all cells have about the same share.
    lacks
        Populations that it has none of.
    depth
        Factor on UMIs.

    Returns
    -------
    Library
    """
    share = world.share * np.array([name not in lacks for name in world.names])
    n_two = round(doublets * n_cells)
    which = rng.choice(len(world.names), n_cells + n_two, p=share / share.sum())
    shift = batch.shift if batch else np.zeros_like(world.rate)
    mouse = rng.normal(0, MOUSE_SD, len(world.genes))
    rate = world.rate * np.exp(shift + mouse)
    rate /= rate.sum(axis=1, keepdims=True)
    overlay = _draw_overlays(rng, world, which)
    cells = _draw_cells(rng, world, rate, which, overlay, depth * (batch.depth if batch else 1.0))
    counts = _pair(rng, cells, n_cells, n_two)
    lineage = np.array([world.lineage(name) for name in world.names], dtype=object)[which]
    truth = _tell(world, which, lineage, overlay, n_cells, n_two)
    pool = _soup(rng, world, rate, share)
    counts, fraction = _add_soup(rng, counts, pool, ambient, soup)
    truth[AMBIENT] = fraction
    order = rng.permutation(n_cells)  # doublets are not the first barcodes
    adata = as_canonical(sp.csr_matrix(counts[order]), world.genes, sample, _barcodes(rng, n_cells))
    empty = rng.multinomial(60_000, pool)
    raw = pd.DataFrame({"umis": empty}, index=world.genes.index)
    raw = raw.reindex(adata.var_names, fill_value=0)
    return Library(adata, raw, truth.iloc[order].set_axis(adata.obs_names), Drawn(rate, pool))


def as_canonical(
    counts: sp.csr_matrix, genes: pd.DataFrame, sample: str, barcodes: Sequence[str], species: str = "mouse"
) -> anndata.AnnData:
    """Counts in the form that the pipeline's reader gives them."""
    names = pd.Index([f"{sample}_{barcode}" for barcode in barcodes], name=CELL)
    obs = pd.DataFrame({SAMPLE: sample, BARCODE: np.asarray(barcodes, dtype=object)}, index=names)
    return identify_genes(anndata.AnnData(counts.astype(np.int32), obs=obs, var=genes.copy()), species, sample)


def thin(rng: np.random.Generator, counts: sp.csr_matrix, part: float) -> sp.csr_matrix:
    """Keep each UMI with a chance."""
    thinned = counts.copy()
    thinned.data = rng.binomial(counts.data.astype(np.int64), part).astype(counts.data.dtype)
    thinned.eliminate_zeros()
    return thinned


def _barcodes(rng: np.random.Generator, number: int) -> list[str]:
    letters = np.array(list("ACGT"))[rng.integers(0, 4, (number, 16))]
    return ["".join(row) + "-1" for row in letters]


def _draw_overlays(rng: np.random.Generator, world: World, which: npt.NDArray[np.intp]) -> npt.NDArray[np.object_]:
    """Programme on top of each T cell's identity; empty for none."""
    is_t = np.array([name in STATES for name in world.names])[which]
    found = np.full(len(which), "", dtype=object)
    chance = rng.random(len(which))
    start = 0.0
    for name, (part, *_) in biology.OVERLAYS.items():
        found[is_t & (chance >= start) & (chance < start + part)] = name
        start += part
    return found


def _draw_cells(
    rng: np.random.Generator,
    world: World,
    rate: Floats,
    which: npt.NDArray[np.intp],
    overlay: npt.NDArray[np.object_],
    depth: float,
) -> sp.csr_matrix:
    """Counts of single cells: gamma between cells, Poisson within."""
    median = np.array([KINDS[world.lineage(name)].umis for name in world.names])[which]
    umis = median * depth * rng.lognormal(0, DEPTH_SD, len(which))
    toward, part = _transitions(rng, world, which)
    blocks = []
    for start in range(0, len(which), BLOCK):
        rows = slice(start, start + BLOCK)
        mean = rate[which[rows]] ** (1 - part[rows, None]) * rate[toward[rows]] ** part[rows, None]
        mean *= np.exp(rng.normal(size=(len(mean), len(world.latent))) @ world.latent)
        for name, change in world.overlay.items():
            mean[overlay[rows] == name] *= np.exp(change)
        mean *= (umis[rows] / mean.sum(axis=1))[:, None]
        shape = 1 / world.dispersion
        mean *= rng.standard_gamma(np.broadcast_to(shape, mean.shape)) / shape
        blocks.append(sp.csr_matrix(rng.poisson(mean).astype(np.int32)))
    return sp.csr_matrix(sp.vstack(blocks))


def _transitions(
    rng: np.random.Generator, world: World, which: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Where each cell is on its way to, and how far it got."""
    toward, part = which.copy(), np.zeros(len(which))
    for row, name in enumerate(world.names):
        if name not in STATES:
            continue
        kin = [
            r
            for r, o in enumerate(world.names)
            if o != name and o in STATES and STATES[o].subset == STATES[name].subset
        ]
        moving = np.flatnonzero((which == row) & (rng.random(len(which)) < TRANSITION))
        if kin and len(moving):
            toward[moving] = rng.choice(kin, len(moving))
            part[moving] = rng.uniform(0, FARTHEST, len(moving))
    return toward, part


def _pair(rng: np.random.Generator, cells: sp.csr_matrix, n_cells: int, n_two: int) -> sp.csr_matrix:
    """The first `n_two` barcodes get a second cell; the common droplet yields a part of both."""
    single = cells[:n_cells]
    if not n_two:
        return sp.csr_matrix(single)
    both = sp.csr_matrix(single[:n_two] + cells[n_cells:])
    captured = np.repeat(rng.uniform(*CAPTURED_OF_TWO, n_two), np.diff(both.indptr))
    both.data = rng.binomial(both.data.astype(np.int64), captured).astype(np.int32)
    both.eliminate_zeros()
    return sp.csr_matrix(sp.vstack([both, single[n_two:]]))


def _tell(
    world: World,
    which: npt.NDArray[np.intp],
    lineage: npt.NDArray[np.object_],
    overlay: npt.NDArray[np.object_],
    n_cells: int,
    n_two: int,
) -> pd.DataFrame:
    names = np.array(world.names, dtype=object)
    population = names[which[:n_cells]]
    second = np.full(n_cells, "", dtype=object)
    second[:n_two] = names[which[n_cells:]]
    unlike = np.zeros(n_cells, dtype=bool)
    unlike[:n_two] = lineage[:n_two] != lineage[n_cells:]
    return pd.DataFrame(
        {
            POPULATION: population,
            LINEAGE: lineage[:n_cells],
            STATE: np.where([name in STATES for name in population], population, ""),
            IS_DOUBLET: np.arange(n_cells) < n_two,
            HETEROTYPIC: unlike,
            SECOND: second,
            OVERLAY: overlay[:n_cells],
        }
    )


def _soup(rng: np.random.Generator, world: World, rate: Floats, share: Floats) -> Floats:
    """What floats: populations burst more and less readily, and what bursts need not be what is captured."""
    umis = np.array([KINDS[world.lineage(name)].umis for name in world.names])
    burst = share * umis * rng.lognormal(0, LYSIS_SD, len(share))
    profile = burst @ rate
    return np.asarray(profile / profile.sum())


def _add_soup(
    rng: np.random.Generator, counts: sp.csr_matrix, pool: Floats, ambient: float, soup: str
) -> tuple[sp.csr_matrix, Floats]:
    """Give every droplet its soup; the share of each droplet that is soup."""
    own = np.asarray(counts.sum(axis=1), dtype=float).ravel()
    if ambient <= 0:
        return counts, np.zeros(len(own))
    mean = ambient / (1 - ambient) * (own if soup == CELL_WISE else np.full(len(own), own.mean()))
    taken = rng.poisson(mean * rng.lognormal(-(SOUP_SD**2) / 2, SOUP_SD, len(own)))
    blocks = [
        sp.csr_matrix(rng.multinomial(taken[s : s + BLOCK], pool).astype(np.int32)) for s in range(0, len(own), BLOCK)
    ]
    return sp.csr_matrix(counts + sp.vstack(blocks)), taken / np.maximum(own + taken, 1)


def simulate_study(
    rng: np.random.Generator,
    world: World,
    *,
    n_samples: int,
    n_cells: int,
    batches: Sequence[Mapping[str, float]] = ({"sd": 0.0},),
    ambient: float = 0.03,
    doublets: float = 0.02,
    only_in_last: Sequence[str] = (),
) -> tuple[list[Library], pd.DataFrame]:
    """Libraries of several mice, dealt out to batches in turn.

    Parameters
    ----------
    rng, world
        Chance and populations.
    n_samples, n_cells
        Libraries, and barcodes in each.
    batches
        Arguments of :func:`draw_batch`.
    ambient, doublets
        As in :func:`simulate_library`.
    only_in_last
        Populations that the last batch alone has.

    Returns
    -------
    libraries, sheet
        The sheet's index is `sample`.
    """
    drawn = [draw_batch(rng, world, **one) for one in batches]
    libraries, rows = [], []
    for place in range(n_samples):
        number = place % len(drawn)
        name = f"s{place + 1}"
        libraries.append(
            simulate_library(
                rng, world, n_cells=n_cells, sample=name, batch=drawn[number], ambient=ambient, doublets=doublets,
                lacks=only_in_last if number < len(drawn) - 1 else (),
            )
        )  # fmt: skip
        rows.append((name, f"m{place + 1}", "liver", "subcutaneous", "untreated", f"b{number + 1}"))
    sheet = pd.DataFrame(rows, columns=["sample", "mouse", "tissue", "site", "treatment", "batch"])
    return libraries, sheet.set_index("sample", drop=False)
