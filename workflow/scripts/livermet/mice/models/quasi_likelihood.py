"""edgeR's quasi-likelihood tests with standard errors and intervals.

With one degree of freedom in the numerator sqrt(F) is a t-statistic, so that SE = |log2FC| / sqrt(F) and the interval
log2FC +- t x SE excludes zero exactly when p does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from livermet import keys

Array = npt.NDArray[np.float64]

TINY_F = 1e-8  # below, |log2FC| / sqrt(F) is nought over nought


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
