"""Figures of the page: which stand where, and how they get into it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass

# Where each figure stands, in this order; a figure that a study does not have is left out.
PLACES: dict[str, tuple[str, ...]] = {
    "answers": (
        "answers",
        "robustness",
        "composition",
        "totals",
        "pathways",
        "gene_counts",
        "volcanoes",
        "rescue",
        "specification_curve",
    ),
    "mechanism": ("mechanism",),
    "pseudoreplication": ("pseudoreplication",),
    "cells": ("umap", "umap_arms", "markers", "stability"),
    "tcells": ("umap_tcells", "states"),
    "design": ("design",),
    "quality": ("quality", "samples"),
    "truth": ("truth",),
}
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """A figure within the page."""

    name: str
    data: str
    width: int
    height: int
    caption: str

    @property
    def lead(self) -> str:
        """First sentence of the caption: what the figure shows."""
        return self.caption.split(". ")[0].rstrip(".") + "."

    @property
    def rest(self) -> str:
        """The caption without its first sentence: how to read it."""
        return self.caption.split(". ", 1)[1] if ". " in self.caption else ""


def make_pictures(images: Mapping[str, bytes], captions: Mapping[str, str]) -> dict[str, list[Picture]]:
    """Figures by the place where they stand.

    Parameters
    ----------
    images
        Figure -> PNG.
    captions
        Figure -> caption, plain text.

    Returns
    -------
    dict
        Place -> pictures.
    """
    return {
        place: [_picture(name, images[name], captions.get(name, "")) for name in names if name in images]
        for place, names in PLACES.items()
    }


def _picture(name: str, image: bytes, caption: str) -> Picture:
    if not image.startswith(_SIGNATURE):
        raise ValueError(f"figure {name} is not a PNG")
    width, height = struct.unpack(">II", image[16:24])
    return Picture(name, base64.b64encode(image).decode("ascii"), width, height, " ".join(caption.split()))
