"""The cells of all samples in one gene space, raw counts, written once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.cells.barcodes.correct import LEFT, UNCORRECTED
from livermet.cells.barcodes.dead_samples import SET_ASIDE
from livermet.cells.barcodes.reasons import drop_counts
from livermet.cells.barcodes.twins import find_shared_barcodes, find_twins
from livermet.cells.gene_spaces import compare_gene_spaces
from livermet.cells.telling import tell_ambient, tell_known_doublets, tell_mixed, tell_set_aside
from livermet.errors import InputError, Problem
from livermet.inputs.genes import is_ensembl, mark_genes, sum_genes
from livermet.keys import (
    AMBIENT,
    AMBIENT_CORRECTED,
    AMBIENT_FOUND_BY,
    AMBIENT_HIGH,
    AMBIENT_LOW,
    CELL,
    DROP_REASON,
    GENE_ID,
    IS_DOUBLET,
    KEPT,
    KIND,
    KNOWN_DOUBLET,
    MITO,
    MOUSE,
    N_GENES,
    N_UMIS,
    SAMPLE,
    SET_ASIDE_BECAUSE,
    SOUP_SOURCE,
    SYMBOL,
    TAG_CALL,
    TAGS,
)
from livermet.notices import tabulate

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

NOT_IN_OBS = ("path", "raw_path")
TAG_CALLS = ("singlet", "doublet", "negative", "uncertain")


class Merged(NamedTuple):
    """What :func:`merge_samples` gives: counts, every barcode, every sample, every sample's soup, what is to be told."""

    counts: AnnData
    barcodes: pd.DataFrame
    samples: pd.DataFrame
    soup: pd.DataFrame
    notices: pd.DataFrame


def merge_samples(
    samples: Sequence[AnnData], qualities: Sequence[pd.DataFrame], soups: Sequence[pd.DataFrame], sheet: pd.DataFrame
) -> Merged:
    """Put the kept cells of all samples together.

    Parameters
    ----------
    samples
        Canonical counts, one a sample, in the sheet's order; as they were read, or corrected for ambient RNA
        (:func:`livermet.cells.barcodes.correct.correct_ambient`), all or none.
    qualities
        Quality tables in the same order.
    soups
        Ambient profiles in the same order.
    sheet
        The sample sheet, index `sample`, text.

    Returns
    -------
    Merged
        Kept cells x union of genes (0 where a sample lacks a gene), the sheet's columns in obs as text, cells ordered by
        sheet and input; all barcodes with their mouse; one row a sample; genes x samples, ambient profiles. Of corrected
        counts, obs `n_umis` and `n_genes` are those that are left, `ambient_fraction` what may be ambient among them still
        (what was found stands with the barcodes), and layers["uncorrected"] are the counts as they were read.
        Notices of samples that were set aside, that lack genes, of their ambient RNA and of samples that share barcodes.

    Raises
    ------
    InputError
        Where no sample has a cell left, two samples are the same library, or one names its genes as no other does.
    """
    import anndata

    twins = find_twins(qualities, sheet)
    if twins:
        raise InputError(twins)
    names = [str(name) for name in sheet.index]
    aliases = shared_ids([adata.var for adata in samples])
    unified = [unify(adata, aliases, name) for adata, name in zip(samples, names, strict=True)]
    genes = gene_union([adata.var for adata in unified])
    kept = [table[KEPT].to_numpy(dtype=bool) for table in qualities]
    if not any(item.any() for item in kept):
        raise InputError(
            Problem(
                f"sample '{name}'",
                f"it is {why_set_aside(table)}, and so is every other: no cell passes quality control",
                "at least one sample with cells",
                "Look at drop_reason in the quality tables and at `quality:` in the config",
            )
            for name, table in zip(names, qualities, strict=True)
        )
    blocks = [
        _widen(adata, genes.index, np.flatnonzero(keep), name)
        for adata, keep, name in zip(unified, kept, names, strict=True)
    ]
    spaces = compare_gene_spaces(blocks, [adata.var_names for adata in unified], genes, names)
    qualities = alike(qualities)
    obs = pd.concat([table.loc[keep] for table, keep in zip(qualities, kept, strict=True)])
    obs = obs.drop(columns=[KEPT, "drop_reason", KIND], errors="ignore")
    for column in sheet.columns.drop(list(NOT_IN_OBS), errors="ignore"):
        obs[str(column)] = sheet.loc[obs[SAMPLE], column].astype(str).to_numpy()
    obs.index.name = CELL
    counts = anndata.AnnData(sp.vstack(blocks, format="csr").astype(np.int32), obs=obs, var=genes)
    corrected = all(UNCORRECTED in adata.layers for adata in samples)
    if corrected:
        _note_correction(counts, samples, unified, aliases, kept, names)
    barcodes = pd.concat(list(qualities)).drop(columns=KIND, errors="ignore")
    barcodes[MOUSE] = sheet.loc[barcodes[SAMPLE], MOUSE].astype(str).to_numpy()
    barcodes.index.name = CELL
    samples_table = summarise(qualities, soups, sheet, corrected)
    notices = tabulate(
        [
            *tell_set_aside(samples_table),
            *spaces,
            *tell_ambient(samples_table, corrected),
            *tell_known_doublets(qualities, names),
            *tell_mixed(qualities, sheet),
            *find_shared_barcodes(qualities, sheet),
        ]
    )
    return Merged(counts, barcodes, samples_table, _merge_soups(soups, aliases, genes.index, names), notices)


def alike(qualities: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Quality tables with the same columns: what only some samples' hashtags tell is empty text in the others."""
    there = [column for column in (KNOWN_DOUBLET, TAGS, TAG_CALL) if any(column in table for table in qualities)]
    return [table.assign(**{column: "" for column in there if column not in table}) for table in qualities]


def shared_ids(tables: Sequence[pd.DataFrame]) -> dict[str, str]:
    """Symbols that stand for an id in one sample and have an Ensembl id, always the same, in the others.

    Parameters
    ----------
    tables
        Gene tables (index `gene_id`, column `symbol`).

    Returns
    -------
    dict
        Symbol used as id -> Ensembl id.
    """
    every = pd.concat([table[SYMBOL].astype(str) for table in tables])
    pairs = pd.DataFrame({GENE_ID: every.index.astype(str), SYMBOL: every.to_numpy()}).drop_duplicates()
    ensembl = is_ensembl(pairs[GENE_ID])
    bare = set(pairs.loc[~ensembl, GENE_ID])
    named = pairs.loc[ensembl & pairs[SYMBOL].isin(bare).to_numpy()]
    known = {str(symbol): set(part) for symbol, part in named.groupby(SYMBOL)[GENE_ID]}
    several = sorted(symbol for symbol, ids in known.items() if len(ids) > 1)
    if several:
        log.warning("%d symbols have several Ensembl ids and stay apart: %s", len(several), ", ".join(several[:10]))
    return {symbol: next(iter(ids)) for symbol, ids in known.items() if len(ids) == 1}


def unify(adata: AnnData, aliases: dict[str, str], name: str) -> AnnData:
    """A sample with its bare symbols replaced by the Ensembl ids that other samples give them."""
    renamed = [aliases.get(gene, gene) for gene in adata.var_names]
    n_renamed = sum(gene in aliases for gene in adata.var_names)
    if not n_renamed:
        return adata
    log.info("%s: %d genes named by symbol take the Ensembl id that other samples give it", name, n_renamed)
    return sum_genes(adata, pd.Index(renamed, name=GENE_ID), adata.var[SYMBOL].astype(str).tolist(), name)


def gene_union(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Genes of all samples, in the order of first appearance, marked; no symbol twice.

    A gene's symbol is the first that is not its id. Of genes that share a symbol the smallest Ensembl id keeps it and the
    others take their id behind it, so that a symbol points to one gene.
    """
    every = pd.concat([table[[SYMBOL]] for table in tables])
    every = every.assign(symbol=every[SYMBOL].astype(str), bare=every[SYMBOL].astype(str) == every.index.astype(str))
    order = every.index.drop_duplicates()
    best = every.sort_values("bare", kind="stable")
    genes = best.loc[~best.index.duplicated(), [SYMBOL]].loc[order]
    genes.index.name = GENE_ID
    # An Ensembl id goes before a bare symbol.
    ranked = genes.assign(bare=~is_ensembl(genes.index)).sort_values("bare", kind="stable")
    ranked = pd.concat([part.sort_index() for _, part in ranked.groupby("bare", sort=True)])
    twice = ranked.duplicated(SYMBOL).reindex(genes.index)
    genes.loc[twice, SYMBOL] = genes.loc[twice, SYMBOL] + "_" + genes.index[twice].astype(str)
    mark_genes(genes)
    return genes


def summarise(
    qualities: Sequence[pd.DataFrame], soups: Sequence[pd.DataFrame], sheet: pd.DataFrame, corrected: bool = False
) -> pd.DataFrame:
    """One row a sample: the sheet, barcodes kept and dropped by reason, medians of the kept cells, ambient RNA."""
    rows = []
    for name, table, soup in zip(sheet.index, qualities, soups, strict=True):
        kept = table.loc[table[KEPT]]
        row: dict[str, object] = {SAMPLE: name, **sheet.loc[name].astype(str).to_dict()}
        row |= {"n_barcodes": len(table), "n_kept": len(kept), "n_dropped": len(table) - len(kept)}
        row |= {f"dropped: {reason}": number for reason, number in drop_counts(table).items()}
        row |= {f"median_{metric}": kept[metric].median() for metric in (N_UMIS, N_GENES, MITO)}
        if TAG_CALL in table and (table[TAG_CALL] != "").any():
            row |= {f"hashtags: {call}": int((table[TAG_CALL] == call).sum()) for call in TAG_CALLS}
        row |= {"n_doublets": int(table[IS_DOUBLET].sum()), f"mean_{AMBIENT}": kept[AMBIENT].mean()}
        row[SOUP_SOURCE] = str(soup["source"].iloc[0])
        row |= {key: soup[key].iloc[0] for key in (AMBIENT_FOUND_BY, AMBIENT_LOW, AMBIENT_HIGH)}
        row[AMBIENT_CORRECTED] = corrected and bool(table[AMBIENT].notna().any())
        row[SET_ASIDE_BECAUSE] = "" if len(kept) else why_set_aside(table)
        if not len(kept):
            log.warning("sample '%s' is %s", name, row[SET_ASIDE_BECAUSE])
        rows.append(row)
    frame = pd.DataFrame(rows)
    dropped = [column for column in map(str, frame) if column.startswith("dropped: ")]
    frame[dropped] = frame[dropped].fillna(0).astype(int)
    tagged = [column for column in map(str, frame) if column.startswith("hashtags: ")]
    frame[tagged] = frame[tagged].astype("Int64")  # missing where a sample has none
    rest = [column for column in map(str, frame) if column not in dropped]
    after = rest.index("n_dropped") + 1
    return frame[[*rest[:after], *sorted(dropped), *rest[after:]]]


def _note_correction(
    counts: AnnData,
    samples: Sequence[AnnData],
    unified: Sequence[AnnData],
    aliases: dict[str, str],
    kept: Sequence[NDArray[np.bool_]],
    names: Sequence[str],
) -> None:
    """Keep the counts as they were read beside the corrected ones, and describe what is left."""
    import anndata

    before = [
        unify(anndata.AnnData(adata.layers[UNCORRECTED], obs=adata.obs, var=adata.var), aliases, name)
        for adata, name in zip(samples, names, strict=True)
    ]
    blocks = [
        _widen(adata, counts.var_names, np.flatnonzero(keep), name)
        for adata, keep, name in zip(before, kept, names, strict=True)
    ]
    counts.layers[UNCORRECTED] = sp.vstack(blocks, format="csr").astype(np.int32)
    counts.obs[N_UMIS] = np.asarray(counts.X.sum(axis=1, dtype=np.int64)).ravel()
    counts.obs[N_GENES] = counts.X.getnnz(axis=1).astype(np.int64)
    counts.obs[AMBIENT] = np.concatenate(
        [adata.obs[LEFT].to_numpy(dtype=float)[keep] for adata, keep in zip(unified, kept, strict=True)]
    )
    log.info("counts are corrected: %d of %d UMIs left", counts.obs[N_UMIS].sum(), counts.layers[UNCORRECTED].sum())


def why_set_aside(table: pd.DataFrame) -> str:
    """In words, why a sample without kept cells has none: from its quality table."""
    if not len(table):
        return "set aside: no cell bears its hashtag"
    said = table[DROP_REASON].str.extract(rf"{SET_ASIDE} \((.*)\)$", expand=False).dropna()
    return f"set aside: {said.iloc[0] if len(said) else f'none of its {len(table)} barcodes passes quality control'}"


def _widen(adata: AnnData, genes: pd.Index, cells: NDArray[np.intp], name: str) -> sp.csr_matrix:
    """Chosen cells in the union of genes."""
    lacking = len(genes) - adata.n_vars
    if lacking:
        log.info("%s: lacks %d of %d genes, counted as 0", name, lacking, len(genes))
    chosen = sp.csr_matrix(adata.X)[cells]
    columns = genes.get_indexer(adata.var_names)
    widened = sp.csr_matrix((chosen.data, columns[chosen.indices], chosen.indptr), shape=(len(cells), len(genes)))
    widened.sort_indices()
    return widened


def _merge_soups(
    soups: Sequence[pd.DataFrame], aliases: dict[str, str], genes: pd.Index, names: list[str]
) -> pd.DataFrame:
    columns = {}
    for name, soup in zip(names, soups, strict=True):
        share = soup["soup"].rename(index=aliases) if aliases else soup["soup"]
        if share.index.has_duplicates:
            share = share.groupby(level=0).sum()
        columns[name] = share.reindex(genes, fill_value=0.0)
    return pd.DataFrame(columns, index=genes).rename_axis(GENE_ID)
