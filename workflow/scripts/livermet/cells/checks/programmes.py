"""Programmes that any cell may run, told and never regressed out: stress of dissociation, and the cell cycle.

A score is the mean log-normalised expression of a programme's genes minus that of genes of like expression (Tirosh et al.
2016, doi:10.1126/science.aad0501). Which genes are alike is read from a table made from other cells, and all of them
stand in for a gene, so that a cell's score depends on no draw and on no other cell of the study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.embedding.normalise import log_normalise
from livermet.errors import InputError, Problem
from livermet.keys import CELL, G2M_SCORE, GENE_ID, IS_HAEMO, IS_MITO, IS_RIBO, PHASE, S_SCORE, STRESS_SCORE, SYMBOL

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from livermet.files.counts import Counts

# Column -> the set of resources/signatures.yaml that it is read from.
SETS = {STRESS_SCORE: "dissociation_core_IEG_HSP", S_SCORE: "cell_cycle_S", G2M_SCORE: "cell_cycle_G2M"}
MIN_FOUND = 5  # genes of a programme that the study has; fewer make no score
CYCLING = (
    0.25  # a phase's score above which a cell is in it: resting lung leucocytes of 1,800 UMIs scatter by 0.07 about 0
)
BIN = "bin"


def score_programmes(counts: AnnData | Counts, signatures: Mapping[str, Any], bins: pd.DataFrame) -> pd.DataFrame:
    """Stress, S and G2M score of every cell, and its phase.

    Parameters
    ----------
    counts
        Cells x genes, raw counts; `var` has `symbol` and, where known, `mitochondrial`, `ribosomal`, `haemoglobin`.
    signatures
        Content of resources/signatures.yaml.
    bins
        `symbol`, `gene_id`, `bin`: which genes are expressed alike.

    Returns
    -------
    pandas.DataFrame
        Index cell; `stress_score`, `s_score`, `g2m_score` (NaN where the study has fewer than five of the genes), and
        `phase`: "S", "G2M", "G1" (neither, which is G0, too), or "" where it cannot be told.

    Raises
    ------
    InputError
        Where the signatures lack a set.
    """
    known = {str(one["name"]): one for one in signatures["signatures"]}
    missing = sorted(set(SETS.values()) - set(known))
    if missing:
        raise InputError(
            Problem("signatures", f"no set {', '.join(missing)}", remedy="Take it from resources/signatures.yaml")
        )
    places = _places(counts.var, signatures.get("aliases", {}))
    barred = {gene for one in known.values() for gene in (*one["up"], *one["down"])}
    pool = _pool(counts.var, bins, places, barred)
    bin_of = dict(zip(bins[SYMBOL].astype(str), bins[BIN].astype(int), strict=True))
    weights = [weigh_programme(known[name]["up"], places, pool, bin_of, counts.n_vars) for name in SETS.values()]
    scores = np.asarray(log_normalise(sp.csr_matrix(counts.X)) @ np.column_stack(weights), dtype=np.float32)
    table = pd.DataFrame(scores, index=pd.Index(counts.obs_names, name=CELL), columns=list(SETS))
    table[PHASE] = call_phase(table[S_SCORE].to_numpy(), table[G2M_SCORE].to_numpy())
    return table


def weigh_programme(
    genes: Sequence[str],
    places: Mapping[str, int],
    pool: Mapping[int, list[int]],
    bin_of: Mapping[str, int],
    n_genes: int,
) -> NDArray[np.float64]:
    """Weights whose product with log-normalised expression is a programme's score.

    Parameters
    ----------
    genes
        Of the programme.
    places
        Symbol -> column in the study.
    pool
        Bin -> columns of the genes that stand in for those of the bin.
    bin_of
        Symbol -> bin.
    n_genes
        Of the study.

    Returns
    -------
    ndarray
        They sum to 0; NaN where too few of the genes are there.
    """
    found = [gene for gene in genes if gene in places and pool.get(bin_of.get(gene, -1))]
    weights = np.zeros(n_genes)
    if len(found) < MIN_FOUND:
        return np.full(n_genes, np.nan)
    for gene in found:
        weights[places[gene]] += 1 / len(found)
        alike = pool[bin_of[gene]]
        weights[alike] -= 1 / (len(found) * len(alike))
    return weights


def call_phase(s_score: NDArray[np.floating[Any]], g2m_score: NDArray[np.floating[Any]]) -> NDArray[np.object_]:
    """The phase whose score is higher, where it is above :data:`CYCLING`."""
    phase = np.full(len(s_score), "G1", dtype=object)
    phase[s_score > CYCLING] = "S"
    phase[(g2m_score > CYCLING) & (g2m_score > s_score)] = "G2M"
    phase[~np.isfinite(s_score) | ~np.isfinite(g2m_score)] = ""
    return phase


def _places(var: pd.DataFrame, aliases: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Symbol -> column; a gene that the study has under another name is found under both."""
    places = {str(symbol): place for place, symbol in reversed(list(enumerate(var[SYMBOL].astype(str))))}
    for symbol, others in aliases.items():
        names = [symbol, *others]
        at = next((places[name] for name in names if name in places), None)
        if at is not None:
            places |= {name: at for name in names if name not in places}
    return places


def _pool(var: pd.DataFrame, bins: pd.DataFrame, places: Mapping[str, int], barred: set[str]) -> dict[int, list[int]]:
    """Bin -> columns of genes that are in no signature and follow neither damage nor size nor soup."""
    out = np.zeros(var.shape[0], dtype=bool)
    for column in (IS_MITO, IS_RIBO, IS_HAEMO):
        if column in var:
            out |= var[column].to_numpy(dtype=bool)
    out[[places[gene] for gene in barred if gene in places]] = True
    of_id = {str(gene): place for place, gene in enumerate(var.index)}
    pool: dict[int, list[int]] = {}
    for symbol, gene_id, number in zip(bins[SYMBOL].astype(str), bins[GENE_ID].astype(str), bins[BIN], strict=True):
        place = of_id.get(gene_id, places.get(symbol))
        if place is not None and not out[place]:
            pool.setdefault(int(number), []).append(place)
    return {number: sorted(set(columns)) for number, columns in pool.items()}
