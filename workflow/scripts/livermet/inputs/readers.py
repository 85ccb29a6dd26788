"""One door for every format: which files an input has, a quick look before the run, and its raw counts."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from livermet.errors import InputError, Problem
from livermet.inputs.files import EXPECTED, file_format, find_files
from livermet.inputs.preflight import peek
from livermet.inputs.told import tell

if TYPE_CHECKING:
    import pandas as pd
    import scipy.sparse as sp
    from anndata import AnnData

__all__ = ["assemble", "find_files", "peek", "read_counts"]

log = logging.getLogger("livermet")


def read_counts(path: str | Path, corrected: bool = False, seed: int = 1) -> AnnData:
    """Read the raw counts of one sample, whatever the format.

    Parameters
    ----------
    path
        10x folder (v2, v3) or its matrix.mtx, 10x .h5 (v2, v3), .h5ad, or a .csv/.tsv(.gz) either way round.
    corrected
        Counts were corrected for ambient RNA beforehand (by CellBender, SoupX): fractions are rounded so that sums are kept
        (:func:`livermet.inputs.integers.round_counts`), normalised values are refused none the less.
    seed
        Of the rounding.

    Returns
    -------
    AnnData
        Cells x genes; X csr int32, without stored zeros; `var_names` as in the file, `var["symbol"]` beside them. Features that are no genes
        (antibodies, guides) are set apart: counts in `obsm["other_features"]`, names in `uns["other_features"]`.

    Raises
    ------
    InputError
        Where the format is unknown, a file is broken, or a value is no count.
    """
    told: list[tuple[str, str]] = []
    match file_format(path):
        case "10x folder" | "10x h5":
            counts, barcodes, features = _read_tenx(path, corrected)
        case "h5ad":
            from livermet.inputs.annotated import read_h5ad

            counts, barcodes, features, told = read_h5ad(path, corrected)
        case "table":
            from livermet.inputs.tables import read_table

            counts, barcodes, features = read_table(path, corrected)
        case _:
            raise InputError(Problem(str(path), "a format that is not known", EXPECTED))
    log.info("%s: %d barcodes x %d features, sum %.0f", path, *counts.shape, counts.sum(dtype="float64"))
    rounded = counts.dtype.kind == "f"
    if rounded:
        counts, share = _round(path, counts, seed)
        told.append(
            ("Its counts are fractions, as of corrected counts; they were rounded so that sums are kept.", share)
        )
    adata = assemble(path, counts, barcodes, features)
    for what, evidence in told:
        tell(adata, what, evidence)
    return adata


def _read_tenx(path: str | Path, corrected: bool) -> tuple[sp.csr_matrix, pd.Index, pd.DataFrame]:
    import numpy as np
    import pandas as pd
    import scipy.sparse as sp

    from livermet.inputs.names import check_entries
    from livermet.inputs.tenx import open_tenx

    matrix = open_tenx(path, corrected)
    shape = (len(matrix.barcodes), len(matrix.features))
    blocks = list(matrix.blocks())
    feature, cell, count = (
        np.concatenate([block[part] for block in blocks] or [np.zeros(0, int)]) for part in range(3)
    )
    counts = sp.csr_matrix((count if count.dtype.kind == "f" else count.astype(np.int32), (cell, feature)), shape=shape)
    if counts.nnz < len(
        count
    ):  # scipy added entries of one place up; each block was looked at before, not all together
        names = matrix.features["symbol"].to_numpy()
        check_entries(
            cell,
            feature,
            shape[1],
            lambda at: f"{path}, feature {names[feature[at]]}, barcode {matrix.barcodes[cell[at]]}",
        )
    counts.eliminate_zeros()
    return counts, pd.Index(matrix.barcodes), matrix.features


def _round(path: str | Path, counts: sp.csr_matrix, seed: int) -> tuple[sp.csr_matrix, str]:
    """Whole counts of corrected ones, and what was done in numbers; normalised values are refused."""
    from livermet.inputs.integers import EXPECTED, REMEDY, round_counts
    from livermet.inputs.plausible import rows_of, scale_of

    scale = scale_of(rows_of(counts))
    if scale:
        raise InputError(Problem(str(path), f"values that are {scale}, and no corrected counts", EXPECTED, REMEDY))
    counts.sort_indices()
    before = counts.data
    counts.data = round_counts(before, seed)
    evidence = (
        f"{(before % 1 != 0).mean():.0%} of {len(before)} counts were fractions; their sum was {before.sum():.1f} and is "
        f"{counts.data.sum(dtype='int64')}"
    )
    counts.eliminate_zeros()
    return counts, evidence


def assemble(path: str | Path, counts: sp.csr_matrix, barcodes: pd.Index, features: pd.DataFrame) -> AnnData:
    """Counts and names of a file as :func:`read_counts` gives them."""
    import anndata
    import numpy as np
    import pandas as pd

    from livermet.inputs.tenx import GENE_EXPRESSION
    from livermet.keys import OTHERS, SYMBOL

    is_gene = (features["type"] == GENE_EXPRESSION).to_numpy()
    if not is_gene.any():
        kinds = ", ".join(sorted(set(features["type"])))
        raise InputError(
            Problem(
                str(path), f"features of type {kinds} only", "features of type Gene Expression",
                "Name the file that holds the genes, too",
            )
        )  # fmt: skip
    genes = features.loc[is_gene]
    whole = bool(is_gene.all())
    adata = anndata.AnnData(
        counts if whole else counts[:, np.flatnonzero(is_gene)],
        obs=pd.DataFrame(index=barcodes.astype(str)),
        var=pd.DataFrame({SYMBOL: genes["symbol"].to_numpy()}, index=pd.Index(genes["id"].astype(str).to_numpy())),
    )
    check_counts(path, adata.X)
    if not whole:
        others = features.loc[~is_gene]
        adata.obsm[OTHERS] = counts[:, np.flatnonzero(~is_gene)]
        adata.uns[OTHERS] = {name: others[name].to_numpy(dtype=str).astype(object) for name in ("id", "symbol", "type")}
        kinds = ", ".join(
            f"{number} of type {kind}" for kind, number in others["type"].value_counts(sort=False).items()
        )
        tell(
            adata,
            f"{len(others)} of its features are no genes; they were kept apart and are in no count, total or test.",
            f"{kinds}, such as {', '.join(others['symbol'].astype(str)[:3])}",
        )
    return adata


def check_counts(path: str | Path, counts: sp.csr_matrix) -> None:
    """Refuse whole numbers that cannot have been counted.

    Raises
    ------
    InputError
        Where no gene of most cells was seen once.
    """
    from livermet.inputs.integers import EXPECTED, REMEDY
    from livermet.inputs.plausible import rows_of, unlike_counts

    found = unlike_counts(rows_of(counts))
    if found:
        raise InputError(Problem(str(path), found, EXPECTED, REMEDY))
