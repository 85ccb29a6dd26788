"""UCell against a plain twin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import rankdata

from livermet.tcells.signatures import Signatures
from livermet.tcells.ucell import score_ucell

from .conftest import draw_cells

NAMES = ["T_naive_like", "Treg", "T_proliferating", "CD8_terminally_exhausted_Tex"]


def plain(values: np.ndarray, places: list[int], max_rank: int) -> float:
    """The formula of the paper, one cell and one set, by sorting."""
    ranks = np.minimum(rankdata(-values, method="average")[places], max_rank + 1)
    n = len(places)
    if n == 0 or (ranks > max_rank).all():
        return 0.0
    return float(1 - (ranks.sum() - n * (n + 1) / 2) / (n * max_rank))


@pytest.mark.parametrize("max_rank", [30, 1500, 6000])
def test_brute_force_twin(collection: Signatures, toy_var: pd.DataFrame, toy_rates: np.ndarray, max_rank: int) -> None:
    """Also where the silent genes' shared rank lies within `max_rank`, which the sparse shortcut must not forget."""
    counts = draw_cells(toy_rates, 12, depth=6000, seed=2)
    found = score_ucell(counts, toy_var, collection=collection, names=NAMES, max_rank=max_rank)
    place = {symbol: number for number, symbol in enumerate(toy_var["symbol"])}
    for cell, values in enumerate(counts.toarray()):
        for name in NAMES:
            item = collection[name]
            up = plain(values, [place[gene] for gene in item.up if gene in place], max_rank)
            down = plain(values, [place[gene] for gene in item.down if gene in place], max_rank)
            assert found.loc[cell, name] == pytest.approx(max(0.0, up - down), abs=1e-6)


def test_best_and_worst(collection: Signatures) -> None:
    treg = collection["Treg"].up
    var = pd.DataFrame({"symbol": [*treg, *(f"x{number}" for number in range(3000))]})
    top = np.zeros(len(var), dtype=np.int32)
    top[: len(treg)] = np.arange(100, 100 + len(treg))
    bottom = np.r_[np.zeros(len(treg), dtype=np.int32), np.full(3000, 3, dtype=np.int32)]
    found = score_ucell(sparse.csr_matrix(np.stack([top, bottom])), var, collection=collection, names=["Treg"])
    assert found["Treg"].tolist() == [1.0, 0.0]
