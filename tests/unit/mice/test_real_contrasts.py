"""Real cells with known answers: interferon raises interferon genes, random halves of the same cells differ in nothing.

What these data cannot show: a null of mice against mice with many different splits. The studies at hand have two or three
donors or mice an arm, so that there are two splits of four mice that are balanced over the arms, and three of three pairs.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse

from livermet import keys
from livermet.errors import InputError
from livermet.inputs.canonical import read_sample
from livermet.mice.design.model import Design, build_design
from livermet.mice.endpoints.expression import test_expression
from livermet.mice.endpoints.pathways import test_pathways
from livermet.mice.endpoints.pseudobulk import sum_counts
from livermet.settings import resolve

pytestmark = pytest.mark.real
test_expression.__test__ = False  # type: ignore[attr-defined]
test_pathways.__test__ = False  # type: ignore[attr-defined]

SIGNATURES = Path(__file__).parents[3] / "resources" / "signatures.yaml"
#: Genes that interferon induces: curated from general knowledge of the field, not copied from a list. The biology is that of
#: Schoggins et al. 2011 (doi:10.1038/nature09907); the seven that `NAMED` holds were fixed before these data were looked at.
INTERFERON = {
    "APOBEC3A", "BST2", "CMPK2", "CXCL10", "CXCL11", "DDX58", "EIF2AK2", "EPSTI1", "GBP1", "GBP4", "GBP5", "HERC5",
    "HERC6", "IDO1", "IFI27", "IFI35", "IFI44", "IFI44L", "IFI6", "IFIH1", "IFIT1", "IFIT2", "IFIT3", "IFIT5",
    "IFITM1", "IFITM2", "IFITM3", "IRF7", "ISG15", "ISG20", "LY6E", "MT2A", "MX1", "MX2", "OAS1", "OAS2", "OAS3",
    "OASL", "PARP14", "PLSCR1", "RSAD2", "SAMD9", "SAMD9L", "STAT1", "STAT2", "TNFSF10", "TRIM22", "UBE2L6", "USP18",
    "XAF1",
}  # fmt: skip
NAMED = ["ISG15", "IFIT1", "IFIT3", "MX1", "OAS1", "ISG20", "IFI6"]
POPULATIONS = {"CD4 T cells": "CD4_T_cell", "CD14+ Monocytes": "CD14_monocyte"}
TREATMENT = {"treatment": ["ctrl", "stim"]}


class Answered(NamedTuple):
    """A contrast put to real cells."""

    design: Design
    pseudobulk: anndata.AnnData
    table: pd.DataFrame
    samples: pd.DataFrame


def make_design(sheet: pd.DataFrame, factors: dict[str, list[str]], asked: str, **section: Any) -> Design:
    """A design with one question: the second level of a factor against its first."""
    question = {"name": "question", "kind": "effect", "factor": asked, **section.pop("question", {})}
    question |= {"level": factors[asked][1], "reference": factors[asked][0]}
    populations = {name: {"lineages": [name]} for name in section.pop("names", ["cells"])}
    section = {"factors": factors, "populations": populations, "questions": [question], "min_cells": 10, **section}
    sheet = sheet.set_axis(pd.Index([f"s{number}" for number in range(len(sheet))], name="sample"))
    return build_design(sheet, resolve({"study": "real", "samples": "samples.tsv", "design": section})["design"])


def answer(cells: anndata.AnnData, design: Design) -> Answered:
    """Sum cells (obs: mouse, population) and put the question to every gene."""
    labels = pd.DataFrame({keys.LINEAGE: cells.obs["population"], keys.STATE: cells.obs["population"]}, dtype=str)
    sums = sum_counts(counts=cells, labels=labels, populations=design.settings["populations"], units=design.units)
    table, samples = test_expression(
        pseudobulk=sums, design=design, min_cells=10, confidence=0.95, effect_of_interest=1.0
    )
    return Answered(design, sums, table, samples)


def read_cells(path: Path, unit: list[str]) -> anndata.AnnData:
    """Raw counts; obs mouse: the columns `unit` as one name."""
    cells = anndata.read_h5ad(path)
    cells.X = sparse.csr_matrix(cells.X).astype(np.int64)
    cells.var[keys.SYMBOL] = cells.var_names.astype(str).str.split("_ENSG").str[0]
    cells.obs[keys.MOUSE] = ["_".join(names) for names in cells.obs[unit].astype(str).itertuples(index=False)]
    return cells


# --- Peripheral blood of two donors, with and without interferon-beta (Kang et al. 2018, doi:10.1038/nbt.4042) ---


@pytest.fixture(scope="module")
def blood(real_data: Path) -> anndata.AnnData:
    cells = read_cells(real_data / "kang_ifn" / "kang_ifn.h5ad", ["donor", "group_id"])
    cells = cells[cells.obs["cluster_id"].isin(list(POPULATIONS))].copy()
    cells.obs["population"] = cells.obs["cluster_id"].astype(str).map(POPULATIONS)
    return cells


def sheet_of_blood(**columns: list[str]) -> pd.DataFrame:
    """Two donors x two conditions: a donor-condition is a unit of its own, the donor what pairs them."""
    rows = [
        {"mouse": f"{donor}_{condition}", "donor": donor, "treatment": condition}
        for donor in ("101", "107")
        for condition in TREATMENT["treatment"]
    ]
    return pd.DataFrame(rows).assign(**columns)


@pytest.fixture(scope="module")
def interferon(blood: anndata.AnnData) -> Answered:
    design = make_design(
        sheet_of_blood(), TREATMENT, "treatment", covariates=["donor"], names=list(POPULATIONS.values())
    )
    return answer(blood, design)


def test_interferon_genes_are_on_top(interferon: Answered) -> None:
    """Of fifty genes among a thousand, 9 (T cells) and 7 (monocytes) are in the top ten, 18 and 16 in the top twenty."""
    for population, n_ten, n_twenty in (("CD4_T_cell", 8, 16), ("CD14_monocyte", 6, 14)):
        table = interferon.table[interferon.table[keys.POPULATION] == population]
        assert len(table) > 900
        for n, least in ((10, n_ten), (20, n_twenty)):
            top = table.head(n)
            assert top[keys.GENE].isin(INTERFERON).sum() >= least, list(top[keys.GENE])
        known = table[table[keys.GENE].isin(INTERFERON)]
        assert len(known) >= 35
        called = known[known[keys.ADJUSTED_P_VALUE] < 0.05]
        assert len(called) >= 0.75 * len(known)
        assert (called[keys.LOG_FOLD_CHANGE] > 1).mean() > 0.9
        assert (called[keys.CI_LOW] > 0).all()
        by_gene = table.set_index(keys.GENE)
        named = by_gene.loc[NAMED]
        assert (named[keys.ADJUSTED_P_VALUE] < 0.01).all()
        assert (named[keys.LOG_FOLD_CHANGE] > 2.5).all()


def test_two_donors_are_exploratory(interferon: Answered) -> None:
    assert interferon.design.residual_df == 1
    assert interferon.design.aliasing == []
    assert set(interferon.table[keys.TIER]) == set(interferon.samples[keys.TIER]) == {keys.EXPLORATORY}


def test_limma_voom_agrees_on_interferon(interferon: Answered) -> None:
    told = interferon.samples.set_index(keys.POPULATION)
    assert (told["sign_agreement"] == 1).all()
    assert (told["n_significant"] >= 0.75 * told["n_significant_edger"]).all()
    for population, n in (("CD4_T_cell", 154), ("CD14_monocyte", 501)):
        assert told.loc[population, "n_significant"] == pytest.approx(n, abs=0.05 * n)
        table = interferon.table[interferon.table[keys.POPULATION] == population]
        assert np.corrcoef(table[keys.LOG_FOLD_CHANGE], table["voom_log_fold_change"])[0, 1] > 0.97
        second = table.sort_values("voom_p_value").head(20)
        assert second[keys.GENE].isin(INTERFERON).sum() >= 10


def test_the_interferon_signature_is_on_top(interferon: Answered) -> None:
    """The sets are those of mice; here their symbols are read in capitals, and every set is put to every cell.

    With one residual degree of freedom fry's p says how alike two donors are, hardly how much changed: in monocytes three
    genes that fell alike in both come first (.004), the interferon set, up by 6.4, second (.008). camera sees the size.
    """
    sets = yaml.safe_load(SIGNATURES.read_text(encoding="utf-8"))["signatures"]
    human = [
        item | {"lineage": "any"} | {side: [gene.upper() for gene in item.get(side) or []] for side in ("up", "down")}
        for item in sets
        if item["kind"] == "state"
    ]
    table = test_pathways(
        pseudobulk=interferon.pseudobulk, design=interferon.design, signatures=human, aliases={}, defining={}
    )
    for population, rank, estimate in (("CD4_T_cell", 1, 4.88), ("CD14_monocyte", 2, 6.40)):
        found = table[table[keys.POPULATION] == population].set_index("signature")
        assert len(found) >= 8
        ours = found.loc["T_IFN_stimulated"]
        assert ours[keys.N_GENES] >= 10
        assert ours[keys.ESTIMATE] == pytest.approx(estimate, abs=0.2)
        assert ours[keys.CI_LOW] > 4
        assert found[keys.P_VALUE].rank()["T_IFN_stimulated"] <= rank
        assert ours[keys.P_VALUE] < 0.01
        assert found["camera_p_value"].idxmin() == "T_IFN_stimulated"
        assert ours["camera_p_value"] < 1e-6
        assert ours[keys.TIER] == keys.EXPLORATORY


def test_a_donor_in_two_conditions_is_not_one_mouse() -> None:
    with pytest.raises(InputError, match="mouse '101' is 'ctrl' and 'stim'"):
        make_design(sheet_of_blood(mouse=["101", "101", "107", "107"]), TREATMENT, "treatment")


def test_whether_the_donors_differ_cannot_be_tested(blood: anndata.AnnData) -> None:
    """One donor against the other without interferon is one sum against one: sizes, no p-value, no interval."""
    factors = {"donor": ["101", "107"], **TREATMENT}
    question = {"within": {"treatment": "ctrl"}}
    design = make_design(sheet_of_blood(), factors, "donor", question=question, names=["CD4_T_cell"])
    table = answer(blood, design).table
    assert design.residual_df == 0
    assert set(table[keys.TIER]) == {keys.DESCRIPTIVE}
    assert table[[keys.P_VALUE, keys.CI_LOW, keys.STANDARD_ERROR, "voom_p_value"]].isna().all(axis=None)
    assert table[keys.LOG_FOLD_CHANGE].abs().is_monotonic_decreasing


def test_donors_mixed_across_conditions_show_nothing(blood: anndata.AnnData) -> None:
    """101 without and 107 with interferon against the reverse: what is left is a donor's own answer to interferon."""
    sheet, names = sheet_of_blood(mock=["a", "b", "b", "a"]), list(POPULATIONS.values())
    design = make_design(sheet, {"mock": ["a", "b"]}, "mock", covariates=["treatment"], names=names)
    found = answer(blood, design)
    assert design.residual_df == 1
    assert found.samples["n_significant"].max() <= 5
    assert found.samples["n_significant_voom"].max() <= 5


def test_random_halves_of_the_same_cells_show_nothing(blood: anndata.AnnData) -> None:
    """Eight times the cells of each of four samples are halved at random: counting noise alone is hardly called biology.

    In twenty such splits quasi-likelihood calls 0 genes in the median, 1 at the 95th percentile, in either population. The
    second opinion does as well in T cells and not in monocytes (median 1, 95th percentile 4): nearly all HBB there is of one
    cell (1,891 of 1,958 counts), and voom calls whichever half has it in 16 of the 20.
    """
    cells = blood.copy()
    sample = cells.obs[keys.MOUSE].to_numpy()
    group = (cells.obs[keys.MOUSE].astype(str) + cells.obs["population"].astype(str)).to_numpy()
    rows = [{"mouse": f"{who}_{half}", "who": who, "half": half} for who in sorted(set(sample)) for half in "ab"]
    design = make_design(
        pd.DataFrame(rows), {"half": ["a", "b"]}, "half", covariates=["who"], names=list(POPULATIONS.values())
    )
    calls, below = [], []
    for seed in range(8):
        order = np.random.default_rng([11, seed]).permutation(cells.n_obs)
        place = pd.Series(group[order]).groupby(group[order]).cumcount().to_numpy()
        half = np.empty(cells.n_obs, dtype=object)
        half[order] = np.where(place % 2, "a", "b")
        cells.obs[keys.MOUSE] = [f"{who}_{side}" for who, side in zip(sample, half, strict=True)]
        found = answer(cells, design)
        significant = found.table.assign(called=found.table[keys.ADJUSTED_P_VALUE] < 0.05)
        ours = significant.groupby(keys.POPULATION, observed=True)["called"].sum()
        voom = found.samples.set_index(keys.POPULATION)["n_significant_voom"].add_prefix("voom ")
        calls.append(pd.concat([ours, voom]))
        below.append(float((found.table[keys.P_VALUE] < 0.05).mean()))
    assert design.residual_df == 3
    splits = pd.DataFrame(calls).astype(float)
    assert set(splits) == {name for one in POPULATIONS.values() for name in (one, f"voom {one}")}
    assert (splits.quantile(0.95) <= 5).all()
    medians = splits.median()
    assert (medians.drop("voom CD14_monocyte") == 0).all()
    assert medians["voom CD14_monocyte"] <= 2
    assert np.mean(below) == pytest.approx(0.05, abs=0.025)


# --- Phagocytes of three mice, with and without lipopolysaccharide (Hagai et al. 2018, doi:10.1038/s41586-018-0657-2) ---


@pytest.fixture(scope="module")
def phagocytes(real_data: Path) -> anndata.AnnData:
    cells = read_cells(real_data / "mouse_lps_toy" / "mouse_lps.h5ad", ["replicate", "label"])
    cells.obs["population"] = "cells"
    return cells


def answer_pairs(cells: anndata.AnnData, swapped: tuple[bool, ...] = (False,) * 3) -> Answered:
    """LPS against none, paired by mouse; the labels of some mice turned round."""
    rows = [
        {"mouse": f"mouse{mouse + 1}_{label}", "who": f"mouse{mouse + 1}", "treatment": "ab"[(label == "lps4") ^ turn]}
        for mouse, turn in enumerate(swapped)
        for label in ("unst", "lps4")
    ]
    design = make_design(pd.DataFrame(rows), {"treatment": ["a", "b"]}, "treatment", covariates=["who"])
    return answer(cells, design)


def test_three_mice_agree_about_what_lps_does(phagocytes: anndata.AnnData) -> None:
    """The hundred genes are the first of the alphabet, none of them an LPS gene by name: so the mice are asked one by one."""
    found = answer_pairs(phagocytes)
    assert found.design.residual_df == 2
    assert set(found.table[keys.TIER]) == {keys.EXPLORATORY}  # three mice, but pairing them leaves two
    called = found.table[found.table[keys.ADJUSTED_P_VALUE] < 0.05].set_index(keys.GENE)[keys.LOG_FOLD_CHANGE]
    assert 5 <= len(called) <= 10  # 7; by edgeR alone 14, by voom alone fewer
    assert list(found.table[keys.GENE].head(3)) == ["1110038F14Rik", "1810037I17Rik", "2200002D01Rik"]
    assert called["2200002D01Rik"] == pytest.approx(2.77, abs=0.15)
    sums = pd.DataFrame(
        found.pseudobulk.X.toarray(), index=found.pseudobulk.obs["unit"].astype(str), columns=phagocytes.var_names
    )
    level = sums.div(sums.sum(axis=1), axis=0)
    signs = [
        np.sign(level.loc[f"mouse{mouse}_lps4", called.index] - level.loc[f"mouse{mouse}_unst", called.index])
        for mouse in (1, 2, 3)
    ]
    for sign in signs:
        assert (sign.to_numpy() == np.sign(called.to_numpy())).mean() >= 0.85
    assert (pd.concat(signs, axis=1).sum(axis=1)[called.index[:3]] == 3).all()


def test_lps_is_not_seen_when_a_mouse_is_turned_round(phagocytes: anndata.AnnData) -> None:
    """Every swap of labels within mice: the true one calls 7 genes, the other three (and their mirror images) none."""
    for swapped in product([False, True], repeat=2):
        if any(swapped):
            found = answer_pairs(phagocytes, (*swapped, False))
            assert (found.table[keys.ADJUSTED_P_VALUE] < 0.05).sum() <= 1
            assert found.samples["n_significant_voom"].iloc[0] <= 1


# --- Leukocytes of four lungs, two of them with tumours (Zilionis et al. 2019, doi:10.1016/j.immuni.2019.03.009) ---


@pytest.fixture(scope="module")
def lungs(real_data: Path) -> tuple[pd.DataFrame, anndata.AnnData]:
    """The sheet, and all cells of its four samples, which come in four formats; genes by symbol."""
    folder = real_data / "zilionis_lung"
    sheet = pd.read_csv(folder / "samples.tsv", sep="\t", dtype=str)
    samples = [
        read_sample(folder / path, sample=name, species="mouse")
        for name, path in zip(sheet["sample"], sheet["path"], strict=True)
    ]
    symbols = pd.Index(sorted(set(samples[0].var[keys.SYMBOL].astype(str))))
    blocks = []
    for cells in samples:
        place = symbols.get_indexer(cells.var[keys.SYMBOL].astype(str))
        assert (place >= 0).all()
        ones = np.ones(len(place), dtype=np.int64)
        blocks.append(cells.X @ sparse.csr_matrix((ones, (np.arange(len(place)), place)), (len(place), len(symbols))))
    obs = pd.DataFrame({keys.MOUSE: np.repeat(sheet["mouse"].to_numpy(), [cells.n_obs for cells in samples])})
    obs["population"] = "cells"
    var = pd.DataFrame({keys.SYMBOL: symbols}, index=symbols.rename("gene_id"))
    matrix = sparse.csr_matrix(sparse.vstack(blocks)).astype(np.int64)
    return sheet, anndata.AnnData(matrix, obs=obs.set_axis([f"c{number}" for number in range(len(obs))]), var=var)


@pytest.mark.parametrize("mock", [["a", "b", "a", "b"], ["a", "b", "b", "a"]])
def test_lungs_mixed_across_tumours_show_nothing(lungs: tuple[pd.DataFrame, anndata.AnnData], mock: list[str]) -> None:
    """One mouse of either kind against the others, both ways: real mice that no question tells apart."""
    sheet, cells = lungs
    assert cells.n_obs == 800
    design = make_design(sheet.assign(mock=mock), {"mock": ["a", "b"]}, "mock", covariates=["site"])
    found = answer(cells, design)
    assert design.residual_df == 1
    assert found.samples[keys.N_GENES].iloc[0] > 1000
    assert (found.table[keys.ADJUSTED_P_VALUE] < 0.05).sum() <= 5
    assert found.samples["n_significant_voom"].iloc[0] <= 5
    assert (found.table[keys.P_VALUE] < 0.05).mean() < 0.1
