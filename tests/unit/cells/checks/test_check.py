"""Programmes, sexes and suspect clusters: what was planted is told, sound cells are left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml

from livermet.cells.checks.check import check_cells
from livermet.cells.checks.programmes import call_phase, score_programmes
from livermet.cells.checks.sex import read_sex, tell_sex
from livermet.cells.checks.suspects import describe_clusters
from livermet.demo import planted
from livermet.demo.cells import Sample
from livermet.demo.cohort import prepare, simulate
from livermet.errors import InputError

ROOT = Path(__file__).resolve().parents[4]
SIGNATURES = yaml.safe_load((ROOT / "resources" / "signatures.yaml").read_text(encoding="utf-8"))
BINS = pd.read_csv(ROOT / "resources" / "expression_bins.tsv", sep="\t")
SHEET = pd.DataFrame({"mouse": ["m1", "m2"], "sex": ["f", "m"]}, index=pd.Index(["s1", "s2"], name="sample"), dtype=str)


@pytest.fixture(scope="module")
def cells() -> anndata.AnnData:
    """A female and a male of the demo's cells, without doublets; `kind` is the lineage planted."""
    table = pd.read_csv(ROOT / "resources" / "demo_genes.tsv.gz", sep="\t")
    study = prepare(gene_table=table, n_genes=6000, cells_per_mouse=400, n_empty_droplets=10, seed=5)
    parts, obs = [], []
    for sample, sex in (("s1", "f"), ("s2", "m")):
        drawn = simulate(study, Sample(sample, f"m_{sample}", planted.CONTROL, "b1", sex))
        good = (~drawn.truth["is_doublet"] & ~drawn.truth["low_quality"]).to_numpy()
        parts.append(drawn.cells[np.flatnonzero(good)])
        obs.append(drawn.truth[good].set_index("cell")[["sample", "lineage"]])
    var = pd.DataFrame({"symbol": study.genes["symbol"].to_numpy()}, index=[f"g{n}" for n in range(len(study.genes))])
    var["mitochondrial"] = var["symbol"].str.startswith("mt-")
    return measured(sp.vstack(parts, format="csr").astype(np.int32), pd.concat(obs), var)


def measured(counts: sp.csr_matrix, obs: pd.DataFrame, var: pd.DataFrame, score: float = 0.01) -> anndata.AnnData:
    totals = np.asarray(counts.sum(axis=1)).ravel()
    mito = np.asarray(counts[:, np.flatnonzero(var["mitochondrial"])].sum(axis=1)).ravel()
    obs = obs.rename(columns={"lineage": "kind"}).assign(
        n_umis=totals, n_genes=np.diff(counts.indptr), mitochondrial_fraction=mito / totals, doublet_score=score
    )
    return anndata.AnnData(counts, obs=obs, var=var)


def with_cluster(cells: anndata.AnnData, counts: sp.csr_matrix, name: str, score: float) -> anndata.AnnData:
    """The same cells and a planted cluster."""
    more = pd.DataFrame({"sample": "s1", "lineage": name}, index=[f"{name}{n}" for n in range(counts.shape[0])])
    extra = measured(counts, more, cells.var, score)
    return anndata.AnnData(
        sp.vstack([cells.X, extra.X], format="csr"), obs=pd.concat([cells.obs, extra.obs]), var=cells.var
    )


def describe(cells: anndata.AnnData) -> pd.DataFrame:
    lineage = pd.Series(cells.obs["kind"].unique(), index=cells.obs["kind"].unique())
    return describe_clusters(cells, cells.obs["kind"], lineage).set_index("leiden")


def pairs(cells: anndata.AnnData, first: str, second: str, number: int = 25) -> sp.csr_matrix:
    """Two cells a droplet."""
    rng = np.random.default_rng(1)
    one, two = (rng.choice(np.flatnonzero(cells.obs["kind"] == kind), number) for kind in (first, second))
    both = sp.csr_matrix(cells.X[one] + cells.X[two])
    both.data = rng.binomial(both.data, 0.8).astype(np.int32)
    return both


def test_sound_clusters_are_no_suspects(cells: anndata.AnnData) -> None:
    table = describe(cells)
    assert len(table) > 8
    assert table["suspect"].tolist() == [""] * len(table)


@pytest.mark.parametrize("kinds", [("T_cell", "Kupffer_cell"), ("B_cell", "Neutrophil"), ("NK_cell", "B_cell")])
def test_a_cluster_of_doublets_is_told_with_its_parents(cells: anndata.AnnData, kinds: tuple[str, str]) -> None:
    table = describe(with_cluster(cells, pairs(cells, *kinds), "both", score=0.2))
    assert table.loc["both", "suspect"] == "doublets"
    assert set(table.loc["both", "parents"].split(" + ")) == set(kinds)
    assert 0.2 < table.loc["both", "share_first"] < 1
    assert "20.0 times that of all cells" in table.loc["both", "because"]
    assert (table["suspect"] != "").sum() == 1
    quiet = describe(with_cluster(cells, pairs(cells, *kinds), "both", score=0.02))
    assert quiet.loc["both", "suspect"] == ""  # no high scores: perhaps a kind of cell between two others


def test_a_cluster_of_damaged_cells_is_told(cells: anndata.AnnData) -> None:
    rng = np.random.default_rng(2)
    chosen = rng.choice(np.flatnonzero(cells.obs["kind"] == "T_cell"), 30)
    damaged = cells.X[chosen].toarray()
    mito = cells.var["mitochondrial"].to_numpy()
    damaged[:, ~mito] = rng.binomial(damaged[:, ~mito], 0.25)
    table = describe(with_cluster(cells, sp.csr_matrix(damaged), "debris", score=0.01))
    assert table.loc["debris", "suspect"] == "low quality"
    assert "mitochondrial share" in table.loc["debris", "because"]
    assert (table["suspect"] != "").sum() == 1
    assert table.loc["Neutrophil", "median_n_umis"] < 0.5 * table["median_n_umis"].median()  # small, and sound


def test_sex_is_read_and_contradictions_are_loud(cells: anndata.AnnData) -> None:
    found = read_sex(cells, ["s1", "s2", "s3"])
    assert found["sex_found"].tolist() == ["female", "male", "cannot be told"]
    assert tell_sex(found.iloc[:2], SHEET) == []
    assert tell_sex(found.iloc[:2], SHEET.drop(columns="sex")) == []
    swapped = tell_sex(found.iloc[:2], SHEET.assign(sex=["Male", "m"]))
    assert [(one.sample, one.level) for one in swapped] == [("s1", "loud")]
    assert "The sheet calls mouse m1 male; the cells of sample s1 are female." in swapped[0].what


def test_both_sexes_in_one_sample(cells: anndata.AnnData) -> None:
    mixed = cells.copy()
    mixed.obs["sample"] = "s1"
    found = read_sex(mixed, ["s1"])
    [told] = tell_sex(found, SHEET)
    assert told.level == "loud"
    assert "cells of both sexes" in told.what
    row = found.loc["s1"]
    assert f"Xist alone {row['cells_xist']}, with Y genes alone {row['cells_y']}" in told.evidence
    assert row["cells_both"] < 0.05 * (row["cells_xist"] + row["cells_y"])  # two kinds of cells, not one of both
    assert tell_sex(found, SHEET.assign(pool_size=["2", "1"]))[0].level == "quiet"


def test_scores_are_those_of_the_definition(cells: anndata.AnnData) -> None:
    few = cells[:40].copy()
    table = score_programmes(few, SIGNATURES, BINS)
    dense = few.X.toarray().astype(float)
    expression = pd.DataFrame(np.log1p(1e4 * dense / dense.sum(axis=1, keepdims=True)), columns=few.var["symbol"])
    known = {one["name"]: one for one in SIGNATURES["signatures"]}
    barred = {gene for one in known.values() for gene in (*one["up"], *one["down"])}
    barred |= {other for gene in set(barred) for other in SIGNATURES["aliases"].get(gene, [])}
    bin_of = dict(zip(BINS["symbol"], BINS["bin"], strict=True))
    there = [gene for gene in expression if gene in bin_of]
    alike = {
        number: [g for g in there if bin_of[g] == number and g not in barred and not g.startswith(("mt-", "Hb"))]
        for number in set(BINS["bin"])
    }
    genes = [gene for gene in known["cell_cycle_S"]["up"] if gene in there]
    assert len(genes) > 10
    own = expression[genes].mean(axis=1)
    control = np.mean([expression[alike[bin_of[gene]]].mean(axis=1) for gene in genes], axis=0)
    ribosomal = expression.columns.str.match(r"Rp[sl]\d").any()
    np.testing.assert_allclose(table["s_score"], own - control, atol=0.02 if ribosomal else 2e-3)


def test_a_cells_scores_do_not_follow_the_others(cells: anndata.AnnData) -> None:
    everyone = score_programmes(cells, SIGNATURES, BINS)
    few = score_programmes(cells[10:60].copy(), SIGNATURES, BINS)
    pd.testing.assert_frame_equal(everyone.iloc[10:60], few, rtol=1e-5)


def test_phases_and_stress_follow_what_is_planted(cells: anndata.AnnData) -> None:
    known = {one["name"]: one["up"] for one in SIGNATURES["signatures"]}
    shaken = cells[cells.obs["kind"] == "T_cell"][:90].copy()
    dense = shaken.X.toarray()
    for rows, name in (
        (range(30), "cell_cycle_S"),
        (range(30, 60), "cell_cycle_G2M"),
        (range(60, 90), "dissociation_core_IEG_HSP"),
    ):
        columns = np.flatnonzero(shaken.var["symbol"].isin(known[name]))
        dense[np.ix_(rows, columns)] += np.random.default_rng(0).poisson(1.5, (30, len(columns)))
    before = score_programmes(shaken, SIGNATURES, BINS)
    shaken.X = sp.csr_matrix(dense)
    after = score_programmes(shaken, SIGNATURES, BINS)
    assert (after["phase"].iloc[:30] == "S").mean() > 0.9
    assert (after["phase"].iloc[30:60] == "G2M").mean() > 0.9
    assert (before["phase"].iloc[60:] == "G1").mean() > 0.8
    assert (after["stress_score"] - before["stress_score"]).iloc[60:].min() > 0.3
    assert call_phase(np.array([0.1, np.nan]), np.array([0.2, 0.5])).tolist() == ["G1", ""]


def test_a_collection_without_the_cycle_is_refused(cells: anndata.AnnData) -> None:
    with pytest.raises(InputError, match="cell_cycle_G2M"):
        score_programmes(cells[:5].copy(), {"signatures": SIGNATURES["signatures"][:3]}, BINS)


def check(cells: anndata.AnnData, lineage: pd.Series, sheet: pd.DataFrame) -> dict[str, Any]:
    lineages = pd.DataFrame({"leiden": cells.obs["kind"], "lineage": lineage})
    evidence = pd.DataFrame({"leiden": cells.obs["kind"].unique(), "lineage": cells.obs["kind"].unique()})
    return check_cells(cells, lineages, evidence, signatures=SIGNATURES, bins=BINS, sheet=sheet)


def test_what_a_study_is_told(cells: anndata.AnnData) -> None:
    found = check(cells, cells.obs["kind"], SHEET)
    assert found["notices"].empty
    assert found["programmes"].index.equals(cells.obs_names)
    profiles = found["profiles"].set_index("sample")
    assert profiles["sex_found"].tolist() == ["female", "male"]
    assert (
        profiles.loc["s1", "share_S"] == (found["programmes"].loc[cells.obs["sample"] == "s1", "phase"] == "S").mean()
    )
    nobody = cells.obs["kind"].where(cells.obs["sample"] == "s1", "unassigned")
    told = check(cells, nobody, SHEET.assign(sex=["f", "f"]))["notices"]
    assert told["sample"].tolist() == ["s2", "s2"]
    assert "calls mouse m2 female" in told["what"].iloc[0]
    assert "Most cells of sample s2 (mouse m2) belong to no lineage" in told["what"].iloc[1]
    assert "100% of its cells" in told["evidence"].iloc[1]


def test_a_shaken_sample_is_told_among_four(cells: anndata.AnnData) -> None:
    four = cells.copy()
    four.obs["sample"] = np.resize(["s1", "s2", "s3", "s4"], four.n_obs)
    columns = np.flatnonzero(
        four.var["symbol"].isin(["Fos", "Jun", "Junb", "Egr1", "Hspa1a", "Hspa1b", "Dusp1", "Atf3"])
    )
    dense = four.X.toarray()
    dense[np.ix_(four.obs["sample"] == "s3", columns)] += 30
    four.X = sp.csr_matrix(dense)
    sheet = pd.DataFrame({"mouse": list("abcd")}, index=pd.Index(["s1", "s2", "s3", "s4"], name="sample"))
    notices = check(four, four.obs["kind"], sheet)["notices"]
    stressed = notices[notices["what"].str.contains("dissociation stress")]
    assert stressed["sample"].tolist() == ["s3"]
    assert stressed["level"].tolist() == ["quiet"]
