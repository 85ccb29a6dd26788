"""The answers of one specification: its labels go through the study's own tests, as far as the headlines need them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from livermet import keys
from livermet.errors import InputError
from livermet.mice.answers.table import EXPRESSION, answer
from livermet.mice.design.declared import MECHANISM, SIGNATURE
from livermet.mice.design.model import Design
from livermet.mice.endpoints import expression as genes
from livermet.mice.endpoints import mechanism, pathways
from livermet.mice.endpoints.applicable import defining_genes
from livermet.mice.endpoints.composition import test_composition, units_of
from livermet.mice.endpoints.pseudobulk import sum_counts
from livermet.mice.endpoints.rescue import test_rescue
from livermet.multiverse.grid import RESOLUTION
from livermet.tcells.signatures import load

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("livermet")

COLUMNS = [
    keys.QUESTION,
    keys.POPULATION,
    keys.ENDPOINT,
    keys.READOUT,
    keys.ESTIMATE,
    "unit",
    keys.CI_LOW,
    keys.CI_HIGH,
    keys.P_VALUE,
    keys.ADJUSTED_P_VALUE,
    keys.TIER,
    keys.EQUIVALENT,
]


@dataclass(frozen=True)
class Knowledge:
    """What the tests rest on: contents of the signature, state, marker and mechanism files, macrophage states if called."""

    signatures: Mapping[str, Any]
    states: Mapping[str, Any]
    lineages: Mapping[str, Any]
    mechanism: Mapping[str, Any]
    macrophages: Mapping[str, Any] | None = None


def answer_specification(
    counts: AnnData, labels: pd.DataFrame, samples: pd.DataFrame, design: Design, knowledge: Knowledge
) -> pd.DataFrame:
    """Put the study's questions to one labelling of its cells.

    Abundances and rescues are tested as in the study. Signatures are tested in the populations, and mechanism read-outs
    among those, that the declared endpoints name; their estimates, intervals and p-values do not depend on the others.
    Genes are no headline and are not tested.

    Parameters
    ----------
    counts
        Raw counts; obs sample, mouse, tissue.
    labels
        Index cell, cells of `counts`; lineage and state.
    samples
        Index sample; mouse and, where the study has several, tissue.
    design
        The checked design: gates, thresholds and questions are those of the study in every specification.
    knowledge
        Gene sets, states, markers, read-outs.

    Returns
    -------
    pandas.DataFrame
        Answers as in :func:`livermet.mice.answers.table.answer`, columns :data:`COLUMNS`.
    """
    chosen = counts[labels.index]
    settings = design.settings
    units = units_of(chosen.obs, samples, design)
    collection = load(knowledge.signatures)
    defining = defining_genes(
        knowledge.states, knowledge.macrophages, knowledge.lineages, knowledge.signatures["signatures"]
    )
    pseudobulk = sum_counts(counts=chosen, labels=labels, populations=settings["populations"], units=design.units)
    composition = test_composition(labels, units, design, settings)
    untested = pd.DataFrame(columns=list(genes.COLUMNS))
    tables = {
        "composition": composition["composition"],
        "expression": untested,
        "pathways": _test_signatures(pseudobulk, design, knowledge, defining),
        "mechanism": _test_mechanism(chosen, pseudobulk, labels, units, design, collection, knowledge, defining),
        "rescue": test_rescue(
            composition["abundance"], pseudobulk, untested, design, settings, collection, defining
        )["rescue"],
    }  # fmt: skip
    table = answer(**tables, design=design, words={})
    return table.loc[table[keys.ENDPOINT] != EXPRESSION, COLUMNS].reset_index(drop=True)


def answer_specifications(
    counts: AnnData,
    labels: pd.DataFrame,
    outcomes: pd.DataFrame,
    samples: pd.DataFrame,
    design: Design,
    knowledge: Knowledge,
    choices: Mapping[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Answer several labellings of one set of cells; one that cannot be answered keeps its row, with the reason.

    Parameters
    ----------
    counts, samples, design, knowledge
        As for :func:`answer_specification`.
    labels
        Columns resolution, cell, lineage, state.
    outcomes
        One row per resolution, with `failure`, as :func:`livermet.multiverse.labels.relabel_cells` gives them.
    choices
        What else makes these specifications: mads, doublets, integrate.

    Returns
    -------
    estimates : DataFrame
        The choices, resolution and :data:`COLUMNS`.
    outcomes : DataFrame
        As given, with the choices, `failure` filled where the tests failed.
    """
    columns = [*choices, RESOLUTION, *COLUMNS]
    tables = [pd.DataFrame(columns=columns)]
    outcomes = outcomes.assign(**choices, **{keys.FAILURE: outcomes[keys.FAILURE].fillna("").astype(object)})
    seen: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    for row, resolution in outcomes.loc[outcomes[keys.FAILURE] == "", RESOLUTION].items():
        mine = labels[labels[RESOLUTION] == resolution].set_index(keys.CELL)[[keys.LINEAGE, keys.STATE]]
        # Other clusters often come to the same labels in the end, and the same labels to the same answers.
        known = [answers for before, answers in seen if mine.equals(before)]
        try:
            found = known[0] if known else answer_specification(counts, mine, samples, design, knowledge)
        except InputError as error:
            outcomes.loc[row, keys.FAILURE] = str(error)
            log.warning("resolution %g: %s", resolution, error)
            continue
        seen.append((mine, found))
        tables.append(found.assign(**choices, resolution=resolution)[columns])
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True), outcomes


def _declared(design: Design, endpoint: str, key: str) -> list[str]:
    """What the declared endpoints of one kind name, each once."""
    named = [one[key] for one in design.settings.get("endpoints", ()) if one["endpoint"] == endpoint]
    return list(dict.fromkeys(named))


def _test_signatures(
    pseudobulk: AnnData, design: Design, knowledge: Knowledge, defining: Mapping[str, frozenset[str]]
) -> pd.DataFrame:
    named = _declared(design, SIGNATURE, keys.POPULATION)
    populations = {name: design.settings["populations"][name] for name in named}
    part = dataclasses.replace(design, settings={**design.settings, "populations": populations})
    return pathways.test_pathways(
        pseudobulk=pseudobulk,
        design=part,
        signatures=knowledge.signatures["signatures"],
        aliases=knowledge.signatures["aliases"],
        defining=defining,
    )


def _test_mechanism(
    counts: AnnData,
    pseudobulk: AnnData,
    labels: pd.DataFrame,
    units: pd.Series,
    design: Design,
    collection: Any,
    knowledge: Knowledge,
    defining: Mapping[str, frozenset[str]],
) -> pd.DataFrame:
    wanted = set(_declared(design, MECHANISM, keys.READOUT))
    declared = mechanism.load(knowledge.mechanism)
    wanted |= {part for item in declared.readouts if item.name in wanted for part in item.of}
    readouts = tuple(item for item in declared.readouts if item.name in wanted)
    if not readouts:
        return pd.DataFrame(columns=mechanism.COLUMNS)
    return mechanism.test_mechanism(
        counts,
        pseudobulk,
        labels,
        units,
        design,
        design.settings,
        collection,
        declared.model_copy(update={"readouts": readouts}),
        defining,
    )["mechanism"]
