"""Mice with a known truth: designs, counts of genes and counts of cells.

Nothing here is shared with the package's inference or with the demo. What it draws differs on purpose from what the tests
assume: noise between mice is a gamma times a lognormal factor that correlated genes share (edgeR assumes independent
negative binomials), it scatters between genes around a trend, mice differ in their number of cells by a lognormal of SD .5,
and the counting noise of a sum falls with that number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import anndata
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from livermet.mice.design.model import Design, build_design
from livermet.settings import resolve

Array = npt.NDArray[np.float64]
Rng = np.random.Generator

SITES = ("subcutaneous", "subcutaneous_liver")
TREATMENTS = ("untreated", "anti_pdl1", "rt", "rt_anti_pdl1")
COMBO = TREATMENTS[-1]
SICK, TREATED = f"{SITES[1]}.untreated", f"{SITES[1]}.{COMBO}"
HEALTHY = f"{SITES[0]}.untreated"
POPULATION = "CD8_activated"
POPULATIONS = {
    "T_cell": {"lineages": ["T_cell"]},
    "CD8_activated": {"states": ["CD8_activated"]},
    "Treg": {"states": ["Treg"]},
    "B_cell": {"lineages": ["B_cell"]},
    "NK_cell": {"lineages": ["NK_cell"]},
    "Neutrophil": {"lineages": ["Neutrophil"]},
    "Classical_monocyte": {"lineages": ["Classical_monocyte"]},
    "Monocyte_derived_macrophage": {"lineages": ["Monocyte_derived_macrophage"]},
    "Kupffer_cell": {"lineages": ["Kupffer_cell"]},
}


def effect(name: str, factor: str, level: str, reference: str, **within: str) -> dict[str, Any]:
    """An effect question."""
    asked = {"name": name, "kind": "effect", "factor": factor, "level": level, "reference": reference}
    return {**asked, "within": within} if within else asked


SITE = effect("site_untreated", "site", SITES[1], SITES[0], treatment="untreated")
REPAIR = effect("combo_livermet", "treatment", COMBO, "untreated", site=SITES[1])
ELSEWHERE = effect("combo_subcutaneous", "treatment", COMBO, "untreated", site=SITES[0])
INTERACTION: dict[str, Any] = {
    "name": "combo_by_site",
    "kind": "difference",
    "of": ["combo_livermet", "combo_subcutaneous"],
}
QUESTIONS = [SITE, REPAIR, ELSEWHERE, INTERACTION]
EFFECTS = ("site_untreated", "combo_livermet", "combo_subcutaneous")


def make_design(
    n: int,
    treatments: Sequence[str] = (TREATMENTS[0], COMBO),
    *,
    questions: Sequence[Mapping[str, Any]] = QUESTIONS,
    batches: int = 1,
    model: str = "full",
    effect_of_interest: float = 1.0,
    populations: Mapping[str, Any] | None = None,
    references: Sequence[str] = (),
) -> Design:
    """Two sites x treatments, `n` mice in every arm, by the package's own config and design.

    Parameters
    ----------
    n
        Mice an arm.
    treatments
        Two of them: 2 x 2 arms; all four: 2 x 4.
    questions
        What is asked.
    batches
        With more than one, mice are dealt out in turn and the model adjusts for the batch.
    model
        `full` or `additive`.
    effect_of_interest
        For the mice needed by signatures.
    populations
        Those tested; the population of the gene scenarios alone where None.
    references
        Populations that abundances are held against, too.
    """
    arms = [(site, treatment) for site in SITES for treatment in treatments]
    rows = [
        {"sample": f"m{place}_{mouse}", "mouse": f"m{place}_{mouse}", "tissue": "liver", "site": site,
         "treatment": treatment, "batch": f"b{(mouse + place) % batches}"}
        for place, (site, treatment) in enumerate(arms) for mouse in range(n)
    ]  # fmt: skip
    section = {
        "factors": {"site": list(SITES), "treatment": list(treatments)},
        "covariates": ["batch"] if batches > 1 else [],
        "model": model,
        "populations": dict(populations or {POPULATION: POPULATIONS[POPULATION]}),
        "questions": [dict(question) for question in questions],
        "effect_of_interest": effect_of_interest,
        "references": list(references),
    }
    return _build(json.dumps(rows), json.dumps(section))


@cache
def _build(rows: str, section: str) -> Design:
    """All data sets of a setting share a design, which nothing changes."""
    settings = resolve({"study": "calibration", "samples": "samples.tsv", "design": json.loads(section)})["design"]
    return build_design(pd.DataFrame(json.loads(rows)).set_index("sample"), settings)


@dataclass(frozen=True)
class Noise:
    """How genes and mice vary.

    Attributes
    ----------
    bcv
        Range of the common coefficient of variation between mice; each data set draws its own.
    scatter_df
        Genes scatter around the trend as scatter_df / chi-square(scatter_df).
    n_modules, in_modules, module_share
        Modules of correlated genes, share of genes in one, and share of their variance (log scale) that is the module's.
    cell_dispersion
        Range of the negative binomial dispersion between cells of one mouse.
    cells, cells_sd
        Median cells of a mouse, and the SD of their natural logarithm.
    depth, depth_sd
        Median UMIs a cell in the genes simulated, and the same between mice.
    """

    bcv: tuple[float, float] = (0.15, 0.30)
    scatter_df: float = 10.0
    n_modules: int = 4
    in_modules: float = 0.4
    module_share: float = 0.3
    cell_dispersion: tuple[float, float] = (0.2, 0.5)
    cells: float = 100.0
    cells_sd: float = 0.5
    depth: float = 3000.0
    depth_sd: float = 0.2


@dataclass(frozen=True)
class Genes:
    """What is true of every gene.

    Attributes
    ----------
    level
        Share of a cell's UMIs.
    variance
        Between mice, of the natural logarithm.
    loading
        Modules x genes: share of the variance that is the module's, signed as the gene moves with it.
    dispersion
        Between cells.
    """

    level: Array
    variance: Array
    loading: Array
    dispersion: Array

    def __len__(self) -> int:
        return len(self.level)


def draw_genes(rng: Rng, n_genes: int, noise: Noise) -> Genes:
    """Genes of one data set: lognormal levels (SD 1.5), variance falling with the level, modules."""
    level = rng.lognormal(0, 1.5, n_genes)
    common = rng.uniform(*noise.bcv)
    trend = (1 + (level / np.median(level)) ** -0.5) / 1.5
    squared = common**2 * trend * noise.scatter_df / rng.chisquare(noise.scatter_df, n_genes)
    loading = np.zeros((noise.n_modules, n_genes))
    member = np.flatnonzero(rng.random(n_genes) < noise.in_modules)
    module = rng.integers(noise.n_modules, size=len(member))
    loading[module, member] = noise.module_share * rng.choice([-1.0, 1.0], len(member))
    return Genes(level / level.sum(), np.log1p(squared), loading, rng.uniform(*noise.cell_dispersion, n_genes))


def plant_sets(
    rng: Rng, genes: Genes, n_sets: int, size: int, correlation: float
) -> tuple[Genes, list[npt.NDArray[np.int64]]]:
    """Disjoint sets of genes, each with a mouse factor of its own that its genes follow alike.

    Parameters
    ----------
    rng, genes
        The generator, and genes whose modules the sets' members leave.
    n_sets, size
        How many, of how many genes.
    correlation
        Between genes of a set, of their noise between mice.

    Returns
    -------
    genes, sets
        The genes with the new loadings; places of each set's genes.
    """
    sets = np.split(rng.permutation(len(genes))[: n_sets * size], n_sets)
    loading = np.vstack([genes.loading, np.zeros((n_sets, len(genes)))])
    for number, places in enumerate(sets):
        loading[:, places] = 0.0
        loading[len(genes.loading) + number, places] = correlation
    return replace(genes, loading=loading), sets


def draw_mice(rng: Rng, genes: Genes, n_mice: int) -> Array:
    """Factor by which each mouse's expression differs from its arm's, mice x genes, of mean 1.

    The module's part is lognormal, the gene's own a gamma; together they have the gene's variance.
    """
    of_module = np.abs(genes.loading) * genes.variance
    spread = np.sign(genes.loading) * np.sqrt(of_module)
    shared = rng.normal(size=(n_mice, len(genes.loading))) @ spread - of_module.sum(axis=0) / 2
    own = np.expm1(np.maximum(genes.variance - of_module.sum(axis=0), 1e-9))
    return np.asarray(np.exp(shared) * rng.gamma(1 / own, own, size=(n_mice, len(genes))))


def draw_n_cells(rng: Rng, n_mice: int, noise: Noise) -> npt.NDArray[np.int64]:
    """Cells of each mouse; never so few that the mouse would be left out."""
    return np.maximum(np.round(rng.lognormal(np.log(noise.cells), noise.cells_sd, n_mice)), 10).astype(np.int64)


def draw_sums(
    rng: Rng, genes: Genes, changes: Array, noise: Noise, n_cells: npt.NDArray[np.int64] | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Counts summed over each mouse's cells.

    Parameters
    ----------
    rng, genes, noise
        The generator and the truth.
    changes
        Mice x genes, log2: what arm and batch do.
    n_cells
        Cells of each mouse; drawn where None.

    Returns
    -------
    sums, n_cells
        Mice x genes; one a mouse. The sum of m negative binomial cells of dispersion phi is one of dispersion phi / m.
    """
    n_mice = len(changes)
    n_cells = draw_n_cells(rng, n_mice, noise) if n_cells is None else n_cells
    library = n_cells * noise.depth * rng.lognormal(0, noise.depth_sd, n_mice)
    mean = library[:, None] * genes.level * 2.0**changes * draw_mice(rng, genes, n_mice)
    shape = np.maximum(n_cells, 1)[:, None] / genes.dispersion
    return rng.poisson(mean * rng.gamma(shape, 1 / shape)), n_cells


def change_arm(design: Design, arm: str, change: Array) -> Array:
    """Units x genes: a log2 change in the mice of one arm."""
    return np.outer((design.units["arm"] == arm).to_numpy(dtype=float), change)


def batch_effects(rng: Rng, design: Design, n_genes: int, sd: float) -> Array:
    """Units x genes: log2 changes of each batch, one draw a gene and batch; nothing where the design has no batch."""
    if "batch" not in design.settings["covariates"]:
        return np.zeros((len(design.units), n_genes))
    batches, of_unit = np.unique(design.units["batch"], return_inverse=True)
    return np.asarray(rng.normal(0, sd, (len(batches), n_genes))[of_unit])


def make_pseudobulk(
    design: Design, sums: npt.NDArray[np.int64], n_cells: npt.NDArray[np.int64], population: str = POPULATION
) -> anndata.AnnData:
    """The table that the pipeline hands to its tests: a row a unit, sums in X."""
    obs = design.units.reset_index().assign(population=population, n_cells=n_cells)
    obs.index = pd.Index(population + ":" + obs["unit"].astype(str))
    symbols = gene_names(sums.shape[1])
    var = pd.DataFrame({"symbol": symbols}, index=pd.Index(symbols, name="gene_id"))
    return anndata.AnnData(sparse.csr_matrix(sums), obs=obs, var=var)


def gene_names(n_genes: int) -> list[str]:
    """Symbols of simulated genes, by place."""
    return [f"Gene{place}" for place in range(n_genes)]


def gene_places(symbols: pd.Series) -> npt.NDArray[np.int64]:
    """Places of simulated genes, by symbol."""
    return symbols.str.removeprefix("Gene").to_numpy().astype(np.int64)


#: label -> (lineage, state, share of a healthy liver's immune cells)
LABELS: dict[str, tuple[str, str, float]] = {
    "CD8_activated": ("T_cell", "CD8_activated", 0.06),
    "CD8_naive_like": ("T_cell", "CD8_naive_like", 0.06),
    "CD8_effector_memory": ("T_cell", "CD8_effector_memory", 0.05),
    "CD8_Tex": ("T_cell", "CD8_Tex", 0.03),
    "CD4_naive_like": ("T_cell", "CD4_naive_like", 0.07),
    "Treg": ("T_cell", "Treg", 0.03),
    "T_cell_unassigned": ("T_cell", "unassigned", 0.05),
    "B_cell": ("B_cell", "B_cell", 0.16),
    "NK_cell": ("NK_cell", "NK_cell", 0.08),
    "Neutrophil": ("Neutrophil", "Neutrophil", 0.10),
    "Classical_monocyte": ("Classical_monocyte", "Classical_monocyte", 0.07),
    "Monocyte_derived_macrophage": ("Monocyte_derived_macrophage", "Monocyte_derived_macrophage", 0.08),
    "Kupffer_cell": ("Kupffer_cell", "Kupffer_cell", 0.10),
    "cDC2": ("cDC2", "cDC2", 0.03),
    "Endothelial_cell": ("Endothelial_cell", "Endothelial_cell", 0.03),
}
MYELOID = ("Neutrophil", "Classical_monocyte", "Monocyte_derived_macrophage")


def draw_cells(
    rng: Rng,
    design: Design,
    changes: Mapping[str, Mapping[str, float]],
    *,
    cells: float = 600.0,
    spread: float = 0.35,
    myeloid_spread: float = 0.2,
) -> pd.DataFrame:
    """Cells of each unit and label.

    Parameters
    ----------
    rng, design
        The generator and the mice.
    changes
        Arm -> label -> log2 change of the number of its cells in the tissue.
    cells
        Median of the cells caught from a mouse, whatever is in the tissue: only ratios reach the data. SD of the logarithm .5.
    spread, myeloid_spread
        SD (log2) between mice, of each label on its own and of the myeloid labels together.
    """
    labels = list(LABELS)
    myeloid = np.array([label in MYELOID for label in labels], dtype=float)
    base = np.log2([share for *_, share in LABELS.values()])
    rows = {}
    for unit, arm in design.units["arm"].items():
        change = np.array([changes.get(str(arm), {}).get(label, 0.0) for label in labels])
        mouse = rng.normal(0, spread, len(labels)) + rng.normal(0, myeloid_spread) * myeloid
        number = 2.0 ** (base + change + mouse)
        caught = int(rng.lognormal(np.log(cells), 0.5)) + 50
        rows[unit] = rng.multinomial(caught, number / number.sum())
    return pd.DataFrame.from_dict(rows, orient="index", columns=labels)


def spell_out(counts: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Labels (index cell; lineage, state) and units of as many cells, as the pipeline hands them to its tests."""
    number = counts.to_numpy().ravel()
    label = np.tile(counts.columns.to_numpy(), len(counts)).repeat(number)
    unit = counts.index.to_numpy().repeat(counts.to_numpy().sum(axis=1))
    lineage = pd.Series({name: about[0] for name, about in LABELS.items()})
    state = pd.Series({name: about[1] for name, about in LABELS.items()})
    index = pd.Index([f"c{place}" for place in range(len(label))], name="cell")
    table = pd.DataFrame({"lineage": lineage[label].to_numpy(), "state": state[label].to_numpy()}, index=index)
    return table, pd.Series(unit, index=index)
