"""Genes, mouse by mouse: edgeR v4 quasi-likelihood tests of every question in every population.

Counts summed per mouse and population are tested by the quasi-likelihood F-test of edgeR v4 (Chen et al. 2025,
doi:10.1093/nar/gkaf018) in its Python port. With one degree of freedom in the numerator sqrt(F) is a t-statistic, so that
SE = |log2FC| / sqrt(F) and the interval log2FC +- t x SE excludes zero exactly when p does. limma-voom (Law et al. 2014,
doi:10.1186/gb-2014-15-2-r29) gives a second opinion on the same genes.

Adjusted p-values are Benjamini-Hochberg **within a question, over all populations and genes** that were tested: one family
is all that a reader of one question may look through. Without residual degrees of freedom there are no p-values: genes
are ranked by the size of the effect.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats

from livermet import keys
from livermet.mice.design.model import Contrast, Design
from livermet.mice.endpoints.pseudobulk import Selection, select
from livermet.mice.models.libraries import Libraries, log_cpm, normalise, voom
from livermet.mice.models.power import mice_per_arm_needed, minimum_detectable, replication

if TYPE_CHECKING:
    from anndata import AnnData

Array = npt.NDArray[np.float64]
log = logging.getLogger(__name__)

VOOM_LOG_FOLD_CHANGE = "voom_log_fold_change"
VOOM_P_VALUE = "voom_p_value"
N_MICE = "n_mice"  # JSON: arm -> mice
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
    keys.ADJUSTED_P_VALUE,
    keys.MEAN_LOG_CPM,
    keys.MDE,
    keys.MICE_NEEDED,
    VOOM_LOG_FOLD_CHANGE,
    VOOM_P_VALUE,
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
    "median_minimum_detectable",
    "n_significant",
    "n_significant_voom",
    "n_significant_both",
    "sign_agreement",
)
TINY_F = 1e-8  # below, |log2FC| / sqrt(F) is nought over nought


def test_expression(
    *,
    pseudobulk: AnnData,
    design: Design,
    min_cells: int,
    confidence: float,
    effect_of_interest: float,
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

    Returns
    -------
    expression
        One row a question x population x gene that was tested (:data:`COLUMNS`); log2, p-values NaN where the tier is
        descriptive.
    samples
        One row a question x population (:data:`SAMPLE_COLUMNS`): tier, reason, mice left out, and how far the second
        opinion agrees.
    """
    populations = list(dict.fromkeys(pseudobulk.obs[keys.POPULATION].astype(str)))
    tables: list[pd.DataFrame] = []
    rows: list[dict[str, Any]] = []
    for part, names in design.parts():
        names = [name for name in names if part[name].kind in TESTED_KINDS]
        for population in populations if names else []:
            selection = select(pseudobulk, population, part, min_cells)
            found, told = _test_population(selection, names, pseudobulk.var, confidence, effect_of_interest)
            for table in found:
                table.insert(1, keys.POPULATION, population)
            tables += found
            rows += [{keys.POPULATION: population, **row} for row in told]
    order = {name: place for place, name in enumerate(design.contrasts)}
    samples = pd.DataFrame(rows, columns=list(SAMPLE_COLUMNS))
    samples = samples.sort_values(keys.QUESTION, key=lambda names: names.map(order), kind="stable", ignore_index=True)
    if not tables:
        return pd.DataFrame({name: pd.Series(dtype=_dtype(name)) for name in COLUMNS}), samples
    table = pd.concat(tables, ignore_index=True)
    table = table.sort_values(keys.QUESTION, key=lambda names: names.map(order), kind="stable", ignore_index=True)
    adjust_within_question(table)
    _count_significant(table, samples, 1 - confidence)
    return table[list(COLUMNS)], samples


def _dtype(column: str) -> type:
    return str if column in (keys.QUESTION, keys.POPULATION, keys.GENE_ID, keys.GENE, keys.TIER, N_MICE) else float


def adjust_within_question(table: pd.DataFrame, p_value: str = keys.P_VALUE, into: str = keys.ADJUSTED_P_VALUE) -> None:
    """Write Benjamini-Hochberg adjusted p-values (1995, doi:10.1111/j.2517-6161.1995.tb02031.x), question by question."""
    table[into] = np.nan
    for _, group in table[table[p_value].notna()].groupby(keys.QUESTION, sort=False, observed=True):
        table.loc[group.index, into] = stats.false_discovery_control(group[p_value].to_numpy(), method="bh")


def _test_population(
    selection: Selection, names: list[str], var: pd.DataFrame, confidence: float, effect: float
) -> tuple[list[pd.DataFrame], list[dict[str, Any]]]:
    """All questions in one population: a table each where estimable, a row of `samples` each."""
    design = selection.design
    contrasts = [design[name] for name in names]
    estimable = [contrast for contrast in contrasts if contrast.estimable]
    libraries = normalise(selection.counts, design.matrix.to_numpy()) if estimable else None
    if libraries is not None and not libraries.kept.any():
        libraries = None
    tables: dict[str, pd.DataFrame] = {}
    if libraries is not None:
        fitted = _fit(libraries, design, estimable, confidence)
        genes = (
            var.index[libraries.kept].astype(str).to_numpy(),
            var.loc[libraries.kept, keys.SYMBOL].astype(str).to_numpy(),
        )
        tables = {
            name: _finish(table, genes, design, design[name], confidence, effect) for name, table in fitted.items()
        }
    rows = [_tell(contrast, selection, tables.get(contrast.name)) for contrast in contrasts]
    return list(tables.values()), rows


def _tell(contrast: Contrast, selection: Selection, table: pd.DataFrame | None) -> dict[str, Any]:
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
        "median_minimum_detectable": np.nan
        if table is None or table[keys.MDE].isna().all()
        else table[keys.MDE].median(),
    }


def _fit(libraries: Libraries, design: Design, contrasts: list[Contrast], confidence: float) -> dict[str, pd.DataFrame]:
    """Estimates of every contrast in every kept gene, by both methods."""
    if design.residual_df == 0:
        return _describe(libraries, design, contrasts)
    import edgepython as ep

    matrix = design.matrix.to_numpy()
    fit = ep.glm_ql_fit(libraries.dge, design=matrix, legacy=False)
    second = second_opinion(*voom(libraries, matrix), matrix, np.array([contrast.vector for contrast in contrasts]))
    found = {}
    for place, contrast in enumerate(contrasts):
        test = ep.glm_ql_ftest(fit, contrast=np.asarray(contrast.vector))
        table = quasi_likelihood_interval(fit, test, np.asarray(contrast.vector), confidence)
        found[contrast.name] = table.assign(**{VOOM_LOG_FOLD_CHANGE: second[0][place], VOOM_P_VALUE: second[1][place]})
    return found


def _describe(libraries: Libraries, design: Design, contrasts: list[Contrast]) -> dict[str, pd.DataFrame]:
    """Effects alone, largest first: a saturated model leaves nothing to judge them by."""
    values = log_cpm(libraries)
    coefficients = np.linalg.lstsq(design.matrix.to_numpy(), values.T, rcond=None)[0]
    nothing = np.full(len(values), np.nan)
    return {
        contrast.name: pd.DataFrame(
            {
                keys.LOG_FOLD_CHANGE: np.asarray(contrast.vector) @ coefficients,
                keys.STANDARD_ERROR: nothing,
                "df": nothing,
                keys.CI_LOW: nothing,
                keys.CI_HIGH: nothing,
                keys.P_VALUE: nothing,
                keys.MEAN_LOG_CPM: values.mean(axis=1),
                VOOM_LOG_FOLD_CHANGE: nothing,
                VOOM_P_VALUE: nothing,
            }
        )
        for contrast in contrasts
    }


def quasi_likelihood_interval(fit: Any, test: Any, contrast: Array, confidence: float) -> pd.DataFrame:
    """Estimate, standard error and interval of an edgeR test.

    Parameters
    ----------
    fit, test
        What `glm_ql_fit` and `glm_ql_ftest` of edgepython gave.
    contrast
        The contrast tested, for the genes whose F is nought.
    confidence
        Level of the interval.

    Returns
    -------
    pandas.DataFrame
        One row a gene: log2 fold change, SE, df, interval, p-value, mean log2 CPM.
    """
    table = test["table"]
    change, f = table["logFC"].to_numpy(dtype=float), table["F"].to_numpy(dtype=float)
    df = np.broadcast_to(np.asarray(test["df.total"], dtype=float), change.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(change) / np.sqrt(f)
    flat = ~(f > TINY_F) | ~np.isfinite(error) | (error == 0)
    if flat.any():
        error = error.copy()
        error[flat] = wald_error(fit, contrast, flat)
    half = special.stdtrit(df, 0.5 + confidence / 2) * error
    return pd.DataFrame(
        {
            keys.LOG_FOLD_CHANGE: change,
            keys.STANDARD_ERROR: error,
            "df": df,
            keys.CI_LOW: change - half,
            keys.CI_HIGH: change + half,
            keys.P_VALUE: table["PValue"].to_numpy(dtype=float),
            keys.MEAN_LOG_CPM: table["logCPM"].to_numpy(dtype=float),
        }
    )


def wald_error(fit: Any, contrast: Array, chosen: npt.NDArray[np.bool_]) -> Array:
    """Standard error (log2) from the curvature of the likelihood, scaled by the quasi-dispersion.

    Parameters
    ----------
    fit
        What `glm_ql_fit` of edgepython gave.
    contrast
        One number a column of the design.
    chosen
        Which genes.

    Returns
    -------
    numpy.ndarray
        One number a chosen gene; NaN where the likelihood is flat.
    """
    matrix = np.asarray(fit["design"], dtype=float)
    mean = np.asarray(fit["fitted.values"], dtype=float)[chosen]
    dispersion = np.asarray(fit["dispersion"], dtype=float) / float(fit["average.ql.dispersion"])
    phi = np.broadcast_to(dispersion, chosen.shape)[chosen][:, None]
    information = np.einsum("gu,up,uq->gpq", mean / (1 + phi * mean), matrix, matrix)
    variance = np.einsum("p,gpq,q->g", contrast, np.linalg.pinv(information, hermitian=True), contrast)
    scale = np.broadcast_to(np.asarray(fit["s2.post"], dtype=float), chosen.shape)[chosen]
    error = np.sqrt(np.maximum(variance * scale, 0)) / np.log(2)
    return np.asarray(np.where(error > 0, error, np.nan))


def second_opinion(values: Array, weights: Array, matrix: Array, contrasts: Array) -> tuple[Array, Array]:
    """limma's moderated t-tests of several contrasts, all genes at once.

    Parameters
    ----------
    values, weights
        Genes x units: log2 CPM and precisions, as voom gives them.
    matrix
        Units x columns, of full rank.
    contrasts
        Contrasts x columns.

    Returns
    -------
    changes, p_values
        Contrasts x genes. The standard error of a contrast is the exact one of the weighted fit (what limma gives where
        the contrast is a coefficient), not the approximation that `contrasts.fit` makes for weighted genes.
    """
    from pylimma import squeeze_var

    information = np.einsum("gu,up,uq->gpq", weights, matrix, matrix)
    covariance = np.linalg.inv(information)
    coefficients = np.einsum("gpq,gq->gp", covariance, (weights * values) @ matrix)
    residuals = values - coefficients @ matrix.T
    df = matrix.shape[0] - matrix.shape[1]
    variance = (weights * residuals**2).sum(axis=1) / df
    squeezed = squeeze_var(variance, np.full(len(variance), float(df)))
    df_total = np.minimum(df + np.asarray(squeezed["df_prior"]), df * len(variance))
    changes = contrasts @ coefficients.T
    unscaled = np.einsum("kp,gpq,kq->kg", contrasts, covariance, contrasts)
    t = changes / np.sqrt(unscaled * squeezed["var_post"])
    return changes, np.asarray(2 * stats.t.sf(np.abs(t), df_total))


def _finish(
    table: pd.DataFrame,
    genes: tuple[npt.NDArray[Any], npt.NDArray[Any]],
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
    table.insert(0, keys.GENE_ID, genes[0])
    table.insert(1, keys.GENE, genes[1])
    table.insert(0, keys.QUESTION, contrast.name)
    table[keys.TIER], table[N_MICE] = contrast.tier, json.dumps(contrast.n_mice)
    if contrast.tier == keys.DESCRIPTIVE:
        order = np.argsort(-table[keys.LOG_FOLD_CHANGE].abs().to_numpy(), kind="stable")
    else:
        order = np.argsort(table[keys.P_VALUE].to_numpy(), kind="stable")
    return table.iloc[order].drop(columns="df")


def _count_significant(table: pd.DataFrame, samples: pd.DataFrame, rate: float) -> None:
    """How many genes pass by both methods, and how often they agree about the direction."""
    adjust_within_question(table, VOOM_P_VALUE, "voom_adjusted")
    ours, theirs = table[keys.ADJUSTED_P_VALUE] < rate, table["voom_adjusted"] < rate
    same = np.sign(table[keys.LOG_FOLD_CHANGE]) == np.sign(table[VOOM_LOG_FOLD_CHANGE])
    counted = pd.DataFrame(
        {
            keys.QUESTION: table[keys.QUESTION],
            keys.POPULATION: table[keys.POPULATION],
            "n_significant": ours,
            "n_significant_voom": theirs,
            "n_significant_both": ours & theirs & same,
            "sign_agreement": same.where(ours),
        }
    )
    groups = counted.groupby([keys.QUESTION, keys.POPULATION], sort=False)
    found = groups[["n_significant", "n_significant_voom", "n_significant_both"]].sum()
    found["sign_agreement"] = groups["sign_agreement"].apply(lambda column: column.dropna().astype(float).mean())
    at = pd.MultiIndex.from_frame(samples[[keys.QUESTION, keys.POPULATION]])
    for column in found:
        samples[column] = found[column].reindex(at).to_numpy()
    table.drop(columns="voom_adjusted", inplace=True)
