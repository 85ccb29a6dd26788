"""How many genes would be called if the labels meant nothing: the null of the labels beside Benjamini-Hochberg.

Benjamini-Hochberg holds the false discovery rate on average, but mice carry correlated noise, and then the number of
false calls of one study scatters widely. For every question and population all genes are tested by one quick statistic,
limma-trend's moderated t on log CPM (Law et al. 2014, doi:10.1186/gb-2014-15-2-r29), for the labels as they were and for
labels exchanged: the counts compare with each other, not with those of the quasi-likelihood test. A labelling that shares
most labels with the one seen still carries a part of a true effect, so that the null is on the safe side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import interpolate, special, stats

from livermet import keys
from livermet.mice.checks.permutation import TIE, Model, statistics
from livermet.mice.checks.relabelling import relabel
from livermet.mice.design.model import Design
from livermet.mice.endpoints.expression import TESTED_KINDS
from livermet.mice.endpoints.pseudobulk import select
from livermet.mice.models.libraries import log_cpm, normalise
from livermet.mice.models.linear import squeeze

if TYPE_CHECKING:
    from anndata import AnnData

Array = npt.NDArray[np.float64]

MAX_EXACT, SAMPLED = 20, 19  # three against three have 20 labellings; beyond, a smallest p of 1 in 20 is enough
COLUMNS = [
    keys.QUESTION,
    keys.POPULATION,
    keys.N_GENES,
    "n_called",
    "null_median",
    "null_max",
    "n_permutations",
    keys.PERMUTATION_P_VALUE,
    "smallest_p",
    "scheme",
]


def permute_genes(pseudobulk: AnnData, design: Design, seed: int) -> pd.DataFrame:
    """Genes called under the labels seen and under labels exchanged.

    Parameters
    ----------
    pseudobulk
        Rows unit x population (see :func:`livermet.mice.endpoints.pseudobulk.sum_counts`).
    design
        The checked design; its settings name populations, min_cells and confidence.
    seed
        Of the labellings that are sampled.

    Returns
    -------
    pandas.DataFrame
        One row a question x population that can be tested (:data:`COLUMNS`): genes called at a false discovery rate of
        1 - confidence within it, median and maximum over `n_permutations` other labellings (the mirror image of the one
        seen is not another), and the share of labellings that call as many.
    """
    settings = design.settings
    rows: list[dict[str, Any]] = []
    for part, names in design.parts():
        names = [name for name in names if part[name].kind in TESTED_KINDS]
        for population in settings["populations"] if names else ():
            selection = select(pseudobulk, population, part, settings["min_cells"])
            inside = selection.design
            asked = [name for name in names if inside[name].estimable and inside.residual_df > 0]
            libraries = normalise(selection.counts, inside.matrix.to_numpy(dtype=float)) if asked else None
            if libraries is None or not libraries.kept.any():
                continue
            genes = _Genes(log_cpm(libraries), inside, 1 - settings["confidence"])
            rows += [{keys.POPULATION: population, **genes.count(name, seed)} for name in asked]
    return design.in_order(pd.DataFrame(rows, columns=COLUMNS))


class _Genes:
    """All genes of one population.

    The trend of the variance with the level is found once, from the labels seen: it is a smooth curve through thousands of
    genes and hardly depends on who bears which label. How genes scatter about it is found anew for each labelling.
    """

    def __init__(self, values: Array, design: Design, rate: float) -> None:
        self.values, self.design, self.rate = values, design, rate
        self.matrix = design.matrix.to_numpy(dtype=float)
        self.df = float(design.residual_df)
        basis = np.linalg.qr(self.matrix)[0]
        residuals = values - (values @ basis) @ basis.T
        variance = (residuals**2).sum(axis=1) / self.df
        self.trend = fit_trend(values.mean(axis=1), variance)

    def count(self, question: str, seed: int) -> dict[str, Any]:
        """Calls under every labelling of one question."""
        ways = relabel(question, self.design, seed, max_exact=MAX_EXACT, sampled=SAMPLED)
        model = Model(self.matrix, self.design.is_covariate, self.design.vector(question))
        called, same = [], []
        counted: dict[str, int] = {}
        first: Array | None = None
        for estimate, variance, unscaled in statistics(self.values, model, ways):
            size = np.abs(estimate)
            first = size if first is None else first
            same.append(bool(np.allclose(size, first, rtol=TIE, atol=TIE)))
            known = f"{size.sum():.9g}"  # a labelling and its mirror image call the same genes
            if known not in counted:
                counted[known] = self._call(size, variance, unscaled)
            called.append(counted[known])
        counts, mirror = np.array(called), np.array(same)
        others = counts[~mirror]
        return {
            keys.QUESTION: question,
            keys.N_GENES: len(self.values),
            "n_called": counts[0],
            "null_median": float(np.median(others)) if len(others) else np.nan,
            "null_max": float(others.max()) if len(others) else np.nan,
            "n_permutations": len(others),
            keys.PERMUTATION_P_VALUE: float((counts >= counts[0]).mean()),
            "smallest_p": float(mirror.mean()),
            "scheme": ways.scheme,
        }

    def _call(self, size: Array, variance: Array, unscaled: float) -> int:
        """Genes that pass Benjamini-Hochberg."""
        relative = np.maximum(variance, 1e-12) / self.trend
        posterior, total = squeeze(relative, self.df)
        t = size / np.sqrt(unscaled * posterior * self.trend)
        p_values = 2 * special.stdtr(total, -t)
        return int((stats.false_discovery_control(p_values) < self.rate).sum())


def fit_trend(level: Array, variance: Array) -> Array:
    """How the variance of a gene goes with its level: a cubic spline through the logarithms, up to a factor.

    Parameters
    ----------
    level, variance
        One number a gene: mean log CPM and residual variance.

    Returns
    -------
    numpy.ndarray
        The variance expected of each gene; the factor that is missing is found when variances are moderated about it.
    """
    order = np.argsort(level, kind="stable")
    x, y = level[order], np.log(np.maximum(variance[order], 1e-12))
    inner = np.unique(np.quantile(x, [0.25, 0.5, 0.75]))
    inner = inner[(inner > x[0]) & (inner < x[-1])]
    if x[0] == x[-1]:
        return np.full(len(level), np.exp(y.mean()))
    knots = np.concatenate([np.repeat(x[0], 4), inner, np.repeat(x[-1], 4)])
    return np.asarray(np.exp(interpolate.make_lsq_spline(x, y, knots)(level)))
