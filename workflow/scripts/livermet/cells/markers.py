"""Marker sets of lineages: read, checked, and looked up in the counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.errors import InputError, Problem
from livermet.keys import SYMBOL

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

IMMUNE = "immune"
COMPARTMENTS = (IMMUNE, "non_immune")
MIN_GENES = 3  # of a set, the counts must know this many genes, or it is not scored


@dataclass(frozen=True)
class MarkerSet:
    """Genes of one lineage, or of one kind of it.

    Attributes
    ----------
    lineage
        The lineage that a cluster is given.
    kind
        Name of the kind within the lineage; the lineage's own where it has a single set.
    compartment
        "immune" or "non_immune".
    up, down
        Symbols of the genes that speak for it and against it.
    """

    lineage: str
    kind: str
    compartment: str
    up: tuple[str, ...]
    down: tuple[str, ...]


@dataclass(frozen=True)
class Markers:
    """All marker sets, and the genes that every immune cell expresses."""

    sets: tuple[MarkerSet, ...]
    immune: tuple[str, ...]

    def genes(self) -> list[str]:
        """Every gene named, once, in alphabetical order."""
        named = {gene for one in self.sets for gene in (*one.up, *one.down)}
        return sorted(named | set(self.immune))

    def weights(self) -> dict[str, float]:
        """One over the number of lineages that name a gene: what many lineages share tells little."""
        lineages = {(one.lineage, gene) for one in self.sets for gene in one.up}
        return {gene: 1 / number for gene, number in Counter(gene for _, gene in lineages).items()}


@dataclass(frozen=True)
class Panel:
    """Counts of the marker genes.

    Attributes
    ----------
    symbols
        Genes that the counts know.
    counts
        Cells x symbols, raw counts; genes of one symbol are added up.
    totals
        Depth of every cell over all genes (cells,).
    """

    symbols: list[str]
    counts: sp.csr_matrix
    totals: NDArray[np.float64]

    def subset(self, genes: set[str]) -> Panel:
        """The panel of some of its genes; depths stay those over all genes."""
        columns = [number for number, symbol in enumerate(self.symbols) if symbol in genes]
        return Panel([self.symbols[number] for number in columns], self.counts[:, columns], self.totals)


def read_markers(content: dict[str, Any]) -> Markers:
    """Check the content of a marker file.

    Parameters
    ----------
    content
        As in resources/lineages.yaml: `compartments`, `lineages`.

    Returns
    -------
    Markers
        The sets, in the file's order.

    Raises
    ------
    InputError
        With every entry that is malformed.
    """
    problems: list[Problem] = []
    sets: list[MarkerSet] = []
    lineages = content.get("lineages") or {}
    if not lineages:
        problems.append(Problem("marker sets", "no lineages", "a section 'lineages'", "See resources/lineages.yaml"))
    for lineage, entry in lineages.items():
        where = f"marker sets, lineage '{lineage}'"
        compartment = entry.get("compartment", IMMUNE)
        if compartment not in COMPARTMENTS:
            problems.append(Problem(where, f"compartment '{compartment}'", f"one of {', '.join(COMPARTMENTS)}"))
        for kind, genes in (entry.get("subsets") or {lineage: entry}).items():
            up, down = genes.get("up") or [], genes.get("down") or []
            if not up or not all(isinstance(gene, str) for gene in [*up, *down]):
                problems.append(
                    Problem(where, f"'{kind}' names no gene, or not as text", "lists of symbols under 'up'")
                )
                continue
            sets.append(MarkerSet(str(lineage), str(kind), compartment, tuple(up), tuple(down)))
    if problems:
        raise InputError(problems)
    immune = ((content.get("compartments") or {}).get(IMMUNE) or {}).get("up") or []
    return Markers(sets=tuple(sets), immune=tuple(immune))


def take_panel(counts: AnnData, markers: Markers) -> Panel:
    """Take the marker genes out of the counts.

    Parameters
    ----------
    counts
        Cells x genes, raw counts in X; `var` has `symbol`.
    markers
        The sets.

    Returns
    -------
    Panel
        Marker genes that the counts know.

    Raises
    ------
    InputError
        Where the counts know too few genes for any set.
    """
    matrix = sp.csr_matrix(counts.X)
    symbols = counts.var[SYMBOL].astype(str).to_numpy()
    # An untidy table may differ in capitals only; symbols themselves are never changed.
    wanted = {gene.lower(): gene for gene in markers.genes()}
    named = pd.Series(symbols).str.lower().map(wanted)
    columns = np.flatnonzero(named.notna().to_numpy())
    known = sorted(set(named.dropna()))
    if not any(len(set(one.up) & set(known)) >= MIN_GENES for one in markers.sets):
        raise InputError(
            Problem(
                "gene symbols of the counts",
                f"{len(known)} of {len(wanted)} marker genes are among them ({', '.join(symbols[:3])}, ...)",
                "mouse symbols such as Cd3e",
                "Check the symbols in the input's feature tables",
            )
        )
    target = pd.Index(known).get_indexer(pd.Index(named.iloc[columns]))
    fold = sp.csr_matrix((np.ones(len(columns)), (np.arange(len(columns)), target)), shape=(len(columns), len(known)))
    panel = sp.csr_matrix(matrix[:, columns].astype(np.float64) @ fold)
    return Panel(symbols=known, counts=panel, totals=np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel())
