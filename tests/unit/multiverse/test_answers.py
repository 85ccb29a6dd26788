"""Answers of a specification: those of the study's own tests, and a labelling that fails is told by name."""

from __future__ import annotations

from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from tests.unit.mice.cohort import CELLS, draw_counts, make_cells, make_settings, make_sheet

from livermet.errors import InputError, Problem
from livermet.mice.answers.headlines import holm
from livermet.mice.design.model import Design, build_design
from livermet.mice.endpoints.composition import test_composition as compose
from livermet.mice.endpoints.pathways import test_pathways as set_tests
from livermet.mice.endpoints.pseudobulk import sum_counts
from livermet.multiverse import answers
from livermet.multiverse.answers import Knowledge, answer_specification, answer_specifications

GENES = [f"Gene{number}" for number in range(60)]
CHOICES = {"mads": 3.0, "doublets": "keep", "integrate": "none"}


def gene_set(name: str, up: list[str], lineage: str) -> dict[str, Any]:
    base = {"use": "score", "down": [], "source": "made up", "verification": "curated", "description": "made up"}
    return {**base, "name": name, "kind": "state", "lineage": lineage, "up": up}


SIGNATURES = {
    "schema_version": 1,
    "species": "mouse",
    "signatures": [gene_set("death", GENES[:12], "CD8 T"), gene_set("growth", GENES[20:32], "any")],
    "aliases": {},
}
STATES: dict[str, Any] = {"states": []}
LINEAGES: dict[str, Any] = {"lineages": {}}
MECHANISM = {
    "schema_version": 1,
    "readouts": [
        {"name": "Gene40_in_macrophages", "kind": "gene", "gene": "Gene40", "population": ["Macrophage"],
         "label": "Gene40 in macrophages", "source": "made up"},
        {"name": "Gene41_in_macrophages", "kind": "gene", "gene": "Gene41", "population": ["Macrophage"],
         "label": "Gene41 in macrophages", "source": "made up"},
    ],
}  # fmt: skip
KNOWLEDGE = Knowledge(SIGNATURES, STATES, LINEAGES, MECHANISM)
ENDPOINTS = [
    {"endpoint": "composition", "population": "CD8_activated"},
    {"endpoint": "signature", "population": "CD8_activated", "signature": "death"},
    {"endpoint": "mechanism", "readout": "Gene40_in_macrophages"},
]


@pytest.fixture(scope="module")
def design() -> Design:
    return build_design(make_sheet(3), make_settings(endpoints=ENDPOINTS))


@pytest.fixture(scope="module")
def cells(design: Design) -> tuple[anndata.AnnData, pd.DataFrame]:
    """Counts and labels: activated CD8 T cells lost with the tumour, their first twelve genes up."""
    rng = np.random.default_rng(5)
    table = draw_counts(design, rng, {"tumour.none": {"CD8_activated": -2.0}})
    labels, units = make_cells(table)
    rates = rng.lognormal(1.5, 0.5, len(GENES))
    hit = (units.map(design.units["arm"]) == "tumour.none") & (labels["state"] == "CD8_activated")
    mean = np.tile(rates, (len(labels), 1))
    mean[np.ix_(hit.to_numpy(), range(12))] *= 2
    mouse = pd.Series({unit: rng.lognormal(0, 0.1) for unit in design.units.index})
    counts = rng.poisson(mean * units.map(mouse).to_numpy()[:, None]).astype(np.int32)
    by_mouse = {mouse: sample for sample, mouse in make_sheet(3)["mouse"].items()}
    obs = pd.DataFrame({"sample": units.map(by_mouse), "mouse": units, "tissue": "liver"}, index=labels.index)
    var = pd.DataFrame({"symbol": GENES}, index=pd.Index(GENES, name="gene_id"))
    return anndata.AnnData(sparse.csr_matrix(counts), obs=obs, var=var), labels


def pick(table: pd.DataFrame, question: str, endpoint: str, readout: str) -> pd.Series:
    rows = table[
        (table["question"] == question) & (table["endpoint"] == endpoint) & (table["readout"] == readout)
        & table["population"].isin(["CD8_activated", "Macrophage"])
    ]  # fmt: skip
    return rows[rows["population"] == ("Macrophage" if endpoint == "mechanism" else "CD8_activated")].iloc[0]


def test_the_numbers_are_those_of_the_studys_own_tests(
    design: Design, cells: tuple[anndata.AnnData, pd.DataFrame]
) -> None:
    counts, labels = cells
    found = answer_specification(counts, labels, make_sheet(3), design, KNOWLEDGE)
    units = counts.obs["mouse"].rename("unit")
    composition = compose(labels, units, design, design.settings)["composition"]
    pseudobulk = sum_counts(
        counts=counts, labels=labels, populations=design.settings["populations"], units=design.units
    )
    pathways = set_tests(
        pseudobulk=pseudobulk, design=design, signatures=SIGNATURES["signatures"], aliases={}, defining={}
    )
    abundance = composition[
        (composition["question"] == "site") & (composition["level"] == "population")
        & (composition["population"] == "CD8_activated")
    ].iloc[0]  # fmt: skip
    signature = pathways[
        (pathways["question"] == "site") & (pathways["population"] == "CD8_activated")
        & (pathways["signature"] == "death")
    ].iloc[0]  # fmt: skip
    mine = pick(found, "site", "composition", "abundance")
    assert mine["estimate"] == pytest.approx(abundance["log_fold_change"])
    assert mine["estimate"] < -1
    death = pick(found, "site", "signature", "death")
    for column in ("estimate", "ci_low", "ci_high", "p_value"):
        assert mine["p_value"] == pytest.approx(abundance["p_value"])
        assert death[column] == pytest.approx(signature[column]), column
    assert death["estimate"] == pytest.approx(1, abs=0.3)
    readout = pick(found, "site", "mechanism", "Gene40_in_macrophages")
    # The declared rows of a question, and they alone, share its error.
    expected = holm([mine["p_value"], death["p_value"], readout["p_value"]])
    adjusted = [mine["adjusted_p_value"], death["adjusted_p_value"], readout["adjusted_p_value"]]
    assert adjusted == pytest.approx(list(expected))
    assert set(found["endpoint"]) == {"composition", "signature", "mechanism", "rescue"}
    assert "Gene41_in_macrophages" not in set(found["readout"])
    assert set(found.loc[found["endpoint"] == "signature", "population"]) == {"CD8_activated"}


def labelled(labels: pd.DataFrame, resolution: float) -> pd.DataFrame:
    return labels.rename_axis("cell").reset_index().assign(resolution=resolution)


def outcomes_of(**failures: str) -> pd.DataFrame:
    rows = [(float(name[1:]), 100, 5, 10, why) for name, why in failures.items()]
    return pd.DataFrame(rows, columns=["resolution", "n_cells", "n_clusters", "n_t_cells", "failure"])


def test_every_labelling_is_answered_and_the_same_one_once(
    design: Design, cells: tuple[anndata.AnnData, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, labels = cells
    asked: list[int] = []

    def counted(*arguments: Any) -> pd.DataFrame:
        asked.append(1)
        return answer_specification(*arguments)

    monkeypatch.setattr(answers, "answer_specification", counted)
    swapped = labels.replace({"state": {"CD8_activated": "CD8_naive_like", "CD8_naive_like": "CD8_activated"}})
    tables = pd.concat([labelled(labels, 0.5), labelled(labels, 1.0), labelled(swapped, 2.0)], ignore_index=True)
    estimates, outcomes = answer_specifications(
        counts, tables, outcomes_of(r0="no cells", r1="", r2=""), make_sheet(3), design, KNOWLEDGE, CHOICES
    )  # fmt: skip
    assert len(asked) == 2
    assert outcomes["failure"].tolist() == ["no cells", "", ""]
    assert (outcomes[list(CHOICES)] == list(CHOICES.values())).all(axis=None)
    assert estimates["resolution"].unique().tolist() == [1.0, 2.0]
    values = [pick(part, "site", "composition", "abundance")["estimate"] for _, part in estimates.groupby("resolution")]
    assert values[0] < -1 < values[1]
    asked.clear()
    answer_specifications(
        counts, tables, outcomes_of(**{"r0.5": "", "r1": ""}), make_sheet(3), design, KNOWLEDGE, CHOICES
    )  # fmt: skip
    assert len(asked) == 1


def test_a_labelling_that_the_tests_refuse_is_told_by_its_reason(
    design: Design, cells: tuple[anndata.AnnData, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> pd.DataFrame:
        raise InputError(Problem("cells", "nobody is left"))

    monkeypatch.setattr(answers, "answer_specification", refuse)
    estimates, outcomes = answer_specifications(
        cells[0], labelled(cells[1], 1.0), outcomes_of(r1=""), make_sheet(3), design, KNOWLEDGE, CHOICES
    )
    assert estimates.empty
    assert {*CHOICES, "resolution", "question", "estimate"} <= set(estimates)
    assert "nobody is left" in outcomes.loc[0, "failure"]


def test_no_cell_of_a_population_is_not_estimable(design: Design, cells: tuple[anndata.AnnData, pd.DataFrame]) -> None:
    counts, labels = cells
    none = labels[labels["lineage"] != "T_cell"]
    found = answer_specification(counts, none, make_sheet(3), design, KNOWLEDGE)
    for endpoint, readout in (("composition", "abundance"), ("signature", "death"), ("rescue", "abundance")):
        question = "rescue" if endpoint == "rescue" else "site"
        row = pick(found, question, endpoint, readout)
        assert row["tier"] == "not estimable"
        assert np.isnan(row["estimate"])
    assert np.isfinite(pick(found, "site", "mechanism", "Gene40_in_macrophages")["estimate"])
    assert set(CELLS) > set(none["state"])
