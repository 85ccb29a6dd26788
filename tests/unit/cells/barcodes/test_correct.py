"""Correction for ambient RNA: integers, never more than there is, each cell its own share, and the soup is what goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.unit.cells.toy_sample import Toy, make_sample

from livermet.cells.barcodes.ambient import RAW_MATRIX, Soup, ambient_share
from livermet.cells.barcodes.correct import LEFT, UNCORRECTED, correct_ambient, fill, to_integers

MIXED = {"lymphocyte": 150, "neutrophil": 80, "macrophage": 80}
HEPATOCYTE = slice(720, 795)  # of the toy's genes: in the soup only


def tables(toy: Toy, share: np.ndarray | None = None) -> dict[str, pd.DataFrame]:
    """What quality control says of a sample, here the truth."""
    kind = np.unique(toy.kind, return_inverse=True)[1]
    quality = pd.DataFrame(
        {"kind": kind, "ambient_fraction": toy.ambient if share is None else share}, toy.adata.obs_names
    )
    soup = pd.DataFrame({"soup": toy.soup, "ambient_low": 0.09, "ambient_high": 0.11}, toy.adata.var_names)
    return {"quality": quality, "soup": soup}


def correct(toy: Toy, seed: int = 1, **changed: Any) -> Any:
    return correct_ambient(toy.adata, **tables(toy, **changed), sample="s1", seed=seed)


@pytest.fixture(scope="module")
def toy() -> Toy:
    return make_sample(MIXED, rho=0.1, seed=5)


def test_integers_within_what_there_was_and_the_share_of_each_cell(toy: Toy) -> None:
    found = correct(toy)
    before, after = toy.adata.X, found.X
    assert after.dtype == np.int32
    assert after.data.min() > 0
    taken = (before - after).toarray()
    assert taken.min() >= 0
    assert (taken <= before.toarray()).all()
    np.testing.assert_array_equal(taken.sum(axis=1), np.rint(toy.ambient * before.sum(axis=1).A1))
    assert (found.layers[UNCORRECTED] != before).nnz == 0
    np.testing.assert_allclose(found.obs[LEFT], toy.ambient * 0.1 / (1 - toy.ambient))


def test_what_goes_is_the_soup(toy: Toy) -> None:
    after = correct(toy).X.toarray()
    before = toy.adata.X.toarray()
    # Transcripts of a cell that is not there go nearly all; a kind's own stay: within a percent of what it had.
    assert after[:, HEPATOCYTE].sum() < 0.1 * before[:, HEPATOCYTE].sum()
    clean = make_sample(MIXED, rho=0.0, seed=5).adata.X.toarray()
    for name in MIXED:
        inside = toy.kind == name
        own, found, soiled = (part[inside].sum(axis=0) / part[inside].sum() for part in (clean, after, before))
        assert np.abs(found - own).sum() < 0.35 * np.abs(soiled - own).sum()


def test_single_cells_lose_nearer_what_they_hold_than_by_their_kinds_share() -> None:
    """The estimate of each cell, in whole counts; where every droplet holds the same soup, by less than two thirds of the error."""
    toy = make_sample(MIXED, rho=0.1, seed=6, per_droplet=True)
    before, kind = toy.adata.X.sum(axis=1).A1, np.unique(toy.kind, return_inverse=True)[1]
    soup = Soup(toy.empty["umis"].to_numpy(dtype=float), RAW_MATRIX)
    share = ambient_share(toy.adata.X, kind, soup, np.ones(len(kind), dtype=bool)).share
    of_kind = (np.bincount(kind, share * before) / np.bincount(kind, before))[kind]
    error = {}
    for name, used in (("cell", share), ("kind", of_kind)):
        found = correct(toy, share=used).X
        assert found.dtype == np.int32
        taken = before - found.sum(axis=1).A1
        np.testing.assert_array_equal(taken, np.rint(used * before))
        error[name] = np.abs(taken - toy.ambient * before).mean()
    assert error["cell"] < 0.66 * error["kind"]


def test_same_seed_same_counts(toy: Toy) -> None:
    first = correct(toy).X
    assert (first != correct(toy).X).nnz == 0
    assert (first != correct(toy, seed=2).X).nnz > 0


def test_unknown_share_leaves_counts_as_they_are(toy: Toy, caplog: pytest.LogCaptureFixture) -> None:
    share = toy.ambient.copy()
    share[:20] = np.nan
    found = correct(toy, share=share)
    assert (found.X[:20] != toy.adata.X[:20]).nnz == 0
    assert found.obs[LEFT].iloc[:20].isna().all()
    assert found.X[20:].sum() < toy.adata.X[20:].sum()
    nothing = correct(toy, share=np.full(len(share), np.nan))
    assert (nothing.X != toy.adata.X).nnz == 0
    assert "cannot be told" in caplog.text


@pytest.mark.parametrize("seed", range(5))
def test_fill_against_bisection(seed: int) -> None:
    rng = np.random.default_rng(seed)
    held, weights = rng.integers(0, 20, 60).astype(float), rng.exponential(1, 60) * (rng.random(60) < 0.8)
    most = held[weights > 0].sum()
    for total in (0.0, 3.0, 0.5 * most, 0.99 * most):
        low, high = 0.0, 1e6
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if np.minimum(held, middle * weights).sum() < total else (low, middle)
        found = fill(held, weights, total)
        assert found.sum() == pytest.approx(total)
        np.testing.assert_allclose(found, np.minimum(held, high * weights), atol=1e-6)


def test_fill_takes_the_rest_where_the_soup_has_no_more() -> None:
    np.testing.assert_allclose(fill(np.array([4.0, 6.0, 2.0]), np.array([1.0, 0.0, 0.0]), 6.0), [4.0, 1.5, 0.5])
    np.testing.assert_allclose(fill(np.array([4.0, 6.0]), np.array([1.0, 1.0]), 20.0), [4.0, 6.0])


def test_rounding_keeps_sums_and_means() -> None:
    rng = np.random.default_rng(0)
    values = np.append(rng.exponential(0.7, 39), 0.0)
    values[-1] = np.ceil(values.sum()) - values.sum()
    drawn = np.stack([to_integers(values, rng) for _ in range(4000)])
    assert (drawn.sum(axis=1) == np.rint(values.sum())).all()
    assert (drawn >= np.floor(values)).all()
    assert (drawn <= np.ceil(values)).all()
    np.testing.assert_allclose(drawn.mean(axis=0), values, atol=0.04)


def test_a_cell_that_is_all_soup_is_left_with_nothing() -> None:
    toy = make_sample({"lymphocyte": 30}, rho=0.1)
    share = np.ones(30) * 0.95
    found = correct(toy, share=share)
    np.testing.assert_array_equal(
        found.X.sum(axis=1).A1, toy.adata.X.sum(axis=1).A1 - np.rint(0.95 * toy.adata.X.sum(axis=1).A1)
    )
    assert sp.issparse(found.X)
