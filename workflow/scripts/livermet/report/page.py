"""The report: one self-contained page, answers first."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from livermet.keys import KEPT, MOUSE, SAMPLE, TIERS
from livermet.notices import LOUD, QUIET
from livermet.plots.words import words
from livermet.report import cells, details
from livermet.report.answers import make_cards, make_claims
from livermet.report.doctor import describe_calls, describe_findings
from livermet.report.figures import make_pictures
from livermet.report.integration import describe_integration, table_of_clusters
from livermet.report.label_null import tables_of_labels
from livermet.report.lineages import table_of_evidence, table_of_markers, table_of_opinions
from livermet.report.rendering import render
from livermet.report.tables import Column, build, everything

NOTICES = (
    "Cells are measured and mice are tested: no p-value on this page takes a cell for a replicate.",
    "Single-cell counts carry ratios only. Every abundance is relative to the other cells of the same mouse.",
    "T cells that died are not in the data; their absence shows in abundance, not in expression.",
    "Fas is a target of p53, which radiation activates: read it beside the p53 response.",
    "livermet is under the MIT licence. edgepython, pylimma, igraph and harmonypy, which it calls, are under the GPL.",
)
TIER_MEANING = {
    "confirmatory": "named in advance, with at least two mice in every arm and three residual degrees of freedom",
    "exploratory": "too few mice or residual degrees of freedom to rely on; a lead, not a result",
    "descriptive": "no residual degrees of freedom: an effect size without a p-value",
    "not estimable": "the design or the data cannot answer",
}


@dataclass(frozen=True)
class Results:
    """Tables that the page is made from."""

    answers: pd.DataFrame
    expression: pd.DataFrame
    pathways: pd.DataFrame
    composition: pd.DataFrame
    mechanism: pd.DataFrame
    barcodes: pd.DataFrame
    samples: pd.DataFrame
    labels: pd.DataFrame
    evidence: pd.DataFrame
    stability: pd.DataFrame
    cluster_stability: pd.DataFrame
    integration: pd.DataFrame
    groups: pd.DataFrame
    tcell_integration: pd.DataFrame
    tcell_groups: pd.DataFrame
    coverage: pd.DataFrame
    inputs: pd.DataFrame
    tests: pd.DataFrame
    calls: pd.DataFrame
    label_permutations: pd.DataFrame
    notices: pd.DataFrame
    profiles: pd.DataFrame
    suspects: pd.DataFrame
    truth: pd.DataFrame | None
    opinions: pd.DataFrame | None = None
    marker_coverage: pd.DataFrame | None = None


def write_page(
    *,
    config: Mapping[str, Any],
    results: Results,
    design: Mapping[str, Any],
    findings: Mapping[str, Any],
    methods: Mapping[str, Any],
    versions: Mapping[str, Any],
    images: Mapping[str, bytes],
    captions: Mapping[str, str],
) -> str:
    """Write the report.

    Parameters
    ----------
    config
        The resolved config.
    results
        The tables.
    design
        Content of design.json.
    findings
        What the design doctor found, content of findings.json.
    methods
        See :func:`livermet.report.methods.compose_methods`.
    versions
        See :func:`livermet.report.versions.read_versions`.
    images, captions
        Figure -> PNG, figure -> plain text.

    Returns
    -------
    str
        HTML that needs no other file and no network. Every value is escaped.
    """
    factors = design["factors"]
    mechanism_labels = _labels(results.mechanism)
    populations = list(config["design"]["populations"])
    asked = {name: one["sentence"] for name, one in design["questions"].items()}
    pictures = make_pictures(images, captions)
    cards = make_cards(results.answers, asked, design["questions"], mechanism_labels)
    return render(
        "page.html.j2",
        config=config,
        title=config["title"] or config["study"],
        simulated=bool(config["demo"]["simulate"]),
        facts=_facts(results, config),
        cards=cards,
        tiers={tier: TIER_MEANING[tier] for tier in TIERS if tier in {row.tier for card in cards for row in card.rows} | {card.tier for card in cards}},
        claims=make_claims(results.answers, asked, mechanism_labels),
        pictures=pictures,
        question_tables=[
            (card, details.tables_of_question(card.name, results.expression, results.pathways, results.composition,
                                              results.mechanism, populations)
             + tables_of_labels(results.label_permutations, card.name))
            for card in cards
        ],
        states=details.table_of_states(results.labels, config["tcells"]["lineages"]),
        coverage=_coverage(results.coverage),
        lineages=table_of_evidence(results.evidence),
        opinions=table_of_opinions(results.opinions),
        marker_coverage=table_of_markers(results.marker_coverage),
        clusters=table_of_clusters(results.cluster_stability, results.stability),
        integration=describe_integration(results.integration, results.groups, config["embed"]),
        tcell_integration=describe_integration(results.tcell_integration, results.tcell_groups, config["embed"]),
        doctor=describe_findings(findings, results.tests),
        design_columns=list(design["columns"]),
        cell_tests=describe_calls(results.calls, asked),
        samples=details.table_of_samples(results.barcodes, results.samples, factors),
        profiles=cells.table_of_profiles(results.profiles, results.samples),
        suspects=cells.table_of_suspects(results.suspects),
        truth=None if results.truth is None else everything(results.truth),
        methods=methods,
        versions=versions,
        inputs=_inputs(results.inputs),
        config_text=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
        told=_told(results.notices),
        notices=NOTICES,
        words=words,
    )  # fmt: skip


def _facts(results: Results, config: Mapping[str, Any]) -> dict[str, str]:
    """The study in a few numbers."""
    kept = results.barcodes[results.barcodes[KEPT].astype(bool)]
    return {
        "mice": _left(kept[MOUSE].nunique(), results.samples[MOUSE].nunique()),
        "samples": _left(kept[SAMPLE].nunique(), results.samples[SAMPLE].nunique()),
        "cells kept": f"{len(kept):,}",
        "barcodes read": f"{len(results.barcodes):,}",
        "populations tested": f"{len(config['design']['populations']):,}",
        "questions asked": f"{len(config['design']['questions']):,}",
    }


def _left(number: int, total: int) -> str:
    """How many are left; of how many, where some are not."""
    return f"{total:,}" if number == total else f"{number:,} of {total:,}"


def _told(notices: pd.DataFrame) -> dict[str, list[dict[Hashable, Any]]]:
    """What the steps have to tell, by how loudly."""
    table = notices.fillna("").astype(str)
    return {level: table[table["level"] == level].to_dict("records") for level in (LOUD, QUIET)}


def _labels(mechanism: pd.DataFrame) -> dict[str, str]:
    """Read-out -> words for it."""
    known = mechanism.drop_duplicates("readout")
    return dict(zip(known["readout"].astype(str), known["label"].astype(str), strict=True))


def _coverage(coverage: pd.DataFrame) -> Any:
    columns = (Column("signature", "Signature", "words"), Column("n_genes", "Genes", "count"),
               Column("n_found", "Found", "count"), Column("share", "Share", "percent"))  # fmt: skip
    return build(coverage, columns)


def _inputs(inputs: pd.DataFrame) -> Any:
    columns = (Column("sample", "Sample", "code"), Column("file", "File", "code"), Column("bytes", "Size", "size"),
               Column("sha256", "SHA-256", "code"))  # fmt: skip
    return build(inputs, columns)
