"""Control sets of signatures, frozen once, outside the study.

A control set replaces every gene of a signature by a gene of like expression. Which genes are alike is read from a table
made from other cells (:mod:`livermet.tcells.bins`), and which of them are drawn depends on the gene's symbol alone: not on
a seed, and not on the cells that are scored.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from livermet.keys import GENE_ID, IS_HAEMO, IS_MITO, IS_RIBO, SYMBOL
from livermet.tcells.bins import BIN, check_bins
from livermet.tcells.signatures import GeneIndex, Signature, Signatures, resolve

LOWEST_BIN = 1


@dataclass(frozen=True)
class Reference:
    """The frozen reference, seen from a study.

    Attributes
    ----------
    bin_of
        Symbol -> bin, for every gene of the reference.
    pool
        Bin -> places (in the study) and symbols of the genes that may serve as controls, sorted by symbol.
    drawn
        Controls drawn so far: sets share genes.
    """

    bin_of: dict[str, int]
    pool: dict[int, list[tuple[str, int]]]
    drawn: dict[tuple[str, int], NDArray[np.int64]] = field(default_factory=dict)


def freeze_controls(collection: Signatures, bins: pd.DataFrame, var: pd.DataFrame) -> Reference:
    """Lay out which genes of a study may serve as controls, by bin of the reference.

    Genes of any signature, mitochondrial, ribosomal and haemoglobin genes are no controls: the first are what is looked
    for, the others follow damage, size and soup.

    Parameters
    ----------
    collection
        All sets.
    bins
        ``symbol gene_id bin`` of the reference.
    var
        The study's genes: index gene id, ``symbol`` and, where known, ``mitochondrial ribosomal haemoglobin``.

    Returns
    -------
    Reference
        Bins and control genes.

    Raises
    ------
    InputError
        If the table lacks a column or names a gene twice.
    """
    check_bins(bins)
    places = {gene: place for place, gene in reversed(list(enumerate(var.index.astype(str))))}
    symbols = resolve(collection, var[SYMBOL])
    barred = np.zeros(len(var), dtype=bool)
    for column in (IS_MITO, IS_RIBO, IS_HAEMO):
        if column in var:
            barred |= var[column].to_numpy(dtype=bool)
    barred[symbols.find_all(gene for item in collection.signatures for gene in (*item.up, *item.down))] = True
    # The dissociation and cell-cycle sets are among the signatures, so stress and cycling do not leak into controls.
    pool: dict[int, list[tuple[str, int]]] = {int(number): [] for number in sorted(bins[BIN].unique())}
    rows = bins.sort_values(SYMBOL)
    for symbol, gene_id, number in zip(rows[SYMBOL], rows[GENE_ID], rows[BIN], strict=True):
        place = places.get(gene_id, symbols.find(symbol))
        if place is not None and not barred[place]:
            pool[int(number)].append((symbol, place))
    return Reference(bin_of=dict(zip(bins[SYMBOL], bins[BIN].astype(int), strict=True)), pool=pool)


def draw_controls(reference: Reference, symbol: str, n_controls: int, names: Iterable[str] = ()) -> NDArray[np.int64]:
    """Controls of one gene: from its bin, then from the bins next to it until there are enough.

    Parameters
    ----------
    reference
        From :func:`freeze_controls`.
    symbol
        The gene. One that the reference never saw counts as lowly expressed (the lowest bin): receptor segments are
        often missing from reference annotations, and leaving them out would blind the sets that rest on them.
    n_controls
        How many.
    names
        Other names of the gene, for its bin.

    Returns
    -------
    ndarray
        Places in the study, (n_controls,). The order depends on `symbol` only: not on a seed, not on the study's cells.
    """
    if (symbol, n_controls) in reference.drawn:
        return reference.drawn[symbol, n_controls]
    known = [reference.bin_of[name] for name in (symbol, *names) if name in reference.bin_of]
    own = known[0] if known else LOWEST_BIN
    chosen: list[int] = []
    for number in sorted(reference.pool, key=lambda item: (abs(item - own), item)):
        genes = reference.pool[number]
        # The checksum of both symbols is a random order that a gene which the study lacks does not change.
        chosen += [place for _, place in sorted(genes, key=lambda gene: zlib.crc32(f"{symbol}|{gene[0]}".encode()))]
        if len(chosen) >= n_controls:
            break
    controls = np.resize(np.array(chosen[:n_controls], dtype=np.int64), n_controls if chosen else 0)
    reference.drawn[symbol, n_controls] = controls
    return controls


def weigh_genes(
    signature: Signature, genes: GeneIndex, reference: Reference, *, n_genes: int, n_control_sets: int
) -> sparse.csc_matrix:
    """Weights whose product with expression is a signature's raw score and those of its control sets.

    Every gene found has the same weight, up or down: with means of two lists, three down genes would decide as much as
    thirty up genes, and the spread of three controls would hide them.

    Parameters
    ----------
    signature
        The set.
    genes
        The study's genes by symbol.
    reference
        From :func:`freeze_controls`.
    n_genes
        Genes of the study.
    n_control_sets
        Control sets.

    Returns
    -------
    csc_matrix of float32, (n_genes, 1 + n_control_sets)
        Column 0 the signature, the others its control sets; all zero where none of the up genes is in the study.
    """
    rows, columns, values = [], [], []
    n_found = genes.find_all((*signature.up, *signature.down)).size
    if genes.find_all(signature.up).size:
        for symbols, sign in ((signature.up, 1.0), (signature.down, -1.0)):
            for symbol in (symbol for symbol in symbols if genes.find(symbol) is not None):
                controls = draw_controls(reference, symbol, n_control_sets, genes.names(symbol))
                rows.append(np.concatenate([[genes.find(symbol)], controls]))
                columns.append(np.arange(1 + len(controls)))
                values.append(np.full(1 + len(controls), sign / n_found))
    shape = (n_genes, 1 + n_control_sets)
    if not rows:
        return sparse.csc_matrix(shape, dtype=np.float32)
    entries = (np.concatenate(values).astype(np.float32), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csc_matrix(entries, shape=shape)


@dataclass(frozen=True)
class ControlSets:
    """Signatures and their control sets as weights on the study's genes.

    Attributes
    ----------
    names
        Of the signatures.
    used
        Places of the genes that have a weight.
    weights
        Per signature, (used genes, 1 + control sets): column 0 the signature, the others its control sets.
    n_found
        Genes found, per signature (1 where none).
    """

    names: tuple[str, ...]
    used: NDArray[np.int64]
    weights: tuple[sparse.csr_matrix, ...]
    n_found: NDArray[np.float32]


def make_control_sets(
    collection: Signatures, names: Sequence[str], *, bins: pd.DataFrame, var: pd.DataFrame, n_control_sets: int
) -> ControlSets:
    """Draw the control sets of signatures for a study.

    Parameters
    ----------
    collection, names
        All sets, and those to score.
    bins
        The frozen reference, ``symbol gene_id bin``.
    var
        The study's genes.
    n_control_sets
        Control sets per signature.

    Returns
    -------
    ControlSets
        The same for every study with the same genes.
    """
    genes = resolve(collection, var[SYMBOL])
    reference = freeze_controls(collection, bins, var)
    weights = [
        weigh_genes(collection[name], genes, reference, n_genes=len(var), n_control_sets=n_control_sets)
        for name in names
    ]
    touched = np.zeros(len(var), dtype=bool)
    for item in weights:
        touched[item.indices] = True
    used = np.flatnonzero(touched)
    chosen = [collection[name] for name in names]
    n_found = np.array([max(genes.find_all((*item.up, *item.down)).size, 1) for item in chosen], dtype=np.float32)
    return ControlSets(tuple(names), used, tuple(sparse.csr_matrix(item[used]) for item in weights), n_found)
