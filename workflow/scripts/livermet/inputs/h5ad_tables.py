"""The tables `obs` and `var` of an h5ad, as every anndata since 0.6 wrote them: index and columns of text, nothing else.

0.8 and later: groups with `_index`, columns as datasets, categoricals as groups of codes and categories; 0.12 also writes
text with a mask. 0.7: categories in `__categories`, which a column's attribute points to. Before: one compound dataset, its
categories in `uns`.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livermet.errors import InputError, Problem
from livermet.inputs.files import ANEW
from livermet.inputs.hdf5 import attribute, read_text

MISSING = ""
INDEX_NAMES = ("_index", "index")


class Table:
    """A table of an open h5ad.

    Parameters
    ----------
    item
        The group, or (before anndata 0.7) the compound dataset.

    Attributes
    ----------
    columns
        Names of its columns, without the index.
    """

    def __init__(self, item: Any) -> None:
        self._item = item
        self._where = f"{item.file.filename}, {item.name}"
        if isinstance(item, h5py.Group):
            names = list(item)
            named = attribute(item, "_index")
            self._index = named if named in names else next((name for name in INDEX_NAMES if name in names), "")
        else:
            names = list(item.dtype.names or ())
            self._index = names[0] if names else ""
        if not self._index:
            raise InputError(Problem(self._where, "a table without an index", "a table of an h5ad", ANEW))
        self.columns = [name for name in names if name not in (self._index, "__categories")]

    @property
    def n_rows(self) -> int:
        """Number of rows, without reading them."""
        if isinstance(self._item, h5py.Dataset):
            return len(self._item)
        column = self._item[self._index]
        if isinstance(column, h5py.Group):
            column = column["codes" if "codes" in column else "values"]
        return len(column)

    def index(self, stop: int | None = None) -> NDArray[np.object_]:
        """Names of the rows: the first `stop`, or all."""
        values = self.text(self._index, stop)
        if values is None:
            raise InputError(Problem(f"{self._where}/{self._index}", "no names", "an index of text", ANEW))
        return values

    def text(self, name: str, stop: int | None = None) -> NDArray[np.object_] | None:
        """A column as text, "" where a value is missing; None where it holds no text. The index may also be numbers."""
        if isinstance(self._item, h5py.Dataset):
            return self._legacy(name, stop)
        column = self._item[name]
        if isinstance(column, h5py.Group):
            return _of_group(column, stop)
        if "categories" in column.attrs:
            categories = self._categories(column.attrs["categories"])
            return None if categories is None else _decode(column[:stop], categories)
        if column.dtype.kind == "O" and h5py.check_string_dtype(column.dtype) is None:
            raise InputError(
                Problem(f"{self._where}/{name}", f"values of type {column.dtype}", "text", "Write the file anew")
            )
        if column.dtype.kind in "OS" or name == self._index:
            return read_text(column, stop)
        return None

    def words(self, name: str) -> NDArray[np.object_]:
        """A column as text, also where it holds numbers (clusters are numbered), "" where a value is missing."""
        values = self.text(name)
        if values is not None:
            return values
        column = self._item[:][name] if isinstance(self._item, h5py.Dataset) else self._item[name]
        if not isinstance(column, h5py.Group):
            return np.array([MISSING if one != one else str(one) for one in column[:].tolist()], dtype=object)
        if "codes" in column:
            return _decode(
                column["codes"][:], np.array([str(one) for one in column["categories"][:].tolist()], dtype=object)
            )
        found = np.array([str(one) for one in column["values"][:].tolist()], dtype=object)
        found[column["mask"][:].astype(bool)] = MISSING
        return found

    def frame(self) -> pd.DataFrame:
        """Every column of text, by its name, under the index."""
        columns = {name: self.text(name) for name in self.columns}
        texts = {name: values for name, values in columns.items() if values is not None}
        index = self.index()
        uneven = [name for name, values in texts.items() if len(values) != len(index)]
        if uneven:
            raise InputError(
                Problem(
                    f"{self._where}/{uneven[0]}", f"{len(texts[uneven[0]])} values, {len(index)} rows",
                    "as many values as rows", ANEW,
                )
            )  # fmt: skip
        return pd.DataFrame(texts, index=pd.Index(index, dtype=object))

    def _categories(self, pointer: Any) -> NDArray[np.object_] | None:
        """What an attribute `categories` points to: a reference, or a path below the table."""
        item = self._item.file[pointer] if isinstance(pointer, h5py.Reference) else self._item[str(pointer)]
        return read_text(item) if item.dtype.kind in "OS" else None

    def _legacy(self, name: str, stop: int | None) -> NDArray[np.object_] | None:
        values = self._item[:stop][name]
        uns = self._item.file.get("uns")
        key = f"{name}_categories"
        if isinstance(uns, h5py.Group) and key in uns and name != self._index and values.dtype.kind in "iu":
            return _decode(values, read_text(uns[key])) if uns[key].dtype.kind in "OS" else None
        if values.dtype.kind not in "OS" and name != self._index:
            return None
        return np.array([one.decode() if isinstance(one, bytes) else str(one) for one in values], dtype=object)


def _of_group(group: Any, stop: int | None) -> NDArray[np.object_] | None:
    """A categorical, or an array with a mask."""
    if "codes" in group:
        categories = group["categories"]
        if isinstance(categories, h5py.Group):
            categories = categories["values"]
        return None if categories.dtype.kind not in "OS" else _decode(group["codes"][:stop], read_text(categories))
    if "values" not in group or group["values"].dtype.kind not in "OS":
        return None
    values = read_text(group["values"], stop)
    if "mask" in group:
        values[group["mask"][:stop].astype(bool)] = MISSING
    return values


def _decode(codes: NDArray[np.integer], categories: NDArray[np.object_]) -> NDArray[np.object_]:
    """Text of codes; -1 is missing. A code beyond the categories raises IndexError."""
    if len(codes) and codes.max() >= len(categories):
        raise IndexError(f"code {codes.max()} of {len(categories)} categories")
    return np.append(categories, MISSING)[np.where(codes < 0, len(categories), codes)]
