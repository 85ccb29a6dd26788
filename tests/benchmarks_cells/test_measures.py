"""What the cells are measured with, and that simulated libraries are as they are said to be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from benchmarks.cells import agreement, biology, lung, plain, steps
from benchmarks.cells.scenarios.real import judge_subsets
from benchmarks.cells.scenarios.soup import compare
from benchmarks.cells.scenarios.studies import judge_states
from benchmarks.cells.simulate import (
    CELL_WISE,
    DROPLET,
    HETEROTYPIC,
    OVERLAY,
    Library,
    draw_batch,
    simulate_library,
    simulate_study,
    thin,
)
from benchmarks.cells.worlds import World, draw_world
from livermet.keys import AMBIENT, IS_DOUBLET, LINEAGE, STATE, SYMBOL


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(np.random.default_rng(3), n_free=2500)


@pytest.fixture(scope="module")
def library(world: World) -> Library:
    return simulate_library(np.random.default_rng(4), world, n_cells=900, doublets=0.1, ambient=0.1)


def columns(world: World) -> dict[str, int]:
    return {symbol: place for place, symbol in enumerate(world.genes[SYMBOL])}


def test_f1_by_hand() -> None:
    truth = ["a", "a", "a", "b", "b", "c"]
    called = ["a", "A", "b", "b", "unassigned", "c"]
    f1 = agreement.per_class_f1(called, truth, {"a": ("a", "A")})
    assert f1 == {"a": 2 * 2 / (3 + 2), "b": 2 * 1 / (2 + 2), "c": 1.0}
    assert agreement.macro_f1(called, truth, {"a": ("a", "A")}) == pytest.approx((0.8 + 0.5 + 1) / 3)
    assert set(agreement.per_class_f1(called, truth, {}, min_cells=2)) == {"a", "b"}


def test_lisi_of_the_unmixed_and_the_mixed() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(["x", "y"], 300)
    mixed, apart = rng.normal(size=(600, 3)), rng.normal(size=(600, 3)) + 50 * (labels == "y")[:, None]
    assert agreement.lisi(apart, labels) == pytest.approx(0.0, abs=1e-9)
    assert agreement.lisi(mixed, labels) == pytest.approx(1.0, abs=0.08)
    kinds = np.tile(["k", "l"], 300)
    assert agreement.lisi(mixed, labels, within=kinds) == pytest.approx(1.0, abs=0.08)
    # A kind that one batch alone has is no sign of bad mixing.
    lonely = np.where(np.arange(600) < 100, "only x", "both")
    assert agreement.lisi(mixed, labels, within=lonely) > 0.85


def test_threshold_lies_in_the_valley_and_nowhere_without_one() -> None:
    rng = np.random.default_rng(1)
    two = np.concatenate([rng.normal(0.1, 0.03, 4000), rng.normal(0.5, 0.06, 3000)])
    assert 0.18 < plain.minimum_threshold(two) < 0.38
    assert np.isnan(plain.minimum_threshold(np.full(1000, 0.3)))


def test_errors_of_shares_by_hand() -> None:
    found = compare([0.1, 0.2, np.nan], [0.1, 0.1, 0.1])
    assert found["sample_error_points"][0] == pytest.approx(5.0)
    assert found["cell_error_points"][0] == pytest.approx(5.0)
    assert found["told"] == (1.0, 1.0)
    silent = compare([np.nan, np.nan], [0.1, 0.3])
    assert silent["told"] == (0.0, 1.0)
    assert {silent[name] for name in silent if "error" in name or "bias" in name} == {(0.0, 0.0)}


def test_overlays_may_be_called_by_either_name() -> None:
    truth = pd.DataFrame({STATE: ["Treg", "Treg", "CD4_Th1"], OVERLAY: ["cycling", "", "cycling"]})
    found = judge_states(pd.Series(["T_proliferating", "T_proliferating", "CD4_Th1"]), truth)
    assert found["state_accuracy_of_called"] == (2.0, 3.0)
    assert found["state_called"] == (3.0, 3.0)


def test_a_programme_beside_the_state_counts_and_a_hedge_does_not() -> None:
    truth = pd.DataFrame({STATE: ["CD8_resident", "CD8_resident", "CD8_naive_like"], OVERLAY: ["", "", ""]})
    calls = pd.Series(["CD8_effector_memory", "CD8_effector_memory", "T_naive_like"])
    found = judge_states(calls, truth, flags=pd.DataFrame({"resident": [True, False, False]}))
    assert found["state_called"] == (2.0, 3.0)
    assert found["state_accuracy_of_called"] == (1.0, 2.0)


def test_subsets_that_contradict_the_match() -> None:
    best = pd.Series(["T_4Nve_LN", "T_8Mem_Sp", "T_4FP3+25+_AA", "NK_49H+_Sp", "T_8Nve_PP"])
    state = pd.Series(["CD8_naive_like", "CD8_effector_memory", "Treg", "NKT", "unassigned"])
    found = judge_subsets(state, best)
    assert found["contradicted_subset"] == (1.0, 3.0)
    assert found["naive_called_naive"] == (1.0, 2.0)
    assert found["regulatory_called_regulatory"] == (1.0, 1.0)


def test_known_levels_arrive_and_receptors_are_switches(world: World) -> None:
    column = columns(world)
    rows = {name: row for row, name in enumerate(world.names)}
    assert world.rate.sum(axis=1) == pytest.approx(1e4)
    assert world.rate[rows["B_cell"], column["Cd79a"]] == pytest.approx(25, rel=1.8)
    for gene, on, off in (
        ("Foxp3", "Treg", "CD8_naive_like"),
        ("Cd8a", "CD8_Tex", "CD4_Th1"),
        ("Trdc", "gamma_delta_T", "Treg"),
    ):
        ratio = world.rate[rows[on], column[gene]] / world.rate[rows[off], column[gene]]
        assert ratio > 15, gene
    assert "MAIT" not in rows  # a state of the larger study only


def test_states_move_graded_genes_little_and_sharp_ones_much() -> None:
    graded, sharp = [], []
    for seed in range(6):
        world = draw_world(np.random.default_rng(seed), n_free=500)
        column, rows = columns(world), {name: row for row, name in enumerate(world.names)}
        genes = biology.levels(biology.STATES["CD8_early_activated"].genes)
        others = [rows[name] for name in ("CD4_naive_like", "CD4_Th17")]
        for gene in genes:
            change = np.log2(
                world.rate[rows["CD8_early_activated"], column[gene]] / world.rate[others, column[gene]].min()
            )
            (sharp if gene in biology.SHARP else graded).append(change)
    assert np.mean(np.abs(graded) < 0.15) > 0.1  # some do not move
    assert np.quantile(graded, 0.95) < 2.3
    assert 2.0 < np.median(sharp) < 5.2


def test_share_of_soup_is_as_planted_and_larger_in_small_cells(world: World, library: Library) -> None:
    umis = np.asarray(library.counts.X.sum(axis=1)).ravel()
    share = library.truth[AMBIENT].to_numpy()
    assert (share * umis).sum() / umis.sum() == pytest.approx(0.10, abs=0.01)
    by = library.truth.groupby(LINEAGE)[AMBIENT].median()
    assert by["Neutrophil"] > 3 * by["Kupffer_cell"]
    even = simulate_library(np.random.default_rng(5), world, n_cells=400, ambient=0.1, soup=CELL_WISE)
    by = even.truth.groupby(LINEAGE)[AMBIENT].median()
    assert by["Neutrophil"] == pytest.approx(by["Kupffer_cell"], rel=0.15)
    assert DROPLET != CELL_WISE


def test_soup_is_the_profile_of_the_empty_droplets(world: World) -> None:
    made = simulate_library(np.random.default_rng(6), world, n_cells=300, ambient=0.35)
    own = list(biology.levels(biology.KINDS["Hepatocyte"].genes))[:14]  # none of which a T cell makes
    hepatocyte = made.counts.var_names[made.counts.var[SYMBOL].isin(own)]
    in_soup = made.raw.loc[hepatocyte, "umis"].sum() / made.raw["umis"].sum()
    t_cells = (made.truth[LINEAGE] == "T_cell").to_numpy()
    counts = sp.csr_matrix(made.counts[t_cells].X)
    place = made.counts.var_names.get_indexer(hepatocyte)
    share = made.truth.loc[t_cells, AMBIENT].to_numpy()
    umis = np.asarray(counts.sum(axis=1)).ravel()
    assert counts[:, place].sum() / (share * umis).sum() == pytest.approx(in_soup, rel=0.12)


def test_doublets_hold_two_cells(library: Library) -> None:
    truth = library.truth
    assert truth[IS_DOUBLET].sum() == 90
    assert 0.5 < truth.loc[truth[IS_DOUBLET], HETEROTYPIC].mean() < 0.95
    assert not truth.loc[~truth[IS_DOUBLET], HETEROTYPIC].any()
    umis = pd.Series(np.asarray(library.counts.X.sum(axis=1)).ravel(), index=truth.index)
    t_cells = truth[LINEAGE] == "T_cell"
    two = umis[t_cells & truth[IS_DOUBLET]].median() / umis[t_cells & ~truth[IS_DOUBLET]].median()
    assert 1.3 < two < 4.0


def test_batches_shift_genes_and_depth(world: World) -> None:
    rng = np.random.default_rng(7)
    batch = draw_batch(rng, world, sd=0.5, depth=0.5)
    assert batch.shift.std() == pytest.approx(0.5, rel=0.1)
    b_cell, kupffer = (list(world.names).index(name) for name in ("B_cell", "Kupffer_cell"))
    assert np.corrcoef(batch.shift[b_cell], batch.shift[kupffer])[0, 1] == pytest.approx(0.7, abs=0.06)
    libraries, sheet = simulate_study(
        rng,
        world,
        n_samples=2,
        n_cells=300,
        batches=[{"sd": 0.0}, {"sd": 0.5, "depth": 0.5}],
        only_in_last=["pDC", "Treg"],
    )
    assert list(sheet["batch"]) == ["b1", "b2"]
    depth = [np.median(np.asarray(one.counts.X.sum(axis=1))) for one in libraries]
    assert depth[1] / depth[0] == pytest.approx(0.5, abs=0.15)
    assert not libraries[0].truth[[LINEAGE, STATE]].isin(["pDC", "Treg"]).any().any()


def test_a_library_follows_from_its_seed(world: World) -> None:
    one, again = (
        simulate_library(np.random.default_rng(8), world, n_cells=60, doublets=0.1, ambient=0.05) for _ in "ab"
    )
    assert (one.counts.X != again.counts.X).nnz == 0
    pd.testing.assert_frame_equal(one.truth, again.truth)


def test_thinning_keeps_a_part() -> None:
    counts = sp.csr_matrix(np.full((50, 200), 10, dtype=np.int32))
    kept = thin(np.random.default_rng(0), counts, 0.4)
    assert kept.sum() / counts.sum() == pytest.approx(0.4, abs=0.01)


def test_steps_hand_over_only_what_a_function_takes() -> None:
    from livermet.cells.clusters.cluster import cluster_cells
    from livermet.settings import Cluster

    taken = steps.settings(Cluster, cluster_cells, resolution=2.0, nonsense=1)
    assert taken["resolution"] == 2.0
    assert "nonsense" not in taken
    assert set(taken) >= {"resolutions", "n_subsamples", "subsample_fraction"}


def test_real_doublets_and_soup_are_planted_in_cells_that_come_once() -> None:
    if lung.lacks():
        pytest.skip(lung.lacks())
    made = lung.make_library(np.random.default_rng(0), doublets=0.1, ambient=0.2)
    n_two = int(made.truth[IS_DOUBLET].sum())
    assert made.counts.n_obs + n_two == 800
    assert n_two / made.counts.n_obs == pytest.approx(0.1, abs=0.002)
    umis = np.asarray(made.counts.X.sum(axis=1)).ravel()
    assert (made.truth[AMBIENT] * umis).sum() / umis.sum() == pytest.approx(0.2, abs=0.02)
