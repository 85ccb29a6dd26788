"""The wrong test, run rightly: it is scipy's, it calls what differs between mice, and nothing of it but counts comes out."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from tests.unit.mice.cohort import make_design, make_settings

from livermet.mice.checks.cells_as_replicates import COLUMNS, compare_cell_tests, log_normalise, rank_sum
from livermet.mice.design.model import Design
from livermet.mice.endpoints.expression import test_expression
from livermet.mice.endpoints.pseudobulk import sum_counts

test_expression.__test__ = False  # type: ignore[attr-defined]
N_GENES, N_CELLS = 400, 60
POPULATIONS = {"B_cell": {"lineages": ["B_cell"]}, "NK_cell": {"lineages": ["NK_cell"]}}
MOVED = [f"ENS{number}" for number in range(10)]


def make_cells(
    design: Design, rng: np.random.Generator, spread: float, n_nk: int
) -> tuple[anndata.AnnData, pd.DataFrame]:
    """Cells of mice whose genes differ by `spread` (SD, natural log); ten genes are raised fourfold in treated tumours."""
    level = rng.lognormal(0.5, 0.8, N_GENES)
    level[: len(MOVED)] = 1.0  # too little of the whole for others to fall by being shares
    blocks, rows = [], []
    for mouse, unit in design.units.iterrows():
        mean = level * np.exp(rng.normal(0, spread, N_GENES))
        mean[: len(MOVED)] *= 4.0 if unit["arm"] == "tumour.drug" else 1.0
        for lineage, n in (("B_cell", N_CELLS), ("NK_cell", n_nk)):
            blocks.append(rng.poisson(mean * rng.gamma(3, 1 / 3, (n, N_GENES))))
            rows += [{"mouse": mouse, "tissue": "liver", "lineage": lineage, "state": lineage}] * n
    counts = sparse.csr_matrix(np.concatenate(blocks)).astype(np.int32)
    obs = pd.DataFrame(rows, index=pd.Index([f"c{number}" for number in range(len(rows))], name="cell"))
    obs["n_umis"] = np.asarray(counts.sum(axis=1)).ravel()
    names = [f"ENS{number}" for number in range(N_GENES)]
    var = pd.DataFrame({"symbol": names}, index=pd.Index(names, name="gene_id"))
    return anndata.AnnData(counts, obs=obs.drop(columns=["lineage", "state"]), var=var), obs[["lineage", "state"]]


def run(
    spread: float, seed: int = 0, n_nk: int = 30, **options: object
) -> tuple[pd.DataFrame, anndata.AnnData, pd.DataFrame]:
    design = make_design(3, make_settings(populations=POPULATIONS, questions=make_settings()["questions"][:4]))
    counts, labels = make_cells(design, np.random.default_rng(seed), spread, n_nk)
    sums = sum_counts(counts=counts, labels=labels, populations=POPULATIONS_FULL, units=design.units)
    ours, samples = test_expression(
        pseudobulk=sums, design=design, min_cells=10, confidence=0.95, effect_of_interest=1.0
    )
    table = compare_cell_tests(
        counts=counts, labels=labels, design=design, expression=ours, samples=samples, rate=0.05, **options
    )  # type: ignore[arg-type]
    return table, counts, ours


POPULATIONS_FULL = {name: {"lineages": one["lineages"], "states": []} for name, one in POPULATIONS.items()}


@pytest.mark.parametrize("density", [0.03, 0.4, 1.0])
def test_rank_sum_is_scipys(density: float) -> None:
    rng = np.random.default_rng(3)
    counts = rng.poisson(2, (90, 40)) * (rng.random((90, 40)) < density)
    counts[:, 0], counts[:, 1], counts[:, 2] = 0, 3, np.arange(90) % 2
    first = rng.random(90) < 0.4
    shift, p = rank_sum(sparse.csc_matrix(counts.astype(np.float32)), first)
    found = stats.mannwhitneyu(counts[first], counts[~first], axis=0, method="asymptotic")
    pairs = first.sum() * (~first).sum()
    np.testing.assert_allclose(shift, 2 * found.statistic / pairs - 1, atol=1e-12)
    np.testing.assert_allclose(p, found.pvalue, rtol=1e-9)
    assert p[0] == p[1] == 1  # all cells alike


def test_cells_are_scaled_to_ten_thousand() -> None:
    counts = sparse.csr_matrix(np.array([[1, 0, 3], [0, 2, 0]]))
    found = log_normalise(counts, np.array([4.0, 200.0])).toarray()
    np.testing.assert_allclose(found, np.log1p([[2500, 0, 7500], [0, 100, 0]]), rtol=1e-6)


def test_differences_between_mice_are_called_by_cells_and_not_by_mice() -> None:
    table, counts, _ = run(spread=0.35)
    null = table[(table["question"] == "drug_healthy")].set_index("population")
    assert (null["called_by_cells"] > 0.15 * N_GENES).all()  # nothing but mice differ
    assert (null["called_by_mice"] <= 2).all()
    assert (null["share_unsupported"] > 0.95).all()
    assert null.loc["B_cell", "n_cells_compared"] == 6 * N_CELLS
    assert (null["n_mice_compared"] == 6).all()
    assert set(table["question"]) == {"site", "drug", "drug_healthy"}  # a difference has no two sides
    # The same, gene by gene with scipy over both populations.
    p = []
    for start, n in ((0, N_CELLS), (N_CELLS, 30)):
        cells = np.concatenate([np.arange(start, start + n) + mouse * (N_CELLS + 30) for mouse in range(6)])
        x = counts.X[cells].toarray()
        x = np.log1p(x / counts.obs["n_umis"].to_numpy()[cells, None] * 1e4)
        p.append(stats.mannwhitneyu(x[: 3 * n], x[3 * n :], axis=0, method="asymptotic").pvalue)
    brute = stats.false_discovery_control(np.concatenate(p)) < 0.05
    assert null["called_by_cells"].tolist() == [brute[:N_GENES].sum(), brute[N_GENES:].sum()]


def test_alike_mice_make_both_tests_agree() -> None:
    """Where mice do not differ the cell-level test is not wrong: the difference between the tests is the mice."""
    table, _, ours = run(spread=0.0)
    drug = table[table["question"] == "drug"].set_index("population")
    assert (drug["called_by_cells"] <= 1.4 * len(MOVED)).all()
    assert (drug["called_by_both"] >= 9).all()
    called = ours[(ours["question"] == "drug") & (ours["adjusted_p_value"] < 0.05)]
    assert drug["called_by_mice"].to_dict() == called["population"].value_counts().to_dict()
    null = table[table["question"] == "drug_healthy"]
    assert (null["called_by_cells"] <= 2).all()


def test_a_known_truth_judges_the_calls() -> None:
    judged = pd.DataFrame({"question": ["drug", "drug_healthy"], "population": ["B_cell", ""]})
    moved = pd.DataFrame({"question": "drug", "population": "B_cell", "gene_id": MOVED})
    table, _, _ = run(spread=0.35, known=(judged, moved))
    told = table.set_index(["question", "population"])
    drug = told.loc[("drug", "B_cell")]
    assert drug["judged_by_truth"]
    assert drug["called_by_cells"] - drug["false_by_cells"] in range(8, 11)  # of the ten that were moved
    assert drug["false_by_cells"] > 3 * 10
    assert drug["false_by_mice"] <= 2
    assert not told.loc[("drug", "NK_cell"), "judged_by_truth"]
    null = told.loc["drug_healthy"]
    assert (null["false_by_cells"] == null["called_by_cells"]).all()


def test_too_few_cells_are_left_out_with_the_reason() -> None:
    table, _, _ = run(spread=0.2, n_nk=3)
    left_out = table[table["population"] == "NK_cell"]
    assert set(left_out["reason"]) == {"fewer than 10 cells on one side (9 and 9)"}
    assert left_out[["called_by_cells", "n_genes_by_cells", "share_unsupported"]].isna().all(axis=None)
    assert (table.loc[table["population"] == "B_cell", "reason"] == "").all()


def test_only_counts_leave() -> None:
    table, _, _ = run(spread=0.2)
    assert list(table) == list(COLUMNS)
    assert not [name for name in COLUMNS if "p_value" in name or name in ("p", "pval")]
