"""The mouse as block: whitening is generalised least squares, the correlation is the planted one, limma agrees."""

from __future__ import annotations

import numpy as np
import pylimma
import pytest
from scipy import stats
from tests.unit.mice.pseudobulks import draw_pseudobulk, make_tissues

from livermet.mice.design.model import Design
from livermet.mice.endpoints.pseudobulk import select
from livermet.mice.models.blocks import are_repeated, whitener, within_mouse_correlation
from livermet.mice.models.libraries import Libraries, normalise
from livermet.mice.models.moderated import fit_blocked, fit_moderated, voom_blocked

MICE = ["a", "b", "c", "a", "c", "d"]


def test_whitened_units_are_independent() -> None:
    factor = whitener(MICE, 0.6)
    covariance = np.array([[1.0 if i == j else 0.6 * (MICE[i] == MICE[j]) for j in range(6)] for i in range(6)])
    np.testing.assert_allclose(factor @ covariance @ factor.T, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(whitener(MICE, 0.0), np.eye(6))


def test_the_correlation_is_the_planted_one() -> None:
    rng = np.random.default_rng(1)
    mice = [f"m{number}" for number in range(10)] * 2
    matrix = np.column_stack([np.ones(20), np.repeat([0, 1], 10)])
    for planted in (0.0, 0.6):
        shared = np.tile(rng.normal(0, np.sqrt(planted), (300, 10)), 2)
        values = shared + rng.normal(0, np.sqrt(1 - planted), (300, 20))
        assert within_mouse_correlation(values, matrix, mice) == pytest.approx(planted, abs=0.05)
    assert within_mouse_correlation(values, matrix, [f"m{number}" for number in range(20)]) == 0
    assert not are_repeated(["a", "b"])
    assert not are_repeated(["a", "a"])  # one mouse: nothing between mice to learn from
    assert are_repeated(MICE)


@pytest.fixture(scope="module")
def tissues() -> tuple[Design, Libraries]:
    design = make_tissues(4)
    sums = draw_pseudobulk(design, np.random.default_rng(2), n_genes=120, mouse_bcv=0.3, bcv=0.15)
    return design, normalise(select(sums, "B_cell", design, 10).counts, design.matrix.to_numpy())


def test_blocked_fit_is_limma(tissues: tuple[Design, Libraries]) -> None:
    """Where the contrast is a coefficient limma's own way is exact, with weights and block; ours is the same number."""
    design, libraries = tissues
    matrix, mice = design.matrix.to_numpy(), list(design.units["mouse"])
    values, weights, correlation = voom_blocked(libraries, matrix, mice)
    assert 0.5 < correlation < 0.9
    limma = pylimma.lm_fit(
        {"E": values, "weights": weights}, design=matrix, block=np.array(mice), correlation=correlation
    )
    limma = pylimma.e_bayes(limma)
    fit, again = fit_blocked(libraries, matrix, mice)
    assert again == correlation
    for column in range(matrix.shape[1]):
        table = fit.table(np.eye(matrix.shape[1])[column], 0.95)
        np.testing.assert_allclose(table["log_fold_change"], np.asarray(limma["coefficients"])[:, column], rtol=1e-8)
        np.testing.assert_allclose(table["p_value"], np.asarray(limma["p_value"])[:, column], rtol=1e-5)


def test_generalised_least_squares_by_hand(tissues: tuple[Design, Libraries]) -> None:
    design, libraries = tissues
    matrix, mice = design.matrix.to_numpy(), list(design.units["mouse"])
    values, weights, correlation = voom_blocked(libraries, matrix, mice)
    fit = fit_moderated(values, weights, matrix, whitener(mice, correlation))
    vector = design.vector("tissue_by_site")
    changes, errors = fit.estimate(vector)
    same = np.equal.outer(mice, mice)
    for gene in (0, 17, 101):
        sd = np.diag(1 / np.sqrt(weights[gene]))
        inverse = np.linalg.inv(sd @ (np.where(same, correlation, 0) + (1 - correlation) * np.eye(len(mice))) @ sd)
        covariance = np.linalg.inv(matrix.T @ inverse @ matrix)
        assert changes[gene] == pytest.approx(vector @ covariance @ matrix.T @ inverse @ values[gene])
        assert errors[gene] == pytest.approx(np.sqrt(vector @ covariance @ vector * fit.variance[gene]))


def test_type_one_error_across_tissues() -> None:
    """Between mice, averaged over tissues, units taken for mice give twice the errors; the block gives what is promised."""
    design = make_tissues(3)
    matrix, mice = design.matrix.to_numpy(), list(design.units["mouse"])
    between = (design.vector("liver") + design.vector("blood")) / 2
    within = design.vector("tissue_by_site")
    found: dict[str, list[np.ndarray]] = {}
    for seed in range(4):
        sums = draw_pseudobulk(design, np.random.default_rng(seed), n_genes=200, mouse_bcv=0.3, bcv=0.2)
        libraries = normalise(select(sums, "B_cell", design, 10).counts, matrix)
        values, weights, correlation = voom_blocked(libraries, matrix, mice)
        fits = {"block": fit_moderated(values, weights, matrix, whitener(mice, correlation))}
        fits["none"] = fit_moderated(values, weights, matrix)
        for name, fit in fits.items():
            for about, vector in (("between", between), ("within", within)):
                found.setdefault(f"{name} {about}", []).append(fit.table(vector, 0.95)["p_value"].to_numpy())
    p = {name: np.concatenate(parts) for name, parts in found.items()}
    assert np.mean(p["block between"] < 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(p["block within"] < 0.05) == pytest.approx(0.05, abs=0.02)
    assert stats.kstest(p["block between"], "uniform").statistic < 0.06
    assert np.mean(p["none between"] < 0.05) > 0.09
    assert np.mean(p["none within"] < 0.05) < 0.01
