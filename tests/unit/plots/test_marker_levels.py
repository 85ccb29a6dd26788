"""The table behind the marker figure: means and shares by hand, and genes that set a lineage apart."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from livermet.plots.marker_levels import measure_markers

GENES = ["Cd3e", "Cd3d", "Trac", "Cd79a", "Ms4a1", "Cd19", "Actb"]
MARKERS = {
    "lineages": {
        "T_cell": {"compartment": "immune", "up": ["Cd3e", "Cd3d", "Trac"]},
        "B_cell": {"compartment": "immune", "up": ["Cd79a", "Ms4a1", "Cd19"]},
    }
}


@pytest.fixture
def study() -> tuple[ad.AnnData, pd.DataFrame]:
    counts = np.zeros((25, 7), dtype=np.int32)
    counts[:, 6] = 90
    counts[:10, :3] = [[4, 3, 3]] * 5 + [[4, 3, 0]] * 5
    counts[10:20, 3:6] = [5, 4, 1]
    counts[10:14, 0] = 1  # some Cd3e in B cells, too
    cells = pd.Index([f"c{place}" for place in range(25)], name="cell")
    var = pd.DataFrame({"symbol": GENES}, index=pd.Index([f"g{place}" for place in range(7)], name="gene_id"))
    lineage = ["T_cell"] * 10 + ["B_cell"] * 10 + ["pDC"] * 5
    return ad.AnnData(sp.csr_matrix(counts), obs=pd.DataFrame(index=cells), var=var), pd.DataFrame(
        {"lineage": lineage}, index=cells
    )


def test_means_and_shares(study: tuple[ad.AnnData, pd.DataFrame]) -> None:
    table = measure_markers(*study, MARKERS).set_index(["lineage", "gene"])
    assert table.loc[("T_cell", "Trac"), "share"] == 0.5
    assert table.loc[("B_cell", "Cd3e"), "share"] == 0.4
    depth = 5 * 100 + 5 * 97
    assert table.loc[("T_cell", "Trac"), "mean"] == pytest.approx(np.log1p(1e4 * 15 / depth))
    assert table.loc[("T_cell", "Trac"), "n_cells"] == 10
    assert table.loc[("B_cell", "Cd3e"), "of"] == "T_cell"


def test_genes_that_set_a_lineage_apart_come_first_and_few_cells_are_no_lineage(
    study: tuple[ad.AnnData, pd.DataFrame],
) -> None:
    table = measure_markers(*study, MARKERS, n_genes=1)
    assert table.loc[table["of"] == "T_cell", "gene"].unique().tolist() == ["Cd3d"]  # Cd3e is in B cells, Trac in half
    assert set(table["lineage"]) == {"T_cell", "B_cell"}
