"""Marker sets: from a table, by older names, with a coverage that says what is looked for, and never for human genes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.cells.toy_lineages import MARKERS, make_study

from livermet.cells.lineages.annotate import annotate_cells
from livermet.cells.lineages.marker_tables import as_content
from livermet.cells.lineages.markers import cover, offer, read_markers, take_panel
from livermet.errors import InputError

SETTINGS: dict[str, Any] = {"min_margin": 0.15, "min_score": 0.3, "seed": 1}


def clusters_of(study: Any) -> pd.DataFrame:
    return pd.DataFrame({"leiden": pd.factorize(study.obs["planted"])[0].astype(str)}, index=study.obs_names)


def as_table(content: dict[str, Any], *lineages: str) -> pd.DataFrame:
    rows = [(name, gene, way) for name in lineages for way in ("up", "down") for gene in content["lineages"][name][way]]
    return pd.DataFrame(rows, columns=["lineage", "gene", "direction"])


def test_a_table_says_what_the_yaml_says() -> None:
    table = as_table(MARKERS, "T_cell", "B_cell", "Neutrophil")
    from_table, from_yaml = read_markers(table), read_markers(MARKERS)
    wanted = {one.lineage: (one.up, one.down) for one in from_yaml.sets}
    assert {one.lineage: (one.up, one.down) for one in from_table.sets} == {
        name: wanted[name] for name in ("T_cell", "B_cell", "Neutrophil")
    }
    study = make_study({"T_cell": 60, "B_cell": 60, "Neutrophil": 60})
    found = annotate_cells(study, clusters_of(study), table, **SETTINGS)
    assert (found.lineages["lineage"] == study.obs["planted"]).mean() > 0.99


def test_two_columns_are_enough_and_kinds_and_signs_are_read() -> None:
    content = as_content(pd.DataFrame({"Lineage ": ["A", "A"], "gene": ["Cd3e", "Cd3d"]}))
    assert content == {"lineages": {"A": {"compartment": "immune", "up": ["Cd3e", "Cd3d"], "down": []}}}
    table = pd.DataFrame(
        {"lineage": ["A", "A", "A"], "gene": ["X", "Y", "Z"], "direction": ["+", "-", ""], "subset": ["k", "k", "l"],
         "compartment": ["non_immune", "", ""]}
    )  # fmt: skip
    assert as_content(table)["lineages"]["A"] == {
        "compartment": "non_immune",
        "subsets": {"k": {"up": ["X"], "down": ["Y"]}, "l": {"up": ["Z"], "down": []}},
    }


def test_every_faulty_row_of_a_table_is_said_at_once() -> None:
    table = pd.DataFrame(
        {"lineage": ["A", "", "A", "A", "A"], "gene": ["Cd4", "Cd8a", "Cd4", "", "Cd4"],
         "direction": ["up", "up", "up", "sideways", "down"]}
    )  # fmt: skip
    with pytest.raises(InputError) as raised:
        as_content(table)
    places = [problem.where for problem in raised.value.problems]
    assert places == [f"marker table, row {row}" for row in (3, 4, 5, 5, 6)]
    assert "stands there twice (row 2)" in str(raised.value)
    assert "is both up and down (row 2)" in str(raised.value)
    with pytest.raises(InputError, match="no column gene; unknown column marker"):
        as_content(pd.DataFrame({"lineage": ["A"], "marker": ["Cd4"]}))


def test_older_names_of_genes_are_known_unless_the_new_one_is_there() -> None:
    study = make_study({"Plasma_cell": 20})
    study.var["symbol"] = study.var["symbol"].replace({"Jchain": "Igj"})
    panel = take_panel(study, read_markers(MARKERS))
    assert "Jchain" in panel.symbols
    column = panel.counts[:, [panel.symbols.index("Jchain")]].toarray()
    np.testing.assert_array_equal(column, study.X[:, np.flatnonzero(study.var["symbol"] == "Igj")].toarray())
    study.var["symbol"] = study.var["symbol"].replace({"Background1": "Jchain"})
    again = take_panel(study, read_markers(MARKERS))
    column = again.counts[:, [again.symbols.index("Jchain")]].toarray()
    np.testing.assert_array_equal(column, study.X[:, np.flatnonzero(study.var["symbol"] == "Jchain")].toarray())


def test_a_set_with_too_few_of_its_genes_is_not_looked_for(caplog: pytest.LogCaptureFixture) -> None:
    study = make_study({"T_cell": 60, "B_cell": 60})
    lost = MARKERS["lineages"]["B_cell"]["up"][:4]  # 4 of 8 are left: half, and less than three fifths
    study = study[:, ~study.var["symbol"].isin(lost)].copy()
    found = annotate_cells(study, clusters_of(study), MARKERS, **SETTINGS)
    row = found.coverage.set_index("lineage").loc["B_cell"]
    assert (row["n_genes"], row["n_found"], row["share"], bool(row["enough"])) == (8, 4, 0.5, False)
    assert row["missing"].split() == lost
    assert "B_cell" not in set(found.lineages["lineage"])
    assert "B_cell is not looked for: the counts know 4 of its 8 marker genes" in caplog.text


def test_no_set_left_is_a_plain_statement() -> None:
    study = make_study({"T_cell": 20})
    everything = read_markers(MARKERS)
    few = study[:, study.var["symbol"].isin(["Cd3e", "Cd3d", "Cd3g", "Lck"])].copy()
    panel = take_panel(few, everything)
    with pytest.raises(InputError, match=r"no lineage has 60% of its marker genes among them; the best is .* with"):
        offer(everything, cover(panel, everything))


def test_human_genes_are_refused_in_words() -> None:
    study = make_study({"T_cell": 20})
    study.var_names = [symbol.upper() for symbol in study.var["symbol"]]
    study.var["symbol"] = study.var_names
    with pytest.raises(InputError, match=r"human genes, such as .*\(expected genes of the mouse"):
        annotate_cells(study, clusters_of(study), MARKERS, **SETTINGS)


def test_every_gene_says_in_which_list_it_was_read() -> None:
    """The field `verification` names every gene of a set once, under a list or under memory."""
    sets = dict(MARKERS["compartments"])
    for name, entry in MARKERS["lineages"].items():
        sets |= entry.get("subsets", {name: entry})
    for name, entry in sets.items():
        text = entry["verification"].replace(" and the down genes", "")
        parts = dict(part.split(":", 1) for part in re.split(r";\s*", text))
        assert set(parts) <= {"scGate", "ScType", "CHOCOLAT", "memory"}, name
        assert sorted(" ".join(parts.values()).split()) == sorted(entry["up"]), name
