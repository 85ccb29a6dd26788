"""Counts told from what was made of them; fractions rounded so that sums are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from livermet.inputs.integers import explain, round_counts
from livermet.inputs.plausible import cells_of, rows_of, scale_of, unlike_counts
from livermet.inputs.readers import read_counts

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    """60 cells x 400 genes; depths differ threefold, genes a thousandfold."""
    rng = np.random.default_rng(2)
    genes = rng.lognormal(-1, 1.7, 400)
    return rng.poisson(rng.uniform(0.5, 1.5, (60, 1)) * genes)


def totals(counts: np.ndarray) -> np.ndarray:
    return counts.sum(axis=1, keepdims=True)


def groups(values: np.ndarray) -> list[np.ndarray]:
    return rows_of(sp.csr_matrix(values))


WHOLE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "counts per million": lambda counts: np.rint(counts / totals(counts) * 1e6),
    "counts to the median total": lambda counts: np.rint(counts / totals(counts) * 4 * np.median(totals(counts))),
    "counts times ten": lambda counts: counts * 10,
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_that_are_no_counts(counts: np.ndarray, name: str) -> None:
    found = unlike_counts(groups(WHOLE[name](counts)))
    assert "no gene was seen once" in found
    assert "60 cells" in found


def test_counts_are_counts(counts: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    rarefied = np.array([rng.multivariate_hypergeometric(row, 100) for row in counts])
    for values in (counts, rarefied, counts * (rng.random(counts.shape) < 0.3), counts[:3] * 10, np.minimum(counts, 1)):
        assert unlike_counts(groups(values)) == ""


FRACTIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "per ten thousand": (lambda counts: counts / totals(counts) * 1e4, "counts divided by their cell's total"),
    "log1p": (lambda counts: np.log1p(counts / totals(counts) * 1e4), "logs of counts divided by their cell's total"),
    "log2": (lambda counts: np.log2(1 + counts / totals(counts) * 1e6), "logs (base 2) of counts divided"),
    "log1p, single": (lambda counts: np.log1p(counts / totals(counts) * 1e4).astype("f4"), "logs of counts divided by"),
    "square roots of logs": (lambda counts: np.sqrt(np.log1p(counts / totals(counts) * 1e4)), "logs or the like"),
}


@pytest.mark.parametrize("name", FRACTIONS)
def test_normalised_values_are_called_by_name(counts: np.ndarray, name: str) -> None:
    how, words = FRACTIONS[name]
    assert words in scale_of(groups(how(counts)))
    rows, columns = np.nonzero(counts)
    order = np.argsort(columns, kind="stable")  # gene by gene, as a matrix of barcodes x features is read
    assert words in scale_of(cells_of(rows[order], how(counts)[rows, columns][order]))


def test_corrected_counts_are_no_normalised_values(counts: np.ndarray) -> None:
    rng = np.random.default_rng(8)
    some = counts - np.where(rng.random(counts.shape) < 0.3, 0.5 * rng.random(counts.shape), 0) * (counts > 0)
    every = counts * (1 - 0.3 * rng.random(counts.shape))
    for values in (some, every):
        assert scale_of(groups(values)) == ""


def test_a_value_is_explained_with_those_around_it() -> None:
    assert explain(np.array([1.5, 2.0]), 0)[0] == "a fractional value (1.5)"
    assert "corrected" in explain(np.array([1.5, 2.0]), 0)[1]
    found, remedy = explain(np.array([1.5, -0.25]), 0)
    assert found == "a fractional value (1.5), and negative ones such as -0.25, as of scaled or centred values"
    assert "corrected" not in remedy.replace("correction", "")
    assert explain(np.array([-1.0, 2.0]), 0)[0] == "a negative value (-1)"
    assert explain(np.array([np.nan, 2.0]), 0)[0] == "a missing value (NaN)"


@QUICK
@given(arrays(np.float64, st.integers(1, 80), elements=st.floats(0, 1e6, allow_nan=False)), st.integers(0, 5))
def test_rounding_keeps_sums(values: np.ndarray, seed: int) -> None:
    rounded = round_counts(values, seed)
    assert ((rounded == np.floor(values)) | (rounded == np.floor(values) + 1)).all()
    whole = values == np.rint(values)
    np.testing.assert_array_equal(rounded[whole], values[whole])
    difference = np.cumsum(rounded - values)
    assert np.ptp(np.concatenate([[0.0], difference])) < 1 + 1e-6  # of any run of values
    np.testing.assert_array_equal(rounded, round_counts(values, seed))


def test_rounding_keeps_each_value_on_average() -> None:
    values = np.tile([0.9, 0.1, 2.5, 3.0, 0.33], 40)
    mean = np.mean([round_counts(values, seed) for seed in range(4000)], axis=0)
    np.testing.assert_allclose(mean, values, atol=0.035)  # four standard errors of a coin thrown 4,000 times


@pytest.mark.real
def test_real_counts_are_counts(real_data: Path) -> None:
    for name in ("zilionis_lung/h_1", "kang_ifn/kang_ifn.h5ad", "mouse_lps_toy/mouse_lps.h5ad"):
        adata = read_counts(real_data / name)
        assert unlike_counts(rows_of(adata.X)) == ""
        if name.startswith("mouse_lps"):
            continue  # a hundred genes: too few a cell to tell
        logs = adata.X.astype("f8")
        logs.data = np.log1p(logs.data / np.repeat(adata.X.sum(axis=1).A1, np.diff(adata.X.indptr)) * 1e4)
        assert scale_of(rows_of(logs)) == "logs of counts divided by their cell's total"
