"""A raw (unfiltered) matrix: sums and chosen barcodes, from blocks (10x) or from a matrix in memory (other formats)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.inputs.files import file_format
from livermet.inputs.hashtags import other_features
from livermet.inputs.readers import read_counts
from livermet.inputs.tenx import GENE_EXPRESSION, Block, Matrix, open_tenx
from livermet.keys import OTHERS, SYMBOL

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


class Raw:
    """All barcodes of a matrix, whose entries are gone through block by block.

    Attributes
    ----------
    barcodes
        Their names.
    features
        id, symbol, type.
    is_gene
        Which features are genes.
    """

    def __init__(self, source: AnnData | str | Path) -> None:
        if isinstance(source, str | Path):
            self._tenx: Matrix | None = open_tenx(source)
            self.barcodes = self._tenx.barcodes.astype(str)
            self.features = self._tenx.features
        else:
            self._tenx = None
            self.barcodes = source.obs_names.to_numpy(dtype=str)
            genes = pd.DataFrame(
                {"id": source.var_names, "symbol": source.var[SYMBOL].to_numpy(), "type": GENE_EXPRESSION}
            )
            others = other_features(source)
            self.features = pd.concat([genes, others], ignore_index=True) if len(others) else genes
            self._counts = sp.coo_matrix(sp.hstack([source.X, source.obsm[OTHERS]]) if len(others) else source.X)
        self.is_gene = (self.features["type"] == GENE_EXPRESSION).to_numpy()

    @classmethod
    def open(cls, path: str | Path) -> Raw:
        """From a file; one that is no 10x matrix is read whole."""
        return cls(path if file_format(path) in {"10x folder", "10x h5"} else read_counts(path))

    def _blocks(self) -> Iterator[Block]:
        if self._tenx is not None:
            yield from self._tenx.blocks()
        else:
            yield Block(self._counts.col, self._counts.row, self._counts.data)

    def totals(self) -> NDArray[np.int64]:
        """UMIs of every barcode, in genes."""
        totals = np.zeros(len(self.barcodes), dtype=np.int64)
        for block in self._blocks():
            weights = block.umis * self.is_gene[block.feature]
            totals += np.bincount(block.cell, weights, minlength=len(totals)).astype(np.int64)
        return totals

    def sums(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """UMIs of every feature over the chosen barcodes."""
        sums = np.zeros(len(self.features), dtype=np.int64)
        for block in self._blocks():
            inside = chosen[block.cell]
            sums += np.bincount(block.feature[inside], block.umis[inside], minlength=len(sums)).astype(np.int64)
        return sums

    def take(self, chosen: NDArray[np.bool_]) -> sp.csr_matrix:
        """Counts of the chosen barcodes, barcodes x features."""
        place = np.cumsum(chosen) - 1
        parts = []
        for block in self._blocks():
            inside = chosen[block.cell]
            parts.append((block.umis[inside], place[block.cell[inside]], block.feature[inside]))
        data, rows, columns = (np.concatenate([part[n] for part in parts] or [np.zeros(0, int)]) for n in range(3))
        taken = sp.csr_matrix((data.astype(np.int32), (rows, columns)), shape=(int(chosen.sum()), len(self.features)))
        taken.eliminate_zeros()
        return taken
