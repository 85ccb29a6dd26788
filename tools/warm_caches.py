"""Use each library with compiled kernels once, so that numba's cache is filled and the environment is seen to work."""

from __future__ import annotations

import edgepython
import numpy as np


def main() -> None:
    """Fit a small negative binomial model: every kernel that the pipeline needs is compiled on the way."""
    rng = np.random.default_rng(1)
    counts = rng.negative_binomial(10, 0.1, size=(300, 8)).astype(float)
    design = np.column_stack([np.ones(8), np.repeat([0.0, 1.0], 4), np.tile([0.0, 1.0], 4)])
    genes = edgepython.calc_norm_factors(edgepython.make_dgelist(counts))
    genes["counts"] = np.asarray(genes["counts"])
    edgepython.filter_by_expr(genes, design=design)
    fit = edgepython.glm_ql_fit(genes, design=design, legacy=False)
    edgepython.glm_ql_ftest(fit, contrast=np.array([0.0, 1.0, 0.0]))


if __name__ == "__main__":
    main()
