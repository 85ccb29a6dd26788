"""Scores against frozen matched controls."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from livermet.tcells.controls import ControlSets, draw_controls, freeze_controls, make_control_sets
from livermet.tcells.definitions import States
from livermet.tcells.gates import neighbour_average
from livermet.tcells.scoring import compare, rarefy, score_cells, score_neighbourhoods
from livermet.tcells.signatures import Signatures, resolve

from .conftest import draw_cells, plant

NAMES = ["T_naive_like", "CD8_effector_memory", "CD8_terminally_exhausted_Tex", "Treg", "CD4_Th1"]


@pytest.fixture(scope="module")
def sets(collection: Signatures, bins: pd.DataFrame, toy_var: pd.DataFrame) -> ControlSets:
    return make_control_sets(collection, NAMES, bins=bins, var=toy_var, n_control_sets=100)


@pytest.fixture(scope="module")
def resting(toy_rates: np.ndarray) -> sparse.csr_matrix:
    return draw_cells(toy_rates, 400, depth=4000, seed=5)


def test_brute_force_twin(
    collection: Signatures, bins: pd.DataFrame, toy_var: pd.DataFrame, resting: sparse.csr_matrix, sets: ControlSets
) -> None:
    """One cell, one signature, by hand: the share of genes seen at 500 UMIs, set by set."""
    dense = resting[:5].toarray().astype(float)
    kept = 500 / dense.sum(axis=1)
    expression = 1 - (1 - kept[:, None]) ** dense
    genes = resolve(collection, toy_var["symbol"])
    reference = freeze_controls(collection, bins, toy_var)
    score, z = score_cells(resting[:5], sets)
    for name in NAMES:
        item = collection[name]
        drawn = {gene: draw_controls(reference, gene, 100, genes.names(gene)) for gene in (*item.up, *item.down)}
        for cell in range(5):
            signs = dict.fromkeys(item.up, 1) | dict.fromkeys(item.down, -1)
            sums = [np.mean([sign * expression[cell, genes.find(gene)] for gene, sign in signs.items()])]
            for number in range(100):
                replaced = [sign * expression[cell, drawn[gene][number]] for gene, sign in signs.items()]
                sums.append(np.mean(replaced))
            difference = sums[0] - np.mean(sums[1:])
            one = kept[cell] / len(signs)
            assert score.loc[cell, name] == pytest.approx(difference, abs=1e-5)
            assert z.loc[cell, name] == pytest.approx(difference / np.sqrt(np.var(sums[1:]) + one**2), abs=1e-4)


def test_controls_are_alike_distinct_and_in_no_set(
    collection: Signatures, bins: pd.DataFrame, toy_var: pd.DataFrame
) -> None:
    reference = freeze_controls(collection, bins, toy_var)
    number = dict(zip(bins["symbol"], bins["bin"], strict=True))
    named = {gene for item in collection.signatures for gene in (*item.up, *item.down)}
    for gene in collection["CD8_effector_memory"].up:
        controls = toy_var["symbol"].iloc[draw_controls(reference, gene, 100)]
        assert controls.is_unique
        assert not set(controls) & named
        assert max(abs(number[control] - number[gene]) for control in controls) <= 4


def test_ambient_prone_genes_are_no_controls(collection: Signatures, bins: pd.DataFrame, toy_var: pd.DataFrame) -> None:
    var = toy_var.assign(mitochondrial=False, ribosomal=toy_var["symbol"].str.match("^Rp[ls]"), haemoglobin=False)
    pool = freeze_controls(collection, bins, var).pool
    assert var["ribosomal"].sum() > 10
    assert not any(symbol.startswith(("Rpl", "Rps")) for genes in pool.values() for symbol, _ in genes)


def test_a_gene_that_the_study_lacks_leaves_the_other_controls_alone(
    collection: Signatures, bins: pd.DataFrame, toy_var: pd.DataFrame
) -> None:
    whole = draw_controls(freeze_controls(collection, bins, toy_var), "Gzmk", 100)
    symbols = toy_var["symbol"].iloc[whole].tolist()
    fewer = toy_var[toy_var["symbol"] != symbols[40]]
    again = fewer["symbol"].iloc[draw_controls(freeze_controls(collection, bins, fewer), "Gzmk", 100)].tolist()
    assert again[:99] == [*symbols[:40], *symbols[41:]]


def test_other_cells_do_not_move_a_score(resting: sparse.csr_matrix, sets: ControlSets, toy_rates: np.ndarray) -> None:
    """The whole point of freezing: a sample more, with other cells at another depth, moves nothing at all."""
    other = draw_cells(toy_rates[::-1].copy(), 1300, depth=9000, seed=6)
    alone = score_cells(resting, sets)
    together = score_cells(sparse.csr_matrix(sparse.vstack([other, resting])), sets)
    for before, after in zip(alone, together, strict=True):
        assert np.array_equal(before.to_numpy(), after.to_numpy()[1300:])


def test_the_chance_to_be_seen_is_what_thinning_shows() -> None:
    """By hand, and by thinning a cell ten thousand times."""
    counts = sparse.csr_matrix(np.array([[3, 0, 1, 996], [1, 2, 0, 247], [0, 0, 0, 0]]))
    seen, one_count = rarefy(counts, np.array([0, 1, 2]), depth=500)
    np.testing.assert_allclose(seen.toarray(), [[1 - 0.5**3, 0, 0.5], [1, 1, 0], [0, 0, 0]], rtol=1e-5)
    np.testing.assert_allclose(one_count, [0.5, 1, 0])
    thinned = np.random.default_rng(1).binomial([3, 0, 1], 0.5, size=(10000, 3))
    np.testing.assert_allclose((thinned > 0).mean(axis=0), seen.toarray()[0], atol=0.015)


def test_thinned_before_or_after_is_the_same_on_average() -> None:
    """What a cell of 2,000 UMIs would show at 500 does not depend on whether 60 % of them were lost on the way."""
    rng = np.random.default_rng(4)
    cell = np.array([1, 2, 5, 20, 0, 1972])
    thinned = sparse.csr_matrix(rng.binomial(cell, 0.4, size=(20000, 6)))
    before = rarefy(sparse.csr_matrix(cell[None]), np.arange(5), depth=500)[0].toarray()[0]
    after = rarefy(thinned, np.arange(5), depth=500)[0].toarray()
    np.testing.assert_allclose(after.mean(axis=0), before, atol=4 * after.std(axis=0).max() / np.sqrt(20000))
    logarithm = np.log1p(thinned.toarray() / thinned.toarray().sum(axis=1, keepdims=True) * 1e4)
    assert np.abs(logarithm[:, :3].mean(axis=0) / np.log1p(cell[:3] / 2000 * 1e4) - 1).min() > 0.08


def thinning_shift(counts: sparse.csr_matrix, sets: ControlSets, n_times: int) -> pd.Series:
    """Mean change of each score when cells lose 60 % of their UMIs, in standard deviations between cells."""
    rng = np.random.default_rng(8)
    full = score_cells(counts, sets)[0]
    shifts = []
    for _ in range(n_times):
        thin = counts.copy()
        thin.data = rng.binomial(thin.data, 0.4).astype(np.int32)
        shifts.append((score_cells(thin, sets)[0].mean() - full.mean()) / full.std())
    return pd.concat(shifts, axis=1).mean(axis=1)


def test_depth_does_not_move_a_score(
    resting: sparse.csr_matrix, collection: Signatures, states: States, bins: pd.DataFrame, toy_var: pd.DataFrame
) -> None:
    """Every set of the states file, at 40 % depth."""
    every = make_control_sets(collection, states.signatures(), bins=bins, var=toy_var, n_control_sets=100)
    shift = thinning_shift(resting, every, 20)
    assert len(shift) >= 25
    assert shift.abs().max() <= 0.06


def test_depth_does_not_move_a_score_of_real_cells(
    real_data: Path, collection: Signatures, states: States, bins: pd.DataFrame
) -> None:
    """Cells of 1,250 UMIs and more, so that each has 500 left; the mean of ten thinnings, since there are few of them."""
    parts = anndata.read_h5ad(real_data / "zilionis_lung" / "t_1.h5ad")
    counts = sparse.csr_matrix(parts.X).astype(np.int32)
    counts = counts[np.asarray(counts.sum(axis=1)).ravel() >= 1250]
    assert counts.shape[0] > 150
    var = pd.DataFrame({"symbol": parts.var_names}, index=parts.var_names)
    every = make_control_sets(collection, states.signatures(), bins=bins, var=var, n_control_sets=100)
    assert thinning_shift(counts, every, 10).abs().max() <= 0.06


def test_z_is_centred_where_nothing_is_planted(resting: sparse.csr_matrix, sets: ControlSets) -> None:
    """Genes of a set are random draws of their bins here, so z has a mean of some tenths and a spread of about 1."""
    z = score_cells(resting, sets)[1]
    assert z.mean().abs().max() < 1.2
    assert z.std().between(0.4, 1.2).all()


def test_a_planted_signature_stands_out(
    collection: Signatures, toy_var: pd.DataFrame, toy_rates: np.ndarray, sets: ControlSets
) -> None:
    """Up genes eightfold, down genes an eighth of what a resting cell has."""
    for name in NAMES:
        item = collection[name]
        rates = toy_rates.copy()
        rates[toy_var["symbol"].isin(item.up)] *= 8
        rates[toy_var["symbol"].isin(item.down)] /= 8
        z = score_cells(draw_cells(rates / rates.sum(), 100, depth=4000, seed=9), sets)[1]
        assert (z.idxmax(axis=1) == name).mean() > 0.9, name
        assert z[name].median() > 2.5, name


ALONE = np.zeros(400, dtype=np.int64)


def test_a_neighbourhood_of_one_is_the_cell_itself(resting: sparse.csr_matrix, sets: ControlSets) -> None:
    """Where it does not stand above its controls: there the larger of two z-scores is not asked for."""
    for steps in (1, 2):
        own, near = score_neighbourhoods(resting, sets, sparse.csr_matrix(sparse.identity(400)), ALONE, steps=steps)
        np.testing.assert_allclose(own, score_cells(resting, sets)[1], atol=1e-4)
        below = (own <= 0).to_numpy()
        np.testing.assert_allclose(near.to_numpy()[below], own.to_numpy()[below], atol=1e-4)
        assert (near >= own - 1e-4).all(axis=None)


def test_two_steps_are_one_step_of_the_square(resting: sparse.csr_matrix, sets: ControlSets) -> None:
    rng = np.random.default_rng(3)
    smoother = neighbour_average(sparse.random(400, 400, 0.02, format="csr", rng=rng), own_weight=0.3)
    twice = score_neighbourhoods(resting, sets, smoother, ALONE, steps=2)[1]
    square = score_neighbourhoods(resting, sets, sparse.csr_matrix(smoother @ smoother), ALONE, steps=1)[1]
    np.testing.assert_allclose(twice, square, atol=2e-3)


def test_neighbours_gain_power(
    collection: Signatures, toy_var: pd.DataFrame, toy_rates: np.ndarray, sets: ControlSets
) -> None:
    rates = plant(toy_rates, toy_var["symbol"], dict.fromkeys(collection["Treg"].up, 2.0))
    counts = draw_cells(rates, 60, depth=2500, seed=10)
    together = score_neighbourhoods(counts, sets, sparse.csr_matrix(np.full((60, 60), 1 / 60)), ALONE[:60])[1]
    assert together["Treg"].median() > 1.5 * score_cells(counts, sets)[1]["Treg"].median()


def test_what_rises_above_the_compartment_stands_out(
    collection: Signatures, toy_var: pd.DataFrame, toy_rates: np.ndarray, sets: ControlSets
) -> None:
    """Twenty cells of 320 have a signature at three times its level, too little to stand above the controls as they are.

    The middle is that of the clusters: it is not where most cells are. In a
    compartment of such cells alone nothing has risen.
    """
    symbols = toy_var["symbol"]
    up = [gene for gene in collection["CD4_Th1"].up if (symbols == gene).any()]
    base = dict.fromkeys(up, 0.5)
    raised = plant(toy_rates, symbols, dict.fromkeys(up, 2.0))
    counts = sparse.csr_matrix(
        sparse.vstack(
            [
                draw_cells(plant(toy_rates, symbols, base), 300, depth=3000, seed=11),
                draw_cells(raised, 20, depth=3000, seed=12),
            ]
        )
    )
    groups = np.repeat([0, 1], [300, 20])
    smoother = sparse.csr_matrix(sparse.block_diag([np.full((300, 300), 1 / 300), np.full((20, 20), 1 / 20)]))
    with_others = score_neighbourhoods(counts, sets, smoother, groups)[1]
    alone = score_neighbourhoods(counts[300:], sets, smoother[300:, 300:], groups[300:])[1]
    assert with_others["CD4_Th1"][300:].min() > 2 * alone["CD4_Th1"].max() > 0
    assert with_others["CD4_Th1"][:300].max() < 1.64
    others = [name for name in NAMES if name != "CD4_Th1"]
    # Ifng and Tbx21 are among the genes of effector memory, too.
    assert with_others[others][300:].lt(with_others["CD4_Th1"][300:] / 2, axis=0).all(axis=None)
    assert (with_others[["T_naive_like", "Treg"]][300:] < 1.64).all(axis=None)


def test_one_stray_count_is_not_infinitely_many_deviations() -> None:
    raw = np.zeros((2, 101), dtype=np.float32)
    raw[0, 0] = 0.2
    score, z = compare(raw, np.array([0.2, 0.2], dtype=np.float32))
    assert score.tolist() == pytest.approx([0.2, 0])
    assert z.tolist() == pytest.approx([1, 0])
    assert compare(raw, np.zeros(2, dtype=np.float32))[1].tolist() == [0, 0]


def test_cells_without_counts_and_sets_without_genes(
    collection: Signatures, bins: pd.DataFrame, toy_var: pd.DataFrame
) -> None:
    var = toy_var[~toy_var["symbol"].isin(collection["Treg"].up)]
    sets = make_control_sets(collection, ["Treg", "CD4_Th1"], bins=bins, var=var, n_control_sets=20)
    score, z = score_cells(sparse.csr_matrix((3, len(var)), dtype=np.int32), sets)
    assert (score.to_numpy() == 0).all()
    assert (z.to_numpy() == 0).all()
    filled = sparse.csr_matrix(np.ones((2, len(var)), dtype=np.int32))
    assert (score_cells(filled, sets)[1]["Treg"] == 0).all()
