"""Definitions, gates and calls."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from livermet.errors import InputError
from livermet.tcells.controls import make_control_sets
from livermet.tcells.definitions import OUTCOMES, States, load_states
from livermet.tcells.gates import allow_states, neighbour_average
from livermet.tcells.gates import gate_levels as levels_of
from livermet.tcells.signatures import GeneIndex, Signatures
from livermet.tcells.states import call_states, rank_states, summarise
from livermet.tcells.subsets import Chances
from livermet.tcells.ucell import score_ucell

from .conftest import draw_cells, plant

SPEC = [
    "CD8_naive_like",
    "CD8_central_memory",
    "CD8_activated",
    "CD8_effector",
    "CD8_effector_memory",
    "CD8_Tpex",
    "CD8_Tex",
    "CD8_resident",
    "CD4_naive_like",
    "T_naive_like",
    "CD4_Th1",
    "CD4_Tfh",
    "CD4_Th17",
    "Treg",
    "gamma_delta_T",
    "NKT",
    "MAIT",
    "T_proliferating",
    "T_IFN_stimulated",
]
PROGRAMMES = ["cycling", "interferon", "resident", "effector_Treg"]

#: UMIs per 10,000 of a few genes that each kind of cell is known by; the rest of its signature stays quiet. (The toy has a
#: third of the genes of a cell, so each gene's share is about thrice the real one, the naive genes' controls included.)
PLANTED = {
    "CD8_naive_like": "Cd8a 4 Cd8b1 6 Sell 25 Ccr7 25 Lef1 25 Tcf7 30 Il7r 25 Igfbp4 25 Satb1 25 S1pr1 20",
    "CD8_activated": "Cd8a 4 Cd8b1 6 Cd44 6 Cd69 8 Icos 4 Tnfrsf9 4 Il2ra 4 Pdcd1 1 Klrk1 4 Sell .1 Ccr7 .1",
    "CD8_effector_memory": "Cd8a 4 Cd8b1 6 Gzmk 8 Gzmb 5 Klrg1 4 Ccl5 40 Ccl4 8 Eomes 3 Cx3cr1 3 Tbx21 3 Prdm1 2 Sell .1",
    "CD8_Tex": "Cd8a 4 Cd8b1 6 Havcr2 4 Pdcd1 6 Tox 5 Lag3 6 Tigit 4 Entpd1 3 Cxcr6 6 Ccl3 6 Ccl4 9 Rgs16 4 Tcf7 .1",
    "CD4_naive_like": "Cd4 3 Sell 25 Ccr7 25 Lef1 25 Tcf7 30 Il7r 25 Igfbp4 25 Satb1 25 S1pr1 20",
    "CD8_central_memory": (
        "Cd8a 4 Cd8b1 6 Sell 20 Ccr7 15 Tcf7 20 Il7r 25 Cd27 15 Cd44 10 Il2rb 12 Cxcr3 8 Ly6c2 20 Eomes 5 Ccl5 40 "
        "Igfbp4 .1 Dapl1 .1 Lef1 5 S1pr1 15"
    ),
    "CD8_effector": (
        "Cd8a 4 Cd8b1 6 Klrg1 10 Gzmb 15 Gzma 25 Prf1 8 Ccl5 50 Cx3cr1 8 Tbx21 4 Zeb2 8 S1pr5 5 Ifng 3 Id2 20 Il7r .05 "
        "Gzmk .05 Sell .1 Ccr7 .1 Tcf7 .2"
    ),
    "MAIT": "Trav1 4 Traj33 2 Zbtb16 4 Rorc 3 Il18r1 6 Il7r 15 Cxcr6 10 Blk 4 Tmem176a 8 Il23r 3 Cd8b1 0 Klrb1c .05",
    "Treg": "Cd4 3 Foxp3 3 Il2ra 4 Ctla4 5 Ikzf2 4 Tnfrsf18 5 Tnfrsf4 4 Izumo1r 4 Capg 5",
    "gamma_delta_T": "Trdc 8 Tcrg-C1 7 Tcrg-C2 4 Tcrg-C4 3 Tcrg-V6 3 Blk 3 Maf 4 Sox13 2 Cd163l1 2 Cd8b1 0 Trac 0",
    "NKT": "Zbtb16 4 Klrb1c 5 Il2rb 5 Cxcr6 8 Tbx21 3 Xcl1 5 Ly6c2 5 Slamf6 4 Cd8b1 0",
}
SILENT = dict.fromkeys(
    [
        "Trav1",
        "Rorc",
        "Cd4",
        "Cd8a",
        "Cd8b1",
        "Foxp3",
        "Trdc",
        "Tcrg-C1",
        "Tcrg-C2",
        "Tcrg-C4",
        "Tcrg-V6",
        "Zbtb16",
        "Klrb1c",
        "Il2rb",
    ],
    0.02,
)


def test_states_are_those_of_the_plan_and_never_defined_by_an_outcome(states: States, collection: Signatures) -> None:
    assert [item.name for item in states.states] == SPEC
    assert [item.name for item in states.programmes] == PROGRAMMES
    assert not {"Fas", "Fasl"} & set(states.gate_genes())
    for item in states.called:
        signature = collection[item.signature]
        assert not {"Fas", "Fasl"} & {*signature.up, *signature.down}, item.name
    assert "T_AICD_apoptosis_priming" in states.readouts  # the outcome is scored, but defines nothing


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda c: c["states"][2].update(signature="T_AICD_apoptosis_priming"), "CD8_activated: defined by Fas, Fasl"),
        (
            lambda c: c["states"][2].update(requires=[{"genes": ["Fas"], "at_least": 1}]),
            "CD8_activated: defined by Fas",
        ),
        (lambda c: c["subsets"][0]["marks"].append("Fasl"), "subsets: defined by Fasl"),
        (lambda c: c["subsets"][0].update(key=["Cd4"]), "a key among the marks"),
        (lambda c: c["subsets"][0].update(may=["Trdc"]), "no marks of its own"),
        (lambda c: c.update(outcomes=["Fas"]), "Fasl"),
        (lambda c: c["states"][1].update(signature="Treggy"), "no such signature"),
        (lambda c: c["states"][1].update(subsets=["CD9"]), "CD9 is none of them"),
        (lambda c: c["states"][1].update(treatment="rt"), "unknown key"),
        (lambda c: c["states"].append(dict(c["states"][0])), "each state once"),
        (lambda c: c["states"][3].update(above=["Fasl"]), "CD8_effector: defined by Fasl"),
        (lambda c: c["states"][0].update(lacks=[{"genes": ["Fas"]}]), "CD8_naive_like: defined by Fas"),
        (lambda c: c["states"][0].update(above=["Gzmk"]), "needs evidence"),
        (lambda c: c["programmes"][0].update(signature="Fas_receptor_DISC"), "cycling: defined by Fas"),
        (lambda c: c["programmes"][3].update(within=["Tregs"]), "Tregs is none of them"),
        (lambda c: c["states"][-1].update(fallback="interferons"), "interferons is none of them"),
    ],
)
def test_a_spoilt_definition_is_refused(
    state_content: dict[str, Any], collection: Signatures, spoil: Any, expected: str
) -> None:
    content = copy.deepcopy(state_content)
    spoil(content)
    with pytest.raises(InputError, match=expected):
        load_states(content, collection)
    assert set(OUTCOMES) == {"Fas", "Fasl"}


def test_an_average_keeps_the_total_and_a_lonely_cell_to_itself() -> None:
    graph = sparse.csr_matrix(np.array([[0, 1, 0.5], [1, 0, 0], [0.5, 0, 0]]))
    graph = sparse.block_diag([graph, sparse.csr_matrix((1, 1))], format="csr")
    smoother = neighbour_average(graph, own_weight=0.4)
    np.testing.assert_allclose(
        smoother.toarray(), [[0.4, 0.4, 0.2, 0], [0.6, 0.4, 0, 0], [0.6, 0, 0.4, 0], [0, 0, 0, 1]]
    )


def gate_levels(states: States, **levels: float) -> pd.DataFrame:
    row = dict.fromkeys(states.gate_genes(), 0.0) | {key.replace("_", "-"): value for key, value in levels.items()}
    return pd.DataFrame([row])


NAMES = ("CD8", "CD4", "gamma_delta", "NKT", "MAIT")


def chances_of(**chance: float) -> Chances:
    """A cell with these chances."""
    return Chances(NAMES, np.array([[chance.get(name, 0.0) for name in NAMES]]))


@pytest.mark.parametrize(
    ("subset", "levels", "closed", "opened"),
    [
        ("CD8", {}, {"Treg", "CD8_Tex", "CD8_Tpex", "NKT", "CD8_central_memory"}, {"CD8_activated", "CD8_naive_like"}),
        ("CD8", {"Pdcd1": 1.0}, {"CD8_Tex", "CD8_Tpex"}, {"CD8_activated"}),
        ("CD8", {"Pdcd1": 1.0, "Tox": 0.8}, {"CD8_Tpex"}, {"CD8_Tex"}),
        ("CD8", {"Pdcd1": 1.0, "Havcr2": 0.8}, {"CD8_Tpex"}, {"CD8_Tex"}),
        ("CD8", {"Tox": 0.8, "Havcr2": 0.8}, {"CD8_Tex"}, set()),
        ("CD8", {"Pdcd1": 1.0, "Tcf7": 1.0}, {"CD8_Tex", "CD8_Tpex"}, set()),
        ("CD8", {"Pdcd1": 1.0, "Tcf7": 1.0, "Tox": 0.8}, set(), {"CD8_Tex", "CD8_Tpex"}),
        ("CD8", {"Sell": 1.0, "Il2rb": 1.0}, {"CD8_central_memory"}, set()),
        ("CD8", {"Sell": 1.0, "Il2rb": 1.0, "Cxcr3": 1.0}, set(), {"CD8_central_memory"}),
        ("CD8", {"Cx3cr1": 1.0}, set(), {"CD8_effector", "CD8_effector_memory"}),
        ("CD8", {"Cx3cr1": 1.0, "Gzmk": 1.6}, {"CD8_effector"}, {"CD8_effector_memory"}),
        ("CD8", {"Cx3cr1": 1.0, "Il7r": 1.6}, {"CD8_effector"}, {"CD8_effector_memory"}),
        ("CD8", {"Itgae": 1.0}, {"CD8_resident"}, set()),
        ("CD8", {"Itgae": 1.0, "Cxcr6": 1.0}, set(), {"CD8_resident"}),
        ("CD8", {"Foxp3": 0.5, "Cd4": 0.5}, {"Treg"}, set()),
        ("CD4", {"Cd4": 0.5}, {"Treg", "CD8_naive_like"}, {"CD4_naive_like", "CD4_Th1"}),
        ("CD4", {"Cd4": 0.5, "Foxp3": 0.5}, set(), {"Treg"}),
        ("CD4", {"Foxp3": 0.5}, {"Treg"}, set()),
        ("gamma_delta", {}, {"CD4_naive_like"}, {"gamma_delta_T"}),
        ("NKT", {}, {"CD4_Th1", "MAIT"}, {"NKT"}),
        ("MAIT", {}, {"NKT"}, {"MAIT"}),
        ("", {}, set(SPEC) - {"T_naive_like", "T_proliferating", "T_IFN_stimulated"}, {"T_naive_like"}),
    ],
)
def test_gates(states: States, subset: str, levels: dict[str, float], closed: set[str], opened: set[str]) -> None:
    chances = chances_of(**({subset: 1.0} if subset else dict.fromkeys(NAMES, 0.2)))
    opens = allow_states(gate_levels(states, **levels), chances, states.states, expressed=states.expressed)[0]
    allowed = dict(zip(SPEC, opens, strict=True))
    assert not [name for name in closed if allowed[name]]
    assert not [name for name in opened if not allowed[name]]


def test_a_state_settles_a_subset_that_is_only_likelier(states: States) -> None:
    """Naive CD4 and CD8 cells share their signature: those stay without a subset."""
    levels = gate_levels(states)
    opens = allow_states(levels, chances_of(CD4=0.7, CD8=0.3), states.states, expressed=states.expressed)[0]
    allowed = {name for name, is_open in zip(SPEC, opens, strict=True) if is_open}
    assert {"CD4_Th1", "T_naive_like"} <= allowed
    assert not allowed & {"CD4_naive_like", "CD8_naive_like", "CD8_activated"}


def test_gates_count_umis_per_ten_thousand() -> None:
    counts = sparse.csr_matrix(np.array([[3, 1, 1996], [0, 2, 998], [0, 0, 0]]))
    found = levels_of(counts, GeneIndex(["Cd4", "Foxp3", "Actb"], {}), ["Foxp3", "Tox", "Cd4"])
    np.testing.assert_allclose(found, [[5, 0, 15], [20, 0, 0], [0, 0, 0]])


def test_a_fallback_waits_for_every_identity() -> None:
    z = np.array([[2.0, 1.7, 9.0], [1.0, 0.5, 9.0], [1.0, 2.0, 3.0], [1.0, 0.5, 0.7]])
    allowed = np.array([[True, True, True], [True, True, True], [True, False, True], [True, True, True]])
    order, ranked = rank_states(z, allowed, fallback=np.array([False, False, True]), min_z=1.64)
    assert order[:, 0].tolist() == [0, 2, 2, 0]
    assert order[0].tolist() == [0, 1, 2]
    assert ranked[:, 0].tolist() == [2.0, 9.0, 3.0, 1.0]
    assert ranked[2, 2] == -np.inf


@pytest.fixture(scope="module")
def planted(
    collection: Signatures, states: States, bins: pd.DataFrame, toy_var: pd.DataFrame, toy_rates: np.ndarray
) -> tuple[pd.DataFrame, np.ndarray]:
    """Calls of 60 cells of each planted state; cells of a state are each other's neighbours, two in fifteen are not."""
    rng = np.random.default_rng(4)
    sets_of_states = [collection[item.signature] for item in states.states]
    quiet = {gene: 0.4 for item in sets_of_states for gene in (*item.up, *item.down)} | SILENT
    parts, truth = [], []
    for number, (name, text) in enumerate(PLANTED.items()):
        words = text.split()
        levels = quiet | {gene: float(value) for gene, value in zip(words[::2], words[1::2], strict=True)}
        parts.append(draw_cells(plant(toy_rates, toy_var["symbol"], levels), 60, depth=4000, seed=20 + number))
        truth += [name] * 60
    counts, labels = sparse.csr_matrix(sparse.vstack(parts)), np.array(truth)
    graph = sparse.lil_matrix((len(labels), len(labels)))
    for cell, name in enumerate(labels):
        graph[cell, rng.choice(np.flatnonzero(labels == name), size=13)] = 1.0
        graph[cell, rng.choice(len(labels), size=2)] = 1.0
    names = [item.signature for item in states.states]
    ucell = score_ucell(counts, toy_var, collection=collection, names=names)
    sets = make_control_sets(collection, states.called_by(), bins=bins, var=toy_var, n_control_sets=100)
    ucell.index = pd.Index([f"cell{number}" for number in range(len(labels))], name="cell")
    calls = call_states(
        counts,
        toy_var,
        sets=sets,
        ucell=ucell,
        connectivities=sparse.csr_matrix(graph.maximum(graph.T)),
        collection=collection,
        states=states,
        min_z=1.64,
    )
    return calls, labels


def test_planted_states_are_recovered(planted: tuple[pd.DataFrame, np.ndarray]) -> None:
    calls, truth = planted
    called = (calls["state"] != "unassigned").to_numpy()
    right = (calls["state"] == truth).to_numpy()
    assert called.mean() > 0.9
    assert right[called].mean() > 0.95
    for name in PLANTED:
        assert right[truth == name].mean() > 0.75, name
    assert calls["agreement"].mean() > 0.75
    assert (calls.loc[called, "best_z"] >= 1.64).all()
    assert (calls["second_state"] != calls["state"]).all()


def test_subsets_follow_the_receptors(planted: tuple[pd.DataFrame, np.ndarray]) -> None:
    calls, truth = planted
    expected = {"CD8": "CD8", "CD4": "CD4", "Tre": "CD4", "gam": "gamma_delta", "NKT": "NKT", "MAI": "MAIT"}
    assert (calls["subset"] == [expected[name[:3]] for name in truth]).mean() > 0.95


def test_nothing_planted_nothing_called(
    collection: Signatures, states: States, bins: pd.DataFrame, toy_var: pd.DataFrame, toy_rates: np.ndarray
) -> None:
    """Resting cells without any receptor pass no identity's gate."""
    counts = draw_cells(plant(toy_rates, toy_var["symbol"], SILENT), 100, depth=3000, seed=77)
    names = [item.signature for item in states.states]
    calls = call_states(
        counts,
        toy_var,
        sets=make_control_sets(collection, states.called_by(), bins=bins, var=toy_var, n_control_sets=50),
        ucell=score_ucell(counts, toy_var, collection=collection, names=names),
        connectivities=sparse.csr_matrix((100, 100)),
        collection=collection,
        states=states,
        min_z=1.64,
    )
    assert (calls["state"] == "unassigned").mean() > 0.75
    assert not calls["agreement"][calls["state"] == "unassigned"].any()


def test_the_summary_counts_every_state(planted: tuple[pd.DataFrame, np.ndarray], states: States) -> None:
    calls, _ = planted
    table = summarise(calls, states).set_index("state")
    assert table.index.tolist() == [*SPEC, "unassigned"]
    assert table["n_cells"].sum() == len(calls)
    assert table.loc["Treg", "n_cells"] == (calls["state"] == "Treg").sum()
    assert np.isnan(table.loc["CD4_Th17", "median_z"]) == (table.loc["CD4_Th17", "n_cells"] == 0)
    assert summarise(calls.iloc[:0], states)["n_cells"].sum() == 0
