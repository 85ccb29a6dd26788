"""The counts of the good study in other formats, and the tools that spoil them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.io import mmread
from tests.robustness.study import Opened, Study

MATRIX, BARCODES, FEATURES = (f"data/a/{name}.gz" for name in ("matrix.mtx", "barcodes.tsv", "features.tsv"))


class Counts(NamedTuple):
    """What a sample of the good study holds: cells x genes."""

    matrix: sp.csr_matrix
    barcodes: list[str]
    ids: list[str]
    symbols: list[str]

    def frame(self, names: str = "ids") -> pd.DataFrame:
        """Genes x cells."""
        return pd.DataFrame(self.matrix.T.toarray(), index=getattr(self, names), columns=self.barcodes)


def counts_of(study: Study, sample: str = "b", folder: Path | None = None) -> Counts:
    """The counts of a sample that is an h5 (b, d), in the study or in the folder of another."""
    with h5py.File((folder or study.folder) / "data" / f"{sample}.h5") as file:
        group = file["matrix"]
        parts = [group[name][:] for name in ("data", "indices", "indptr")]
        text = [[one.decode() for one in group[name][:]] for name in ("barcodes", "features/id", "features/name")]
    return Counts(sp.csr_matrix(tuple(parts), shape=(len(text[0]), len(text[1]))), *text)


def repack(how: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """A change of what is in a .gz."""
    return lambda data: gzip.compress(how(gzip.decompress(data)), 1)


def lines(how: Callable[[list[str]], Sequence[str]]) -> Callable[[bytes], bytes]:
    """A change of the lines of a .gz."""
    return repack(lambda data: ("\n".join(how(data.decode().splitlines())) + "\n").encode())


def entry(number: int, text: str) -> Callable[[bytes], bytes]:
    """Another line for one entry of a matrix.mtx.gz; 0 is the first, -1 the last; {} is the place of the old one."""

    def change(rows: list[str]) -> list[str]:
        first = next(at for at, row in enumerate(rows) if not row.startswith("%")) + 1
        at = first + number if number >= 0 else len(rows) + number
        place, _, count = rows[at].rpartition(" ")
        return [*rows[:at], text.format(place=place, count=count), *rows[at + 1 :]]

    return lines(change)


def entries(how: Callable[[float, int], str]) -> Callable[[bytes], bytes]:
    """Another value for every entry of a matrix.mtx.gz: from its value and its cell's total."""

    def change(rows: list[str]) -> list[str]:
        first = next(at for at, row in enumerate(rows) if not row.startswith("%")) + 1
        parts = [row.split() for row in rows[first:]]
        totals: dict[str, int] = {}
        for _, cell, value in parts:
            totals[cell] = totals.get(cell, 0) + int(value)
        body = [f"{gene} {cell} {how(float(value), totals[cell])}" for gene, cell, value in parts]
        return [rows[0].replace("integer", "real"), *rows[1:first], *body]

    return lines(change)


def header(rows: str = "{0}", columns: str = "{1}", entries: str = "{2}") -> Callable[[bytes], bytes]:
    """Other sizes in a matrix.mtx.gz."""

    def change(text: list[str]) -> list[str]:
        at = next(number for number, row in enumerate(text) if not row.startswith("%"))
        old = text[at].split()
        return [*text[:at], f"{rows} {columns} {entries}".format(*old), *text[at + 1 :]]

    return lines(change)


def edit_h5(study: Study, how: Callable[[Any], Any], name: str = "b.h5") -> Study:
    """An HDF5 file of the study, changed in place."""
    with h5py.File(study.data / name, "r+") as file:
        how(file)
    return study


def replace(file: Any, name: str, how: Callable[[Any], Any]) -> None:
    """A dataset of an open HDF5 file, its values changed."""
    values = how(file[name][:])
    attributes = dict(file[name].attrs)
    del file[name]
    file[name] = values
    file[name].attrs.update(attributes)


def put_h5ad(study: Study, how: Callable[[Any], Any] = lambda file: None, sample: str = "b", **parts: Any) -> Study:
    """A sample as an h5ad that anndata writes; `parts` go to :func:`write_h5ad`, `how` spoils the open file."""
    counts = counts_of(study, sample)
    study.put(sample, lambda path: write_h5ad(path, counts, **parts), f"{sample}.h5ad")
    return edit_h5(study, how, f"{sample}.h5ad")


def write_h5ad(
    path: Path,
    counts: Counts,
    *,
    values: Callable[[sp.csr_matrix], Any] = lambda matrix: matrix,
    layer: str = "",
    raw: bool = False,
    index: str = "symbols",
) -> None:
    """`values` makes X; the counts go to a layer or to raw, too, where asked for."""
    import anndata

    other = {"symbols": "ids", "ids": "symbols"}[index]
    column = {"ids": "gene_ids", "symbols": "gene_name"}[other]
    var = pd.DataFrame({column: getattr(counts, other)}, index=getattr(counts, index))
    obs = pd.DataFrame(index=counts.barcodes)
    whole = anndata.AnnData(counts.matrix, obs=obs, var=var)
    adata = anndata.AnnData(values(counts.matrix), obs=obs, var=var)
    if layer:
        adata.layers[layer] = counts.matrix
    if raw:
        adata.raw = whole
    adata.write_h5ad(path)


def logs(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Log-normalised values, as scanpy makes them."""
    scaled = per_cell(matrix, 1e4)
    scaled.data = np.log1p(scaled.data)
    return scaled


def per_cell(matrix: sp.csr_matrix, total: float) -> sp.csr_matrix:
    """Every cell scaled to a total."""
    sums = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1)
    return sp.csr_matrix(sp.diags(total / sums) @ matrix).astype(np.float32)


def write_old_h5ad(path: Path, counts: Counts, version: str) -> None:
    """As anndata 0.7 (`version="0.7"`) or 0.6 wrote it, by hand."""
    text = h5py.string_dtype()
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(counts.matrix.astype(np.float32), name)
        kinds = np.zeros(len(counts.ids), dtype=np.int8)
        if version == "0.6":
            group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = b"csr", counts.matrix.shape
            file["obs"] = np.array([(name.encode(),) for name in counts.barcodes], dtype=[("index", "S40")])
            rows = [(a.encode(), b.encode(), 0) for a, b in zip(counts.symbols, counts.ids, strict=True)]
            file["var"] = np.array(rows, dtype=[("index", "S40"), ("gene_ids", "S40"), ("feature_types", "i1")])
            file["uns/feature_types_categories"] = np.array(["Gene Expression"], dtype=object)
            return
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": counts.matrix.shape})
        for table, index in (("obs", counts.barcodes), ("var", counts.symbols)):
            part = file.create_group(table)
            part.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.1.0", "_index": "index"})
            part.create_dataset("index", data=index, dtype=text)
        var = file["var"]
        var.attrs["column-order"] = ["gene_ids", "feature_types"]
        var.create_dataset("gene_ids", data=counts.ids, dtype=text)
        var["feature_types"] = kinds
        var.create_dataset("__categories/feature_types", data=["Gene Expression"], dtype=text)
        var["feature_types"].attrs["categories"] = var["__categories/feature_types"].ref


def truth(study: Study, sample: str = "a") -> Counts:
    """The counts of a sample (a: a folder; b: an h5) in the good study, read by other means than the pipeline's."""
    if sample != "a":
        return counts_of(study, sample, study.good)
    folder = study.good / "data" / "a"
    text = [gzip.decompress((folder / f"{name}.tsv.gz").read_bytes()).decode().split() for name in ("barcodes",)]
    table = pd.read_csv(folder / "features.tsv.gz", sep="\t", header=None)
    with gzip.open(folder / "matrix.mtx.gz") as handle:
        return Counts(sp.csr_matrix(mmread(handle).T), text[0], table[0].tolist(), table[1].tolist())


def same(adata: Any, good: Counts, symbols: bool = True) -> bool:
    """Whether what was read is what was simulated: cells, genes by id, every count."""
    found = pd.DataFrame(adata.X.toarray(), index=adata.obs["barcode"], columns=adata.var_names)
    return bool(
        list(found.index) == good.barcodes
        and sorted(found) == sorted(good.ids)
        and (found[good.ids].to_numpy() == good.matrix.toarray()).all()
        and (
            not symbols
            or dict(zip(adata.var_names, adata.var["symbol"], strict=True))
            == dict(zip(good.ids, good.symbols, strict=True))
        )
    )


def unchanged(opened: Opened, sample: str = "a") -> bool:
    """Whether a sample is read as it was simulated."""
    return same(opened.read(sample), truth(opened.study, sample))
