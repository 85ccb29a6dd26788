"""Designs as they come: single mice, missing arms, confounded batches, lanes, copies, pools, tissues; from sheet to tables."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.unit.mice.cohort import draw_counts, make_cells, make_design, make_settings, make_sheet
from tests.unit.mice.pseudobulks import draw_pseudobulk

from livermet import keys
from livermet.cells.barcodes.twins import find_twins
from livermet.inputs.duplicates import find_duplicates
from livermet.mice.design.doctor import examine
from livermet.mice.design.estimability import df_between_mice
from livermet.mice.design.model import Design, build_design, check
from livermet.mice.endpoints.composition import test_composition
from livermet.mice.endpoints.expression import test_expression
from livermet.mice.endpoints.pathways import test_pathways
from livermet.mice.endpoints.pseudobulk import sum_counts
from livermet.settings import resolve

for rule in (test_composition, test_expression, test_pathways):
    rule.__test__ = False  # type: ignore[attr-defined]

SITES, TREATMENTS = ["sc", "liver"], ["none", "rt", "ici", "combo"]
SETS = [
    {"name": f"set_{start}", "kind": "state", "lineage": "any", "up": [f"Gene{n}" for n in range(start, start + 20)], "down": []}
    for start in range(0, 200, 20)
]  # fmt: skip
#: what only a test can fill: not to be there where nothing was tested
TESTED = re.compile(r"p_value|(^|_)ci_(low|high)|standard_error|^t$|detectable|needed|^holds_")


def effect(name: str, factor: str, level: str, reference: str, **within: str) -> dict[str, Any]:
    return {"name": name, "kind": "effect", "factor": factor, "level": level, "reference": reference, "within": within}


MAIN = [effect("site", "site", "liver", "sc"), effect("rt", "treatment", "rt", "none"),
        effect("combo", "treatment", "combo", "none")]  # fmt: skip
NESTED = [effect("rt_liver", "treatment", "rt", "none", site="liver"), effect("rt_sc", "treatment", "rt", "none", site="sc"),
          {"name": "by_site", "kind": "difference", "of": ["rt_liver", "rt_sc"]}]  # fmt: skip


def settings_of(questions: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    design = {
        "factors": {"site": SITES, "treatment": TREATMENTS},
        "populations": {"B_cell": {"lineages": ["B_cell"]}, "NK_cell": {"lineages": ["NK_cell"]}},
        "questions": questions,
        **changes,
    }
    found: dict[str, Any] = resolve({"study": "s", "samples": "s.tsv", "design": design})["design"]
    return found


def singles() -> pd.DataFrame:
    """Two sites, four treatments, one mouse each."""
    rows = [
        {"sample": f"{site}_{treatment}", "mouse": f"m_{site}_{treatment}", "tissue": "liver", "site": site, "treatment": treatment}
        for site in SITES
        for treatment in TREATMENTS
    ]  # fmt: skip
    return pd.DataFrame(rows).set_index("sample")


def genes(design: Design, seed: int = 0, **options: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    sums = draw_pseudobulk(design, np.random.default_rng(seed), **options)
    return test_expression(pseudobulk=sums, design=design, min_cells=10, confidence=0.95, effect_of_interest=1.0)


def sets(design: Design, seed: int = 0, **options: Any) -> pd.DataFrame:
    sums = draw_pseudobulk(design, np.random.default_rng(seed), **options)
    return test_pathways(pseudobulk=sums, design=design, signatures=SETS, aliases={}, defining={})


def abundance(design: Design, seed: int = 0, **options: Any) -> pd.DataFrame:
    labels, units = make_cells(draw_counts(design, np.random.default_rng(seed), **options))
    return test_composition(labels, units, design, design.settings)["composition"]


def share_below(run: Callable[[int], pd.DataFrame], seeds: int) -> float:
    """Share of p-values below .05 over simulated null cohorts."""
    p = pd.concat([run(seed)[keys.P_VALUE] for seed in range(seeds)]).dropna()
    assert len(p) >= 100
    return float((p < 0.05).mean())


def test_single_mice_carry_main_effects_at_the_nominal_level() -> None:
    design = build_design(singles(), settings_of(MAIN, model="additive"))
    assert (design.rank, design.residual_df) == (5, 3)
    assert {contrast.tier for contrast in design.contrasts.values()} == {keys.CONFIRMATORY}
    assert check(singles(), settings_of(MAIN, model="additive")) == []
    assert share_below(lambda seed: genes(design, seed, n_genes=250)[0], 5) == pytest.approx(0.05, abs=0.02)
    assert share_below(lambda seed: sets(design, seed, n_genes=250), 8) == pytest.approx(0.05, abs=0.035)
    assert share_below(lambda seed: abundance(design, seed), 10) == pytest.approx(0.05, abs=0.035)
    # And they find what is there: rt, in both sites.
    moved = {f"Gene{number}": 2.0 for number in range(15)}
    table, _ = genes(design, 1, n_genes=250, changes={"sc.rt": moved, "liver.rt": moved})
    called = table[(table["question"] == "rt") & (table["adjusted_p_value"] < 0.05)]
    assert len(set(called["gene"]) & set(moved)) >= 10
    assert len(set(called["gene"]) - set(moved)) <= 2


def test_single_mice_refuse_interactions_with_the_reason() -> None:
    asked = settings_of([*MAIN, *NESTED], model="additive")
    [problem] = check(singles(), asked)
    assert problem.where == "config design.questions.by_site"
    assert problem.found == (
        "the design cannot answer it: the additive model has no interaction, and the question is about one"
    )
    assert problem.remedy == "Set design.model to full, or leave the question out"
    table, samples = genes(build_design(singles(), asked))
    assert set(table["question"]) == {"site", "rt", "combo", "rt_liver", "rt_sc"}
    told = samples.set_index("question")
    assert told.loc["by_site", "tier"] == keys.NOT_ESTIMABLE
    assert told.loc["by_site", "reason"].startswith("the additive model has no interaction")
    assert told.loc["rt_liver", "tier"] == keys.EXPLORATORY  # named within a site, it rests on one mouse a side


def test_without_residual_df_no_table_has_a_p_value_or_an_interval() -> None:
    design = build_design(singles(), settings_of([*MAIN, *NESTED]))
    assert design.residual_df == 0
    moved = {f"Gene{number}": 3.0 for number in range(10)}
    table, samples = genes(design, changes={"liver.rt": moved})
    tables = {"genes": table, "sets": sets(design), "abundance": abundance(design)}
    for name, one in tables.items():
        filled = [column for column in one if TESTED.search(str(column)) and one[column].notna().any()]
        assert filled == [], name
        assert set(one["tier"]) == {keys.DESCRIPTIVE}
    assert tables["abundance"]["log_fold_change"].notna().all()
    assert samples["median_minimum_detectable"].isna().all()
    first = table[table["question"] == "rt_liver"].head(10)  # ranked by the size of the effect
    assert set(first["gene"]) == set(moved)
    assert first["log_fold_change"].abs().is_monotonic_decreasing


def test_one_replicated_arm_among_single_mice() -> None:
    """Four mice in one arm lend three degrees of freedom to all; arms of one stay exploratory, at the nominal level."""
    arms = {("healthy", "none"): 4, ("healthy", "drug"): 1, ("tumour", "none"): 1, ("tumour", "drug"): 1}
    design = make_design(1, arms=arms)
    assert design.residual_df == 3
    assert {contrast.tier for contrast in design.contrasts.values()} == {keys.EXPLORATORY}
    assert design["drug"].n_mice == {"tumour.drug": 1, "tumour.none": 1}
    assert share_below(lambda seed: genes(design, seed, n_genes=250)[0], 5) == pytest.approx(0.05, abs=0.025)
    table, _ = genes(design)
    assert set(table["tier"]) == {keys.EXPLORATORY}
    assert table[["p_value", "ci_low", "ci_high"]].notna().all(axis=None)


@pytest.mark.parametrize(
    ("arms", "df"), [({("tumour", "drug"): 2}, 1), ({("tumour", "drug"): 2, ("healthy", "none"): 2}, 2)]
)
def test_one_or_two_degrees_of_freedom_are_exploratory(arms: dict[tuple[str, str], int], df: int) -> None:
    design = make_design(1, arms=arms)
    assert design.residual_df == df
    table, samples = genes(design)
    composition, pathways = abundance(design), sets(design)
    for one in (table, composition, pathways):
        assert set(one["tier"]) == {keys.EXPLORATORY}
        assert one["p_value"].notna().all()
    assert (samples["residual_df"] == df).all()


def test_a_missing_arm_is_refused_by_name_and_left_out_of_the_tables() -> None:
    asked = make_settings()
    sheet = make_sheet(3, {("healthy", "drug"): 0})
    problems = check(sheet, asked)
    assert [problem.where.rsplit(".", 1)[1] for problem in problems] == ["drug_healthy", "drug_by_site"]
    assert problems[0].found == "the design cannot answer it: no mouse has site healthy, treatment drug"
    # The same where the mice are there but have too few cells of a population.
    design = make_design(3)
    absent = design.units.index[design.units["arm"] == "healthy.drug"]
    table, samples = genes(design, n_cells=dict.fromkeys(absent, 4))
    told = samples.set_index("question")
    assert told.loc["drug_healthy", "tier"] == told.loc["drug_by_site", "tier"] == keys.NOT_ESTIMABLE
    assert told.loc["drug_healthy", "reason"] == (
        "no mouse has site healthy, treatment drug with enough cells (3 left out)"
    )
    assert told.loc["drug_healthy", "left_out"] == " ".join(absent)
    assert set(table["question"]) == {"site", "drug"}
    assert told.loc["drug", "tier"] == keys.CONFIRMATORY


def test_a_confounded_batch_is_said_and_refused() -> None:
    asked = make_settings(covariates=["batch"])
    sheet = make_sheet(3)
    sheet["batch"] = np.where(sheet["treatment"] == "drug", "b2", "b1")
    sentence = "batch b2 holds all drug mice and no others: the drug effect cannot be told from batch"
    assert build_design(sheet, asked).aliasing == [sentence]
    problems = check(sheet, asked)
    assert [problem.where.rsplit(".", 1)[1] for problem in problems] == ["drug", "drug_healthy", "rescue"]
    assert "cannot be told from batch" in problems[0].found
    assert problems[0].remedy == "Leave the question out, or take the covariate out and live with the confusion"
    # A difference of two effects is free of it: the batch is the same in both.
    design = build_design(sheet, asked)
    assert design["drug_by_site"].estimable
    table, samples = genes(design)
    assert set(table["question"]) == {"site", "drug_by_site"}
    assert samples.set_index("question").loc["drug", "reason"].startswith("it cannot be told from batch")


def test_lanes_of_a_mouse_are_one_replicate() -> None:
    sheet = make_sheet(2)
    lanes = pd.concat([sheet, sheet.rename(index=lambda name: f"{name}_again")])
    once, twice = (build_design(one, make_settings()) for one in (sheet, lanes))
    assert twice.to_dict() == once.to_dict()
    assert twice.residual_df == 4  # of eight mice, not of sixteen libraries
    # Their counts are added up: two lanes with half of the cells each are the mouse.
    rng = np.random.default_rng(0)
    x = sparse.csr_matrix(rng.poisson(1, (40, 5)))
    mice = np.repeat(list(once.units.index), 5)
    labels = pd.DataFrame({"lineage": "B_cell", "state": "B_cell"}, index=[f"c{number}" for number in range(40)])
    obs = pd.DataFrame({"mouse": mice, "tissue": "liver"}, index=labels.index)
    cells = anndata.AnnData(x, obs=obs)
    populations = {"B_cell": {"lineages": ["B_cell"], "states": []}}
    sums = sum_counts(counts=cells, labels=labels, populations=populations, units=twice.units)
    expected = np.array([np.asarray(x[mice == mouse].sum(axis=0)).ravel() for mouse in twice.units.index])
    np.testing.assert_array_equal(sums.X.toarray(), expected)


def test_a_mouse_is_one_thing_only() -> None:
    sheet = make_sheet(2)
    sheet.iloc[-1, sheet.columns.get_loc("mouse")] = sheet["mouse"].iloc[
        0
    ]  # a healthy untreated mouse, and a treated one
    found = [str(problem) for problem in check(sheet, make_settings())]
    assert found == [
        "sample sheet, site: mouse 'hn0' is 'healthy' and 'tumour' (expected one value per mouse and tissue). "
        "Two mice need two names",
        "sample sheet, treatment: mouse 'hn0' is 'none' and 'drug' (expected one value per mouse and tissue). "
        "Two mice need two names",
    ]


def test_one_file_under_two_names_is_refused(tmp_path: Path) -> None:
    for name, text in {"a": "counts of a", "b": "counts of b", "copy": "counts of a", "c": "more counts"}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    paths = {name: str(tmp_path / f"{name}.csv") for name in ("a", "b", "copy", "c", "gone")}
    [problem] = find_duplicates(paths)
    assert problem.where == "samples 'a' and 'copy'"
    assert "have the same content" in problem.found
    assert "same `mouse`" in problem.remedy
    del paths["copy"]
    assert find_duplicates(paths) == []
    (tmp_path / "link.csv").symlink_to(tmp_path / "b.csv")
    assert [found.where for found in find_duplicates({**paths, "link": str(tmp_path / "link.csv")})] == [
        "samples 'b' and 'link'"
    ]
    folders = {}
    for name in ("x", "y"):  # a folder is known by its matrix
        (tmp_path / name).mkdir()
        with gzip.GzipFile(tmp_path / name / "matrix.mtx.gz", "wb", mtime=0) as handle:
            handle.write(b"the same matrix")
        folders[name] = str(tmp_path / name)
    assert [found.where for found in find_duplicates(folders)] == ["samples 'x' and 'y'"]


def test_one_library_under_two_names_is_known_by_its_cells() -> None:
    rng = np.random.default_rng(0)

    def library(n: int) -> pd.DataFrame:
        barcodes = ["".join(rng.choice(list("ACGT"), 16)) + "-1" for _ in range(n)]
        return pd.DataFrame({"barcode": barcodes, "n_umis": rng.integers(500, 9000, n)})

    first, second = library(200), library(150)
    deeper = first.assign(n_umis=first["n_umis"] + rng.integers(1, 400, 200))
    sheet = pd.DataFrame({"mouse": ["m1", "m2", "m3"]}, index=["s1", "s2", "s3"])
    assert find_twins([first, second, library(80)], sheet) == []
    [copy] = find_twins([first, second, first.iloc[30:]], sheet)
    assert (copy.where, copy.found) == ("samples 's1' and 's3'", "the same counts: barcodes and their UMIs agree")
    [twice] = find_twins([first, second, deeper], sheet)
    assert twice.found == "mice 'm1' and 'm3' share their barcodes"
    assert (
        find_twins([first, second, deeper], sheet.assign(mouse=["m1", "m2", "m1"])) == []
    )  # said to be one mouse: added up
    named = [
        pd.DataFrame({"barcode": [f"cell_{n}" for n in range(100)], "n_umis": rng.integers(500, 9000, 100)})
        for _ in range(3)
    ]
    assert find_twins(named, sheet) == []  # counted names are no barcodes


def test_a_pool_is_one_replicate_and_said() -> None:
    sheet = make_sheet(2).assign(pool_size="1")
    sheet.iloc[:2, sheet.columns.get_loc("pool_size")] = "5"
    design = build_design(sheet, make_settings())
    assert design.residual_df == 4
    assert design.arms == {"healthy.none": 2, "healthy.drug": 2, "tumour.none": 2, "tumour.drug": 2}
    assert design.units["pool_size"].tolist() == ["5", "5", "1", "1", "1", "1", "1", "1"]
    without = build_design(make_sheet(2), make_settings())
    pd.testing.assert_frame_equal(genes(design)[0], genes(without)[0])
    for wrong in ("0", "2.5", "five", ""):
        [problem] = check(sheet.assign(pool_size=["1"] * 7 + [wrong]), make_settings())
        assert str(problem) == (
            f"sample sheet row 9, pool_size: '{wrong}' (expected a whole number of mice, 1 or more)"
        )
    lanes = pd.concat([sheet, sheet.assign(pool_size="2").rename(index=lambda name: f"{name}_again")])
    assert "mouse 'hn0' is '5' and '2'" in check(lanes, make_settings())[0].found


def test_more_tissues_make_no_more_mice() -> None:
    """Two mice against two leave two degrees of freedom, in one tissue as in three."""
    sheet = make_sheet(0, arms={("healthy", "none"): 2, ("tumour", "none"): 2})
    each = [
        sheet.assign(tissue=name).rename(index=lambda old, name=name: f"{old}_{name}")
        for name in ("liver", "blood", "node")
    ]
    effect = {"name": "where", "kind": "effect", "factor": "tissue", "level": "blood", "reference": "liver",
              "within": {"site": "tumour"}}  # fmt: skip
    factors = {"site": ["healthy", "tumour"], "tissue": ["liver", "blood", "node"]}
    design = build_design(pd.concat(each), make_settings(questions=[effect], factors=factors))
    assert (design.residual_df, df_between_mice(design.units, design.matrix)) == (6, 2)
    assert design["where"].tier == "exploratory"
    assert examine(design).verdicts[0].because == "2 residual df, where 3 are wanted"


def test_tissues_of_a_mouse_are_blocks_and_no_replicates() -> None:
    """Mice differ much, their tissues do not: the block makes the tissue effect precise, and mice are counted once."""
    sheet = make_sheet(3)
    both = pd.concat([sheet, sheet.assign(tissue="blood").rename(index=lambda name: f"{name}_blood")])
    drug = {**make_settings()["questions"][1], "tissue": "liver"}
    asked = [drug, {"name": "where", "kind": "effect", "factor": "tissue", "level": "blood", "reference": "liver"}]
    factors = {**make_settings()["factors"], "tissue": ["liver", "blood"]}
    design = build_design(both, make_settings(questions=asked, factors=factors))
    parts = {names[0]: part for part, names in design.parts()}
    assert (len(parts["drug"].units), parts["drug"].residual_df) == (12, 8)
    assert parts["drug"]["drug"].n_mice == {"tumour.drug.liver": 3, "tumour.none.liver": 3}
    assert len(parts["where"].units) == 24
    assert parts["where"]["where"].tier == "confirmatory"
    assert check(both, make_settings(questions=[make_settings()["questions"][1]]))[0].found == (
        "does not say which tissue it is about (liver, blood)"
    )
    rng = np.random.default_rng(5)
    mouse = {name: rng.normal(0, 1.0) for name in design.units["mouse"].unique()}
    counts = pd.DataFrame(index=design.units.index)
    for label in ("B_cell", "NK_cell", "Neutrophil", "Macrophage"):
        own = design.units["mouse"].map(mouse) if label == "B_cell" else 0.0
        counts[label] = rng.poisson(300 * 2 ** (own + rng.normal(0, 0.1, len(counts))))
    labels, units = make_cells(counts)
    table = test_composition(labels, units, design, design.settings)["composition"]
    b = table[(table["population"] == "B_cell") & (table["level"] == "population")].set_index("question")
    # B cells differ between mice by a log2 unit, between tissues of a mouse by a tenth of one.
    assert b.loc["where", "standard_error"] < 0.35 * b.loc["drug", "standard_error"]
    assert abs(b.loc["where", "log_fold_change"]) < 0.3
