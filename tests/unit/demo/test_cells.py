"""The simulated droplets look like droplets: each property that real counts have is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from livermet.demo import cells, planted, programmes
from livermet.demo.cells import Droplets, Sample, mouse_expression
from livermet.demo.cohort import Study, simulate

LIVER = "subcutaneous_liver.untreated"


@pytest.fixture(scope="module")
def droplets(study: Study) -> Droplets:
    """One sample of the control arm, large enough to estimate from."""
    return simulate(replace(study, cells_per_mouse=1500), Sample("s1", "m1", planted.CONTROL, "b1", "f"))


@pytest.fixture(scope="module")
def many(study: Study) -> pd.DataFrame:
    """Truth of sixty mice in two arms."""
    few = replace(study, cells_per_mouse=120, n_empty_droplets=10)
    mice = [Sample(f"s{n}", f"m{n}", arm, "b1", "f") for arm in (planted.CONTROL, LIVER) for n in range(30)]
    mice = [replace(one, sample=f"{one.arm}{one.sample}", mouse=f"{one.arm}{one.mouse}") for one in mice]
    return pd.concat([simulate(few, one).truth.assign(arm=one.arm) for one in mice])


def counts_of(droplets: Droplets, state: str) -> np.ndarray:
    one = (droplets.truth["state"] == state) & ~droplets.truth["is_doublet"] & ~droplets.truth["low_quality"]
    return droplets.cells[np.flatnonzero(one)].toarray().astype(float)


def test_barcodes_are_whitelist_like(droplets: Droplets) -> None:
    names = pd.Series(np.concatenate([droplets.barcodes, droplets.empty_barcodes]))
    assert names.is_unique
    assert names.str.fullmatch("[ACGT]{16}-1").all()
    assert droplets.truth["cell"].tolist() == [f"s1_{barcode}" for barcode in droplets.barcodes]


def test_library_sizes_follow_the_population(droplets: Droplets) -> None:
    umis = pd.Series(np.asarray(droplets.cells.sum(axis=1)).ravel(), index=droplets.truth.index)
    single = ~droplets.truth["is_doublet"] & ~droplets.truth["low_quality"]
    median = umis[single].groupby(droplets.truth.loc[single, "lineage"]).median()
    assert 3000 < median["T_cell"] < 6000
    assert 1000 < median["Neutrophil"] < 2000
    assert 8000 < median["Monocyte_derived_macrophage"] < 15000
    assert 8000 < median["Kupffer_cell"] < 15000


def test_variance_exceeds_poisson_as_negative_binomial_counts_do(droplets: Droplets) -> None:
    counts = counts_of(droplets, "B_cell")
    size = counts.sum(axis=1) / counts.sum(axis=1).mean()
    scaled = counts / size[:, None]
    mean, variance = scaled.mean(axis=0), scaled.var(axis=0, ddof=1)
    strong = mean > 1.5
    dispersion = (variance[strong] - mean[strong] * np.mean(1 / size)) / mean[strong] ** 2
    assert strong.sum() > 200
    assert 0.2 < np.median(dispersion) < 0.55
    weak = (mean > 0.02) & (mean < 0.1)
    assert np.median(variance[weak] / mean[weak]) == pytest.approx(1.0, abs=0.2)


def test_zeros_follow_the_mean_without_extra_inflation(droplets: Droplets) -> None:
    counts = counts_of(droplets, "B_cell")
    size = counts.sum(axis=1) / counts.sum(axis=1).mean()
    mean = (counts / size[:, None]).mean(axis=0)
    middling = (mean > 0.1) & (mean < 3)
    dispersion = 0.4
    expected = ((1 + dispersion * size[:, None] * mean[middling]) ** (-1 / dispersion)).mean(axis=0)
    zeros = (counts[:, middling] == 0).mean(axis=0)
    assert np.abs(zeros - expected).mean() < 0.04
    assert np.corrcoef(zeros, expected)[0, 1] > 0.97


def test_expression_is_lognormal_over_genes_and_sparse(droplets: Droplets) -> None:
    counts = counts_of(droplets, "CD8_activated")
    assert 0.8 < (counts == 0).mean() < 0.95
    pooled = counts.sum(axis=0) / counts.sum() * 1e4
    spread = np.log(pooled[pooled > 0.02]).std()
    assert 1.0 < spread < 2.0
    assert pooled.max() < 400


def test_mice_differ_by_the_planted_biological_variation(study: Study) -> None:
    mice = [Sample(f"s{n}", f"m{n}", planted.CONTROL, "b1", "f") for n in range(24)]
    logs = np.log(
        [mouse_expression(sample=m, profiles=study.profiles, effect=study.effects[m.arm], seed=1)[5] for m in mice]
    )
    expressed = logs.mean(axis=0) > np.log(1e-5)
    bcv = logs[:, expressed].std(axis=0, ddof=1)
    assert 0.15 < np.median(bcv) < 0.30
    assert 0.10 < np.quantile(bcv, 0.05) < np.quantile(bcv, 0.95) < 0.5
    # A few factors move many genes together: far more correlation than independent noise of 24 mice would show.
    first = np.linalg.svd(logs[:, expressed] - logs[:, expressed].mean(axis=0), compute_uv=False) ** 2
    assert first[:3].sum() / first.sum() > 0.25


def test_sex_genes_follow_sex(study: Study) -> None:
    columns = {symbol: number for number, symbol in enumerate(study.genes["symbol"])}
    female, male = (
        simulate(study, Sample("s1", "m1", planted.CONTROL, "b1", sex)).cells.sum(axis=0).A1 for sex in ("f", "m")
    )
    assert female[columns["Xist"]] > 50
    assert male[columns["Xist"]] < 3
    assert male[columns["Ddx3y"]] > 20
    assert female[columns["Ddx3y"]] < 3


def test_receptors_tell_states_apart_and_drop_out(droplets: Droplets, study: Study) -> None:
    columns = {symbol: number for number, symbol in enumerate(study.genes["symbol"])}

    def detected(state: str, gene: str) -> float:
        return float((counts_of(droplets, state)[:, columns[gene]] > 0).mean())

    assert detected("CD8_activated", "Cd8a") > 0.6 > 0.15 > detected("CD4_naive_like", "Cd8a")
    assert 0.2 < detected("CD4_naive_like", "Cd4") < 0.8  # real Cd4 is missed in many a CD4 cell
    assert detected("Treg", "Foxp3") > 0.35 > 0.1 > detected("CD4_Th1", "Foxp3")
    assert detected("gamma_delta_T", "Trdc") > 0.8 > 0.2 > detected("CD8_Tex", "Trdc")


def test_planted_abundances_come_out(many: pd.DataFrame) -> None:
    found = many.groupby("arm")["state"].value_counts(normalize=True).unstack().T
    for population in ("CD8_activated", "Monocyte_derived_macrophage", "B_cell"):
        row = [p.name for p in programmes.POPULATIONS].index(population)
        planted_change = np.log2(planted.shares(LIVER)[row] / planted.shares(planted.CONTROL)[row])
        change = np.log2(found.loc[population, LIVER] / found.loc[population, planted.CONTROL])
        assert change == pytest.approx(planted_change, abs=0.3)
    assert found.loc[list(programmes.T_STATES), planted.CONTROL].sum() == pytest.approx(0.45, abs=0.04)


def test_cells_per_mouse_vary_as_said(many: pd.DataFrame) -> None:
    n = many.groupby("sample").size()
    assert np.exp(np.log(n).mean()) == pytest.approx(120, rel=0.1)
    assert 0.15 < np.log(n).std() < 0.4


def test_ambient_share_is_that_of_the_sample(many: pd.DataFrame) -> None:
    share = many.groupby(["arm", "sample"])["ambient_fraction"].mean()
    assert share[planted.CONTROL].between(0.015, 0.065).all()
    assert share[LIVER].between(0.045, 0.105).all()


def test_soup_brings_liver_genes_into_lymphocytes_and_empty_droplets(study: Study) -> None:
    column = study.genes.index[study.genes["symbol"] == "Alb"][0]
    liver = simulate(study, Sample("s2", "m2", LIVER, "b1", "f"))
    lymphocytes = np.flatnonzero(liver.truth["lineage"].isin(["T_cell", "B_cell"]) & ~liver.truth["is_doublet"])
    inside = liver.cells[lymphocytes].sum(axis=0).A1
    outside = liver.empty.sum(axis=0).A1
    assert inside[column] / inside.sum() > 1e-4
    assert outside[column] / outside.sum() > 5 * inside[column] / inside.sum()
    per_droplet = liver.empty.sum(axis=1).A1
    assert 20 < np.median(per_droplet) < 50
    assert per_droplet.max() < 220


def test_dying_cells_are_small_and_mitochondrial(droplets: Droplets, study: Study) -> None:
    umis = droplets.cells.sum(axis=1).A1
    mito = droplets.cells[:, np.flatnonzero(study.profiles.mitochondrial)].sum(axis=1).A1 / umis
    dying = droplets.truth["low_quality"].to_numpy()
    assert 0.01 < dying.mean() < 0.06
    assert np.median(mito[dying]) > 0.2 > 0.08 > np.median(mito[~dying])
    assert np.median(umis[dying]) < 0.5 * np.median(umis[~dying])


def test_doublets_are_as_frequent_as_loading_makes_them_and_hold_both_cells(study: Study) -> None:
    crowded = simulate(replace(study, cells_per_mouse=4000), Sample("s1", "m1", planted.CONTROL, "b1", "f"))
    truth, n = crowded.truth, len(crowded.truth)
    assert truth["is_doublet"].mean() == pytest.approx(0.008 * n / 1000, rel=0.35)
    assert set(truth.loc[truth["is_doublet"], "doublet_kind"]) == {"heterotypic", "homotypic"}
    assert (truth.loc[~truth["is_doublet"], "doublet_kind"] == "").all()
    column = study.genes.index[study.genes["symbol"] == "Cd79a"][0]
    mixed = (truth["second_population"] == "B_cell") & (truth["lineage"] == "T_cell")
    alone = (truth["lineage"] == "T_cell") & ~truth["is_doublet"]
    cd79a = crowded.cells[:, column].toarray().ravel()
    assert mixed.sum() >= 3
    assert (cd79a[mixed] > 0).mean() > 0.7 > 0.2 > (cd79a[alone] > 0).mean()


def test_a_sample_does_not_depend_on_the_others(study: Study) -> None:
    one = Sample("s7", "m7", planted.CONTROL, "b2", "m")
    first = simulate(study, one)
    simulate(study, Sample("s8", "m8", planted.CONTROL, "b2", "m"))
    assert (first.cells != simulate(study, one).cells).nnz == 0
    assert cells.child(1, "sample", "a").random() != cells.child(1, "sample", "b").random()
