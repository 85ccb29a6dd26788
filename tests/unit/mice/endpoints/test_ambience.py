"""The ambient guard: what the soup brings is flagged, what cells do is not, and the arithmetic is that of a plain loop."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse
from tests.unit.mice.cohort import make_design, make_settings
from tests.unit.mice.pseudobulks import add_soup, draw_pseudobulk

from livermet.mice.design.model import Design
from livermet.mice.endpoints.ambience import TOLERABLE, expected_counts, explain, flag_panel, panel_genes
from livermet.mice.endpoints.pseudobulk import Selection, select
from livermet.mice.models.libraries import log_cpm, normalise

RESOURCES = Path(__file__).parents[4] / "resources"
SOUP = [f"Gene{number}" for number in range(25)]  # other cells' genes, silent here
CHANGED = [f"Gene{number}" for number in range(25, 45)]
WEAK = [f"Gene{number}" for number in range(45, 65)]
SHARES = {"healthy.none": 0.03, "healthy.drug": 0.03, "tumour.none": 0.08, "tumour.drug": 0.08}
CHANGES = {"tumour.none": {**dict.fromkeys(CHANGED, 2.0), **dict.fromkeys(WEAK, -0.6)}}


def make_soup(sums: anndata.AnnData) -> np.ndarray:
    """Six tenths of the soup are what these cells hold, four tenths what others do."""
    profile = np.asarray(sums.X.sum(axis=0), dtype=float).ravel()
    strong = sums.var["symbol"].isin(SOUP).to_numpy()
    profile[strong] = 0
    return np.asarray(0.6 * profile / profile.sum() + 0.4 * strong / strong.sum())


def flags(sums: anndata.AnnData, design: Design, question: str) -> pd.DataFrame:
    """What is said of the kept genes, by symbol."""
    selection = select(sums, "B_cell", design, 10)
    libraries = normalise(selection.counts, design.matrix.to_numpy())
    none = np.zeros(int(libraries.kept.sum()), dtype=bool)
    found = explain(selection, libraries, [design[question]], none)[question]
    return found.set_index(sums.var["symbol"][libraries.kept].to_numpy())


@pytest.fixture(scope="module")
def contaminated() -> tuple[anndata.AnnData, Design]:
    """A sick liver spills twice and more as much as a healthy one."""
    rng = np.random.default_rng(3)
    design = make_design(3)
    sums = draw_pseudobulk(design, rng, changes=CHANGES, bcv=0.2)
    return add_soup(sums, rng, make_soup(sums), SHARES, silent=SOUP), design


def test_genes_of_the_soup_are_flagged_and_changed_genes_are_not(contaminated: tuple[anndata.AnnData, Design]) -> None:
    found = flags(*contaminated, "site")
    assert set(SOUP) <= set(found.index)
    assert found.loc[SOUP, "ambient"].all()
    assert found.loc[SOUP, "ambient_fraction"].min() > 0.8
    assert not found.loc[found.index.isin([*CHANGED, *WEAK]), "ambient"].any()
    others = found[~found.index.isin(SOUP)]
    assert others["ambient"].mean() < 0.01
    assert others["ambient_fraction"].median() == pytest.approx(0.08 * 0.6, abs=0.015)


def test_an_estimate_that_is_half_the_truth_still_finds_the_soup() -> None:
    rng = np.random.default_rng(3)
    design = make_design(3)
    sums = draw_pseudobulk(design, rng, changes=CHANGES, bcv=0.2)
    found = flags(add_soup(sums, rng, make_soup(sums), SHARES, silent=SOUP, told=0.5), design, "site")
    assert found.loc[SOUP, "ambient"].mean() > 0.9
    assert not found.loc[found.index.isin([*CHANGED, *WEAK]), "ambient"].any()


def test_the_rule_is_the_one_that_is_written_down(contaminated: tuple[anndata.AnnData, Design]) -> None:
    """Pull, half the effect and the tolerable bias, gene by gene in a plain loop."""
    sums, design = contaminated
    selection = select(sums, "B_cell", design, 10)
    libraries = normalise(selection.counts, design.matrix.to_numpy())
    found = flags(sums, design, "site")["ambient"].to_numpy()
    assert selection.ambient is not None
    values, arm = log_cpm(libraries), design.units["arm"].to_numpy()
    total, size = selection.counts.sum(axis=0), libraries.size / libraries.size.mean()
    ambient = selection.ambient[libraries.kept]
    for gene in range(0, len(values), 3):
        effect = values[gene, arm == "tumour.none"].mean() - values[gene, arm == "healthy.none"].mean()
        pulls = {}
        for t in np.arange(1, 11) / 10:
            lost = {}
            for name in ("tumour.none", "healthy.none"):
                mine = arm == name
                y, a = libraries.counts[gene, mine].sum(), 2 * t * ambient[gene, mine].sum()
                r = 2 * t * (selection.ambient_share * total)[mine].sum() / total[mine].sum()
                prior = 2 * size[mine].sum()
                lost[name] = np.log2(1 - r) - np.log2((max(y - a, 0) + prior * (1 - r)) / (y + prior))
            pulls[round(t, 1)] = (lost["tumour.none"] - lost["healthy.none"]) * np.sign(effect)
        silent = all(
            2 * ambient[gene, arm == name].sum() >= 0.8 * libraries.counts[gene, arm == name].sum()
            for name in ("tumour.none", "healthy.none")
        )
        pulled = max(pulls.values()) >= abs(effect) / 2 and pulls[0.5] > TOLERABLE
        assert found[gene] == (pulled or silent), gene


def by_hand(counts: dict[str, tuple[float, float]], ambient: dict[str, tuple[float, float]], share: float) -> pd.Series:
    """Flags of genes whose counts and ambient counts in healthy and tumour mice are given, all mice of an arm alike."""
    design = make_design(3, make_settings(questions=make_settings()["questions"][:1]))
    late = (design.units["site"] == "tumour").to_numpy()
    filler = np.random.default_rng(0).poisson(400, (200, len(late))).astype(float)
    mine = np.array([np.where(late, high, low) for low, high in counts.values()])
    soup = np.array([np.where(late, high, low) for low, high in ambient.values()])
    y = np.vstack([mine, filler])
    selection = Selection(y, design, {}, [], np.vstack([soup, filler * share]), np.full(len(late), share, dtype=float))
    libraries = normalise(y, design.matrix.to_numpy())
    assert libraries.kept[: len(mine)].all()
    found = explain(selection, libraries, [design["site"]], np.zeros(libraries.kept.sum(), dtype=bool))["site"]
    return pd.Series(found["ambient"].to_numpy()[: len(mine)], index=list(counts))


def test_what_is_flagged_by_hand() -> None:
    counts = {
        "soup alone": (20, 80),
        "soup alone, the same": (50, 50),
        "switched on over soup": (10, 400),
        "diluted": (200, 100),
        "as ambient as all genes": (300, 300),
        "strong, some soup": (50, 400),
        "half soup": (60, 120),
    }
    ambient = {
        "soup alone": (20, 80),
        "soup alone, the same": (50, 50),
        "switched on over soup": (10, 10),
        "diluted": (10, 40),  # there is more soup where the counts are fewer
        "as ambient as all genes": (15, 15),
        "strong, some soup": (5, 40),
        "half soup": (15, 60),
    }
    found = by_hand(counts, ambient, 0.05)
    assert set(found[found].index) == {"soup alone", "soup alone, the same", "half soup"}


def test_the_bound_is_never_below_two_percent() -> None:
    """A gene with a sixth of its counts ambient at a share of .2 % may be wholly ambient at 2 %."""
    counts, ambient = {"gene": (50, 150)}, {"gene": (5, 20)}
    assert not by_hand(counts, ambient, 0.05)["gene"]
    assert by_hand(counts, ambient, 0.002)["gene"]


def test_a_question_without_a_known_soup_falls_back_on_the_panel(contaminated: tuple[anndata.AnnData, Design]) -> None:
    sums, design = contaminated
    sums = sums.copy()
    sums.obs.loc[sums.obs["arm"] == "tumour.drug", "ambient_fraction"] = np.nan
    selection = select(sums, "B_cell", design, 10)
    libraries = normalise(selection.counts, design.matrix.to_numpy())
    panel = flag_panel(sums.var["symbol"][libraries.kept], ["Gene7", "Absent"], {"lineages": ["B_cell"]})
    found = explain(selection, libraries, [design["site"], design["drug"]], panel)
    assert found["drug"]["ambient_fraction"].isna().all()
    kept = sums.var["symbol"][libraries.kept].to_numpy()
    assert list(kept[found["drug"]["ambient"]]) == ["Gene7"]
    assert found["site"]["ambient_fraction"].notna().all()  # its arms are known
    bare = sums.copy()
    del bare.layers["ambient"]
    again = explain(select(bare, "B_cell", design, 10), libraries, [design["site"]], panel)["site"]
    assert list(kept[again["ambient"]]) == ["Gene7"]


def test_the_panel_is_hepatocytes_own_and_not_for_them() -> None:
    panel = panel_genes(yaml.safe_load((RESOURCES / "signatures.yaml").read_text())["signatures"])
    assert {"Alb", "Apoa1", "Ttr", "Fgb"} <= panel
    assert not {"Ptprc", "S100a8", "Cd3e"} & panel
    symbols = pd.Series(["Alb", "Cd3e"])
    assert list(flag_panel(symbols, panel, {"lineages": ["T_cell"], "states": []})) == [True, False]
    assert not flag_panel(symbols, panel, {"lineages": ["Hepatocyte"], "states": []}).any()


def test_expected_counts_equal_a_plain_loop() -> None:
    rng = np.random.default_rng(4)
    genes = pd.Index([f"g{number}" for number in range(12)])
    soup = pd.DataFrame(rng.dirichlet(np.ones(10), 3).T, index=genes[2:][::-1], columns=["s1", "s2", "s3"])
    cells = pd.DataFrame(
        {
            "sample": rng.choice(["s1", "s2", "s3"], 40),
            "n_umis": rng.integers(500, 5000, 40),
            "ambient_fraction": rng.uniform(0, 0.2, 40),
        }
    )
    rows = rng.integers(0, 4, 40)
    cells.loc[np.flatnonzero(rows == 2)[0], "ambient_fraction"] = np.nan
    expected, share = expected_counts(cells, rows, 5, soup, genes)
    assert sparse.issparse(expected)
    assert expected.dtype == np.float32
    for row in (0, 1, 3):
        total = np.zeros(12)
        for _, cell in cells[rows == row].iterrows():
            for place, gene in enumerate(genes):
                if gene in soup.index:
                    total[place] += cell["ambient_fraction"] * cell["n_umis"] * soup.loc[gene, cell["sample"]]
        np.testing.assert_allclose(expected[row].toarray()[0], total, rtol=1e-6)
        assert share[row] == pytest.approx(total.sum() / cells.loc[rows == row, "n_umis"].sum())
    assert np.isnan(share[[2, 4]]).all()  # a cell that is not known; no cell
    assert expected[[2, 4]].nnz == 0
    _, unknown = expected_counts(cells, rows, 5, soup.drop(columns="s1"), genes)
    assert np.isnan(unknown[np.unique(rows[cells["sample"] == "s1"])]).all()
