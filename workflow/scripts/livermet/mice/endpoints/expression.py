"""Genes, mouse by mouse: edgeR v4 quasi-likelihood tests of every question in every population.

Counts summed per mouse and population are tested by the quasi-likelihood F-test of edgeR v4 (Chen et al. 2025,
doi:10.1093/nar/gkaf018) in its Python port (:mod:`livermet.mice.models.quasi_likelihood`). limma-voom (Law et al. 2014,
doi:10.1186/gb-2014-15-2-r29) gives a second opinion on the same genes, and **a gene is called where both tests call it**: its
consensus p-value is the larger of the two, and 1 where they see it move in opposite directions. Either test holds its level
alone in most designs, but not in all (`benchmarks/calibration`): edgeR takes one dispersion for all genes, voom a normal law,
and the genes that only one of them calls are those to which its simplification does not apply. A question that spans
tissues has several units of a mouse, which are not independent: it is answered by limma-voom with the mouse as block
(:mod:`livermet.mice.models.moderated`) and has no second opinion, since edgeR would take the units for mice.

Genes whose effect the ambient RNA can make are flagged (:mod:`livermet.mice.endpoints.ambience`).

Adjusted p-values are Benjamini-Hochberg of the consensus **within a question, over all populations and genes** that were
tested: one family is all that a reader of one question may look through. Without residual degrees of freedom there are no p-values: genes
are ranked by the size of the effect.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from livermet import keys
from livermet.mice.design.model import Contrast, Design
from livermet.mice.endpoints.ambience import explain, flag_panel
from livermet.mice.endpoints.gene_fits import BLOCKED, VOOM_LOG_FOLD_CHANGE, GeneFits, fit_genes
from livermet.mice.endpoints.pseudobulk import Selection, select
from livermet.mice.models.contrasts import N_MICE
from livermet.mice.models.libraries import normalise
from livermet.mice.models.linear import adjust_within_question
from livermet.mice.models.power import mice_per_arm_needed, minimum_detectable, replication

if TYPE_CHECKING:
    from anndata import AnnData

Flags = npt.NDArray[np.bool_]

METHOD = "method"
TESTED_KINDS = ("effect", "difference", "synergy")  # a rescue is made of two of them
COLUMNS = (
    keys.QUESTION,
    keys.POPULATION,
    keys.GENE_ID,
    keys.GENE,
    keys.LOG_FOLD_CHANGE,
    keys.STANDARD_ERROR,
    keys.CI_LOW,
    keys.CI_HIGH,
    keys.P_VALUE,
    keys.CONSENSUS_P_VALUE,
    keys.ADJUSTED_P_VALUE,
    keys.MEAN_LOG_CPM,
    keys.MDE,
    keys.MICE_NEEDED,
    VOOM_LOG_FOLD_CHANGE,
    keys.VOOM_P_VALUE,
    keys.IS_AMBIENT,
    keys.AMBIENT,
    keys.TIER,
    N_MICE,
)
SAMPLE_COLUMNS = (
    keys.QUESTION,
    keys.POPULATION,
    keys.TIER,
    "reason",
    N_MICE,
    "n_left_out",
    "left_out",
    keys.N_GENES,
    "residual_df",
    METHOD,
    "within_mouse_correlation",
    "median_minimum_detectable",
    "n_ambient",
    "n_significant",
    "n_significant_without_ambient",
    "n_significant_edger",
    "n_significant_voom",
    "sign_agreement",
)


def test_expression(
    *,
    pseudobulk: AnnData,
    design: Design,
    min_cells: int,
    confidence: float,
    effect_of_interest: float,
    panel: Collection[str] = (),  # noqa: PT028 (a rule of the workflow, no test)
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Put every question to every gene of every population.

    Parameters
    ----------
    pseudobulk
        Rows unit x population (see :func:`livermet.mice.endpoints.pseudobulk.sum_counts`).
    design
        The checked design.
    min_cells
        A unit with fewer cells of a population is left out of it.
    confidence
        Level of the intervals; 1 - confidence is the level of the power and the false discovery rate of the counts.
    effect_of_interest
        Log2 fold change for which the mice per arm are worked out.
    panel
        Symbols that are flagged as ambient where the soup is not known
        (:func:`livermet.mice.endpoints.ambience.panel_genes`).

    Returns
    -------
    expression
        One row a question x population x gene that was tested (:data:`COLUMNS`); log2, p-values NaN where the tier is
        descriptive.
    samples
        One row a question x population (:data:`SAMPLE_COLUMNS`): tier, reason, mice left out, the genes called, and how many
        either test would have called alone (NaN where there is no second opinion).
    """
    populations = list(dict.fromkeys(pseudobulk.obs[keys.POPULATION].astype(str)))
    symbols = pseudobulk.var[keys.SYMBOL].astype(str)
    tables: list[pd.DataFrame] = []
    rows: list[dict[str, Any]] = []
    for part, names in design.parts():
        names = [name for name in names if part[name].kind in TESTED_KINDS]
        for population in populations if names else []:
            selection = select(pseudobulk, population, part, min_cells)
            flags = flag_panel(symbols, panel, design.settings["populations"].get(population, {}))
            found, told = _test_population(selection, names, symbols, flags, confidence, effect_of_interest)
            for table in found:
                table.insert(1, keys.POPULATION, population)
            tables += found
            rows += [{keys.POPULATION: population, **row} for row in told]
    samples = design.in_order(pd.DataFrame(rows, columns=list(SAMPLE_COLUMNS)))
    if not tables:
        return pd.DataFrame({name: pd.Series(dtype=_dtype(name)) for name in COLUMNS}), samples
    table = design.in_order(pd.concat(tables, ignore_index=True))
    table[keys.ADJUSTED_P_VALUE] = adjust_within_question(table, keys.CONSENSUS_P_VALUE)
    _count(table, samples, 1 - confidence)
    return table[list(COLUMNS)], samples


def _dtype(column: str) -> type:
    return str if column in (keys.QUESTION, keys.POPULATION, keys.GENE_ID, keys.GENE, keys.TIER, N_MICE) else float


def _test_population(
    selection: Selection, names: list[str], symbols: pd.Series, panel: Flags, confidence: float, effect: float
) -> tuple[list[pd.DataFrame], list[dict[str, Any]]]:
    """All questions in one population: a table each where estimable, a row of `samples` each."""
    design = selection.design
    contrasts = [design[name] for name in names]
    estimable = [contrast for contrast in contrasts if contrast.estimable]
    libraries = normalise(selection.counts, design.matrix.to_numpy()) if estimable else None
    fits = None
    tables: dict[str, pd.DataFrame] = {}
    if libraries is not None and libraries.kept.any():
        fits = fit_genes(libraries, design, estimable, confidence)
        soup = explain(selection, libraries, estimable, panel[libraries.kept])
        genes = symbols[libraries.kept]
        for name, table in fits.tables.items():
            flagged = table.join(soup[name])
            tables[name] = _finish(flagged, genes, design, design[name], confidence, effect)
    rows = [_tell(contrast, selection, tables.get(contrast.name), fits) for contrast in contrasts]
    return list(tables.values()), rows


def _tell(
    contrast: Contrast, selection: Selection, table: pd.DataFrame | None, fits: GeneFits | None
) -> dict[str, Any]:
    """A row of `samples`."""
    reason = contrast.reason or ("" if table is not None else "no gene has enough counts")
    if contrast.reason and selection.left_out:
        reason += f" with enough cells ({len(selection.left_out)} left out)"
    return {
        keys.QUESTION: contrast.name,
        keys.TIER: contrast.tier if table is not None else keys.NOT_ESTIMABLE,
        "reason": reason,
        N_MICE: json.dumps(contrast.n_mice),
        "n_left_out": len(selection.left_out),
        "left_out": " ".join(selection.left_out),
        keys.N_GENES: 0 if table is None else len(table),
        "residual_df": selection.design.residual_df,
        METHOD: "" if table is None or fits is None else fits.method,
        "within_mouse_correlation": np.nan if table is None or fits is None else fits.correlation,
        "median_minimum_detectable": np.nan
        if table is None or table[keys.MDE].isna().all()
        else table[keys.MDE].median(),
    }


def _finish(
    table: pd.DataFrame,
    genes: pd.Series,
    design: Design,
    contrast: Contrast,
    confidence: float,
    effect: float,
) -> pd.DataFrame:
    """Names, power and tier beside the estimates; strongest first."""
    error, df = table[keys.STANDARD_ERROR].to_numpy(), table["df"].to_numpy()
    mice_now, n_arms = replication(contrast, design)
    table[keys.MDE] = minimum_detectable(error, df, confidence)
    table[keys.MICE_NEEDED] = mice_per_arm_needed(
        error, df, mice_now=mice_now, n_arms=n_arms, effect=effect, confidence=confidence
    )
    table.insert(0, keys.GENE_ID, genes.index.astype(str).to_numpy())
    table.insert(1, keys.GENE, genes.to_numpy())
    table.insert(0, keys.QUESTION, contrast.name)
    table[keys.TIER], table[N_MICE] = contrast.tier, json.dumps(contrast.n_mice)
    table[keys.CONSENSUS_P_VALUE] = consensus(table)
    if table[keys.P_VALUE].isna().all():
        order = np.argsort(-table[keys.LOG_FOLD_CHANGE].abs().to_numpy(), kind="stable")
    else:
        order = np.argsort(table[keys.P_VALUE].to_numpy(), kind="stable")
    return table.iloc[order].drop(columns="df")


def consensus(table: pd.DataFrame) -> pd.Series:
    """The p-value of both tests together.

    Parameters
    ----------
    table
        A row a gene: changes and p-values of edgeR and of limma-voom.

    Returns
    -------
    pandas.Series
        The larger p-value, 1 where the two changes differ in sign; the only one where there is no second opinion. Where
        nothing moves, it is below a level at most as often as the stricter of the two is.
    """
    opposite = table[keys.LOG_FOLD_CHANGE] * table[VOOM_LOG_FOLD_CHANGE] < 0
    larger = table[[keys.P_VALUE, keys.VOOM_P_VALUE]].max(axis=1).where(~opposite, 1.0)
    return larger.where(table[keys.P_VALUE].notna())


def _count(table: pd.DataFrame, samples: pd.DataFrame, rate: float) -> None:
    """How many genes pass, how many each test would call, how often they agree about the direction, what soup can explain."""
    ours = table[keys.ADJUSTED_P_VALUE] < rate
    edger, voom = (adjust_within_question(table, column) < rate for column in (keys.P_VALUE, keys.VOOM_P_VALUE))
    same = np.sign(table[keys.LOG_FOLD_CHANGE]) == np.sign(table[VOOM_LOG_FOLD_CHANGE])
    counted = pd.DataFrame(
        {
            keys.QUESTION: table[keys.QUESTION],
            keys.POPULATION: table[keys.POPULATION],
            "n_ambient": table[keys.IS_AMBIENT],
            "n_significant": ours,
            "n_significant_without_ambient": ours & ~table[keys.IS_AMBIENT],
            "n_significant_edger": edger,
            "n_significant_voom": voom,
            "sign_agreement": same.where(edger),
        }
    )
    groups = counted.groupby([keys.QUESTION, keys.POPULATION], sort=False)
    found = groups[[name for name in counted if str(name).startswith("n_")]].sum()
    found["sign_agreement"] = groups["sign_agreement"].apply(lambda column: column.dropna().astype(float).mean())
    at = pd.MultiIndex.from_frame(samples[[keys.QUESTION, keys.POPULATION]])
    for column in found:
        samples[column] = found[column].reindex(at).to_numpy()
    samples.loc[samples[METHOD] == BLOCKED, ["n_significant_edger", "n_significant_voom", "sign_agreement"]] = np.nan
