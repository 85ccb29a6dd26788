"""Which genes of a set a population has, and whether enough of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from livermet.mice.models.set_tests import GeneSet
from livermet.tcells.signatures import GeneIndex

MIN_GENES = 3  # a mean over fewer is a gene, not a set
MIN_SHARE = 0.25  # of its genes expressed here, or it speaks for other genes than its name


def find_sets(signatures: Sequence[Mapping[str, Any]], index: GeneIndex, circular: Collection[str]) -> list[GeneSet]:
    """Sets among the genes of a population.

    Parameters
    ----------
    signatures
        Sets that apply to it.
    index
        Finds symbols among its genes.
    circular
        Symbols that are not to be tested here (:func:`livermet.mice.endpoints.applicable.circular_genes`).

    Returns
    -------
    list of GeneSet
        Those of which three genes and a quarter of all are left.
    """
    found, untested = [], index.find_all(sorted(circular))
    for signature in signatures:
        up, down = index.find_all(signature["up"]), index.find_all(signature.get("down") or ())
        places = np.concatenate([up, down])
        signs = np.concatenate([np.ones(len(up)), -np.ones(len(down))])
        kept = ~np.isin(places, untested)
        wanted = len(signature["up"]) + len(signature.get("down") or ())
        if kept.sum() >= max(MIN_GENES, MIN_SHARE * wanted):
            found.append(GeneSet(signature["name"], places[kept], signs[kept]))
    return found
