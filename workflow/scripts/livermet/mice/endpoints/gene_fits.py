"""Estimates of every gene of a population, by whichever method its units allow.

One unit a mouse: edgeR's quasi-likelihood, limma-voom beside it. Several units of some mouse: limma-voom with the mouse as
block, alone. No residual degrees of freedom, or too few of them to tell how alike units of a mouse are: effects without
any error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from livermet import keys
from livermet.mice.design.model import Contrast, Design
from livermet.mice.models.blocks import are_repeated, can_be_judged
from livermet.mice.models.libraries import Libraries, log_cpm, voom
from livermet.mice.models.moderated import fit_blocked, second_opinion
from livermet.mice.models.quasi_likelihood import quasi_likelihood_interval

Array = npt.NDArray[np.float64]

VOOM_LOG_FOLD_CHANGE = "voom_log_fold_change"
QUASI_LIKELIHOOD, BLOCKED, RANKED = "edgeR quasi-likelihood", "limma-voom, mouse as block", "effects without error"


@dataclass(frozen=True)
class GeneFits:
    """What was found, and how.

    Attributes
    ----------
    tables
        Question -> a row a gene: log2 fold change, SE, df, interval, p-value, mean log2 CPM, and limma-voom's change and
        p-value as a second opinion, NaN where there is none.
    method
        In words.
    correlation
        Of two units of a mouse; NaN where each mouse has one.
    """

    tables: dict[str, pd.DataFrame]
    method: str
    correlation: float = float("nan")


def fit_genes(libraries: Libraries, design: Design, contrasts: Sequence[Contrast], confidence: float) -> GeneFits:
    """Put questions to the kept genes of a population.

    Parameters
    ----------
    libraries
        Counts, filtered and normalised.
    design
        Of their units.
    contrasts
        Estimable questions.
    confidence
        Level of the intervals.

    Returns
    -------
    GeneFits
        Without enough residual degrees of freedom nothing but changes and mean levels.
    """
    matrix, mice = design.matrix.to_numpy(dtype=float), list(design.units[keys.MOUSE])
    if not can_be_judged(mice, design.residual_df):
        return GeneFits(_describe(libraries, design, contrasts), RANKED)
    vectors = {contrast.name: np.asarray(contrast.vector, dtype=float) for contrast in contrasts}
    if are_repeated(mice):
        fit, correlation = fit_blocked(libraries, matrix, mice)
        none = {VOOM_LOG_FOLD_CHANGE: np.nan, keys.VOOM_P_VALUE: np.nan}
        tables = {name: fit.table(vector, confidence).assign(**none) for name, vector in vectors.items()}
        return GeneFits(tables, BLOCKED, correlation)
    return GeneFits(_quasi_likelihood(libraries, matrix, vectors, confidence), QUASI_LIKELIHOOD)


def _quasi_likelihood(
    libraries: Libraries, matrix: Array, vectors: dict[str, Array], confidence: float
) -> dict[str, pd.DataFrame]:
    """edgeR's tests with limma-voom's beside them."""
    import edgepython as ep

    fit = ep.glm_ql_fit(libraries.dge, design=matrix, legacy=False)
    changes, p_values = second_opinion(*voom(libraries, matrix), matrix, np.array(list(vectors.values())))
    found = {}
    for place, (name, vector) in enumerate(vectors.items()):
        table = quasi_likelihood_interval(fit, ep.glm_ql_ftest(fit, contrast=vector), vector, confidence)
        found[name] = table.assign(**{VOOM_LOG_FOLD_CHANGE: changes[place], keys.VOOM_P_VALUE: p_values[place]})
    return found


def _describe(libraries: Libraries, design: Design, contrasts: Sequence[Contrast]) -> dict[str, pd.DataFrame]:
    """Effects alone: a saturated model leaves nothing to judge them by."""
    values = log_cpm(libraries)
    coefficients = np.linalg.lstsq(design.matrix.to_numpy(), values.T, rcond=None)[0]
    unknown = (
        keys.STANDARD_ERROR,
        "df",
        keys.CI_LOW,
        keys.CI_HIGH,
        keys.P_VALUE,
        VOOM_LOG_FOLD_CHANGE,
        keys.VOOM_P_VALUE,
    )
    return {
        contrast.name: pd.DataFrame(
            {
                keys.LOG_FOLD_CHANGE: np.asarray(contrast.vector) @ coefficients,
                keys.MEAN_LOG_CPM: values.mean(axis=1),
                **dict.fromkeys(unknown, np.nan),
            }
        )
        for contrast in contrasts
    }
