"""Other strictness, other doublet rules: the same verdicts as a run of its own with those settings would give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.cells.toy_sample import Toy, make_sample

from livermet.cells.barcodes.quality import assess_quality
from livermet.cells.merge import merge_samples
from livermet.multiverse.grid import CellSet
from livermet.multiverse.verdicts import judge_sample, vary_quality
from livermet.settings import Quality

QUALITY = {
    **Quality().model_dump(exclude={"ambient", "call_cells", "counts", "hashtags"}),
    "expected_doublet_rate_per_1000": 0.1,
}
SETS = [CellSet(mads, rule) for mads in (1.5, 5.0) for rule in ("remove", "strict", "keep")]


@pytest.fixture(scope="module")
def toy() -> Toy:
    return make_sample({"lymphocyte": 100, "neutrophil": 40, "macrophage": 60}, n_doublets=14, seed=3)


@pytest.fixture(scope="module")
def judged(toy: Toy) -> pd.DataFrame:
    return judge_sample(toy.adata, SETS, QUALITY, seed=1)


def assess(toy: Toy, **settings: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    return assess_quality(toy.adata, None, sample="s1", seed=1, **{**QUALITY, **settings})


@pytest.mark.parametrize("one", [one for one in SETS if one.doublets != "strict"], ids=lambda one: one.name)
def test_a_set_is_what_its_settings_would_have_kept(toy: Toy, judged: pd.DataFrame, one: CellSet) -> None:
    alone, _ = assess(toy, mads=one.mads, remove_doublets=one.doublets != "keep")
    pd.testing.assert_series_equal(judged[one.name], alone["kept"], check_names=False)


def test_the_sets_differ_as_they_should(judged: pd.DataFrame) -> None:
    kept = judged.sum()
    assert kept["mads-1.5_doublets-keep"] < kept["mads-5_doublets-keep"]
    assert kept["mads-5_doublets-strict"] < kept["mads-5_doublets-remove"] < kept["mads-5_doublets-keep"]
    assert not (judged["mads-5_doublets-strict"] & ~judged["mads-5_doublets-remove"]).any()


def test_counts_of_every_cell_that_any_set_keeps(toy: Toy, judged: pd.DataFrame) -> None:
    quality, soup = assess(toy, mads=1.5)
    sheet = pd.DataFrame({"mouse": ["m1"]}, index=pd.Index(["s1"], name="sample"))
    sets = [CellSet(1.5, "remove"), CellSet(5.0, "keep")]
    counts, kept = vary_quality([toy.adata], [toy.adata], [quality], [soup], sheet, sets, QUALITY, seed=1)
    either = judged[[one.name for one in sets]].any(axis=1)
    assert list(counts.obs_names) == list(judged.index[either])
    assert counts.n_obs > quality["kept"].sum()  # the study itself has dropped some of them
    raw = toy.adata[counts.obs_names].X
    assert (raw != counts.X).nnz == 0
    own = merge_samples([toy.adata], [quality], [soup], sheet).counts
    again = counts[kept["mads-1.5_doublets-remove"].to_numpy()]
    assert list(again.obs_names) == list(own.obs_names)
    assert (again.X != own.X).nnz == 0
    assert np.array_equal(again.var_names, own.var_names)


def test_a_sample_that_the_study_sets_aside_is_in_no_set(toy: Toy) -> None:
    other = make_sample({"lymphocyte": 80, "macrophage": 60}, seed=5)
    other.adata.obs["sample"] = "s2"
    other.adata.obs_names = other.adata.obs_names.str.replace("s1_", "s2_")
    first, second = (
        assess(toy),
        assess_quality(other.adata, None, sample="s2", seed=1, **{**QUALITY, "min_cells_per_sample": 200}),
    )
    assert not second[0]["kept"].any()
    sheet = pd.DataFrame({"mouse": ["m1", "m2"]}, index=pd.Index(["s1", "s2"], name="sample"))
    counts, _ = vary_quality(
        [toy.adata, other.adata],
        [toy.adata, other.adata],
        [first[0], second[0]],
        [first[1], second[1]],
        sheet,
        SETS,
        QUALITY,
        seed=1,
    )
    assert set(counts.obs["sample"]) == {"s1"}
