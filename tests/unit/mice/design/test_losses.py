"""Samples without T cells are named; those with a single one are not."""

from __future__ import annotations

import pandas as pd

from livermet.mice.design.losses import tell_without_tcells
from livermet.notices import LOUD


def test_a_sample_without_t_cells_is_named_with_what_it_has() -> None:
    cells = pd.Series(["a", "a", "b", "b", "b"], index=list("vwxyz"))
    lineages = pd.Series(["T_cell", "B_cell", "B_cell", "B_cell", "NK_cell"], index=list("vwxyz"))
    (notice,) = tell_without_tcells(cells, lineages, ["T_cell"])
    assert (notice.sample, notice.level, notice.evidence) == ("b", LOUD, "3 cells kept, 0 of T_cell")
    assert tell_without_tcells(cells, lineages, ["T_cell", "NK_cell"]) == []
