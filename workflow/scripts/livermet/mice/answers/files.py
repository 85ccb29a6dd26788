"""The tables that people and programs take away: cells, samples, scores, and one set per question."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from livermet import keys
from livermet.mice.design.model import ARM, UNIT, Design
from livermet.mice.endpoints import rescue, rescued_genes
from livermet.mice.endpoints.composition import membership
from livermet.mice.models import equivalence
from livermet.mice.models.contrasts import N_MICE

Z = "z:"  # what score_tcells puts before the name of a signature
SIGNATURE = "signature"
FIRST_CELL_COLUMNS = [
    keys.SAMPLE,
    keys.BARCODE,
    keys.MOUSE,
    keys.KEPT,
    keys.DROP_REASON,
    keys.LEIDEN,
    keys.LINEAGE,
    keys.STATE,
    keys.SUBSET,
    keys.PROGRAMMES,
    keys.DOUBLET_SCORE,
    keys.IS_DOUBLET,
    keys.AMBIENT,
]
STATISTICS = [
    keys.LOG_FOLD_CHANGE,
    keys.STANDARD_ERROR,
    keys.CI_LOW,
    keys.CI_HIGH,
    keys.P_VALUE,
    keys.ADJUSTED_P_VALUE,
]
FIRST_COLUMNS = {
    "expression": [keys.POPULATION, keys.GENE, *STATISTICS, keys.MEAN_LOG_CPM, keys.MDE],
    "pathways": [keys.POPULATION, SIGNATURE, keys.ESTIMATE, *STATISTICS[1:], keys.MDE],
    "composition": [
        keys.POPULATION,
        "level",
        *STATISTICS,
        keys.MDE,
        keys.REFERENCES_AGREE,
        keys.HOLDS_ABOVE,
        keys.HOLDS_BELOW,
    ],
    "mechanism": ["readout", keys.POPULATION, keys.ESTIMATE, "unit", *STATISTICS[1:], keys.MDE],
    "robustness": [keys.ENDPOINT, keys.POPULATION, keys.READOUT, keys.ESTIMATE],
    "rescue": rescue.COLUMNS[1:-1],
    "rescue_genes": rescued_genes.GENE_COLUMNS[1:],
}


def list_cells(barcodes: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Every input barcode with what became of it.

    Parameters
    ----------
    barcodes
        Index cell: the quality tables of all samples, with the mouse.
    labels
        Index cell: leiden, lineage, state of the kept cells, and what stands beside them.

    Returns
    -------
    pandas.DataFrame
        Index cell, in the order of `barcodes`; leiden, lineage, state and programmes are empty where the cell was dropped.
    """
    beside = [column for column in keys.BESIDE if column in labels]
    programmes = [keys.PROGRAMMES] if keys.PROGRAMMES in labels else []
    named = (
        labels[[keys.LEIDEN, keys.LINEAGE, keys.STATE, *programmes, *beside]]
        .astype(str)
        .reindex(barcodes.index)
        .fillna("")
    )
    table = barcodes.drop(columns=list(named), errors="ignore").join(named)
    first = [column for column in FIRST_CELL_COLUMNS if column in table]
    return table[first + [column for column in table if column not in first]]


def average_scores(
    scores: pd.DataFrame, labels: pd.DataFrame, units: pd.Series, design: Design, populations: Mapping[str, Any]
) -> pd.DataFrame:
    """Mean z-score of each T-cell signature in each population, once a mouse.

    Parameters
    ----------
    scores
        Index cell (T cells); columns "z:<signature>", others are passed over.
    labels, units
        Index cell: lineage and state; the cell's unit.
    design
        The checked design.
    populations
        The config's populations; those without a scored cell have no rows.

    Returns
    -------
    pandas.DataFrame
        Columns mouse, tissue, arm, population, signature, mean_z, n_cells: a row where a mouse has a scored cell.
    """
    z = scores[[column for column in scores if str(column).startswith(Z)]]
    z = z.rename(columns=lambda column: str(column).removeprefix(Z)).rename_axis(columns=SIGNATURE)
    labels, of = labels.reindex(z.index), units.reindex(z.index)
    tables = []
    for name, population in populations.items():
        chosen = membership(labels, population).to_numpy()
        if not chosen.any():
            continue
        groups = z[chosen].groupby(of[chosen].rename(UNIT))
        means = groups.mean().reindex(design.units.index).dropna(how="all").rename_axis(index=UNIT)
        long = means.reset_index().melt(id_vars=UNIT, var_name=SIGNATURE, value_name="mean_z")
        long[keys.POPULATION], long[keys.N_CELLS] = name, long[UNIT].map(groups.size())
        tables.append(long)
    columns = [keys.MOUSE, keys.TISSUE, ARM, keys.POPULATION, SIGNATURE, "mean_z", keys.N_CELLS]
    if not tables:
        return pd.DataFrame(columns=columns)
    return pd.concat(tables, ignore_index=True).join(design.units[[keys.MOUSE, keys.TISSUE, ARM]], on=UNIT)[columns]


def select_question(question: str, design: Design, **tables: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What the tests say on one question.

    Parameters
    ----------
    question
        Its name. A rescue is made of two effects: its tables hold both, told apart by the column `question`, and genes
        and signatures only of the populations that its read-outs name.
    design
        The checked design.
    tables
        expression, pathways, composition, mechanism, robustness, rescue, rescue_genes: any of them.

    Returns
    -------
    dict
        Name -> table: first the columns that every study has, in a fixed order, then the rest. Numbers of mice are given
        of the arms that the question names. Rows keep the order of the tests.
    """
    contrast = design[question]
    parts = [contrast.damage, contrast.repair] if contrast.kind == rescue.RESCUE else [question]
    found = {}
    for name, table in tables.items():
        wanted = [question] if name in ("rescue", "rescue_genes", "robustness") else parts
        chosen = table[table[keys.QUESTION].isin(wanted)]
        if contrast.kind == rescue.RESCUE and name in ("expression", "pathways"):
            chosen = chosen[chosen[keys.POPULATION].isin(_named(question, design))]
        if not equivalence.is_equivalence(contrast.kind) and name not in ("rescue", "rescue_genes"):
            chosen = chosen.drop(columns=list(equivalence.COLUMNS), errors="ignore")
        chosen = _spread_mice(chosen.reset_index(drop=True))
        first = [column for column in FIRST_COLUMNS[name] if column in chosen]
        if equivalence.is_equivalence(contrast.kind):
            first += [column for column in equivalence.COLUMNS if column in chosen]
        arms = [column for column in chosen if str(column).startswith(keys.N_MICE)]
        rest = [column for column in chosen if column not in first and column not in arms and column != keys.QUESTION]
        found[name] = chosen[[*first, *arms, *rest, keys.QUESTION]]
    return found


def _named(question: str, design: Design) -> set[str]:
    """Populations that the read-outs of a rescue name."""
    asked = {item["name"]: item for item in design.settings["questions"]}[question]
    return {readout[keys.POPULATION] for readout in asked["readouts"]}


def _spread_mice(table: pd.DataFrame) -> pd.DataFrame:
    """The mice of every arm in a column each, in place of one column of JSON."""
    if N_MICE not in table:
        return table
    known = {text: json.loads(text) for text in table[N_MICE].dropna().unique()}
    arms = list(dict.fromkeys(arm for counts in known.values() for arm in counts))
    rest = table.drop(columns=N_MICE)
    for arm in arms:
        counts = {text: mice.get(arm) for text, mice in known.items()}
        rest[keys.N_MICE + arm] = table[N_MICE].map(counts).astype("Int64")
    return rest
