"""Hashtags of planted truth, drawn by a simulator that is not ours, and hashsolo on the same cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.cells.tagged import Tagged, hashsolo, judge, simulate_tags
from livermet.inputs.demultiplex import DOUBLET, NEGATIVE, SINGLET, Demultiplexed, demultiplex


def draw(seed: int, n_cells: int = 1000, n_tags: int = 6, **changed: Any) -> Tagged:
    return simulate_tags(np.random.default_rng(seed), n_cells, n_tags, **{"doublets": 0.08, **changed})


def ours(drawn: Tagged) -> tuple[Demultiplexed, dict[str, float]]:
    found = demultiplex(drawn.counts, drawn.umis)
    return found, judge(drawn, found.call, found.tags)


@pytest.mark.parametrize(
    ("setting", "precision", "recall", "singlets"),
    [
        ({}, 0.90, 0.60, 0.90),
        ({"n_tags": 16, "doublets": 0.15}, 0.95, 0.65, 0.82),
        ({"n_tags": 4, "doublets": 0.04}, 0.85, 0.50, 0.90),
        ({"shares": [20, 20, 20, 20, 20, 1]}, 0.90, 0.55, 0.90),  # a rare tag
        ({"stain": [6.0] * 5 + [4.7]}, 0.85, 0.50, 0.85),  # a weak tag: 110 counts where the background has 55 and more
        ({"floating": 5.0}, 0.75, 0.25, 0.65),  # a background of 148: stains of 403 drown
        ({"floating": 0.0, "stain": 2.5}, 0.90, 0.35, 0.80),  # a background of 1, stains of 12
    ],
)
def test_better_than_hashsolo_on_the_same_cells(
    setting: dict[str, Any], precision: float, recall: float, singlets: float
) -> None:
    drawn = draw(11, **setting)
    _, mine = ours(drawn)
    theirs = judge(drawn, *hashsolo(drawn.counts))
    assert mine["doublet_precision"] >= max(precision, theirs["doublet_precision"])
    assert mine["doublet_recall"] >= recall
    assert mine["singlet_precision"] >= max(0.95, theirs["singlet_precision"])
    assert mine["singlet_recall"] >= singlets
    if "floating" not in setting:
        assert f1(mine) > f1(theirs)


def f1(found: dict[str, float]) -> float:
    precision, recall = found["doublet_precision"], found["doublet_recall"]
    return 2 * precision * recall / (precision + recall)


def test_clear_tags_are_told_nearly_without_error() -> None:
    _, mine = ours(draw(3, stain_sd=0.4))
    assert mine["doublet_precision"] > 0.98
    assert mine["doublet_recall"] > 0.97
    assert mine["singlet_precision"] > 0.995
    assert mine["singlet_recall"] > 0.99
    assert mine["negative_recall"] > 0.7


def test_posteriors_are_honest() -> None:
    drawn = draw(5, n_cells=2000)
    found = demultiplex(drawn.counts, drawn.umis)
    single = found.call == SINGLET
    right = (found.tags == drawn.tags).all(axis=1)
    assert right[single].mean() == pytest.approx(found.probability[single].mean(), abs=0.015)
    doubtful = single & (found.probability < 0.97)
    assert right[doubtful].mean() == pytest.approx(found.probability[doubtful].mean(), abs=0.1)


@pytest.mark.parametrize("dead", [{"shares": [1, 1, 1, 1, 1, 0]}, {"stain": [6.0] * 5 + [-np.inf]}])
def test_a_tag_that_no_cell_bears(dead: dict[str, Any]) -> None:
    found, mine = ours(draw(2, **dead))
    assert found.model is not None
    assert found.model.works.tolist() == [True] * 5 + [False]
    assert not (found.tags == 5).any()
    assert mine["singlet_precision"] > 0.97
    assert mine["singlet_recall"] > 0.85
    assert mine["doublet_precision"] > 0.85


@pytest.mark.parametrize("n_tags", [2, 4])
@pytest.mark.parametrize("stain_sd", [0.4, 1.0])
def test_a_library_of_one_tag_of_several(n_tags: int, stain_sd: float) -> None:
    """Hardly a cell shows the background of the tag that all bear: the other tags tell it."""
    drawn = draw(1, n_cells=600, n_tags=n_tags, stain_sd=stain_sd, shares=[1] + [0] * (n_tags - 1))
    found, mine = ours(drawn)
    assert mine["singlet_precision"] > 0.99
    assert mine["singlet_recall"] > 0.97
    assert (found.call != DOUBLET).all()
    assert found.model is not None
    assert found.model.works.tolist() == [True] + [False] * (n_tags - 1)


def test_cells_without_a_stain_are_not_given_away() -> None:
    drawn = draw(4, negatives=0.3)
    found, mine = ours(drawn)
    bare = drawn.tags[:, 0] < 0
    assert (found.call[bare] == SINGLET).mean() < 0.12
    assert mine["singlet_precision"] > 0.96


def test_one_tag_alone() -> None:
    found, mine = ours(draw(6, n_cells=800, n_tags=1, doublets=0.0, negatives=0.3))
    assert mine["singlet_precision"] > 0.97
    assert mine["singlet_recall"] > 0.7
    assert (found.call != DOUBLET).all()


def test_two_tags() -> None:
    _, mine = ours(draw(7, n_tags=2))
    assert mine["doublet_precision"] > 0.9
    assert mine["doublet_recall"] > 0.4
    assert mine["singlet_recall"] > 0.95


def test_few_cells() -> None:
    for n_cells in (12, 40):
        rows = [ours(draw(seed, n_cells=n_cells, n_tags=3, stain_sd=0.6))[1] for seed in range(5)]
        assert np.mean([row["singlet_recall"] for row in rows]) > 0.85
        assert np.mean([row["singlet_precision"] for row in rows]) > 0.95


def test_as_the_authors_of_hashed_drops_mock_it() -> None:
    """Background of 50, 1,000 of the cell's own tag, 500 of the second in a tenth of the cells."""
    rng = np.random.default_rng(9)
    counts = rng.poisson(50, (1000, 10))
    own = rng.integers(0, 10, 1000)
    counts[np.arange(1000), own] = 1000
    counts[np.arange(100), (own[:100] + 1) % 10] = 500
    found = demultiplex(counts, np.full(1000, 3000))
    assert (found.call[:100] == DOUBLET).all()
    assert (found.call[100:] == SINGLET).all()
    assert (found.tags[100:, 0] == own[100:]).all()
    assert found.model is not None
    assert found.model.background == pytest.approx(np.full(10, 50), rel=0.2)


def test_nothing_counted_and_next_to_nothing() -> None:
    none = demultiplex(np.zeros((30, 3), dtype=int), np.full(30, 1000))
    assert set(none.call) == {NEGATIVE}
    assert none.model is None
    rng = np.random.default_rng(1)
    noise = demultiplex(rng.poisson(0.05, (300, 4)), np.full(300, 1000))
    assert (noise.call == SINGLET).sum() + (noise.call == DOUBLET).sum() < 30
    empty = demultiplex(np.zeros((0, 3), dtype=int), np.zeros(0, dtype=int))
    assert len(empty.call) == 0


def test_background_alone_gives_no_calls() -> None:
    rng = np.random.default_rng(8)
    counts = rng.poisson(60 * rng.gamma(8, 1 / 8, (800, 1)) * rng.gamma(10, 0.1, (800, 4)))
    found = demultiplex(counts, rng.integers(1000, 5000, 800))
    assert np.isin(found.call, (SINGLET, DOUBLET)).mean() < 0.05


def test_order_of_cells_and_tags_means_nothing() -> None:
    drawn = draw(10, n_cells=600, n_tags=4)
    order = np.random.default_rng(0).permutation(600)
    found, turned = demultiplex(drawn.counts, drawn.umis), demultiplex(drawn.counts[order][:, ::-1], drawn.umis[order])
    assert (found.call[order] == turned.call).mean() > 0.995
    np.testing.assert_allclose(found.probability[order], turned.probability, atol=0.05)
