"""What each population expresses before a mouse, a batch or an arm changes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from livermet.demo import programmes
from livermet.demo.genes import LEVEL
from livermet.keys import SYMBOL

Floats = NDArray[np.float32]

LOG_SD = 1.7  # natural-log SD of expression over genes
STRONGEST = 20.0  # UMIs per 10,000 of a gene that is neither housekeeping nor anyone's marker
LEAK = 0.02  # the most that a gene which belongs elsewhere has
SILENT = 1e-3  # UMIs per 10,000 of a gene that is off
RIBOSOMAL = re.compile(r"^Rp[ls]p?\d+[axly]?\d?l?$|^Rpsa$")
MALE, FEMALE = ("Ddx3y", "Eif2s3y", "Kdm5d", "Uty"), ("Xist",)


@dataclass(frozen=True)
class Programme:
    """A direction that cells of any population vary along.

    Parameters
    ----------
    columns
        Genes it moves.
    loadings
        Log2 change of each at score 1.
    """

    columns: NDArray[np.intp]
    loadings: Floats


@dataclass(frozen=True)
class Profiles:
    """Expression of the simulated populations.

    Parameters
    ----------
    log2
        Log2 UMIs per 10,000, shape (populations, genes).
    dispersion
        Negative-binomial dispersion of each gene between cells of one population, .2 to .5.
    bcv
        Coefficient of variation of each gene between mice of one arm.
    mouse_loadings
        Loadings of the genes on factors that mice share, shape (factors, genes), unit variance per gene.
    programmes
        `s_phase`, `g2m_phase`, `stress` and two continua.
    mitochondrial
        Which genes are mitochondrial.
    sex
        Column of each sex-specific gene -> the sex that expresses it.
    """

    log2: Floats
    dispersion: Floats
    bcv: Floats
    mouse_loadings: Floats
    programmes: dict[str, Programme]
    mitochondrial: NDArray[np.bool_]
    sex: dict[int, str]


def make_profiles(genes: pd.DataFrame, rng: np.random.Generator) -> Profiles:
    """Draw the expression of every population.

    Base expression is lognormal over genes; which gene gets which level follows, with noise, how strong the gene is in
    real immune cells. On top come identity genes at known levels, three quarters of the other marker genes at a random
    effect, genes that no marker list names, programmes of wider groups, and housekeeping.

    Parameters
    ----------
    genes
        `symbol`, `level` of each simulated gene.
    rng
        Source of everything random here.

    Returns
    -------
    Profiles
        Shapes (populations, genes) and (genes,).
    """
    column = {symbol: number for number, symbol in enumerate(genes[SYMBOL])}
    base = _base(genes, column, rng)
    log2 = np.repeat(base[None, :], len(programmes.POPULATIONS), axis=0)
    _add_programmes(log2, genes, column, rng)
    _set_markers(log2, column, rng)
    _set_states(log2, column, rng)
    _set_identity(log2, column, rng)
    _set_housekeeping(log2, genes, column, rng)
    n_genes = len(genes)
    loadings = rng.normal(size=(3, n_genes))
    # Inverse chi-square around .20 with 10 df, as empirical-Bayes fits of pseudobulk dispersions find it.
    bcv = 0.19 * np.sqrt(10.0 / rng.chisquare(10.0, size=n_genes))
    return Profiles(
        log2=log2.astype(np.float32),
        dispersion=rng.uniform(0.2, 0.5, size=n_genes).astype(np.float32),
        bcv=bcv.astype(np.float32),
        mouse_loadings=(loadings / np.linalg.norm(loadings, axis=0)).astype(np.float32),
        programmes=_variation(column, n_genes, rng),
        mitochondrial=genes[SYMBOL].str.startswith("mt-").to_numpy(),
        sex={column[g]: sex for sex, names in (("m", MALE), ("f", FEMALE)) for g in names if g in column},
    )


def _base(genes: pd.DataFrame, column: Mapping[str, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Log2 level of each gene where nothing else is said."""
    noisy = genes[LEVEL].to_numpy(dtype=float) + rng.normal(scale=2.5, size=len(genes))
    rank = np.empty(len(genes))
    rank[np.argsort(noisy, kind="stable")] = (np.arange(len(genes)) + 0.5) / len(genes)
    natural = LOG_SD * norm.ppf(rank)
    share = np.exp(natural) / np.exp(natural).sum()
    # The genes named elsewhere leave 6,000 of 10,000; the very strongest are among them.
    base = np.log2(np.minimum(share * 6000, STRONGEST))
    base[genes[SYMBOL].str.contains(r"^Rp[ls].*-ps").to_numpy()] -= 5.0  # pseudogenes: reads lost to the genes
    # Marker genes and gene-set genes start low, so that an effect is seen against a quiet background.
    named = [column[g] for g in sorted(programmes.all_genes()) if g in column]
    base[named] = np.log2(rng.lognormal(np.log(0.25), 0.9, size=len(named)))
    for gene, level in programmes.levels(programmes.QUIET).items():
        if gene in column:
            base[column[gene]] = np.log2(level)
    haemoglobin = [number for symbol, number in column.items() if symbol.startswith(("Hba-", "Hbb-"))]
    base[haemoglobin] = np.log2(SILENT)
    return np.asarray(base)


def _free_genes(genes: pd.DataFrame) -> NDArray[np.intp]:
    """Genes that no list names and that are not special: random programmes are drawn from them."""
    symbols = genes[SYMBOL]
    special = symbols.isin(programmes.all_genes()) | symbols.str.match(r"^mt-|^Hb[ab]-") | symbols.str.match(RIBOSOMAL)
    return np.flatnonzero(~special)


def _add_programmes(
    log2: NDArray[np.float64], genes: pd.DataFrame, column: Mapping[str, int], rng: np.random.Generator
) -> None:
    """Give every wider group, lineage and T state genes of its own that no marker list knows."""
    free = _free_genes(genes)
    groups = sorted({group for p in programmes.POPULATIONS for group in p.groups})
    lineages = sorted({p.lineage for p in programmes.POPULATIONS})
    for name in [*groups, *lineages, *programmes.T_STATES]:
        is_state = name in programmes.T_STATES
        size = 60 if is_state else int(rng.integers(100, 200))
        low, high = (0.4, 1.6) if is_state else (0.5, 3.0)
        chosen = rng.choice(free, size=min(size, len(free)), replace=False)
        effect = rng.uniform(low, high, size=len(chosen)) * rng.choice([1.0, 1.0, -1.0], size=len(chosen))
        for row, population in enumerate(programmes.POPULATIONS):
            if name in (*population.groups, population.lineage, population.name):
                log2[row, chosen] += effect


def _set_markers(log2: NDArray[np.float64], column: Mapping[str, int], rng: np.random.Generator) -> None:
    """Three quarters of each lineage's markers work, the others do not; some of those are on somewhere else."""
    n_populations = len(programmes.POPULATIONS)
    for lineage, text in programmes.MARKERS.items():
        rows = [row for row, p in enumerate(programmes.POPULATIONS) if p.lineage == lineage]
        for gene in text.split():
            effect, works, stray = rng.uniform(0.5, 4.0), rng.random() < 0.75, rng.random() < 0.4
            elsewhere, state_noise = rng.integers(n_populations), rng.normal(scale=0.25, size=len(rows))
            if gene not in column:
                continue
            if works:
                log2[rows, column[gene]] += effect + state_noise
            elif stray:
                log2[elsewhere, column[gene]] += rng.uniform(0.5, 2.0)


def _set_states(log2: NDArray[np.float64], column: Mapping[str, int], rng: np.random.Generator) -> None:
    """T states: genes of known level, and seven tenths of the others at a random effect of .4 to 2 log2."""
    rows = {p.name: row for row, p in enumerate(programmes.POPULATIONS)}
    known = {state: programmes.levels(text) for state, text in programmes.STATE_LEVELS.items()}
    for gene in sorted({gene for named in known.values() for gene in named}):
        highest = max(named[gene] for named in known.values() if gene in named)
        for state in programmes.T_STATES:
            drop = 2.0 ** -rng.uniform(2.5, 4.5)
            if gene in column:
                level = known[state].get(gene, highest * drop) * rng.lognormal(0.0, 0.15)
                log2[rows[state], column[gene]] = np.log2(level)
    for state, text in programmes.STATE_MARKERS.items():
        for gene in text.split():
            effect, works = rng.uniform(0.4, 2.0), rng.random() < 0.7
            if gene in column and works and gene not in known[state]:
                log2[rows[state], column[gene]] += effect


def _set_identity(log2: NDArray[np.float64], column: Mapping[str, int], rng: np.random.Generator) -> None:
    """Receptors and lineage factors: at their level where they belong, nearly silent elsewhere."""
    rows = {
        name: [r for r, p in enumerate(programmes.POPULATIONS) if name in (p.name, p.lineage, *p.groups)]
        for name in programmes.IDENTITY
    }
    wanted: dict[str, dict[int, float]] = {}
    for name, text in programmes.IDENTITY.items():
        for gene, level in programmes.levels(text).items():
            wanted.setdefault(gene, {}).update(dict.fromkeys(rows[name], level))
    for state, text in programmes.STATE_LEVELS.items():
        row = next(r for r, p in enumerate(programmes.POPULATIONS) if p.name == state)
        for gene, known in programmes.levels(text).items():
            if gene in wanted:
                wanted[gene][row] = known
    for gene, at in sorted(wanted.items()):
        # Truly silent, however strong where it belongs: what lymphocytes hold of Alb or S100a8 is soup.
        off = max(min(max(at.values()) * 2.0 ** -rng.uniform(5.5, 8.0), LEAK * rng.uniform()), SILENT)
        noise = rng.lognormal(0.0, 0.15, size=len(log2))
        if gene in column:
            # A gene that only one kind of cell makes is silent in the rest; Ccr7 or Il7r keep what others say of them.
            log2[:, column[gene]] = [np.log2(at.get(row, off) * noise[row]) for row in range(len(log2))]


def _set_housekeeping(
    log2: NDArray[np.float64], genes: pd.DataFrame, column: Mapping[str, int], rng: np.random.Generator
) -> None:
    """Genes of every cell, ribosomal and mitochondrial transcripts."""
    stroma = [r for r, p in enumerate(programmes.POPULATIONS) if not p.groups]
    for gene, level in programmes.levels(programmes.HOUSEKEEPING).items():
        noise = rng.normal(scale=0.3, size=len(log2))
        if gene in column:
            log2[:, column[gene]] = np.log2(level) + noise
            if gene in programmes.NOT_IN_STROMA:
                log2[stroma, column[gene]] = np.log2(SILENT)
    ribosomal = np.flatnonzero(genes[SYMBOL].str.match(RIBOSOMAL))
    # Lymphocytes give a third of their UMIs to ribosomal proteins, granulocytes far less.
    share = {"lymphoid": 1.0, "myeloid": 0.55}
    ribosome = rng.lognormal(np.log(14), 0.7, size=len(ribosomal))
    for row, population in enumerate(programmes.POPULATIONS):
        scale = 0.3 if population.name == "Neutrophil" else share.get(next(iter(population.groups), ""), 0.5)
        log2[row, ribosomal] = np.log2(ribosome * scale)
    mitochondrial = np.flatnonzero(genes[SYMBOL].str.startswith("mt-"))
    split = rng.dirichlet(np.full(len(mitochondrial), 2.0)) if len(mitochondrial) else np.zeros(0)
    for row, population in enumerate(programmes.POPULATIONS):
        log2[row, mitochondrial] = np.log2(np.maximum(split * 1e4 * population.mitochondrial, SILENT))
    for gene, level in {"Xist": 3.0, "Ddx3y": 0.8, "Eif2s3y": 0.7, "Kdm5d": 0.4, "Uty": 0.4}.items():
        if gene in column:
            log2[:, column[gene]] = np.log2(level)


def _variation(column: Mapping[str, int], n_genes: int, rng: np.random.Generator) -> dict[str, Programme]:
    """Directions that single cells vary along, whatever they are."""

    def listed(text: str, low: float, high: float) -> Programme:
        names = [gene for gene in text.split() if gene in column]
        return Programme(
            np.array([column[g] for g in names], dtype=np.intp),
            rng.uniform(low, high, size=len(names)).astype(np.float32),
        )

    found = {
        "s_phase": listed(programmes.S_PHASE, 1.5, 4.0),
        "g2m_phase": listed(programmes.G2M_PHASE, 1.5, 4.5),
        "stress": listed(programmes.STRESS, 0.3, 1.3),
    }
    for name in ("continuum_1", "continuum_2"):
        chosen = rng.choice(n_genes, size=min(200, n_genes), replace=False)
        found[name] = Programme(chosen, rng.normal(scale=0.25, size=len(chosen)).astype(np.float32))
    return found
