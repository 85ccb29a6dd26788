"""How text stands in an h5ad: what older anndata can read, and what it cannot."""

from __future__ import annotations

from pathlib import Path

import h5py


def text_encodings(path: Path) -> dict[str, str]:
    """Dataset or group of text -> how it is encoded: in the file's own words, or "mask" where text has a mask beside it."""
    found: dict[str, str] = {}

    def look(name: str, item: h5py.Dataset | h5py.Group) -> None:
        encoding = str(item.attrs.get("encoding-type", ""))
        if isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype) is not None:
            found[name] = encoding
        if isinstance(item, h5py.Group) and ("mask" in item or encoding.startswith("nullable-string")):
            found[name] = "mask"

    with h5py.File(path) as file:
        file.visititems(look)
    return found
