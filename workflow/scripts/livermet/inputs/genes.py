"""Who a gene is: Ensembl id where there is one, symbol for people, species by evidence, and the marked groups."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.errors import InputError, Problem
from livermet.inputs.names import find_dated
from livermet.inputs.species import ENSEMBL, check_species, restore_case, strip_genome
from livermet.inputs.told import tell
from livermet.keys import GENE_ID, IS_HAEMO, IS_MITO, IS_RIBO, SYMBOL
from livermet.notices import LOUD, QUIET

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("livermet")


# The 13 protein-coding genes of the mouse mitochondrion (Ensembl, GRCm39, chromosome MT), for tables without symbols.
MOUSE_MITOCHONDRIAL = {
    f"ENSMUSG000000{number}"
    for number in (64341, 64345, 64351, 64354, 64356, 64357, 64358, 64360, 64363, 64367, 64368, 64370, 65947)
}
MITOCHONDRIAL = re.compile(r"mt-\w+", re.IGNORECASE)  # the hyphen tells mt-Co1 from the metallothioneins Mt1, Mt2
# Proteins of the cytosolic ribosome and their pseudogenes; not the S6 kinases Rps6ka1..., nor Rps19bp1.
RIBOSOMAL = re.compile(r"rp(?:[ls]\d+(?:al|rt|l\d?|a\d?|[xy])?|lp\d|sa)(?:-ps\d*)?", re.IGNORECASE)
HAEMOGLOBIN = re.compile(r"hb[ab]-\w+", re.IGNORECASE)
# Names that no barcode has: Ensembl ids, ribosomal and mitochondrial genes, RIKEN clones, predicted genes.
GENE_LIKE = re.compile(
    rf"(?:{ENSEMBL.pattern}(?:\.\d+)?|rp[ls]p?\d+[a-z]*|mt-\w+|\d{{7}}[A-Z]\d{{2}}Rik|Gm\d{{4,5}}|Hb[ab]-\w+|H2-\w+)",
    re.IGNORECASE,
)
# Genes that one meets in nearly every table of a tissue with immune cells, in lower case.
FAMILIAR_TEXT = (
    "actb actg1 gapdh malat1 b2m eef1a1 eef2 tmsb4x tmsb10 fth1 ftl1 ftl tpt1 ubb ubc hprt hsp90ab1 hspa8 cd74 ptprc "
    "cd3d cd3e cd3g cd4 cd8a cd8b1 cd8b trac trbc1 trbc2 il7r foxp3 cd19 cd79a cd79b ms4a1 ighm igkc nkg7 klrb1c gzma "
    "gzmb prf1 ncr1 ifng tnf il1b il6 il10 tgfb1 lyz1 lyz2 lyz s100a8 s100a9 csf1r csf3r adgre1 itgam itgax fcgr3 "
    "ly6c2 ly6g clec4f vsig4 c1qa c1qb c1qc apoe alb apoa1 saa1 saa2 epcam krt18 krt19 pecam1 cdh5 col1a1 col1a2 vim "
    "stat1 stat3 irf7 isg15 ifit1 ifit3 mx1 oas1 oas1a jun fos junb myc trp53 tp53 cdkn1a mki67 top2a pcna fas fasl "
    "faslg pdcd1 cd274 ctla4 lag3 havcr2 tox tcf7 sell ccr7 cxcr3 cxcl9 cxcl10 ccl2 ccl3 ccl4 ccl5 hmgb1 hmgb2 xist "
    "aif1 aldoa pkm ldha eno1 ppia cfl1 pfn1 arpc2 h3f3b h2afz npm1 nfkbia nr4a1 klf2 dusp1 btg1 srsf5"
)
FAMILIAR = frozenset(FAMILIAR_TEXT.split())


def is_ensembl(names: Iterable[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which names are Ensembl gene ids."""
    return np.array([ENSEMBL.match(name) is not None for name in names], dtype=bool)


def count_gene_like(names: Iterable[str]) -> int:
    """How many names can only be a gene's: by their pattern or because they are well known."""
    return sum(1 for name in names if GENE_LIKE.fullmatch(name) or name.lower() in FAMILIAR)


def identify_genes(adata: AnnData, species: str, where: str = "counts") -> AnnData:
    """Give every gene its id, its symbol and its marks.

    Parameters
    ----------
    adata
        Cells x features as a reader gives them: `var_names` the id in the file, `var["symbol"]` the name beside it.
    species
        The species that the config names.
    where
        Named in messages.

    Returns
    -------
    AnnData
        The same cells; `var` indexed by `gene_id` (Ensembl id without version where there is one, else the symbol),
        with `symbol`, `mitochondrial`, `ribosomal`, `haemoglobin`. Features of the same id are summed.

    Raises
    ------
    InputError
        Where the names speak of another species, do not tell a species, or hold no mitochondrial gene.
    """
    ids, symbols = strip_genome(adata.var_names), strip_genome(adata.var[SYMBOL])
    check_species(ids, symbols, species, where)
    symbols = _mend_case(adata, symbols, species)
    dated = frozenset(find_dated(symbols))
    _tell_dated(adata, ids, symbols, dated)
    genes = [_gene_id(identifier, symbol, dated) for identifier, symbol in zip(ids, symbols, strict=True)]
    symbols = [symbol or gene for symbol, gene in zip(symbols, genes, strict=True)]
    summed = sum_genes(adata, pd.Index(genes, name=GENE_ID), symbols, where)
    if summed.n_vars < adata.n_vars:
        twice = pd.Index(genes)[pd.Index(genes).duplicated()].unique()
        tell(
            summed,
            f"{len(twice)} genes stand in several rows of its counts, which were added up.",
            f"such as {', '.join(map(str, twice[:5]))}",
        )
    mark_genes(summed.var)
    if not summed.var[IS_MITO].any():
        raise InputError(_no_mitochondrion(where, summed.n_vars))
    return summed


def mark_genes(var: pd.DataFrame) -> None:
    """Write `mitochondrial`, `ribosomal` and `haemoglobin` into a gene table, by its symbols."""
    symbols = var[SYMBOL].astype(str)
    var[IS_MITO] = [
        MITOCHONDRIAL.fullmatch(symbol) is not None or gene in MOUSE_MITOCHONDRIAL
        for gene, symbol in zip(var.index, symbols, strict=True)
    ]
    var[IS_RIBO] = [RIBOSOMAL.fullmatch(symbol) is not None for symbol in symbols]
    var[IS_HAEMO] = [HAEMOGLOBIN.fullmatch(symbol) is not None for symbol in symbols]


def sum_genes(adata: AnnData, genes: pd.Index, symbols: list[str], where: str) -> AnnData:
    """Counts with one column a gene: columns of the same gene are added up, in the order of first appearance."""
    import anndata

    codes, unique = pd.factorize(genes)
    first = np.zeros(len(unique), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    counts = adata.X
    if len(unique) < len(codes):
        twice = unique[np.bincount(codes) > 1]
        log.info("%s: %d genes stand in several rows, summed: %s", where, len(twice), ", ".join(map(str, twice[:10])))
        ones = np.ones(len(codes), dtype=np.int32)
        counts = counts @ sp.csr_matrix((ones, (np.arange(len(codes)), codes)), shape=(len(codes), len(unique)))
    counts = sp.csr_matrix(counts, dtype=np.int32)
    counts.sort_indices()
    names = np.asarray(symbols, dtype=object)[first]
    var = pd.DataFrame({SYMBOL: names}, index=pd.Index(unique.astype(str), name=GENE_ID))
    return anndata.AnnData(counts, obs=adata.obs, var=var, obsm=dict(adata.obsm), uns=dict(adata.uns))


def _gene_id(identifier: str, symbol: str, dated: frozenset[str]) -> str:
    for name in (identifier, symbol):
        if found := ENSEMBL.match(name):
            return found[0]
    if symbol in dated and identifier not in dated:
        return identifier or symbol
    return symbol or identifier


def _mend_case(adata: AnnData, symbols: list[str], species: str) -> list[str]:
    """Symbols of a mouse as they are written, where a tool put all of them in capitals."""
    some = symbols[:: max(1, len(symbols) // 2000)]
    letters = [symbol for symbol in some if sum(map(str.isalpha, symbol)) >= 3 and not ENSEMBL.match(symbol)]
    if species != "mouse" or len(letters) < 3 or np.mean([one == one.upper() for one in letters]) < 0.95:
        return symbols
    tell(
        adata,
        "Its gene symbols are written in capitals; they were written as mouse genes are.",
        f"such as {', '.join(letters[:3])}",
        "Mind genes whose mouse name differs from the human one, if the file was mapped to human genes",
    )
    return restore_case(symbols)


def _tell_dated(adata: AnnData, ids: list[str], symbols: list[str], names: frozenset[str]) -> None:
    dated = [symbol for symbol in symbols if symbol in names]
    if not dated:
        return
    lost = [symbol for name, symbol in zip(ids, symbols, strict=True) if symbol in names and not ENSEMBL.match(name)]
    known = "their Ensembl ids tell which genes they are" if not lost else f"{len(lost)} of them have no Ensembl id"
    tell(
        adata,
        f"{len(dated)} gene names look like dates or numbers that a spreadsheet made of them; they were left as they are.",
        f"such as {', '.join(dated[:5])}; {known}",
        "Read the counts from the file as it was before a spreadsheet opened it" if lost else "",
        LOUD if len(lost) > 50 else QUIET,
    )


def check_mitochondrion(ids: Iterable[str], symbols: Iterable[str], where: str) -> None:
    """Refuse a gene table without a mitochondrial gene: dying cells could not be told.

    Raises
    ------
    InputError
        With the number of genes.
    """
    names = list(ids)
    text = "\n".join(symbols)
    # One pass over one text: milliseconds for thirty thousand names.
    if re.search(r"^(?:\w+_+)?mt-\w", text, re.IGNORECASE | re.MULTILINE):
        return
    if any(found[0] in MOUSE_MITOCHONDRIAL for name in names if (found := ENSEMBL.search(name))):
        return
    raise InputError(_no_mitochondrion(where, len(names)))


def _no_mitochondrion(where: str, n_genes: int) -> Problem:
    return Problem(
        where,
        f"none of {n_genes} genes is mitochondrial",
        "symbols such as mt-Co1, or their Ensembl ids",
        "Without them dying cells cannot be told; count against a reference that holds the mitochondrion",
    )
