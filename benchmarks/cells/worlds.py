"""What every population of a simulated data set expresses: drawn anew for each data set, from facts and chance.

Nothing is shared with the simulator of the demo study, on whose cohort steps of the pipeline were tuned. Gene levels are those
of real leucocytes (the frozen bins of `resources/expression_bins.tsv`), with noise; populations differ along a tree of kin;
what is known of a population (`biology`) comes on top, a part of it silent in each data set.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml

from benchmarks.cells import biology
from benchmarks.cells.biology import KINDS, STATES, levels
from benchmarks.common import MEASURED
from livermet.keys import SYMBOL

Floats = npt.NDArray[np.float64]

T_CELL = "T_cell"
N_FREE = 6000  # genes that nothing is known of
DISPERSION = 0.3  # nine tenths of genes .16 to .6
FLOOR = 1e-3  # UMIs per 10,000 of a gene that is off
LEVEL_NOISE = 0.6  # natural log, of a gene's level around its bin's
FACT_NOISE = 0.4  # natural log, of a known level
SILENT_PART = 0.15  # of the genes known of a lineage, in each data set
# Log2 below where a gene belongs: in kin, and elsewhere. In the lung, soup included, B cells hold Gzma 11 below NK cells, T cells
# S100a8 9 below neutrophils and Cd74 11 below B cells.
LEAK, SILENT = (2.0, 6.0), (10.0, 14.0)
DEFINING = 5  # first genes of a lineage: never silent
UNMOVED_PART = 0.25  # of the genes known of a state, in each data set
STATE_SHIFT = (0.4, 2.0)  # log2, of graded genes
SHARP_SHIFT = (2.5, 5.0)  # log2, of genes that other T cells hardly hold
OUTSIDE = 60  # genes that a state moves and that no list names
N_LATENT, LATENT_GENES, LATENT_SD = 5, 300, 0.25


@dataclass(frozen=True)
class World:
    """A data set's populations.

    Attributes
    ----------
    genes
        Index gene id, `symbol`.
    names
        Populations: the lineages but T cells, then the T-cell states.
    share
        Of the cells of a mouse, by population.
    rate
        Populations x genes, UMIs per 10,000 (rows sum to 10,000).
    dispersion
        Between cells of a population, by gene.
    latent
        Directions that all cells vary along, N_LATENT x genes (natural log).
    overlay
        Programme -> natural-log change of each gene.
    """

    genes: pd.DataFrame
    names: tuple[str, ...]
    share: Floats
    rate: Floats
    dispersion: Floats
    latent: Floats
    overlay: Mapping[str, Floats]

    def lineage(self, population: str) -> str:
        """Lineage of a population."""
        return T_CELL if population in STATES else population

    def kin(self, population: str) -> tuple[str, ...]:
        """Wider groups of a population."""
        return KINDS[self.lineage(population)].kin


def draw_world(
    rng: np.random.Generator,
    *,
    states: Collection[str] | None = None,
    without: Collection[str] = (),
    n_free: int = N_FREE,
    dispersion: float = DISPERSION,
) -> World:
    """Draw the populations of a data set.

    Parameters
    ----------
    rng
        Source of chance.
    states
        T-cell states that it has; the core ones where None.
    without
        Lineages that it lacks.
    n_free
        Genes beside those that `biology` or a resource of the pipeline names.
    dispersion
        Median over genes of the negative binomial's, between cells of a population.

    Returns
    -------
    World
    """
    chosen = [name for name, state in STATES.items() if (name in states if states is not None else state.core)]
    kinds = [name for name in KINDS if name != T_CELL and name not in without]
    names = (*kinds, *([] if T_CELL in without else chosen))
    genes, base = _draw_genes(rng, n_free)
    column = {symbol: place for place, symbol in enumerate(genes[SYMBOL])}
    log2 = np.repeat(np.log2(base)[None, :], len(names), axis=0)
    free = np.flatnonzero(
        ~genes[SYMBOL].isin([*biology.named_genes(), *resource_genes()]) & ~genes[SYMBOL].str.startswith("mt-")
    )
    lineage = [T_CELL if name in STATES else name for name in names]
    _grow_tree(rng, log2, free, lineage)
    _set_kinds(rng, log2, column, lineage)
    _set_states(rng, log2, column, names, free)
    rate = _fill(np.exp2(log2), free, genes, lineage)
    share = np.array([KINDS[T_CELL].share * STATES[n].share if n in STATES else KINDS[n].share for n in names])
    share *= np.where([n in STATES for n in names], 1 / sum(STATES[n].share for n in chosen), 1.0)
    latent = np.zeros((N_LATENT, len(genes)))
    for row in latent:
        moved = rng.choice(free, min(LATENT_GENES, len(free)), replace=False)
        row[moved] = rng.normal(0, LATENT_SD, len(moved))
    overlay = {name: np.zeros(len(genes)) for name in biology.OVERLAYS}
    for name, (_, text, change, _) in biology.OVERLAYS.items():
        for gene in text.split():
            overlay[name][column[gene]] = np.log(2) * change * rng.uniform(0.3, 1.2) * (rng.random() > SILENT_PART)
    return World(
        genes, names, share / share.sum(), rate, dispersion * rng.lognormal(0, 0.4, len(genes)), latent, overlay
    )


def resource_genes() -> list[str]:
    """Symbols that the pipeline's resources name: a real feature table has them whether or not a cell expresses them."""
    signatures = yaml.safe_load((MEASURED / "resources/signatures.yaml").read_text(encoding="utf-8"))["signatures"]
    lineages = yaml.safe_load((MEASURED / "resources/lineages.yaml").read_text(encoding="utf-8"))
    found = [gene for entry in signatures for gene in (*entry["up"], *entry["down"])]
    for entry in lineages["lineages"].values():
        for kind in (entry.get("subsets") or {"": entry}).values():
            found += [*kind["up"], *(kind.get("down") or [])]
    return list(dict.fromkeys([*found, *lineages["compartments"]["immune"]["up"]]))


def _draw_genes(rng: np.random.Generator, n_free: int) -> tuple[pd.DataFrame, Floats]:
    """Genes, and the level of each where nothing else is said: as in real leucocytes, with noise."""
    bins = pd.read_csv(MEASURED / "resources/expression_bins.tsv", sep="\t", keep_default_na=False)
    named = set(biology.named_genes()) | set(resource_genes())
    wanted = bins[SYMBOL].isin(named) | bins[SYMBOL].str.startswith("mt-") | bins[SYMBOL].str.match(r"Rp[ls]\d")
    others = np.flatnonzero(~wanted)
    taken = np.sort(
        np.concatenate([np.flatnonzero(wanted), rng.choice(others, min(n_free, len(others)), replace=False)])
    )
    table = bins.iloc[taken]
    extra = sorted(named - set(bins[SYMBOL]))  # not seen in the reference: hardly expressed in resting leucocytes
    genes = pd.DataFrame(
        {SYMBOL: [*table[SYMBOL], *extra]}, index=pd.Index([*table["gene_id"], *extra], name="gene_id")
    )
    level = np.concatenate([0.022 * 1.235 ** (table["bin"].to_numpy(float) - 1), np.full(len(extra), 0.008)])
    return genes, level * rng.lognormal(0, LEVEL_NOISE, len(level))


def _grow_tree(rng: np.random.Generator, log2: Floats, free: npt.NDArray[np.intp], lineage: list[str]) -> None:
    """Random programmes of every wider group and lineage, among the genes that nothing is known of."""
    groups = sorted({group for name in lineage for group in KINDS[name].kin})
    for group, part, spread in [*((g, 0.06, 1.2) for g in groups), *((k, 0.05, 1.5) for k in dict.fromkeys(lineage))]:
        moved = rng.choice(free, int(part * len(free)), replace=False)
        change = rng.normal(0, spread, len(moved))
        rows = [row for row, name in enumerate(lineage) if group == name or group in KINDS[name].kin]
        log2[np.array(rows)[:, None], moved] += change


def _set_kinds(rng: np.random.Generator, log2: Floats, column: Mapping[str, int], lineage: list[str]) -> None:
    """What is known of the lineages: at its level there, little of it in kin, next to nothing elsewhere."""
    known = {name: levels(kind.genes) for name, kind in KINDS.items()}
    for gene in sorted({gene for named in known.values() for gene in named}):
        owners = {name: named[gene] for name, named in known.items() if gene in named}
        if gene not in list(next(iter(known[name] for name in owners)))[:DEFINING] and rng.random() < SILENT_PART:
            owners = {}
        loudest = max(named[gene] for named in known.values() if gene in named)
        leak, silent = rng.uniform(*LEAK), rng.uniform(*SILENT)
        for row, name in enumerate(lineage):
            kin = {group for owner in owners for group in KINDS[owner].kin} - {"leucocyte", "lymphoid", "myeloid"}
            off = loudest * 2.0 ** -(leak if kin & set(KINDS[name].kin) else silent)
            log2[row, column[gene]] = np.log2(max(owners.get(name, off), FLOOR))
        # One factor a gene: lineages that share it keep their ratio.
        log2[:, column[gene]] += rng.normal(0, FACT_NOISE) / np.log(2)
    for gene, level in levels(biology.LEUCOCYTE).items():
        for row, name in enumerate(lineage):
            on = "leucocyte" in KINDS[name].kin
            log2[row, column[gene]] = np.log2(level * rng.lognormal(0, 0.3)) if on else np.log2(FLOOR)


def _set_states(
    rng: np.random.Generator,
    log2: Floats,
    column: Mapping[str, int],
    names: tuple[str, ...],
    free: npt.NDArray[np.intp],
) -> None:
    """T-cell states: graded genes .4-2 log2 above other states, a quarter of them unmoved; sharp genes; genes that no list
    names; receptors and master regulators on or off.
    """
    rows = {name: row for row, name in enumerate(names) if name in STATES}
    if not rows:
        return
    for row in rows.values():
        moved = rng.choice(free, min(OUTSIDE, len(free)), replace=False)
        log2[row, moved] += rng.uniform(*STATE_SHIFT, len(moved)) * rng.choice([1, 1, -1], len(moved))
    known = {name: levels(STATES[name].genes) for name in rows}
    elsewhere = [row for row in range(len(names)) if row not in rows.values()]
    of_kinds = {gene for kind in KINDS.values() for gene in levels(kind.genes)}
    for gene in sorted({gene for named in known.values() for gene in named}):
        sharp = gene in biology.SHARP
        stays = {name for name in known if rng.random() < UNMOVED_PART and not sharp}
        owners = {name: named[gene] for name, named in known.items() if gene in named and name not in stays}
        loudest = max(named[gene] for named in known.values() if gene in named)
        off = loudest * 2.0 ** -rng.uniform(*(SHARP_SHIFT if sharp else STATE_SHIFT))
        noise = rng.normal(0, FACT_NOISE) / np.log(2)
        for name, row in rows.items():
            log2[row, column[gene]] = np.log2(owners.get(name, off)) + noise
        if gene not in of_kinds:
            log2[elsewhere, column[gene]] = np.log2(max(loudest * 2.0 ** -rng.uniform(1, 7), FLOOR))
    _switch(rng, log2, column, {n: levels(biology.SUBSETS[STATES[n].subset]) for n in rows}, rows, known, elsewhere)
    _switch(rng, log2, column, {n: levels(biology.MASTERS.get(n, "")) for n in rows}, rows, known, elsewhere)


def _switch(
    rng: np.random.Generator,
    log2: Floats,
    column: Mapping[str, int],
    on: Mapping[str, Mapping[str, float]],
    rows: Mapping[str, int],
    known: Mapping[str, Mapping[str, float]],
    elsewhere: list[int],
) -> None:
    """Genes that are on in some T cells and nearly silent in the others, unless those are known to hold them."""
    of_kinds = {gene for kind in KINDS.values() for gene in levels(kind.genes)}
    for gene in sorted({gene for named in on.values() for gene in named}):
        loudest = max(named[gene] for named in on.values() if gene in named)
        off = max(loudest * 2.0 ** -rng.uniform(5, 8), FLOOR)
        noise = rng.normal(0, 0.5 * FACT_NOISE) / np.log(2)
        for name, row in rows.items():
            if gene in on[name]:
                log2[row, column[gene]] = np.log2(on[name][gene]) + noise
            elif gene not in known[name]:
                log2[row, column[gene]] = np.log2(off)
        if gene not in of_kinds:
            log2[elsewhere, column[gene]] = np.log2(off)


def _fill(rate: Floats, free: npt.NDArray[np.intp], genes: pd.DataFrame, lineage: list[str]) -> Floats:
    """Scale what nothing is known of, so that known levels are UMIs per 10,000, mitochondrial share included."""
    mitochondrial = np.flatnonzero(genes[SYMBOL].str.startswith("mt-"))
    share = np.array([KINDS[name].mitochondrial for name in lineage])
    rate = rate.copy()
    rate[:, mitochondrial] *= (1e4 * share / rate[:, mitochondrial].sum(axis=1))[:, None]
    known = np.ones(rate.shape[1], dtype=bool)
    known[free] = False
    room = np.maximum(1e4 - rate[:, known].sum(axis=1), 2000.0)
    rate[:, free] *= (room / rate[:, free].sum(axis=1))[:, None]
    return np.asarray(rate * (1e4 / rate.sum(axis=1))[:, None])
