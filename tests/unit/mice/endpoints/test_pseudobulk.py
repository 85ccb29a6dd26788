"""Sums per mouse and population, against a plain loop."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.unit.mice.cohort import draw_counts, make_cells, make_design, make_settings

from livermet.errors import InputError
from livermet.mice.endpoints.pseudobulk import select, sum_counts

POPULATIONS = make_settings()["populations"]


@pytest.fixture
def cohort() -> tuple[anndata.AnnData, pd.DataFrame]:
    """Cells in random order, some without a label, one mouse without a single B cell."""
    rng = np.random.default_rng(5)
    design = make_design(2)
    numbers = draw_counts(design, rng)
    numbers.loc[design.units.index[3], "B_cell"] = 0
    labels, units = make_cells(numbers)
    order = rng.permutation(len(labels))
    labels, units = labels.iloc[order], units.iloc[order]
    x = sparse.csr_matrix(rng.poisson(0.4, (len(labels), 37)).astype(np.int32))
    obs = pd.DataFrame({"mouse": units.to_numpy(), "tissue": "liver"}, index=labels.index)
    var = pd.DataFrame(
        {"symbol": [f"Gene{number}" for number in range(37)]}, index=[f"ENS{number}" for number in range(37)]
    )
    return anndata.AnnData(x, obs=obs, var=var), labels.iloc[:-25]


def test_sums_equal_a_plain_loop(cohort: tuple[anndata.AnnData, pd.DataFrame]) -> None:
    counts, labels = cohort
    design = make_design(2)
    found = sum_counts(counts=counts, labels=labels, populations=POPULATIONS, units=design.units)
    assert found.n_obs == len(POPULATIONS) * len(design.units)
    assert np.issubdtype(found.X.dtype, np.integer)
    dense = counts.X.toarray()
    for row in range(found.n_obs):
        about = found.obs.iloc[row]
        population = POPULATIONS[about["population"]]
        total, n = np.zeros(37), 0
        for cell, name in enumerate(counts.obs_names):
            if name not in labels.index or counts.obs["mouse"].iloc[cell] != about["mouse"]:
                continue
            lineage, state = labels.loc[name, "lineage"], labels.loc[name, "state"]
            if lineage in population["lineages"] or state in population["states"]:
                total += dense[cell]
                n += 1
        assert about["n_cells"] == n
        np.testing.assert_array_equal(found.X[row].toarray()[0], total)
    empty = found.obs[(found.obs["population"] == "B_cell") & (found.obs["unit"] == design.units.index[3])]
    assert list(empty["n_cells"]) == [0]
    assert {"site", "treatment", "mouse", "tissue"} <= set(found.obs)


def test_selection_leaves_out_units_with_few_cells(cohort: tuple[anndata.AnnData, pd.DataFrame]) -> None:
    counts, labels = cohort
    design = make_design(2)
    sums = sum_counts(counts=counts, labels=labels, populations=POPULATIONS, units=design.units)
    sums = sums[np.random.default_rng(0).permutation(sums.n_obs)].copy()  # rows need not come in order
    numbers = sums.obs[sums.obs["population"] == "B_cell"].set_index("unit")["n_cells"]
    few = int(numbers.sort_values().iloc[2])
    found = select(sums, "B_cell", design, few)
    assert sorted(found.left_out) == sorted(numbers.index[numbers < few])
    assert list(found.design.units.index) == [unit for unit in design.units.index if numbers[unit] >= few]
    for place, unit in enumerate(found.design.units.index):
        row = np.flatnonzero((sums.obs["unit"] == unit) & (sums.obs["population"] == "B_cell"))[0]
        np.testing.assert_array_equal(found.counts[:, place], sums.X[row].toarray()[0])


def test_a_mouse_that_the_design_does_not_know_is_refused(cohort: tuple[anndata.AnnData, pd.DataFrame]) -> None:
    counts, labels = cohort
    units = make_design(2).units.iloc[1:]
    with pytest.raises(InputError, match="is not a unit of the design"):
        sum_counts(counts=counts, labels=labels, populations=POPULATIONS, units=units)


def test_ambient_counts_go_with_the_sums(cohort: tuple[anndata.AnnData, pd.DataFrame]) -> None:
    counts, labels = cohort
    rng = np.random.default_rng(6)
    design = make_design(2)
    counts = counts.copy()
    # Two lanes a mouse, each with a soup of its own; the soup's genes come in another order.
    counts.obs["sample"] = counts.obs["mouse"].astype(str) + rng.choice(["_1", "_2"], counts.n_obs)
    counts.obs["n_umis"] = np.asarray(counts.X.sum(axis=1)).ravel()
    counts.obs["ambient_fraction"] = rng.uniform(0, 0.1, counts.n_obs)
    samples = sorted(set(counts.obs["sample"]))
    soup = pd.DataFrame(rng.dirichlet(np.ones(37), len(samples)).T, counts.var_names[::-1], samples)
    asked = {"labels": labels, "populations": POPULATIONS, "units": design.units}
    found = sum_counts(counts=counts, soup=soup, **asked)
    plain = sum_counts(counts=counts, **asked)
    np.testing.assert_array_equal(found.X.toarray(), plain.X.toarray())
    assert "ambient" not in plain.layers
    assert "ambient_fraction" not in plain.obs
    unit = design.units.index[1]
    row = np.flatnonzero((found.obs["unit"] == unit) & (found.obs["population"] == "B_cell"))[0]
    mine = counts.obs[(counts.obs["mouse"] == unit) & (labels["lineage"].reindex(counts.obs_names) == "B_cell")]
    expected = sum(
        cell["n_umis"] * cell["ambient_fraction"] * soup.loc[counts.var_names, cell["sample"]].to_numpy()
        for _, cell in mine.iterrows()
    )
    np.testing.assert_allclose(found.layers["ambient"][row].toarray()[0], expected, rtol=1e-6)
    assert found.obs["ambient_fraction"].iloc[row] == pytest.approx(expected.sum() / mine["n_umis"].sum())
    picked = select(found, "B_cell", design, 1)
    place = list(picked.design.units.index).index(unit)
    np.testing.assert_allclose(picked.ambient[:, place], expected, rtol=1e-6)
    assert picked.ambient_share[place] == found.obs["ambient_fraction"].iloc[row]
    assert picked.counts.shape == picked.ambient.shape
