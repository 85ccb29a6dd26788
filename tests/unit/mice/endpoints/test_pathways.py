"""Signatures: planted sets are found with their sign, nulls stay null, sets go to the cells they are about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pylimma
import pytest
import yaml
from scipy import stats
from tests.unit.mice.cohort import make_design, make_settings
from tests.unit.mice.pseudobulks import add_soup, draw_pseudobulk, make_tissues

from livermet import keys
from livermet.mice.design.model import Design
from livermet.mice.endpoints.ambience import explain
from livermet.mice.endpoints.applicable import applies, choose, circular_genes, defining_genes, words_of_signature
from livermet.mice.endpoints.pathways import test_pathways
from livermet.mice.endpoints.pseudobulk import select
from livermet.mice.models.blocks import whitener, within_mouse_correlation
from livermet.mice.models.libraries import normalise
from livermet.mice.models.set_tests import GeneSet, Measured, ModeratedGenes, competitive, score, self_contained

test_pathways.__test__ = False  # type: ignore[attr-defined]
RESOURCES = Path(__file__).parents[4] / "resources"
UP, DOWN = [f"Gene{number}" for number in range(12)], [f"Gene{number}" for number in range(12, 20)]


def make_set(name: str, up: list[str], down: list[str] | None = None, **changes: str) -> dict[str, Any]:
    return {"name": name, "kind": "state", "lineage": "any", "up": up, "down": down or [], **changes}


SETS = [
    make_set("planted", UP, DOWN),
    make_set("planted_up", UP),
    make_set("against", DOWN, UP),
    *(
        make_set(f"null_{start}", [f"Gene{number}" for number in range(start, start + 20)])
        for start in range(40, 400, 40)
    ),
    make_set("T_only", UP, lineage="CD8/CD4 T"),
    make_set("identity", UP, kind="lineage", lineage="B"),
    make_set("two", ["Gene1", "Gene2", "Absent"]),
]
CHANGES = {"tumour.drug": {**dict.fromkeys(UP, 0.8), **dict.fromkeys(DOWN, -0.8)}}


def run(design: Design, seed: int = 0, defining: dict[str, Any] | None = None, **options: Any) -> pd.DataFrame:
    sums = draw_pseudobulk(design, np.random.default_rng(seed), **options)
    return test_pathways(pseudobulk=sums, design=design, signatures=SETS, aliases={}, defining=defining or {})


def test_planted_sets_are_found_with_their_sign() -> None:
    table = run(make_design(3), changes=CHANGES).set_index(["question", "signature"])
    drug = table.loc["drug"]
    assert drug.loc["planted", "estimate"] == pytest.approx(0.8, abs=0.15)
    assert drug.loc["against", "estimate"] == pytest.approx(-drug.loc["planted", "estimate"])
    assert drug.loc["planted", "ci_low"] < 0.8 < drug.loc["planted", "ci_high"]
    assert (drug.loc[["planted", "planted_up", "against"], "adjusted_p_value"] < 0.01).all()
    assert (drug.loc[["planted", "planted_up", "against"], "camera_adjusted_p_value"] < 0.01).all()
    assert (drug.loc[drug.index.str.startswith("null"), "adjusted_p_value"] > 0.05).all()
    assert table.loc[("drug_healthy", "planted"), "p_value"] > 0.01
    assert list(drug.loc["planted", [keys.N_GENES, keys.TIER]]) == [20, keys.CONFIRMATORY]
    assert not {"T_only", "identity", "two"} & set(drug.index)  # B cells; kind; under three genes
    assert drug.loc["planted", keys.MDE] == pytest.approx(drug.loc["planted", "standard_error"] * 2.97, rel=0.06)


def test_null_p_values_are_uniform() -> None:
    settings = make_settings(questions=make_settings()["questions"][:2])
    tables = [run(make_design(3, settings), seed) for seed in range(16)]
    p = pd.concat(tables)
    p = p[p["signature"].str.startswith(("null", "planted"))]
    assert len(p) > 300
    assert np.mean(p["p_value"] < 0.05) == pytest.approx(0.05, abs=0.03)
    assert stats.kstest(p["p_value"], "uniform").statistic < 0.1
    assert np.mean(p["ci_low"].gt(0) | p["ci_high"].lt(0)) == pytest.approx(0.05, abs=0.03)


def test_adjusted_p_values_are_of_one_question_over_all_populations() -> None:
    table = run(make_design(3), populations=("B_cell", "NK_cell"))
    for _, group in table.groupby("question"):
        assert group["population"].nunique() == 2
        expected = stats.false_discovery_control(group["p_value"], method="bh")
        np.testing.assert_allclose(group["adjusted_p_value"], expected, rtol=1e-12)


@pytest.fixture(scope="module")
def measured() -> Measured:
    """Genes that vary alike, mice of different precision."""
    rng = np.random.default_rng(8)
    design = make_design(3)
    values = (
        rng.normal(0, 1, (300, 12))
        + (design.matrix["tumour.drug"].to_numpy() * 0.8)[None] * (np.arange(300) < 30)[:, None]
    )
    return Measured(values, np.ones(300), rng.uniform(0.5, 1.5, 12), design)


def test_competitive_test_is_camera(measured: Measured) -> None:
    vector = measured.design.vector("drug")
    up = GeneSet("up", np.arange(25), np.ones(25))
    signed = GeneSet("signed", np.arange(20, 40), np.repeat([1.0, -1.0], 10))
    found = competitive(ModeratedGenes(measured).z(vector), [up, signed])
    matrix = measured.design.matrix.to_numpy()
    for item, p in zip([up, signed], found, strict=True):
        turned = measured.values.copy()
        turned[item.places] *= item.signs[:, None]
        limma = pylimma.camera(turned, {"set": item.places}, design=matrix, contrast=vector, weights=measured.weights)
        assert p == pytest.approx(limma["p_value"].iloc[0], rel=1e-8)
    assert found[0] < 1e-4


def test_self_contained_test_turns_the_down_genes(measured: Measured) -> None:
    vector = measured.design.vector("drug")
    up = GeneSet("up", np.arange(20), np.ones(20))
    down = GeneSet("down", np.arange(20), -np.ones(20))
    mixed = GeneSet("mixed", np.arange(20), np.tile([1.0, -1.0], 10))
    p = self_contained(measured, [up, down, mixed], vector)
    assert p[0] == pytest.approx(p[1])
    assert p[0] < 0.01 < p[2]
    turned = measured.values.copy()
    turned[1:20:2] *= -1
    other = Measured(turned, measured.precision, measured.weights, measured.design)
    assert self_contained(other, [up], vector)[0] == pytest.approx(p[2])


def test_without_residual_df_there_are_estimates_alone() -> None:
    table = run(make_design(1), changes=CHANGES)
    assert set(table["tier"]) == {keys.DESCRIPTIVE}
    unknown = ["p_value", "camera_p_value", "ci_low", "adjusted_p_value", "p_value_without_ambient", keys.MDE]
    assert table[unknown].isna().all(axis=None)
    assert (table["estimate_without_ambient"] == table["estimate"]).all()  # no soup is known
    drug = table[table["question"] == "drug"].set_index("signature")
    assert drug.loc["planted", "estimate"] == pytest.approx(0.8, abs=0.25)


def test_sets_across_tissues() -> None:
    design = make_tissues(3)
    changes = {"tumour.liver": dict.fromkeys(UP, 0.8)}
    sums = draw_pseudobulk(design, np.random.default_rng(3), n_genes=200, mouse_bcv=0.3, changes=changes, bcv=0.15)
    sets = [make_set("planted", UP), make_set("null", [f"Gene{number}" for number in range(100, 120)])]
    table = test_pathways(pseudobulk=sums, design=design, signatures=sets, aliases={}, defining={})
    across = table[table["question"] == "tissue_by_site"].set_index("signature")
    assert across.loc["planted", "ci_low"] < 0.8 < across.loc["planted", "ci_high"]
    assert across.loc["planted", ["p_value", "camera_p_value"]].max() < 0.01
    assert across.loc["null", ["p_value", "camera_p_value"]].min() > 0.05
    few = dict.fromkeys(["hn1|liver", "hn1|blood", "hn2|liver", "hn2|blood", "tn2|liver", "tn2|blood"], 1)
    sums = draw_pseudobulk(design, np.random.default_rng(3), n_genes=60, n_cells=few)
    table = test_pathways(pseudobulk=sums, design=design, signatures=sets[:1], aliases={}, defining={})
    across = table[table["question"] == "tissue_by_site"].iloc[0]  # 2 residual df: no telling how alike tissues are
    assert np.isfinite(across["estimate"])
    assert across[["p_value", "camera_p_value", "ci_low", "standard_error", "p_value_without_ambient"]].isna().all()


def test_a_label_is_not_tested_on_its_own_genes() -> None:
    full = run(make_design(3)).set_index(["question", "signature"])[keys.N_GENES]
    less = run(make_design(3), defining={"B_cell": UP[:5], "NK_cell": DOWN}).set_index(["question", "signature"])[
        keys.N_GENES
    ]
    assert full["drug", "planted"] - less["drug", "planted"] == 5
    assert full["drug", "null_40"] == less["drug", "null_40"]


def test_sets_go_to_the_cells_they_are_about() -> None:
    cd8 = {"lineages": [], "states": ["CD8_activated"]}
    everyone = {"lineages": ["T_cell"], "states": []}
    kupffer = {"lineages": ["Kupffer_cell"], "states": []}
    neutrophil = {"lineages": ["Neutrophil"], "states": []}
    wanted = {
        "CD8/CD4 T": (True, True, False, False),
        "CD4 T": (False, True, False, False),
        "CD8/CD4 T, NK": (True, True, False, False),
        "macrophage": (False, False, True, False),
        "macrophage/NK/T": (True, True, True, False),
        "myeloid": (False, False, True, True),
        "any immune": (True, True, True, True),
    }
    for lineage, expected in wanted.items():
        found = tuple(applies({"lineage": lineage}, population) for population in (cd8, everyone, kupffer, neutrophil))
        assert found == expected, lineage
    assert words_of_signature("CD8/CD4 T, NK") == {"cd8", "cd4", "nk"}


def test_the_sets_that_ship_are_put_to_the_right_cells() -> None:
    sets, states, lineages = (
        yaml.safe_load((RESOURCES / f"{name}.yaml").read_text()) for name in ("signatures", "states", "lineages")
    )
    cd8 = {"lineages": [], "states": ["CD8_activated"]}
    names = [item["name"] for item in choose(sets["signatures"], cd8)]
    assert {"T_AICD_apoptosis_priming", "p53_radiation_response", "Fas_receptor_DISC"} <= set(names)
    assert not {"CD4_Th1", "Treg", "TAM_C1q", "T_cell", "dissociation_core_IEG_HSP"} & set(names)
    assert [item["name"] for item in choose(sets["signatures"], cd8, ["T_cell"])] == ["T_cell"]
    defining = defining_genes(states, None, lineages, sets["signatures"])
    core = next(item for item in sets["signatures"] if item["name"] == "T_activated_core")
    assert set(core["up"]) <= circular_genes(cd8, defining)
    assert "Cd3e" in circular_genes({"lineages": ["T_cell"], "states": []}, defining)
    assert not circular_genes({"lineages": [], "states": ["CD8_activated", "CD8_Tex"]}, defining)
    assert not {"Fas", "Fasl"} & circular_genes(cd8, defining)


def test_sets_are_given_once_more_without_the_genes_of_the_soup() -> None:
    rng = np.random.default_rng(21)
    design = make_design(3)
    sums = draw_pseudobulk(design, rng, changes=CHANGES, bcv=0.2)
    soup = [f"Gene{number}" for number in range(100, 120)]
    profile = np.asarray(sums.X.sum(axis=0), dtype=float).ravel()
    profile = np.where(sums.var["symbol"].isin(soup), 0.02, 0.6 * profile / profile.sum())
    share = {"healthy.none": 0.02, "healthy.drug": 0.02, "tumour.none": 0.03, "tumour.drug": 0.15}
    sums = add_soup(sums, rng, profile / profile.sum(), share, silent=soup)
    still = [f"Gene{number}" for number in range(300, 306)]
    sets = [make_set("planted", UP, DOWN), make_set("soup", soup), make_set("spoilt", [*still, *soup[:8]])]
    table = test_pathways(pseudobulk=sums, design=design, signatures=sets, aliases={}, defining={})
    drug = table[table["question"] == "drug"].set_index("signature")
    assert list(drug[keys.N_AMBIENT_GENES]) == [0, 20, 8]
    assert drug.loc["planted", keys.ESTIMATE_WITHOUT_AMBIENT] == drug.loc["planted", keys.ESTIMATE]
    assert drug.loc["planted", keys.P_VALUE_WITHOUT_AMBIENT] == drug.loc["planted", keys.P_VALUE] < 0.001
    assert drug.loc["soup", keys.P_VALUE] < 0.001
    assert drug.loc["soup", [keys.ESTIMATE_WITHOUT_AMBIENT, keys.P_VALUE_WITHOUT_AMBIENT]].isna().all()
    assert drug.loc["spoilt", keys.P_VALUE] < 0.01 < drug.loc["spoilt", keys.P_VALUE_WITHOUT_AMBIENT]
    assert abs(drug.loc["spoilt", keys.ESTIMATE_WITHOUT_AMBIENT]) < 0.3 < drug.loc["spoilt", keys.ESTIMATE]
    # What is left of the set, put to the test by itself, says the same.
    alone = test_pathways(
        pseudobulk=sums, design=design, signatures=[make_set("still", still), *sets], aliases={}, defining={}
    )
    alone = alone[(alone["question"] == "drug") & (alone["signature"] == "still")].iloc[0]
    assert alone[keys.P_VALUE] == pytest.approx(drug.loc["spoilt", keys.P_VALUE_WITHOUT_AMBIENT], rel=1e-9)
    assert alone[keys.ESTIMATE] == pytest.approx(drug.loc["spoilt", keys.ESTIMATE_WITHOUT_AMBIENT], rel=1e-9)
    # The flags are those of the genes' own table.
    picked = select(sums, "B_cell", design, 10)
    libraries = normalise(picked.counts, design.matrix.to_numpy())
    found = explain(picked, libraries, [design["drug"]], np.zeros(libraries.kept.sum(), dtype=bool))["drug"]
    assert set(soup) <= set(sums.var["symbol"][libraries.kept][found["ambient"].to_numpy()])


def test_fry_with_a_block_is_fry_on_whitened_values() -> None:
    rng = np.random.default_rng(5)
    design = make_tissues(3)
    mice = list(design.units["mouse"])
    measured = Measured(rng.normal(0, 1, (200, 12)), np.ones(200), np.ones(12), design)
    sets = [GeneSet("a", np.arange(20), np.ones(20)), GeneSet("b", np.arange(30, 45), np.tile([1.0, -1.0, 1.0], 5))]
    vector = design.vector("tissue_by_site")
    factor = whitener(mice, 0.7)
    index = {item.name: pd.DataFrame({"place": item.places, "sign": item.signs}) for item in sets}
    white = pylimma.fry(
        measured.values @ factor.T, index=index, design=factor @ design.matrix.to_numpy(), contrast=vector, sort="none"
    )
    np.testing.assert_allclose(self_contained(measured, sets, vector, 0.7), white["p_value"], rtol=1e-8)


def test_camera_takes_the_block_from_limma() -> None:
    rng = np.random.default_rng(6)
    design = make_tissues(4)
    mice = list(design.units["mouse"])
    measured = Measured(rng.normal(0, 1, (150, 16)), np.ones(150), rng.uniform(0.5, 1.5, 16), design, 0.6)
    weights = np.broadcast_to(measured.weights, measured.values.shape)
    limma = pylimma.lm_fit(
        {"E": measured.values, "weights": weights},
        design=design.matrix.to_numpy(),
        block=np.array(mice),
        correlation=0.6,
    )
    limma = pylimma.e_bayes(limma)
    z = ModeratedGenes(measured).z(np.eye(4)[2])
    np.testing.assert_allclose(2 * stats.norm.sf(np.abs(z)), np.asarray(limma["p_value"])[:, 2], rtol=0.02)


def test_type_one_error_of_sets_across_tissues() -> None:
    """Genes of a set follow their mouse together: the correlation of its score is what keeps fry's promise."""
    design = make_tissues(3)
    mice, matrix = list(design.units["mouse"]), design.matrix.to_numpy()
    between = (design.vector("liver") + design.vector("blood")) / 2
    places = [list(dict.fromkeys(mice)).index(mouse) for mouse in mice]
    found: dict[str, list[np.ndarray]] = {"set": [], "gene": [], "none": []}
    for seed in range(50):
        rng = np.random.default_rng(seed)
        shared = np.repeat(rng.normal(0, 0.5, (12, 6)), 20, axis=0)[:, places]  # 12 sets of 20 genes
        values = shared + rng.normal(0, 1, (240, 12))
        sets = [GeneSet(str(start), np.arange(start, start + 20), np.ones(20)) for start in range(0, 240, 20)]
        measured = Measured(values, np.ones(240), np.ones(12), design)
        scores = np.array([score(measured, item) for item in sets])
        correlations = {
            "set": within_mouse_correlation(scores, matrix, mice),
            "gene": 0.25 / 1.25,  # as planted
            "none": 0.0,
        }
        for name, correlation in correlations.items():
            found[name].append(self_contained(measured, sets, between, correlation))
    rates = {name: float(np.mean(np.concatenate(p) < 0.05)) for name, p in found.items()}
    assert rates["set"] == pytest.approx(0.05, abs=0.03), rates
    assert rates["none"] > 0.1, rates
    assert rates["gene"] > rates["set"] + 0.03, rates
