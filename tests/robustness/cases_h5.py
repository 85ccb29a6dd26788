"""The counts as 10x HDF5 and as h5ad: of every age, and hostile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from tests.robustness.case import Case, Good
from tests.robustness.formats import (
    counts_of,
    edit_h5,
    logs,
    per_cell,
    put_h5ad,
    replace,
    same,
    truth,
    write_old_h5ad,
)
from tests.robustness.study import Opened, Study


def put_file(study: Study, content: bytes, name: str = "b.h5ad") -> Study:
    """Bytes in place of sample b."""
    return study.put("b", lambda path: path.write_bytes(content), name)


def move_out(file: Any, name: str) -> None:
    """A dataset or group of an open file moved into another file, which a link points to."""
    other = Path(file.filename).with_name("other.h5")
    with h5py.File(other, "w") as target:
        file.copy(name, target, "moved")
    del file[name]
    file[name] = h5py.ExternalLink("other.h5", "/moved")


def make_virtual(file: Any, name: str) -> None:
    """A dataset that is put together from another file."""
    values = file[name][:]
    with h5py.File(Path(file.filename).with_name("other.h5"), "w") as target:
        target["moved"] = values
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[:] = h5py.VirtualSource("other.h5", "moved", values.shape)
    del file[name]
    file.create_virtual_dataset(name, layout)


def make_external(file: Any, name: str) -> None:
    """A dataset whose bytes lie in another file."""
    values = file[name][:]
    del file[name]
    Path(file.filename).with_name("raw.bin").write_bytes(values.tobytes())
    file.create_dataset(name, values.shape, values.dtype, external=[("raw.bin", 0, h5py.h5f.UNLIMITED)])


def bomb(file: Any, name: str, **how: Any) -> None:
    """A dataset that claims 40 GB and holds next to nothing."""
    del file[name]
    file.create_dataset(name, (10_000_000_000,), "i4", **how)


def zeros(file: Any, name: str) -> None:
    """A dataset that is 80 MiB of packed zeros."""
    del file[name]
    file.create_dataset(name, (20_971_520,), "i4", compression="gzip", chunks=(4_194_304,))[:] = 0


def set_value(name: str, at: int, value: Any) -> Any:
    """A change of one value of a dataset."""

    def change(file: Any) -> None:
        kind = np.result_type(file[name].dtype, np.array(value)) if value == value else np.float64
        replace(file, name, lambda values: np.concatenate([values[:at], [value], values[at + 1 :]]).astype(kind))

    return change


def unchanged(opened: Opened) -> bool:
    """Whether b is read as it was simulated."""
    return same(opened.read("b"), truth(opened.study, "b"))


def table(study: Study, change: Any) -> Study:
    """b as an h5ad whose AnnData is changed before it is written."""
    counts = counts_of(study)
    adata = anndata.AnnData(
        counts.matrix,
        obs=pd.DataFrame(index=counts.barcodes),
        var=pd.DataFrame({"gene_ids": counts.ids}, index=counts.symbols),
    )
    return study.put("b", lambda path: (change(adata) or adata).write_h5ad(path), "b.h5ad")


def masked_index(file: Any) -> None:
    """The index of obs as text with a mask, as anndata 0.12 writes pandas' strings."""
    names = file["obs/_index"][:]
    del file["obs/_index"]
    group = file.create_group("obs/_index")
    group.attrs.update({"encoding-type": "nullable-string-array", "encoding-version": "0.1.0"})
    group["values"], group["mask"] = names, np.zeros(len(names), dtype=bool)


def categorical_index(file: Any) -> None:
    """The index of var as codes and categories."""
    names = file["var/_index"][:]
    del file["var/_index"]
    group = file.create_group("var/_index")
    group.attrs.update({"encoding-type": "categorical", "encoding-version": "0.2.0", "ordered": False})
    group["categories"], group["codes"] = names, np.arange(len(names), dtype=np.int16)


def old(version: str) -> Any:
    """b as an old anndata wrote it."""
    return lambda s: s.put("b", lambda path: write_old_h5ad(path, counts_of(s), version), "b.h5ad")


def version_2(file: Any) -> None:
    """The layout of Cell Ranger 2."""
    file.move("matrix", "mm10")
    file["mm10/genes"], file["mm10/gene_names"] = file["mm10/features/id"][:], file["mm10/features/name"][:]
    del file["mm10/features"]


def cellbender(file: Any) -> None:
    """What CellBender writes beside the matrix."""
    file["droplet_latents/cell_probability"] = np.ones(5)
    file["global_latents/ambient_expression"] = np.ones(7)
    file["metadata/estimator"] = b"mckp"


H5, H5AD = "data/b.h5", "data/b.h5ad"

CASES = [
    # -- 10x h5 -------------------------------------------------------------------------------------------------------
    Case("an h5 cut short", lambda s: s.change(H5, lambda d: d[: len(d) // 2]), (H5, "cannot be read")),
    Case("an h5 that is text", lambda s: s.write(H5, "no HDF5"), (H5, "no HDF5 or cut short")),
    Case("an h5 that is a web page", lambda s: s.write(H5, "<html>"), (H5, "a web page")),
    Case("an h5 with a link into another file", lambda s: edit_h5(s, lambda f: move_out(f, "matrix/data")),
         (f"{H5}, matrix/data: a link into another file ('other.h5')",)),
    Case("an h5 with a virtual dataset", lambda s: edit_h5(s, lambda f: make_virtual(f, "matrix/data")),
         (f"{H5}, matrix/data: a virtual dataset",)),
    Case("an h5 whose data lie elsewhere", lambda s: edit_h5(s, lambda f: make_external(f, "matrix/data")),
         (f"{H5}, matrix/data: data that lie in another file ('raw.bin')",)),
    Case("an h5 that claims what it does not hold", lambda s: edit_h5(s, lambda f: bomb(f, "matrix/data")),
         (f"{H5}, matrix/data: it claims 38,147 MiB", "fills the memory"), run=True),
    Case("an h5 of packed zeros", lambda s: edit_h5(s, lambda f: zeros(f, "matrix/indices")),
         (f"{H5}, matrix/indices: it claims 80 MiB",)),
    Case("an h5 of two genomes", lambda s: edit_h5(s, lambda f: (version_2(f), f.copy("mm10", "GRCh38"))),
         (H5, "matrices of 2 genomes (GRCh38, mm10)", "Write one genome to a file of its own")),
    Case("an h5 of mice and people", lambda s: edit_h5(s, lambda f: replace(
        f, "matrix/features/id", lambda v: np.array([b"GRCh38_ENSG" + one[7:] if n % 2 else b"mm10___" + one for n, one in enumerate(v)]))),
         (H5, "genes of several species")),
    Case("an h5 of another tool", lambda s: edit_h5(s, lambda f: f.move("matrix", "molecules/all")),
         (H5, "groups ['molecules']", "Convert it to .h5ad")),
    Case("an h5 that lacks barcodes", lambda s: edit_h5(s, lambda f: replace(f, "matrix/barcodes", lambda v: v[:-1])),
         (f"{H5}, matrix", "its parts do not fit each other", "anew")),
    Case("an h5 that lacks values", lambda s: edit_h5(s, lambda f: replace(f, "matrix/data", lambda v: v[:-1])),
         (f"{H5}, matrix", "its parts do not fit each other")),
    Case("an h5 with more names than ids", lambda s: edit_h5(s, lambda f: replace(f, "matrix/features/id", lambda v: v[1:])),
         (H5, "1999 feature ids, 2000 names")),
    Case("an h5 with another shape", lambda s: edit_h5(s, lambda f: replace(f, "matrix/shape", lambda v: v[::-1])),
         (f"{H5}, matrix", "shape (")),
    Case("an h5 with an index outside", lambda s: edit_h5(s, set_value("matrix/indices", 3, 5000)),
         (f"{H5}, matrix/indices: 5000 (expected 0 to 1999)",), reader="b"),
    Case("an h5 with a negative index", lambda s: edit_h5(s, set_value("matrix/indices", 3, -1)),
         (f"{H5}, matrix/indices: -1 (expected 0 to 1999)",), reader="b"),
    Case("an h5 with pointers that go back", lambda s: edit_h5(s, set_value("matrix/indptr", 3, 0)),
         (f"{H5}, matrix/indptr: pointers that go back",), reader="b"),
    Case("an h5 with an entry twice", lambda s: edit_h5(s, lambda f: replace(
        f, "matrix/indices", lambda v: np.concatenate([v[:1], v[:1], v[2:]]))), (f"{H5}, matrix/data, feature", "a second entry"),
         reader="b"),
    Case("an h5 with a negative count", lambda s: edit_h5(s, set_value("matrix/data", 3, -1)),
         (f"{H5}, matrix/data, entry 4: a negative value (-1)",)),
    Case("an h5 with a missing count", lambda s: edit_h5(s, set_value("matrix/data", 3, float("nan"))), (H5, "NaN")),
    Case("an h5 with fractions", lambda s: edit_h5(s, set_value("matrix/data", 3, 0.5)),
         (f"{H5}, matrix/data, entry 4: a fractional value", "quality: {counts: corrected}")),
    Case("an h5 with indices that are fractions", lambda s: edit_h5(s, lambda f: replace(f, "matrix/indices", lambda v: v + 0.5)),
         (f"{H5}, matrix/indices: float64",)),
    Case("an h5 without a count", lambda s: edit_h5(s, lambda f: [
        replace(f, f"matrix/{part}", lambda v, part=part: v[:0] if part != "indptr" else v * 0) for part in ("data", "indices", "indptr")]),
         (H5, "no entry: every count is 0")),
    Case("an h5 with zeros only", lambda s: edit_h5(s, lambda f: replace(f, "matrix/data", lambda v: v * 0)),
         (H5, "every count is 0"), reader="b"),
    Case("an h5 of logs", lambda s: edit_h5(s, lambda f: replace(f, "matrix/data", lambda v: np.log1p(v / 7))),
         (H5, "the values are logs of counts divided by their cell's total")),
    Case("an h5 with a barcode twice", lambda s: edit_h5(s, lambda f: replace(
        f, "matrix/barcodes", lambda v: np.concatenate([v[:-1], v[:1]]))), (H5, "1 barcodes stand there more than once")),
    Case("an h5 without cells", lambda s: edit_h5(s, lambda f: [replace(f, f"matrix/{part}", lambda v, n=n: v[:n]) for part, n in (
        ("barcodes", 0), ("data", 0), ("indices", 0), ("indptr", 1))] and replace(f, "matrix/shape", lambda v: v * [1, 0])),
         (H5, "no cell", "Leave the sample out of the sheet")),
    # -- h5ad ---------------------------------------------------------------------------------------------------------
    Case("an h5ad of logs alone", lambda s: put_h5ad(s, values=logs),
         (H5AD, "X holds a fractional value", "the values are logs of counts divided by their cell's total", "or raw")),
    Case("an h5ad of scaled values", lambda s: put_h5ad(s, values=lambda m: m.toarray() - 0.25), (H5AD, "negative ones such as -0.25, as of scaled or centred values")),
    Case("an h5ad of counts per million, rounded", lambda s: put_h5ad(s, values=lambda m: per_cell(m, 1e6).astype(int)),
         (H5AD, "X holds whole numbers that are no counts")),
    Case("an h5ad of logs, declared corrected", lambda s: put_h5ad(s, values=logs).add("quality: {counts: corrected}\n"),
         (H5AD, "fractional values, which are logs of counts", "no corrected counts")),
    Case("an h5ad of truth values", lambda s: put_h5ad(s, values=lambda m: m > 0), (f"{H5AD}, X", "values of type bool")),
    Case("an h5ad with a fraction, far down", lambda s: put_h5ad(s, lambda f: replace(
        f, "X/data", lambda v: np.concatenate([v[:-1], [0.5]]))), (f"{H5AD}, X, row", "column", "a fractional value (0.5)"), reader="b"),
    Case("an h5ad on its side", lambda s: table(s, lambda a: a.T.copy()), (H5AD, "obs is named like genes", "adata.T")),
    Case("an h5ad with a cell twice", lambda s: table(s, lambda a: setattr(a, "obs_names", [*a.obs_names[:-1], a.obs_names[0]])),
         (H5AD, "1 barcodes stand there more than once")),
    Case("an h5ad of people", lambda s: put_h5ad(s, lambda f: replace(
        f, "var/gene_ids", lambda v: np.array([one.replace(b"ENSMUSG", b"ENSG") for one in v], dtype=object)), index="symbols"),
         (H5AD, "genes of another species (human)")),
    Case("an h5ad with a link into another file", lambda s: put_h5ad(s, lambda f: move_out(f, "X")),
         (f"{H5AD}, X: a link into another file",)),
    Case("an h5ad with a link among what is not read", lambda s: put_h5ad(
        s, lambda f: f.__setitem__("uns/secret", h5py.ExternalLink("/etc/passwd", "/"))),
         (f"{H5AD}, uns/secret: a link into another file ('/etc/passwd')",)),
    Case("an h5ad with a virtual dataset", lambda s: put_h5ad(s, lambda f: make_virtual(f, "X/data")),
         (f"{H5AD}, X/data: a virtual dataset",)),
    Case("an h5ad that claims what it does not hold", lambda s: put_h5ad(s, lambda f: bomb(f, "X/data", chunks=(1_000_000,))),
         (f"{H5AD}, X/data: it claims 38,147 MiB",)),
    Case("an h5ad with a huge shape", lambda s: put_h5ad(s, lambda f: f["X"].attrs.__setitem__("shape", [2**40, 2**40])),
         (f"{H5AD}, X: its shape is (1099511627776, 1099511627776)",)),
    Case("an h5ad with an index outside", lambda s: put_h5ad(s, set_value("X/indices", 3, 2**30)),
         (f"{H5AD}, X/indices: 1073741824 (expected 0 to 1999)",), reader="b"),
    Case("an h5ad with pointers that go back", lambda s: put_h5ad(s, set_value("X/indptr", 3, 0)),
         (f"{H5AD}, X", "parts that fit each other"), reader="b"),
    Case("an h5ad with an entry twice", lambda s: put_h5ad(s, lambda f: replace(
        f, "X/indices", lambda v: np.concatenate([v[:1], v[:1], v[2:]]))), (f"{H5AD}, X, row", "a second entry"), reader="b"),
    Case("an h5ad with too few rows in obs", lambda s: put_h5ad(s, lambda f: replace(f, "obs/_index", lambda v: v[:-1])),
         (f"{H5AD}, X: its shape is", "one row a cell of obs")),
    Case("an h5ad without obs", lambda s: put_h5ad(s, lambda f: f.__delitem__("obs")), (H5AD, "as anndata writes it")),
    Case("an h5ad without a matrix", lambda s: put_h5ad(s, lambda f: f.__delitem__("X")), (H5AD, "no matrix", "X or raw")),
    Case("an h5ad whose index is a matrix", lambda s: put_h5ad(s, lambda f: replace(f, "obs/_index", lambda v: np.zeros((3, 3)))),
         (H5AD, "obs/_index", "names, a 1-d array of text")),
    Case("an h5ad with objects for names", lambda s: put_h5ad(s, lambda f: (
        f.__delitem__("obs/_index"), f.create_dataset("obs/_index", data=np.frombuffer(os.urandom(64), dtype="V8")))),
         (H5AD, "obs/_index", "names, a 1-d array of text")),
    Case("an h5ad with codes beyond the categories", lambda s: put_h5ad(s, lambda f: (
        categorical_index(f), replace(f, "var/_index/codes", lambda v: v + 1))), (H5AD, "IndexError")),
    Case("an h5ad with ragged columns", lambda s: put_h5ad(s, lambda f: replace(f, "var/gene_ids", lambda v: v[:-2])),
         (f"{H5AD}, /var/gene_ids: 1998 values, 2000 rows",)),
    Case("an h5ad cut short", lambda s: put_h5ad(s).change(H5AD, lambda d: d[: len(d) // 3]), (H5AD, "cannot be read")),
    Case("an h5ad that is an R object", lambda s: put_file(s, b"RDX3\n"), (H5AD, "an R object")),
    Case("an h5ad that is a 10x h5", lambda s: put_file(s, (s.data / "b.h5").read_bytes()), (H5AD, "no matrix")),
]  # fmt: skip

GOOD = [
    Good("an h5 as it is", lambda s: None, unchanged, True),
    Good("an h5 of Cell Ranger 2", lambda s: edit_h5(s, version_2), unchanged, True),
    Good("an h5 of CellBender", lambda s: edit_h5(s, cellbender), unchanged, True),
    Good("an h5 with counts as floats", lambda s: edit_h5(s, lambda f: replace(f, "matrix/data", lambda v: v.astype("f4"))),
         unchanged, True),
    Good("an h5 with a link within itself", lambda s: edit_h5(s, lambda f: f.__setitem__("also", h5py.SoftLink("/matrix/data"))),
         unchanged, True),
    Good("an h5 that is packed well", lambda s: edit_h5(s, lambda f: [(values := f[name][:], f.__delitem__(name), f.create_dataset(
        name, data=values, compression="gzip", compression_opts=9, shuffle=True)) for name in ("matrix/data", "matrix/indices")]),
         unchanged, True),
    Good("an h5ad in csr", put_h5ad, unchanged, True),
    Good("an h5ad in csc", lambda s: put_h5ad(s, values=sp.csc_matrix), unchanged, True),
    Good("an h5ad that is dense", lambda s: put_h5ad(s, values=lambda m: m.toarray().astype("f4")), unchanged, True),
    Good("an h5ad of doubles", lambda s: put_h5ad(s, values=lambda m: m.astype("f8")), unchanged, True),
    Good("an h5ad of small integers", lambda s: put_h5ad(s, values=lambda m: m.astype("u2")), unchanged, True),
    Good("an h5ad by ids", lambda s: put_h5ad(s, index="ids"), unchanged, True),
    Good("an h5ad with counts in a layer", lambda s: put_h5ad(s, values=logs, layer="counts"),
         lambda o: (unchanged(o), 'taken from layers["counts"] of the h5ad, not from X' in o.told("b")), (True, True)),
    Good("an h5ad with counts in raw", lambda s: put_h5ad(s, values=logs, raw=True),
         lambda o: (unchanged(o), "taken from raw of the h5ad, not from X" in o.told("b")), (True, True)),
    Good("an h5ad with rounded counts per million in X and counts in raw",
         lambda s: put_h5ad(s, values=lambda m: per_cell(m, 1e6).astype(int), raw=True), unchanged, True),
    Good("an h5ad of anndata 0.7", old("0.7"), unchanged, True),
    Good("an h5ad of anndata 0.6", old("0.6"), unchanged, True),
    Good("an h5ad with text that may be missing", lambda s: put_h5ad(s, masked_index), unchanged, True),
    Good("an h5ad with a categorical index", lambda s: put_h5ad(s, categorical_index), unchanged, True),
    Good("an h5ad with stored zeros", lambda s: put_h5ad(s, lambda f: replace(f, "X/data", lambda v: np.where(v == 2, 0, v))),
         lambda o: sorted({*o.read("b").X.data})[:2], [1, 3]),
    Good("an h5ad with missing symbols", lambda s: table(s, lambda a: a.var.__setitem__(
        "gene_name", [None if n % 3 else name for n, name in enumerate(a.var_names)])),
         lambda o: same(o.read("b"), truth(o.study, "b"), symbols=False), True),
    Good("an h5ad with antibodies", lambda s: table(s, lambda a: a.var.__setitem__(
        "feature_types", pd.Categorical(["Antibody Capture" if n > 1990 else "Gene Expression" for n in range(a.n_vars)]))),
         lambda o: (o.read("b").n_vars, o.read("b").obsm["other_features"].shape[1]), (1991, 9)),
    Good("an h5ad of SoupX's counts, declared", lambda s: put_h5ad(s, values=lambda m: sp.csr_matrix(
        (m.data - 0.5 * np.random.default_rng(1).random(m.nnz), m.indices, m.indptr), shape=m.shape)).add("quality: {counts: corrected}\n"),
         lambda o: ("were rounded so that sums are kept" in o.told("b"), o.read("b").X.dtype.kind), (True, "i")),
]  # fmt: skip
