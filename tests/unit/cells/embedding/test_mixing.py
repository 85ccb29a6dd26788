"""What integration gained and cost: measures against slow twins, and over-correction that is seen where it was planted."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import brentq
from tests.unit.cells.toy_lineages import make_study

from livermet.cells.embedding import integration
from livermet.cells.embedding.embed import Embedding, embed_cells
from livermet.cells.embedding.graph import find_neighbors
from livermet.cells.embedding.groups import Fate, judge, match_groups
from livermet.cells.embedding.mixing import batch_mixing, choose_cells, measure_integration
from livermet.cells.embedding.neighbourhoods import graph_connectivity, lisi, structure_kept

SETTINGS = {
    "n_top_genes": 200, "n_pcs": 10, "n_neighbors": 15, "integrate": "harmony", "batch_key": "batch", "seed": 1,
}  # fmt: skip


def slow_lisi(distances: NDArray[np.float64], codes: NDArray[np.int64], perplexity: float) -> float:
    """LISI of one cell, beta by a root finder."""

    def weights(beta: float) -> NDArray[np.float64]:
        raw = np.exp(-beta * (distances - distances.min()))
        return raw / raw.sum()

    def entropy(beta: float) -> float:
        share = weights(beta)
        share = share[share > 0]
        return float(-(share * np.log(share)).sum() - np.log(perplexity))

    share = weights(brentq(entropy, 1e-6, 1e6, xtol=1e-14))
    return 1 / sum(share[codes == code].sum() ** 2 for code in np.unique(codes))


def test_lisi_is_that_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(120, 4)).astype(np.float32)
    codes = rng.integers(0, 3, 120)
    indices, distances = find_neighbors(points, n_neighbors=30)
    fast = lisi(indices, distances, codes, perplexity=10)
    slow = [slow_lisi(distances[cell], codes[indices[cell]], 10) for cell in range(120)]
    np.testing.assert_allclose(fast, slow, rtol=1e-5)
    assert 1 < fast.mean() < 3


def test_lisi_of_equal_distances_counts_labels() -> None:
    indices, distances = np.array([[1, 2, 3, 4]]), np.ones((1, 4))
    assert lisi(indices, distances, np.array([0, 0, 0, 1, 1]), perplexity=2)[0] == pytest.approx(2.0)
    assert lisi(indices, distances, np.array([0, 0, 0, 0, 1]), perplexity=2)[0] == pytest.approx(1 / (9 / 16 + 1 / 16))


def test_mixing_is_one_for_random_batches_and_zero_for_apart() -> None:
    rng = np.random.default_rng(0)
    batches = np.array(["a", "b"], dtype=object)[rng.integers(0, 2, 600)]
    together = rng.normal(size=(600, 4)).astype(np.float32)
    apart = together + np.where(batches == "a", 100, 0)[:, None].astype(np.float32)
    assert batch_mixing(find_neighbors(together, n_neighbors=90), batches) == pytest.approx(1.0, abs=0.01)
    assert batch_mixing(find_neighbors(apart, n_neighbors=90), batches) == pytest.approx(0.0, abs=1e-9)


def test_structure_kept_counts_the_neighbours_that_stay() -> None:
    rng = np.random.default_rng(1)
    points, other = (rng.normal(size=(40, 3)).astype(np.float32) for _ in range(2))
    members = np.arange(40)
    views = [[(members, *find_neighbors(space, n_neighbors=6))] for space in (points, other)]
    slow = np.mean([len(set(views[0][0][1][cell]) & set(views[1][0][1][cell])) / 6 for cell in range(40)])
    assert structure_kept(views[0], views[1]) == pytest.approx(slow)
    assert structure_kept(views[0], views[0]) == 1.0


def test_graph_connectivity_is_the_share_in_the_largest_part() -> None:
    # A ring of six of label 0 that is cut once by a cell of another label, and two cells of label 1 that do not touch.
    indices = np.array([[1], [2], [0], [4], [3], [5], [0], [1]])
    labels = np.array([0, 0, 0, 0, 0, 1, 1, -1])
    assert graph_connectivity(indices, labels) == pytest.approx((3 / 5 + 1 / 2) / 2)
    assert np.isnan(graph_connectivity(indices, np.full(8, -1)))


def test_cells_are_measured_in_equal_numbers_of_every_batch() -> None:
    batches = np.repeat(np.array(["a", "b", "c"], dtype=object), [1000, 500, 20])
    chosen = choose_cells(batches, limit=420, seed=1)
    assert pd.Series(batches[chosen]).value_counts().to_dict() == {"a": 200, "b": 200, "c": 20}
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(choose_cells(batches, limit=5000, seed=1), np.arange(1520))


def with_unique(own: tuple[str, ...], other: tuple[str, ...] = ()) -> ad.AnnData:
    """Five lineages in two batches that differ; `own` are in b1 only, `other` in b2 only."""
    mix = {"T_cell": 150, "B_cell": 120, "NK_cell": 90, "Neutrophil": 80, "Mast_cell": 80}
    study = make_study(mix, batch_effect=0.4)
    planted, batch = study.obs["planted"], study.obs["batch"]
    gone = (planted.isin(own) & (batch == "b2")) | (planted.isin(other) & (batch == "b1"))
    return study[~gone.to_numpy()].copy()


def quantile_correction(
    components: NDArray[np.float32], batches: NDArray[np.object_], seed: int
) -> NDArray[np.float32]:
    """Far too strong: every component takes the same distribution in every batch, whatever cells a batch holds."""
    merged = np.empty_like(components)
    for column in range(components.shape[1]):
        pool = np.sort(components[:, column])
        for batch in np.unique(batches):
            members = np.flatnonzero(batches == batch)
            ranks = np.argsort(np.argsort(components[members, column], kind="stable"), kind="stable")
            merged[members, column] = np.quantile(pool, (ranks + 0.5) / len(members))
    return merged


def flagged(embedding: Embedding) -> set[str]:
    """Batches and first markers of the groups that are called over-corrected."""
    wrong = embedding.groups[embedding.groups["over_corrected"]]
    return {f"{row['batch']}: {row['markers']}" for _, row in wrong.iterrows()}


@pytest.mark.parametrize(
    ("own", "other"), [((), ()), (("Mast_cell",), ()), (("Mast_cell",), ("Neutrophil",)), (("T_cell", "Mast_cell"), ())]
)
def test_harmony_leaves_a_kind_of_one_batch_by_itself_and_nothing_is_flagged(
    own: tuple[str, ...], other: tuple[str, ...]
) -> None:
    embedding = embed_cells(with_unique(own, other), **SETTINGS)
    assert flagged(embedding) == set()
    values = embedding.integration.set_index("measure")
    assert values.loc["batch_mixing", "after"] > values.loc["batch_mixing", "before"] + 0.15
    assert values.loc["group_purity", "after"] > 0.95
    assert values.loc["structure_kept", "after"] > 0.95


def test_a_rare_kind_of_one_batch_is_judged_by_no_more_neighbours_than_it_has_cells() -> None:
    """Thirty neighbours of one of fourteen cells reach into other kinds, however far apart these lie."""
    study = with_unique(("Mast_cell",))
    rare = np.flatnonzero(study.obs["planted"] == "Mast_cell")
    embedding = embed_cells(study[np.setdiff1d(np.arange(study.n_obs), rare[14:])].copy(), **SETTINGS)
    own = embedding.groups[embedding.groups["markers"].str.contains("Cpa3|Mcpt4|Kit")]
    assert own["n_cells"].tolist() == [14]
    assert own["mixed_after"].item() < 0.1
    assert own["verdict"].item().startswith("by itself")
    assert flagged(embedding) == set()


def test_strong_batches_are_merged_and_lineages_kept() -> None:
    embedding = embed_cells(make_study(batch_effect=0.6), **SETTINGS)
    values = embedding.integration.set_index("measure")
    assert values.loc["batch_mixing", "before"] < 0.3
    assert values.loc["batch_mixing", "after"] > 0.9
    assert values.loc["group_purity", "after"] > 0.95
    assert flagged(embedding) == set()


def test_a_kind_of_one_batch_that_is_laid_among_others_is_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integration, "_harmony", quantile_correction)
    embedding = embed_cells(with_unique(("Mast_cell",)), **SETTINGS)
    (wrong,) = flagged(embedding)
    assert wrong.startswith("b1: ")
    assert set(wrong.removeprefix("b1: ").split()) <= {
        "Cpa3",
        "Mcpt4",
        "Cma1",
        "Gata2",
        "Kit",
        "Fcer1a",
        "Ms4a2",
        "Hdc",
        "Tpsb2",
    }
    # Mixing alone would praise it: batches mix as well as with a sound correction.
    values = embedding.integration.set_index("measure")
    assert values.loc["batch_mixing", "after"] > 0.75
    assert values.loc["structure_kept", "after"] < 0.9
    assert values.loc["clusters_kept", "after"] < 0.9


def test_kinds_of_two_batches_that_are_laid_on_each_other_are_both_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch by itself is left whole: only the genes can tell that these are not the same cells."""
    study = with_unique(("Mast_cell",), ("Neutrophil",))
    planted = study.obs["planted"].iloc[np.argsort(study.obs_names)].to_numpy()

    def swap(components: NDArray[np.float32], batches: NDArray[np.object_], seed: int) -> NDArray[np.float32]:
        merged = sound(components, batches, seed).copy()
        places = [planted == name for name in ("Mast_cell", "Neutrophil")]
        centres = [merged[place].mean(axis=0) for place in places]
        merged[places[0]] += centres[1] - centres[0]
        return merged

    sound = integration._harmony
    monkeypatch.setattr(integration, "_harmony", swap)
    embedding = embed_cells(study, **SETTINGS)
    assert {name.split(":")[0] for name in flagged(embedding)} == {"b1", "b2"}
    assert len(flagged(embedding)) == 2
    values = embedding.integration.set_index("measure")
    assert values.loc["structure_kept", "after"] > 0.95  # within each batch nothing is amiss
    assert values.loc["group_purity", "after"] > 0.95


def test_one_batch_has_nothing_to_measure_and_small_batches_are_not_judged() -> None:
    study = make_study()
    points = np.random.default_rng(0).normal(size=(study.n_obs, 5)).astype(np.float32)
    expression = sp.csr_matrix(study.X, dtype=np.float32)
    symbols = study.var["symbol"]
    one = measure_integration(
        points, points, np.full(study.n_obs, "a", dtype=object), expression, symbols=symbols, seed=1
    )
    assert one.measures.empty
    assert one.groups.empty
    batches = np.full(study.n_obs, "a", dtype=object)
    batches[0] = "b"  # a batch of a single cell
    two = measure_integration(points, points + 0, batches, expression, symbols=symbols, seed=1)
    single = two.groups[two.groups["batch"] == "b"]
    assert single["verdict"].tolist() == ["too few cells to say"]
    assert np.isfinite(two.measures.set_index("measure").loc["batch_mixing", "after"])


def test_groups_are_matched_by_their_markers_across_a_batch_effect() -> None:
    study = with_unique(("Mast_cell",))
    planted, codes = np.unique(study.obs["planted"], return_inverse=True)
    batches = study.obs["batch"].to_numpy(dtype=object)
    labels = codes + len(planted) * (batches == "b2")
    labels = np.unique(labels, return_inverse=True)[1]
    expression = sp.csr_matrix(np.log1p(study.X.toarray() / study.X.sum(axis=1) * 1e4))
    kinds = match_groups(expression, batches=batches, labels=labels)
    mast = (study.obs["planted"] == "Mast_cell").to_numpy()
    assert (kinds[mast] == -1).all()
    pairs = set(zip(kinds[~mast], study.obs["planted"].to_numpy()[~mast], strict=True))
    assert len(pairs) == len({kind for kind, _ in pairs}) == 4


@pytest.mark.parametrize(
    ("changes", "verdict", "wrong"),
    [
        ({}, "among its like", False),
        ({"markers_shared": 0.2}, "over-corrected: laid among unlike cells of other batches", True),
        ({"markers_shared": 0.2, "mixed_after": 0.1}, "by itself: nothing like it in other batches, or not brought to it", False),
        ({"purity_after": 0.3}, "over-corrected: came apart among other cells of its own batch", True),
        ({"distinct": 0.2, "markers_shared": 0.1}, "not told apart from the rest of its batch", False),
        ({"n_cells": 9, "markers_shared": 0.1}, "too few cells to say", False),
        ({"distinct": float("nan")}, "not told apart from the rest of its batch", False),
    ],
)  # fmt: skip
def test_verdicts(changes: dict[str, float], verdict: str, wrong: bool) -> None:
    fate = Fate(**{"n_cells": 50, "distinct": 1.5, "purity_before": 0.9, "purity_after": 0.9, "mixed_before": 0.2,
                      "mixed_after": 0.9, "markers_shared": 0.95, **changes})  # fmt: skip
    assert judge(fate) == (verdict, wrong)
