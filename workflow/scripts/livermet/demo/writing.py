"""Write counts as a 10x v3 folder or h5, as Cell Ranger lays them out, so that the same counts make the same bytes."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.io import mmwrite

from livermet.files.atomic import write_whole
from livermet.keys import GENE_ID, SYMBOL

FEATURE_TYPE = "Gene Expression"
GENOME = "mm10"


def write_folder(path: str | Path, counts: sp.csr_matrix, barcodes: NDArray[np.str_], genes: pd.DataFrame) -> None:
    """Write `matrix.mtx.gz`, `barcodes.tsv.gz` and `features.tsv.gz` into a folder.

    Parameters
    ----------
    path
        The folder; made where it is not there.
    counts
        Shape (barcodes, genes), int32; written genes by barcodes, as 10x does.
    barcodes
        Name of each row.
    genes
        `gene_id`, `symbol` of each column.
    """
    path = Path(path)
    features = "".join(
        f"{gene}\t{symbol}\t{FEATURE_TYPE}\n" for gene, symbol in zip(genes[GENE_ID], genes[SYMBOL], strict=True)
    )
    write_whole(path / "features.tsv.gz", lambda partial: _write_text(partial, features))
    write_whole(
        path / "barcodes.tsv.gz", lambda partial: _write_text(partial, "".join(f"{name}\n" for name in barcodes))
    )
    write_whole(path / "matrix.mtx.gz", lambda partial: _write_matrix(partial, counts))


def write_h5(path: str | Path, counts: sp.csr_matrix, barcodes: NDArray[np.str_], genes: pd.DataFrame) -> None:
    """Write one 10x v3 h5 file; parameters as in :func:`write_folder`."""
    write_whole(path, lambda partial: _write_h5(partial, counts, barcodes, genes))


def _write_text(path: Path, text: str) -> None:
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
        packed.write(text.encode())


def _write_matrix(path: Path, counts: sp.csr_matrix) -> None:
    """Barcode by barcode, as Cell Ranger writes it: the transpose of csr is csc, which is written column by column."""
    plain = path.with_suffix(".mtx")  # the quick writer needs a real file; a name that is cleaned after a kill, too
    try:
        mmwrite(plain, counts.T, field="integer", symmetry="general")
        with plain.open("rb") as source, path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
            shutil.copyfileobj(source, packed, 1 << 20)
    finally:
        plain.unlink(missing_ok=True)


def _write_h5(path: Path, counts: sp.csr_matrix, barcodes: NDArray[np.str_], genes: pd.DataFrame) -> None:
    squeeze = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
    n = len(genes)
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs["filetype"] = "matrix"
        matrix = file.create_group("matrix")
        matrix.create_dataset("barcodes", data=np.asarray(barcodes).astype("S"), **squeeze)
        matrix.create_dataset("data", data=counts.data.astype(np.int32), **squeeze)
        matrix.create_dataset("indices", data=counts.indices.astype(np.int64), **squeeze)
        matrix.create_dataset("indptr", data=counts.indptr.astype(np.int64), **squeeze)
        matrix.create_dataset("shape", data=np.array(counts.shape[::-1], dtype=np.int32))
        features = matrix.create_group("features")
        features.create_dataset("id", data=genes[GENE_ID].to_numpy().astype("S"), **squeeze)
        features.create_dataset("name", data=genes[SYMBOL].to_numpy().astype("S"), **squeeze)
        features.create_dataset("feature_type", data=np.full(n, FEATURE_TYPE.encode()), **squeeze)
        features.create_dataset("genome", data=np.full(n, GENOME.encode()), **squeeze)
        features.create_dataset("_all_tag_keys", data=np.array([b"genome"]))
