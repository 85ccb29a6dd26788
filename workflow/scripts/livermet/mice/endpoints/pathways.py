"""Signatures, mouse by mouse: the primary endpoint.

A gene set moves together or not at all, and a mean over its genes is known far better than each of them. For every question
and population each applicable set (:mod:`livermet.mice.endpoints.applicable`) gets

- an estimate: the mean log2 fold change of its genes, down genes with the sign turned, with an interval from one score a
  mouse (mean log2 CPM of the set) in a linear model whose variances are moderated across sets (Smyth 2004,
  doi:10.2202/1544-6115.1027);
- `p_value`: **fry**, the analytic limit of the rotation test ROAST (Wu et al. 2010, doi:10.1093/bioinformatics/btq401): do
  the genes of the set change at all (self-contained)?
- `camera_p_value`: do they change more than the other genes (competitive; Wu & Smyth 2012, doi:10.1093/nar/gks461)?

voom's precisions (Law et al. 2014, doi:10.1186/gb-2014-15-2-r29) are split into a part for the gene and a part for the
mouse (their means on the log scale): mice are weighed by theirs, and genes are brought to one scale of noise by theirs
before their variances are moderated. Weights of their own for every gene would leave the genes' residuals without the
common basis that fry needs.

Adjusted p-values are Benjamini-Hochberg within a question, over all populations and sets that were tested.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from livermet import keys
from livermet.mice.design.model import Contrast, Design
from livermet.mice.endpoints.applicable import choose, circular_genes
from livermet.mice.endpoints.pseudobulk import Selection, select
from livermet.mice.models.libraries import log_cpm, normalise, voom
from livermet.mice.models.linear import RowFit, fit_rows
from livermet.mice.models.power import mice_per_arm_needed, replication
from livermet.tcells.signatures import GeneIndex

if TYPE_CHECKING:
    from anndata import AnnData

Array = npt.NDArray[np.float64]

SIGNATURE = "signature"
CAMERA_P_VALUE = "camera_p_value"
CAMERA_ADJUSTED = "camera_adjusted_p_value"
N_MICE = "n_mice"  # JSON: arm -> mice
MIN_GENES = 3  # a mean over fewer is a gene, not a set
MIN_SHARE = 0.25  # of its genes expressed here, or it speaks for other genes than its name
TESTED_KINDS = ("effect", "difference", "synergy")
COLUMNS = (
    keys.QUESTION,
    keys.POPULATION,
    SIGNATURE,
    keys.N_GENES,
    keys.ESTIMATE,
    keys.STANDARD_ERROR,
    keys.CI_LOW,
    keys.CI_HIGH,
    keys.P_VALUE,
    keys.ADJUSTED_P_VALUE,
    CAMERA_P_VALUE,
    CAMERA_ADJUSTED,
    keys.MDE,
    keys.MICE_NEEDED,
    keys.TIER,
    N_MICE,
)


@dataclass(frozen=True)
class GeneSet:
    """A set among the genes of one population.

    Attributes
    ----------
    name
        Its name.
    places
        Its genes among the kept ones.
    signs
        1 for genes that speak for it, -1 against.
    """

    name: str
    places: npt.NDArray[np.int64]
    signs: Array


@dataclass(frozen=True)
class Measured:
    """Expression of one population.

    Attributes
    ----------
    values
        Genes x units, log2 CPM.
    precision
        One number a gene: the reciprocal variance that voom expects of it.
    weights
        One number a unit, mean 1.
    design
        Of those units.
    """

    values: Array
    precision: Array
    weights: Array
    design: Design

    @property
    def scaled(self) -> Array:
        """Values of every gene on a scale on which all genes are expected to vary alike."""
        return np.asarray(self.values * np.sqrt(self.precision)[:, None])


def test_pathways(
    *,
    pseudobulk: AnnData,
    design: Design,
    signatures: Sequence[Mapping[str, Any]],
    aliases: Mapping[str, Collection[str]],
    defining: Mapping[str, Collection[str]],
) -> pd.DataFrame:
    """Put every question to every applicable set of every population.

    Parameters
    ----------
    pseudobulk
        Rows unit x population (see :func:`livermet.mice.endpoints.pseudobulk.sum_counts`).
    design
        The checked design; its settings name populations, signatures, min_cells, confidence, effect_of_interest.
    signatures
        All sets: name, kind, lineage, up, down.
    aliases
        Symbol -> other names of the same gene.
    defining
        Label -> genes by which it is called (:func:`livermet.mice.endpoints.applicable.defining_genes`).

    Returns
    -------
    pandas.DataFrame
        One row a question x population x set (:data:`COLUMNS`), log2; p-values and intervals NaN where the tier is
        descriptive.
    """
    settings = design.settings
    tables: list[pd.DataFrame] = []
    for part, names in design.parts():
        names = [name for name in names if part[name].kind in TESTED_KINDS]
        for population, labels in settings["populations"].items() if names else ():
            selection = select(pseudobulk, population, part, settings["min_cells"])
            contrasts = [selection.design[name] for name in names if selection.design[name].estimable]
            sets = choose(signatures, labels, settings["signatures"])
            if not contrasts or not sets:
                continue
            measured, genes = _measure(selection, pseudobulk.var[keys.SYMBOL])
            index = GeneIndex(genes, aliases)
            found = find_sets(sets, index, index.find_all(sorted(circular_genes(labels, defining))))
            for table in _test_population(measured, found, contrasts) if found else ():
                table.insert(1, keys.POPULATION, population)
                tables.append(table)
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    order = {name: place for place, name in enumerate(design.contrasts)}
    table = pd.concat(tables, ignore_index=True)
    table = table.sort_values(keys.QUESTION, key=lambda column: column.map(order), kind="stable", ignore_index=True)
    for p_value, adjusted in ((keys.P_VALUE, keys.ADJUSTED_P_VALUE), (CAMERA_P_VALUE, CAMERA_ADJUSTED)):
        table[adjusted] = np.nan
        for _, group in table[table[p_value].notna()].groupby(keys.QUESTION, sort=False):
            table.loc[group.index, adjusted] = stats.false_discovery_control(group[p_value].to_numpy(), method="bh")
    return table[list(COLUMNS)]


def _measure(selection: Selection, symbols: pd.Series) -> tuple[Measured, list[str]]:
    """Values and weights of the units with enough cells; symbols of the genes with enough counts."""
    design = selection.design
    matrix = design.matrix.to_numpy()
    libraries = normalise(selection.counts, matrix)
    genes = symbols[libraries.kept].astype(str).to_list()
    n_units = len(matrix)
    if not genes:
        return Measured(np.zeros((0, n_units)), np.ones(0), np.ones(n_units), design), genes
    if design.residual_df == 0:
        return Measured(log_cpm(libraries), np.ones(len(genes)), np.ones(n_units), design), genes
    values, precisions = voom(libraries, matrix)
    logs = np.log(precisions)
    weights = np.exp(logs.mean(axis=0))
    return Measured(values, np.exp(logs.mean(axis=1)), weights / weights.mean(), design), genes


def find_sets(
    signatures: Sequence[Mapping[str, Any]], index: GeneIndex, circular: Collection[int] | npt.NDArray[np.int64]
) -> list[GeneSet]:
    """Sets among the genes of a population.

    Parameters
    ----------
    signatures
        Sets that apply to it.
    index
        Finds symbols among its genes.
    circular
        Places of genes that are not to be tested here.

    Returns
    -------
    list of GeneSet
        Those of which three genes and a quarter of all are left.
    """
    found = []
    for signature in signatures:
        up, down = index.find_all(signature["up"]), index.find_all(signature.get("down") or ())
        places = np.concatenate([up, down])
        signs = np.concatenate([np.ones(len(up)), -np.ones(len(down))])
        kept = ~np.isin(places, list(circular))
        wanted = len(signature["up"]) + len(signature.get("down") or ())
        if kept.sum() >= max(MIN_GENES, MIN_SHARE * wanted):
            found.append(GeneSet(signature["name"], places[kept], signs[kept]))
    return found


def _test_population(measured: Measured, sets: list[GeneSet], contrasts: list[Contrast]) -> list[pd.DataFrame]:
    """A table for every contrast."""
    design, confidence = measured.design, float(measured.design.settings["confidence"])
    scores = pd.DataFrame(
        [item.signs @ measured.values[item.places] / len(item.places) for item in sets],
        index=[item.name for item in sets],
    )
    weights = np.broadcast_to(measured.weights, scores.shape)
    fit = fit_rows(scores, design.matrix.to_numpy(), weights, blocks=list(design.units[keys.MOUSE]))
    tested = design.residual_df > 0
    moderated = _Moderated(measured) if tested else None
    tables = []
    for contrast in contrasts:
        table = _estimate(fit, contrast, design, confidence)
        table.insert(0, keys.QUESTION, contrast.name)
        table.insert(1, SIGNATURE, [item.name for item in sets])
        table.insert(2, keys.N_GENES, [len(item.places) for item in sets])
        vector = np.asarray(contrast.vector, dtype=float)
        table[keys.P_VALUE] = self_contained(measured, sets, vector) if tested else np.nan
        table[CAMERA_P_VALUE] = competitive(moderated.z(vector), sets) if moderated else np.nan
        tables.append(table)
    return tables


def _estimate(fit: RowFit, contrast: Contrast, design: Design, confidence: float) -> pd.DataFrame:
    """Mean log2 fold changes with their intervals and power."""
    table = fit.estimate(np.asarray(contrast.vector, dtype=float), confidence).reset_index(drop=True)
    mice_now, n_arms = replication(contrast, design)
    table[keys.MICE_NEEDED] = mice_per_arm_needed(
        table[keys.STANDARD_ERROR],
        table["df"],
        mice_now=mice_now,
        n_arms=n_arms,
        effect=float(design.settings["effect_of_interest"]),
        confidence=confidence,
    )
    table[keys.TIER], table[N_MICE] = contrast.tier, json.dumps(contrast.n_mice)
    wanted = (
        keys.ESTIMATE,
        keys.STANDARD_ERROR,
        keys.CI_LOW,
        keys.CI_HIGH,
        keys.MDE,
        keys.MICE_NEEDED,
        keys.TIER,
        N_MICE,
    )
    return table[list(wanted)]


def self_contained(measured: Measured, sets: Sequence[GeneSet], contrast: Array) -> Array:
    """Two-sided p-values of fry, the genes of a set weighted by their signs.

    Parameters
    ----------
    measured
        Log2 CPM with unit weights; at least one residual degree of freedom.
    sets
        The sets.
    contrast
        One number a column of the design.

    Returns
    -------
    numpy.ndarray
        One number a set.
    """
    import pylimma

    index = {item.name: pd.DataFrame({"place": item.places, "sign": item.signs}) for item in sets}
    table = pylimma.fry(
        measured.scaled,
        index=index,
        design=measured.design.matrix.to_numpy(),
        contrast=contrast,
        sort="none",
        array_weights=measured.weights,
    )
    return np.asarray(table["p_value"].to_numpy(), dtype=float)


def competitive(z: Array, sets: Sequence[GeneSet]) -> Array:
    """Two-sided p-values of camera, at its preset correlation between genes of a set (.01).

    Parameters
    ----------
    z
        Moderated t-statistics of all genes as normal deviates.
    sets
        The sets; the deviates of down genes are turned round.

    Returns
    -------
    numpy.ndarray
        One number a set.
    """
    from pylimma import camera_pr

    one_way = {item.name: item.places for item in sets if (item.signs > 0).all()}
    found = dict(camera_pr(z, one_way, sort=False)["p_value"]) if one_way else {}
    for item in sets:
        if item.name not in found:
            turned = z.copy()
            turned[item.places] *= item.signs
            found[item.name] = camera_pr(turned, {item.name: item.places}, sort=False)["p_value"].iloc[0]
    return np.array([found[item.name] for item in sets], dtype=float)


class _Moderated:
    """Moderated t-statistics of all genes, for any contrast."""

    def __init__(self, measured: Measured) -> None:
        from pylimma import squeeze_var

        root = np.sqrt(measured.weights)
        matrix = measured.design.matrix.to_numpy() * root[:, None]
        y = (measured.scaled * root).T
        self.inverse = np.linalg.pinv(matrix)
        self.coefficients = self.inverse @ y
        df = float(measured.design.residual_df)
        variance = ((y - matrix @ self.coefficients) ** 2).sum(axis=0) / df
        squeezed = squeeze_var(variance, np.full(len(variance), df))
        self.variance = np.asarray(squeezed["var_post"], dtype=float)
        self.df = np.minimum(df + np.asarray(squeezed["df_prior"], dtype=float), df * len(variance))

    def z(self, contrast: Array) -> Array:
        """The statistics of a contrast as normal deviates."""
        from pylimma import zscore_t

        t = contrast @ self.coefficients / (np.linalg.norm(contrast @ self.inverse) * np.sqrt(self.variance))
        return np.asarray(zscore_t(t, df=self.df, approx=True, method="hill"), dtype=float)
