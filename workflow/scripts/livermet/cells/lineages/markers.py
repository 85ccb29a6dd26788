"""Marker sets of lineages: read, checked, and looked up in the counts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.lineages.marker_tables import as_content
from livermet.errors import InputError, Problem
from livermet.inputs.species import species_of
from livermet.keys import LINEAGE, SYMBOL
from livermet.names import EXPECTED, has_control, is_formula, is_name, visible

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

IMMUNE = "immune"
COMPARTMENTS = (IMMUNE, "non_immune")
MIN_GENES = 3  # of a set, the counts must know this many genes,
MIN_SHARE = 0.6  # and this share of them, or it is not scored
COVERAGE = (LINEAGE, "subset", "n_genes", "n_found", "share", "enough", "missing")


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
    """All marker sets.

    Attributes
    ----------
    sets
        In the file's order.
    immune
        Genes that every immune cell expresses.
    aliases
        Other name of a gene -> the name that the sets use.
    """

    sets: tuple[MarkerSet, ...]
    immune: tuple[str, ...]
    aliases: dict[str, str] = field(default_factory=dict)

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


def read_markers(content: Mapping[str, Any] | pd.DataFrame) -> Markers:
    """Check the content of a marker file.

    Parameters
    ----------
    content
        As in resources/lineages.yaml: `compartments`, `lineages`; or a table, see
        :func:`livermet.cells.lineages.marker_tables.as_content`.

    Returns
    -------
    Markers
        The sets, in the file's order.

    Raises
    ------
    InputError
        With every entry that is malformed.
    """
    content = as_content(content)
    problems: list[Problem] = []
    sets: list[MarkerSet] = []
    lineages = content.get("lineages") or {}
    if not lineages:
        problems.append(Problem("marker sets", "no lineages", "a section 'lineages'", "See resources/lineages.yaml"))
    for lineage, entry in lineages.items():
        where = f"marker sets, lineage '{lineage}'"
        if not isinstance(entry, Mapping):
            problems.append(Problem(where, f"'{entry}'", "genes under 'up', or kinds under 'subsets'"))
            continue
        compartment = entry.get("compartment", IMMUNE)
        if compartment not in COMPARTMENTS:
            problems.append(Problem(where, f"compartment '{compartment}'", f"one of {', '.join(COMPARTMENTS)}"))
        for kind, genes in (entry.get("subsets") or {lineage: entry}).items():
            up, down = (genes.get("up") or [], genes.get("down") or []) if isinstance(genes, Mapping) else ([], [])
            if not up or not all(isinstance(gene, str) for gene in [*up, *down]):
                problems.append(
                    Problem(where, f"'{kind}' names no gene, or not as text", "lists of symbols under 'up'")
                )
                continue
            problems += _check_words(where, [str(lineage), str(kind)], [*up, *down])
            sets.append(MarkerSet(str(lineage), str(kind), compartment, tuple(up), tuple(down)))
    if problems:
        raise InputError(problems)
    immune = ((content.get("compartments") or {}).get(IMMUNE) or {}).get("up") or []
    aliases = {other: gene for gene, others in (content.get("aliases") or {}).items() for other in others}
    return Markers(sets=tuple(sets), immune=tuple(immune), aliases=aliases)


def _check_words(where: str, names: list[str], genes: list[str]) -> list[Problem]:
    """Lineages and kinds become names of populations and files, genes the cells of tables."""
    odd = [name for name in dict.fromkeys(names) if not is_name(name)]
    harmful = [gene for gene in genes if is_formula(gene) or has_control(gene)]
    return [
        *(Problem(where, f"'{visible(name)}' for a name", EXPECTED, "Rename it") for name in odd),
        *(Problem(where, f"'{visible(gene)}' for a gene", "a symbol", "Mend or remove it") for gene in harmful),
    ]


def cover(panel: Panel, markers: Markers) -> pd.DataFrame:
    """How many genes of each set the counts know.

    Parameters
    ----------
    panel
        Counts of the marker genes.
    markers
        All sets.

    Returns
    -------
    pandas.DataFrame
        One row a set: `lineage`, `subset`, `n_genes`, `n_found`, `share`, `enough` (at least `MIN_SHARE` of them and
        `MIN_GENES`), `missing`. Only genes that speak for the lineage count.
    """
    known = set(panel.symbols)
    rows = []
    for one in markers.sets:
        missing = [gene for gene in one.up if gene not in known]
        found = len(one.up) - len(missing)
        share = found / len(one.up)
        kind = "" if one.kind == one.lineage else one.kind
        enough = found >= MIN_GENES and share >= MIN_SHARE
        rows.append((one.lineage, kind, len(one.up), found, share, enough, " ".join(missing)))
    return pd.DataFrame(rows, columns=list(COVERAGE))


def offer(markers: Markers, coverage: pd.DataFrame) -> Markers:
    """The sets that can be scored.

    Parameters
    ----------
    markers
        All sets.
    coverage
        From :func:`cover`.

    Returns
    -------
    Markers
        Those with enough of their genes.

    Raises
    ------
    InputError
        Where there is none.
    """
    enough = coverage["enough"].to_numpy(dtype=bool)
    for row in coverage[~enough].itertuples():
        log.warning(
            "%s is not looked for: the counts know %d of its %d marker genes, less than %.0f %% or than %d",
            row.subset or row.lineage, row.n_found, row.n_genes, 100 * MIN_SHARE, MIN_GENES,
        )  # fmt: skip
    if not enough.any():
        best = coverage.sort_values("share", kind="stable").iloc[-1]
        raise InputError(
            Problem(
                "gene symbols of the counts",
                f"no lineage has {MIN_SHARE:.0%} of its marker genes among them; the best is {best[LINEAGE]} with "
                f"{best['n_found']} of {best['n_genes']}",
                "all genes of the annotation, in mouse symbols such as Cd3e",
                "Give the whole matrix, not the variable genes only, or a marker file of your own (annotate.markers)",
            )
        )
    return replace(markers, sets=tuple(one for one, good in zip(markers.sets, enough, strict=True) if good))


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
        Where the counts know too few genes for any set, or their genes are those of man.
    """
    matrix = sp.csr_matrix(counts.X)
    symbols = counts.var[SYMBOL].astype(str).to_numpy()
    _refuse_human(counts.var.index, symbols)
    # An untidy table may differ in capitals only; symbols themselves are never changed.
    wanted = {gene.lower(): gene for gene in markers.genes()}
    lower = pd.Series(symbols).str.lower()
    there = set(lower)
    older = {
        other.lower(): gene
        for other, gene in markers.aliases.items()
        if gene.lower() in wanted and gene.lower() not in there and other.lower() not in wanted
    }
    named = lower.map({**older, **wanted})
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


def _refuse_human(ids: pd.Index, symbols: NDArray[np.object_]) -> None:
    """Human genes are read as mouse genes with other capitals, and half of the sets would seem to be there."""
    if species_of(map(str, ids), map(str, symbols)) == "human":
        raise InputError(
            Problem(
                "genes of the counts",
                f"human genes, such as {', '.join(symbols[:3])}",
                "genes of the mouse: the marker sets are the mouse's",
                "Give mouse counts; human cells need marker sets and gene sets of their own",
            )
        )
