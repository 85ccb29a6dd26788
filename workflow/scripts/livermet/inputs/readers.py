"""One door for every format: which files an input has, a quick look before the run, and its raw counts."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from livermet.errors import InputError, Problem
from livermet.inputs.files import EXPECTED, file_format, find_files
from livermet.inputs.preflight import peek

if TYPE_CHECKING:
    import pandas as pd
    import scipy.sparse as sp
    from anndata import AnnData

__all__ = ["assemble", "find_files", "peek", "read_counts"]

log = logging.getLogger("livermet")


def read_counts(path: str | Path) -> AnnData:
    """Read the raw counts of one sample, whatever the format.

    Parameters
    ----------
    path
        10x folder (v2, v3), 10x .h5 (v2, v3), .h5ad, or a .csv/.tsv(.gz) either way round.

    Returns
    -------
    AnnData
        Cells x genes; X csr int32; `var_names` as in the file, `var["symbol"]` beside them. Features that are no genes
        (antibodies, guides) are set apart: counts in `obsm["other_features"]`, names in `uns["other_features"]`.

    Raises
    ------
    InputError
        Where the format is unknown, a file is broken, or a value is no count.
    """
    match file_format(path):
        case "10x folder" | "10x h5":
            counts, barcodes, features = _read_tenx(path)
        case "h5ad":
            from livermet.inputs.annotated import read_h5ad

            counts, barcodes, features = read_h5ad(path)
        case "table":
            from livermet.inputs.tables import read_table

            counts, barcodes, features = read_table(path)
        case _:
            raise InputError(Problem(str(path), "a format that is not known", EXPECTED))
    log.info("%s: %d barcodes x %d features, %d UMIs", path, *counts.shape, counts.sum(dtype="int64"))
    return assemble(path, counts, barcodes, features)


def _read_tenx(path: str | Path) -> tuple[sp.csr_matrix, pd.Index, pd.DataFrame]:
    import numpy as np
    import pandas as pd
    import scipy.sparse as sp

    from livermet.inputs.tenx import open_tenx

    matrix = open_tenx(path)
    shape = (len(matrix.barcodes), len(matrix.features))
    blocks = list(matrix.blocks())
    feature, cell, count = (
        np.concatenate([block[part] for block in blocks] or [np.zeros(0, int)]) for part in range(3)
    )
    counts = sp.csr_matrix((count.astype(np.int32), (cell, feature)), shape=shape)
    return counts, pd.Index(matrix.barcodes), matrix.features


def assemble(path: str | Path, counts: sp.csr_matrix, barcodes: pd.Index, features: pd.DataFrame) -> AnnData:
    """Counts and names of a file as :func:`read_counts` gives them."""
    import anndata
    import numpy as np
    import pandas as pd

    from livermet.inputs.tenx import GENE_EXPRESSION
    from livermet.keys import SYMBOL

    is_gene = (features["type"] == GENE_EXPRESSION).to_numpy()
    if not is_gene.any():
        kinds = ", ".join(sorted(set(features["type"])))
        raise InputError(Problem(str(path), f"features of type {kinds} only", "features of type Gene Expression"))
    genes = features.loc[is_gene]
    whole = bool(is_gene.all())
    adata = anndata.AnnData(
        counts if whole else counts[:, np.flatnonzero(is_gene)],
        obs=pd.DataFrame(index=barcodes.astype(str)),
        var=pd.DataFrame({SYMBOL: genes["symbol"].to_numpy()}, index=pd.Index(genes["id"].astype(str).to_numpy())),
    )
    if not whole:
        others = features.loc[~is_gene]
        adata.obsm["other_features"] = counts[:, np.flatnonzero(~is_gene)]
        adata.uns["other_features"] = {name: others[name].to_numpy(dtype=str).astype(object) for name in ("id", "type")}
        log.info("%s: %d features set apart, no genes: %s", path, len(others), ", ".join(sorted(set(others["type"]))))
    return adata
