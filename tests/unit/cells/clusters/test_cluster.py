"""Leiden on planted groups, its numbering, its independence of the order of cells, and the choice of a resolution."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from threadpoolctl import threadpool_limits

from livermet.cells.clusters.cluster import choose_resolution, cluster_cells, find_clusters, measure_stability
from livermet.cells.clusters.communities import APART, best_run, run_leiden, to_igraph
from livermet.cells.clusters.stability import adjusted_rand_index, best_jaccard, judge, normalised_mutual_information
from livermet.cells.embedding.graph import find_neighbors, fuzzy_graph

SETTINGS = {"n_subsamples": 4, "subsample_fraction": 0.8, "seed": 1}
SIZES = (150, 90, 60)


def make_groups(spread: float = 1.0, sizes: tuple[int, ...] = SIZES) -> tuple[sp.csr_matrix, pd.Index, np.ndarray]:
    rng = np.random.default_rng(0)
    planted = np.repeat(np.arange(len(sizes)), sizes)
    centres = rng.normal(size=(len(sizes), 8)) * 5
    points = (centres[planted] + rng.normal(size=(len(planted), 8)) * spread).astype(np.float32)
    cells = pd.Index([f"s{n % 3}_{n:04d}" for n in range(len(planted))], name="cell")
    return fuzzy_graph(*find_neighbors(points, n_neighbors=14)), cells, planted


def test_planted_groups_are_found_and_numbered_by_size() -> None:
    graph, cells, planted = make_groups()
    found = cluster_cells(graph, cells, resolutions=[0.2], resolution=None, **SETTINGS).clusters
    assert found.index.tolist() == cells.tolist()
    assert found["leiden"].tolist() == [str(group) for group in planted]


def test_every_resolution_is_kept_and_one_is_chosen() -> None:
    graph, cells, _ = make_groups()
    result = cluster_cells(graph, cells, resolutions=[0.2, 2.0, 1.0], resolution=None, **SETTINGS)
    assert result.clusters.columns.tolist() == ["leiden", "leiden_0.2", "leiden_1", "leiden_2"]
    assert result.stability["resolution"].tolist() == [0.2, 1.0, 2.0]
    assert result.stability["n_clusters"].is_monotonic_increasing
    chosen = result.stability.loc[result.stability["chosen"], "resolution"].item()
    assert result.clusters["leiden"].equals(result.clusters[f"leiden_{chosen:g}"].rename("leiden"))
    assert result.stability.set_index("resolution").loc[0.2, "stability"] > 0.99


def test_a_named_resolution_is_taken_even_if_it_was_not_in_the_list() -> None:
    graph, cells, _ = make_groups()
    result = cluster_cells(graph, cells, resolutions=[0.2], resolution=3.0, **SETTINGS)
    assert result.stability.set_index("resolution")["chosen"].to_dict() == {0.2: False, 3.0: True}


def test_the_order_of_cells_changes_no_label() -> None:
    graph, cells, _ = make_groups(spread=2.5)
    shuffled = np.random.default_rng(7).permutation(len(cells))
    plain = cluster_cells(graph, cells, resolutions=[0.5, 1.5], resolution=None, **SETTINGS)
    moved = cluster_cells(
        sp.csr_matrix(graph[shuffled][:, shuffled]),
        cells[shuffled],
        resolutions=[0.5, 1.5],
        resolution=None,
        **SETTINGS,
    )
    pd.testing.assert_frame_equal(moved.clusters.loc[cells], plain.clusters)
    pd.testing.assert_frame_equal(moved.stability, plain.stability)


def test_clusters_of_noise_do_not_hold_when_cells_are_left_out() -> None:
    graph, _, _ = make_groups(sizes=(300,))
    labels = {2.0: find_clusters(graph, resolution=2.0, seed=0)}
    noise = measure_stability(graph, labels, n_subsamples=5, fraction=0.8, seed=0)[2.0]
    graph, _, planted = make_groups()
    real = measure_stability(graph, {0.2: planted}, n_subsamples=5, fraction=0.8, seed=0)[0.2]
    assert len(noise.rand) == 5
    assert np.mean(noise.rand) < 0.7 < 0.99 < np.mean(real.rand)
    assert np.nanmean(noise.jaccard) < 0.75 < 0.99 < np.nanmean(real.jaccard)


def test_the_finest_resolution_that_is_steadily_about_as_stable_as_the_best_is_chosen() -> None:
    steady = dict.fromkeys((0.5, 1.0, 1.5), 0.005)
    assert choose_resolution({0.5: 0.99, 1.0: 0.975, 1.5: 0.965}, steady) == 1.0
    assert choose_resolution({0.5: 0.99, 1.0: 0.90, 1.5: 0.965}, steady) == 0.5
    assert choose_resolution({0.5: 0.80, 1.0: 0.95, 1.5: 0.70}, steady) == 1.0
    assert choose_resolution({0.5: 0.99, 1.0: 0.97, 1.5: 0.93}, {**steady, 1.0: 0.04}) == 0.5
    assert choose_resolution({0.5: 0.80, 1.0: 0.85}, {0.5: 0.2, 1.0: 0.2}) == 1.0
    assert choose_resolution({1.0: 0.4}, {1.0: 0.0}) == 1.0


@pytest.mark.parametrize("n_cells", [2, 3, 12])
def test_a_handful_of_cells_is_clustered(n_cells: int) -> None:
    points = np.random.default_rng(0).normal(size=(n_cells, 3)).astype(np.float32)
    graph = fuzzy_graph(*find_neighbors(points, n_neighbors=14))
    result = cluster_cells(
        graph, pd.Index([f"c{n}" for n in range(n_cells)]), resolutions=[0.5, 2.0], resolution=None, **SETTINGS
    )
    assert len(result.clusters) == n_cells
    assert "0" in set(result.clusters["leiden"])


def test_clusters_agree_with_the_planted_groups_when_these_overlap() -> None:
    graph, cells, planted = make_groups(spread=2.0)
    found = cluster_cells(graph, cells, resolutions=[0.5], resolution=None, **SETTINGS).clusters
    assert adjusted_rand_score(planted, found["leiden"]) > 0.9


def test_each_cluster_says_how_well_it_holds() -> None:
    # Three groups apart; a resolution too fine for them cuts them at places that chance decides.
    graph, cells, planted = make_groups(sizes=(200, 120, 60))
    result = cluster_cells(graph, cells, resolutions=[0.2, 3.0], resolution=0.2, **SETTINGS)
    table = result.cluster_stability
    apart = table[table["resolution"] == 0.2]
    assert apart["n_cells"].tolist() == [200, 120, 60]
    assert apart["jaccard"].min() > 0.99
    assert set(apart["verdict"]) == {"highly stable"}
    cut = table[table["resolution"] == 3.0]
    assert len(cut) > 3
    assert cut["n_cells"].sum() == len(planted)
    assert cut["jaccard"].mean() < 0.75
    assert "not to be relied on" in set(cut["verdict"])


def test_the_best_of_several_runs_is_taken_and_their_agreement_told() -> None:
    graph, cells, _ = make_groups(sizes=(300,))
    whole = to_igraph(graph)
    labels, agreement = best_run(whole, resolution=2.0, seed=3, n_seeds=4)
    runs = [run_leiden(whole, resolution=2.0, seed=3 + APART * number) for number in range(4)]
    quality = [whole.modularity(run.tolist(), weights="weight", resolution=2.0) for run in runs]
    assert whole.modularity(labels.tolist(), weights="weight", resolution=2.0) == max(quality)
    others = [adjusted_rand_score(labels, run) for run in runs if not np.array_equal(run, labels)]
    assert agreement == pytest.approx(np.mean([*others, *[1.0] * (3 - len(others))]))
    apart, agreed = best_run(to_igraph(make_groups()[0]), resolution=0.2, seed=3)
    assert agreed == 1.0
    assert np.bincount(apart).tolist() == list(SIZES)
    stability = cluster_cells(graph, cells, resolutions=[2.0], resolution=None, **SETTINGS).stability
    assert 0 < stability["seed_stability"].item() < 1


def test_two_threads_give_the_clusters_of_one() -> None:
    graph, cells, _ = make_groups(spread=2.5)
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(cluster_cells(graph, cells, resolutions=[0.5, 1.5], resolution=None, **SETTINGS))
    pd.testing.assert_frame_equal(found[0].clusters, found[1].clusters)
    pd.testing.assert_frame_equal(found[0].cluster_stability, found[1].cluster_stability, check_exact=True)


def test_agreements_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        first, second = rng.integers(0, 5, 60), rng.integers(0, 3, 60)
        assert adjusted_rand_index(first, second) == pytest.approx(adjusted_rand_score(first, second))
        assert normalised_mutual_information(first, second) == pytest.approx(
            normalized_mutual_info_score(first, second)
        )
    one, each = np.zeros(6, dtype=np.int64), np.arange(6)
    assert adjusted_rand_index(one, one) == adjusted_rand_index(each, each) == 1.0
    assert adjusted_rand_index(one, each) == pytest.approx(adjusted_rand_score(one, each))
    assert normalised_mutual_information(one, one) == 1.0


def test_best_jaccard_is_that_of_sets() -> None:
    rng = np.random.default_rng(5)
    whole, again = rng.integers(0, 4, 80), rng.integers(0, 6, 80)
    whole[whole == 2] = 3  # a cluster of which no cell was drawn
    found = best_jaccard(whole, again, n_clusters=5)
    sets = [set(np.flatnonzero(again == code)) for code in range(6)]
    for code in range(5):
        own = set(np.flatnonzero(whole == code))
        if own:
            assert found[code] == pytest.approx(max(len(own & other) / len(own | other) for other in sets))
        else:
            assert np.isnan(found[code])
    assert [judge(value) for value in (0.9, 0.8, 0.65, 0.3, np.nan)] == [
        "highly stable", "stable", "a pattern, its members doubtful", "not to be relied on", "too few cells to say",
    ]  # fmt: skip
