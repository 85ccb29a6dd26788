"""The genes of the demo: 12,000 real mouse genes, chosen once and kept as a table in `resources/`.

The table is made by :func:`choose_genes` from public facts: the feature list (and, for ranking, the counts) of one mouse
of GSE127465 (Zilionis 2019, doi:10.1016/j.immuni.2019.03.009), GENCODE's names of the antigen-receptor genes which that
list lacks, and the genes of the gene sets. To make it anew::

    genes = choose_genes(features=..., counts=..., extra=..., required=..., n_genes=12000)
    write_genes(genes, "resources/demo_genes.tsv.gz")
"""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from livermet.keys import GENE_ID, SYMBOL

LEVEL = "level"

# Ensembl ids of genes outside both lists (ensembl.org, GRCm38 and GRCm39 alike).
OTHER_GENES = {"Xist": "ENSMUSG00000086503", "Malat1": "ENSMUSG00000092341", "Il17a": "ENSMUSG00000025929"}
ALWAYS = re.compile(r"^mt-|^Rp[ls]p?\d+[axly]?\d?l?$|^Rpsa$|^Hb[ab]-|^Xist$|^(Ddx3y|Uty|Kdm5d|Eif2s3y)$|^Malat1$")


def choose_genes(
    *, features: pd.DataFrame, counts: ArrayLike, extra: pd.DataFrame, required: Collection[str], n_genes: int = 12000
) -> pd.DataFrame:
    """Choose the genes of the demo and rank them by how strongly immune cells express them.

    Parameters
    ----------
    features
        Columns `gene_id`, `symbol`: the feature list genes are chosen from.
    counts
        UMIs of each feature over all cells, shape (features,).
    extra
        Further genes (antigen receptors), columns `gene_id`, `symbol`; they are all taken.
    required
        Symbols (any alias of a gene may be among them) that are taken wherever a list has them.
    n_genes
        How many to choose.

    Returns
    -------
    pandas.DataFrame
        `gene_id`, `symbol`, `level`: the required genes first, then by falling expression. `level` is the vigintile of
        expression, 0 (not seen) to 19, so that genes strong in real immune cells are strong in the demo.

    Raises
    ------
    ValueError
        Where the lists hold fewer genes than asked for.
    """
    table = features[[GENE_ID, SYMBOL]].assign(total=np.asarray(counts, dtype=float))
    added = pd.concat([extra, pd.DataFrame({GENE_ID: list(OTHER_GENES.values()), SYMBOL: list(OTHER_GENES)})])
    added = added[~added[SYMBOL].isin(table[SYMBOL]) & ~added[GENE_ID].isin(table[GENE_ID])]
    # What the list lacks was not measured: it is put among the well expressed, as receptors in lymphocytes are.
    table = pd.concat([table, added.assign(total=np.quantile(table["total"], 0.9))], ignore_index=True)
    must = table[SYMBOL].isin(required) | table[SYMBOL].str.match(ALWAYS) | table[GENE_ID].isin(added[GENE_ID])
    order = np.lexsort((table[GENE_ID], -table["total"], ~must))
    if len(order) < n_genes:
        raise ValueError(f"only {len(order)} genes to choose {n_genes} from")
    table = table.iloc[order[:n_genes]].reset_index(drop=True)
    level = np.floor(table["total"].rank(pct=True, method="average").to_numpy() * 19.999).astype(int)
    return table[[GENE_ID, SYMBOL]].assign(**{LEVEL: np.where(table["total"] > 0, level, 0)})


def write_genes(genes: pd.DataFrame, path: str | Path) -> None:
    """Write the table so that the same genes make the same bytes."""
    text = genes.to_csv(sep="\t", index=False, lineterminator="\n")
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0, compresslevel=9) as handle:
        handle.write(text.encode())
    Path(path).write_bytes(packed.getvalue())


def first_genes(table: pd.DataFrame, n_genes: int) -> pd.DataFrame:
    """The first `n_genes` rows (the required ones lead), in the order of gene ids as a reference has them."""
    return table.head(n_genes).sort_values(GENE_ID, kind="stable").reset_index(drop=True)
