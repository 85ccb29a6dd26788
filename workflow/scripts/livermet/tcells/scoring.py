"""Signature scores of single cells against matched controls that are frozen once, outside the study.

For a cell, a signature's score is the mean log-normalised expression of its up genes minus the mean over control sets,
minus the same for its down genes; its z-score is that difference in standard deviations of the control sets, in the same
cell. A control set replaces every gene of the signature by a gene of like expression. Which genes are alike is read from
a table made from other cells (:mod:`livermet.tcells.bins`), and which of them are drawn depends on the gene's symbol
alone, so a cell's score is the same whatever other cells are in the study.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from livermet.cells.normalise import TARGET_SUM, log_normalise
from livermet.keys import GENE_ID, IS_HAEMO, IS_MITO, IS_RIBO, SYMBOL
from livermet.tcells.bins import BIN, check_bins
from livermet.tcells.signatures import GeneIndex, Signature, Signatures, resolve

SCORE, Z = "score:", "z:"  # prefixes of the columns
LOWEST_BIN = 1
BLOCK = 1000  # cells at once: keeps the control sets' scores of a block below some 30 MB


@dataclass(frozen=True)
class Reference:
    """The frozen reference, seen from a study.

    Attributes
    ----------
    bin_of
        Symbol -> bin, for every gene of the reference.
    pool
        Bin -> places (in the study) and symbols of the genes that may serve as controls, sorted by symbol.
    """

    bin_of: dict[str, int]
    pool: dict[int, list[tuple[str, int]]]


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
    known = [reference.bin_of[name] for name in (symbol, *names) if name in reference.bin_of]
    own = known[0] if known else LOWEST_BIN
    chosen: list[int] = []
    for number in sorted(reference.pool, key=lambda item: (abs(item - own), item)):
        genes = reference.pool[number]
        # The checksum of both symbols is a random order that a gene which the study lacks does not change.
        chosen += [place for _, place in sorted(genes, key=lambda gene: zlib.crc32(f"{symbol}|{gene[0]}".encode()))]
        if len(chosen) >= n_controls:
            break
    return np.resize(np.array(chosen[:n_controls], dtype=np.int64), n_controls if chosen else 0)


def weigh_genes(
    signature: Signature, genes: GeneIndex, reference: Reference, *, n_genes: int, n_control_sets: int
) -> sparse.csc_matrix:
    """Weights whose product with log-normalised expression is a signature's raw score and those of its control sets.

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
    if genes.find_all(signature.up).size:
        for symbols, sign in ((signature.up, 1.0), (signature.down, -1.0)):
            found = [symbol for symbol in symbols if genes.find(symbol) is not None]
            for symbol in found:
                controls = draw_controls(reference, symbol, n_control_sets, genes.names(symbol))
                rows.append(np.concatenate([[genes.find(symbol)], controls]))
                columns.append(np.arange(1 + len(controls)))
                values.append(np.full(1 + len(controls), sign / len(found)))
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
    n_up
        Up genes found, per signature (1 where none).
    """

    names: tuple[str, ...]
    used: NDArray[np.int64]
    weights: tuple[sparse.csr_matrix, ...]
    n_up: NDArray[np.float32]


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
    n_up = np.array([max(genes.find_all(collection[name].up).size, 1) for name in names], dtype=np.float32)
    return ControlSets(tuple(names), used, tuple(sparse.csr_matrix(item[used]) for item in weights), n_up)


def score_cells(counts: sparse.csr_matrix, sets: ControlSets) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score cells on signatures against frozen matched controls.

    Parameters
    ----------
    counts
        Raw counts, cells x all genes of the study (the totals of whole cells set the scale).
    sets
        From :func:`make_control_sets`.

    Returns
    -------
    scores, z : DataFrame
        Cells x signatures (index 0..n-1), float32. ``scores`` in natural-log units of expression per 10,000; ``z`` in
        standard deviations of the control sets.

    Notes
    -----
    Matched controls: Tirosh et al. 2016, doi:10.1126/science.aad0501.
    """
    score = np.zeros((counts.shape[0], len(sets.names)), dtype=np.float32)
    z = np.zeros_like(score)
    width = np.cumsum([0, *(item.shape[1] for item in sets.weights)])
    weights = sparse.csr_matrix(sparse.hstack(sets.weights)) if sets.weights else sparse.csr_matrix((len(sets.used), 0))
    for start in range(0, counts.shape[0], BLOCK):
        rows = slice(start, start + BLOCK)
        expression, one_count = _express(counts[rows], sets.used)
        raw = (expression @ weights).toarray()
        for place in range(len(sets.names)):
            mine = raw[:, width[place] : width[place + 1]]
            score[rows, place], z[rows, place] = compare(mine, one_count / sets.n_up[place])
    return pd.DataFrame(score, columns=list(sets.names)), pd.DataFrame(z, columns=list(sets.names))


def score_neighbourhoods(counts: sparse.csr_matrix, sets: ControlSets, smoother: sparse.csr_matrix) -> pd.DataFrame:
    """Z-scores of the averaged expression of each cell's neighbourhood.

    Averaging the signature and its control sets alike, and only then taking their standard deviation, is what gains
    power: counting noise averages out of both. (The mean of the cells' own z-scores would keep it in the denominator.)

    Parameters
    ----------
    counts
        Raw counts, cells x all genes of the study.
    sets
        From :func:`make_control_sets`.
    smoother
        Cells x cells, rows sum to 1.

    Returns
    -------
    DataFrame
        Cells x signatures (index 0..n-1), float32.
    """
    expression, one_count = _express(counts, sets.used)
    # One count in one cell of the neighbourhood, in quadrature over its cells.
    floor = np.sqrt(smoother.power(2) @ one_count**2)
    z = np.zeros((counts.shape[0], len(sets.names)), dtype=np.float32)
    for place, weights in enumerate(sets.weights):
        z[:, place] = compare(smoother @ (expression @ weights).toarray(), floor / sets.n_up[place])[1]
    return pd.DataFrame(z, columns=list(sets.names))


def compare(raw: NDArray[np.float32], floor: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Score and z-score from a signature's expression and that of its control sets.

    Parameters
    ----------
    raw
        Cells x (1 + control sets).
    floor
        What a single count adds to the signature's mean, per cell: it is part of the spread, since where the control
        sets are all zero one stray count must not look like infinitely many standard deviations.

    Returns
    -------
    score, z : ndarray, (cells,)
    """
    score = raw[:, 0] - raw[:, 1:].mean(axis=1)
    spread = np.sqrt(raw[:, 1:].var(axis=1) + floor**2)
    return score, np.divide(score, spread, out=np.zeros_like(score), where=spread > 0)


def _express(counts: sparse.csr_matrix, used: NDArray[np.int64]) -> tuple[sparse.csr_matrix, NDArray[np.float32]]:
    """Log-normalised expression of the used genes, and what one count is worth in each cell."""
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    worth = np.log1p(np.divide(TARGET_SUM, totals, out=np.zeros_like(totals), where=totals > 0))
    return log_normalise(counts[:, used], totals=totals), worth.astype(np.float32)
