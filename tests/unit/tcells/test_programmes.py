"""Programmes on top of an identity, and states that a study has too few genes for."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from livermet.tcells.calls import find_missing
from livermet.tcells.controls import make_control_sets
from livermet.tcells.definitions import Programme, States
from livermet.tcells.programmes import flag_programmes
from livermet.tcells.signatures import Signatures
from livermet.tcells.states import call_states, summarise
from livermet.tcells.ucell import score_ucell

from .conftest import draw_cells, plant

CYCLING = Programme(name="cycling", signature="T_proliferating", description="cycling")
WITHIN = Programme(name="effector_Treg", signature="Treg", within=("Treg",), description="activated")


def test_a_programme_stands_out_from_controls_and_from_cells() -> None:
    rng = np.random.default_rng(1)
    quiet = np.r_[rng.normal(-1, 0.5, 95), np.full(5, 6.0)]  # five cells cycle
    shared = rng.normal(4, 0.2, 100)  # every cell has some of it
    flags = flag_programmes(
        np.c_[quiet, shared, shared], np.array(["Treg"] * 100, dtype=object), (CYCLING, CYCLING, WITHIN), min_z=1.64
    )
    assert np.flatnonzero(flags[:, 0]).tolist() == [95, 96, 97, 98, 99]
    assert flags[:, 1].mean() < 0.1
    low = flag_programmes(np.linspace(-3, 1.6, 50)[:, None], np.array(["x"] * 50, dtype=object), (CYCLING,), min_z=1.64)
    assert not low.any()


def test_a_programme_bound_to_a_state_is_shown_by_no_other() -> None:
    z = np.r_[np.zeros(20), 5.0, 5.0]
    states = np.array(["CD4_Th1"] * 20 + ["Treg", "CD4_Th1"], dtype=object)
    flags = flag_programmes(z[:, None], states, (WITHIN,), min_z=1.64)
    assert np.flatnonzero(flags[:, 0]).tolist() == [20]


def call(
    counts: sparse.csr_matrix, var: pd.DataFrame, collection: Signatures, states: States, bins: pd.DataFrame
) -> pd.DataFrame:
    names = [item.signature for item in states.states]
    return call_states(
        counts,
        var,
        sets=make_control_sets(collection, states.called_by(), bins=bins, var=var, n_control_sets=50),
        ucell=score_ucell(counts, var, collection=collection, names=names),
        connectivities=sparse.csr_matrix(np.ones((counts.shape[0], counts.shape[0]))),
        collection=collection,
        states=states,
        min_z=1.64,
        barred=find_missing(collection, states, var),
    )


def test_a_cycling_regulatory_cell_is_both(
    collection: Signatures, states: States, bins: pd.DataFrame, toy_var: pd.DataFrame, toy_rates: np.ndarray
) -> None:
    identity = {gene: 0.2 for item in states.called for gene in collection[item.signature].up}
    identity |= dict.fromkeys(["Trdc", "Tcrg-C1", "Tcrg-C2", "Tcrg-C4", "Tcrg-V6", "Trav1"], 0.02)
    identity |= dict.fromkeys(collection["Treg"].up, 4.0) | {"Cd4": 4.0, "Cd8a": 0.05, "Cd8b1": 0.05}
    cycle = identity | dict.fromkeys(collection["T_proliferating"].up, 12.0)
    resting = draw_cells(plant(toy_rates, toy_var["symbol"], identity), 60, depth=4000, seed=1)
    cycling = draw_cells(plant(toy_rates, toy_var["symbol"], cycle), 15, depth=4000, seed=2)
    calls = call(sparse.csr_matrix(sparse.vstack([resting, cycling])), toy_var, collection, states, bins)
    assert (calls["state"] == "Treg").mean() > 0.95
    assert calls["programme:cycling"].iloc[60:].mean() > 0.9
    assert calls["programme:cycling"].iloc[:60].mean() < 0.1
    table = summarise(calls, states).set_index("state")
    assert 0.15 < table.loc["Treg", "programme:cycling"] < 0.3


def test_states_without_their_genes_are_not_called_and_say_why(
    collection: Signatures, states: States, bins: pd.DataFrame, toy_var: pd.DataFrame, toy_rates: np.ndarray
) -> None:
    gone = {*collection["Treg"].up[1:6], "Trav1"} - {"Foxp3"}
    kept = ~toy_var["symbol"].isin(gone).to_numpy()
    var = toy_var[kept]
    notes = find_missing(collection, states, var)
    assert notes == {
        "Treg": "6 of 11 genes of Treg are in the study, and 60% are needed",
        "MAIT": "its gate asks for Trav1, and the study has no such gene",
    }
    levels = {"Cd4": 4.0, "Cd8a": 0.05, "Cd8b1": 0.05, "Foxp3": 5.0} | dict.fromkeys(collection["Treg"].up, 5.0)
    counts = draw_cells(plant(toy_rates, toy_var["symbol"], levels), 40, depth=4000, seed=3)[:, np.flatnonzero(kept)]
    calls = call(sparse.csr_matrix(counts), var, collection, states, bins)
    assert not (calls["state"] == "Treg").any()
    table = summarise(calls, states, notes).set_index("state")
    assert table.loc["Treg", "note"] == notes["Treg"]
    assert table.loc["CD8_Tex", "note"] == ""


def test_nothing_is_missing_where_every_gene_is_there(
    collection: Signatures, states: States, toy_var: pd.DataFrame
) -> None:
    assert find_missing(collection, states, toy_var) == {}
