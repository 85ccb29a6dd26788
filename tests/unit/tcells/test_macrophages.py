"""Macrophages: the same machinery with other definitions."""

from __future__ import annotations

from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse

from livermet.mice.endpoints.applicable import applies, defining_genes
from livermet.tcells.calls import name_compartment
from livermet.tcells.definitions import States, load_states
from livermet.tcells.labels import label_cells
from livermet.tcells.signatures import Signatures

from .conftest import RESOURCES, draw_cells, plant

#: UMIs per 10,000 of the genes that each kind is known by; what no kind has stays at a tenth of a UMI.
PLANTED = {
    "Mac_monocyte_derived": (
        "Itgam 8 Adgre1 8 Ccr2 5 Cx3cr1 8 Ly6c2 6 Itgax 5 Cd14 12 Ms4a7 15 Lyz2 150 Fcgr1 5 Csf1r 20 Mafb 8 Fn1 10 "
        "C1qa 30 C1qb 30 C1qc 25 Apoe 60 Fasl 3"
    ),
    "Mac_Kupffer": (
        "Clec4f 13 Timd4 5 Vsig4 25 Marco 12 Cd5l 70 Cdh5 3 Slc40a1 15 Fabp7 3 Hmox1 15 Clec1b 5 Folr2 10 Id3 5 "
        "C1qa 90 C1qb 90 C1qc 80 Adgre1 12 Csf1r 25 Apoe 100"
    ),
    "Mac_C1q": "C1qa 150 C1qb 150 C1qc 130 Apoe 300 Trem2 10 Mrc1 25 Selenop 60 Cd74 200 H2-Aa 100 Adgre1 8 Csf1r 20",
    "Mac_lipid_associated": "Spp1 150 Trem2 20 Gpnmb 60 Cd9 40 Fabp5 60 Lpl 30 Cd63 90 Lgals3 90 Mmp12 20 Ctsb 150 Adgre1 8",
    "Mac_suppressive": (
        "Arg1 120 Mrc1 20 Chil3 60 Retnla 20 Cd163 5 Il10 4 Tgfb1 15 Ccl22 8 Mgl2 10 Cd274 6 Vegfa 15 Pdcd1lg2 4 Adgre1 8"
    ),
    "Mac_inflammatory": (
        "Nos2 15 Il1b 120 Tnf 25 Il6 6 Il12b 6 Cxcl9 60 Cxcl10 60 Cd86 10 Stat1 40 Irf1 30 Gbp2 40 H2-Ab1 60 Adgre1 8"
    ),
}


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return yaml.safe_load((RESOURCES / "macrophage_states.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def definitions(content: dict[str, Any], collection: Signatures) -> States:
    return load_states(content, collection)


@pytest.fixture(scope="module")
def named(
    content: dict[str, Any],
    definitions: States,
    signature_content: dict[str, Any],
    collection: Signatures,
    bins: pd.DataFrame,
    toy_var: pd.DataFrame,
    toy_rates: np.ndarray,
) -> tuple[dict[str, pd.DataFrame], np.ndarray, pd.DataFrame]:
    """Fifty cells of each kind among as many B cells; the tables, the truth, the lineages."""
    rng = np.random.default_rng(5)
    sets = [collection[name] for name in definitions.called_by()]
    quiet = {gene: 0.1 for item in sets for gene in (*item.up, *item.down)} | {"Fasl": 0.01, "Fas": 0.01}
    parts, truth = [], []
    for number, (name, text) in enumerate({**PLANTED, "B_cell": "Cd79a 20"}.items()):
        words = text.split()
        levels = quiet | {gene: float(value) for gene, value in zip(words[::2], words[1::2], strict=True)}
        parts.append(draw_cells(plant(toy_rates, toy_var["symbol"], levels), 50, depth=8000, seed=40 + number))
        truth += [name] * 50
    labels = np.array(truth)
    graph = sparse.lil_matrix((len(labels), len(labels)))
    for cell, name in enumerate(labels):
        graph[cell, rng.choice(np.flatnonzero(labels == name), size=12)] = 1.0
        if cell % 2:
            graph[cell, rng.choice(len(labels), size=1)] = 1.0
    cells = pd.Index([f"c{number}" for number in range(len(labels))], name="cell")
    lineage = np.where(labels == "B_cell", "B_cell", np.where(labels == "Mac_Kupffer", "Kupffer_cell", "Macrophage"))
    lineages = pd.DataFrame({"leiden": "0", "lineage": lineage}, index=cells)
    counts = anndata.AnnData(sparse.csr_matrix(sparse.vstack(parts)), obs=pd.DataFrame(index=cells), var=toy_var)
    tables = name_compartment(
        counts,
        lineages,
        study_connectivities=sparse.csr_matrix(graph.maximum(graph.T)),
        signatures=signature_content,
        states=content,
        bins=bins,
        lineages=["Macrophage", "Kupffer_cell"],
        n_control_sets=100,
        min_z=1.64,
    )
    return tables, labels, lineages


def test_fasl_is_read_out_and_defines_nothing(definitions: States, collection: Signatures) -> None:
    used = set(definitions.gate_genes())
    for item in definitions.called:
        used |= {*collection[item.signature].up, *collection[item.signature].down}
    assert {"Itgam", "Adgre1"} <= used
    assert not {"Fas", "Fasl"} & used


def test_planted_states_are_recovered(named: tuple[dict[str, pd.DataFrame], np.ndarray, pd.DataFrame]) -> None:
    tables, truth, _ = named
    states = tables["states"]
    assert len(states) == 300  # the B cells were not asked
    right = states["state"].to_numpy() == truth[:300]
    for name in PLANTED:
        assert right[truth[:300] == name].mean() > 0.85, name


def test_the_level_of_fasl_is_told(named: tuple[dict[str, pd.DataFrame], np.ndarray, pd.DataFrame]) -> None:
    """Planted at 3 UMIs of some 10,000 in one kind, next to nothing in the others."""
    summary = named[0]["summary"].set_index("state")
    assert 1.0 < summary.loc["Mac_monocyte_derived", "Fasl"] < 4.0
    assert summary["Fasl"].drop("Mac_monocyte_derived").dropna().max() < 0.3


def test_labels_keep_the_lineage_of_what_was_not_called(
    named: tuple[dict[str, pd.DataFrame], np.ndarray, pd.DataFrame],
) -> None:
    tables, truth, lineages = named
    states = tables["states"].copy()
    states.iloc[:3, states.columns.get_loc("state")] = "unassigned"
    labels = label_cells(lineages, states.iloc[:0], states)
    assert labels["state"].iloc[:3].tolist() == ["Macrophage"] * 3
    called = states.index[states["state"] != "unassigned"]
    assert len(called) > 270
    assert labels.loc[called, "state"].tolist() == states.loc[called, "state"].tolist()
    assert (labels.loc[truth == "B_cell", "state"] == "B_cell").all()


def test_their_own_genes_are_no_test(content: dict[str, Any], signature_content: dict[str, Any]) -> None:
    sets = signature_content["signatures"]
    called = defining_genes({"states": []}, content, {"lineages": {}}, sets)
    assert {"Itgam", "Adgre1", "Ccr2", "Lyz2", "Clec4f"} <= called["Mac_monocyte_derived"]
    assert {"Ccr2", "C1qa"} <= called["Mac_C1q"]
    named = {"lineages": [], "states": ["Mac_monocyte_derived"]}
    by_name = {item["name"]: item for item in sets}
    assert applies(by_name["Macrophage_inflammatory_M1like"], named)
    assert not applies(by_name["CD8_effector"], named)
