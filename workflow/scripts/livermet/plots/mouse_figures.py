"""Figures of the answers: estimates with their intervals, and the mice that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from livermet.keys import POPULATION, QUESTION, READOUT
from livermet.plots.answers import plot_answers
from livermet.plots.genes import plot_gene_counts, plot_volcanoes
from livermet.plots.mice import plot_mice
from livermet.plots.pathways import plot_pathways
from livermet.plots.pseudoreplication import plot_pseudoreplication
from livermet.plots.rescue import plot_rescue
from livermet.plots.robustness import plot_robustness
from livermet.plots.totals import plot_totals
from livermet.plots.words import capital, words
from livermet.report.numbers import is_true


def draw_answers(
    answers: pd.DataFrame,
    expression: pd.DataFrame,
    mechanism: pd.DataFrame,
    calls: pd.DataFrame,
    left_out: pd.DataFrame,
    design: Mapping[str, Any],
) -> dict[str, Figure]:
    """Name -> figure: `answers`, `robustness`, `gene_counts`, `volcanoes`, `rescue`, `pseudoreplication`.

    Parameters
    ----------
    answers
        One row a question x population x endpoint; `declared` marks those drawn, `lead` those that are drawn where a
        study has declared none.
    expression
        Results of all questions.
    mechanism
        Results of all questions; readout and label are taken from it.
    calls
        Genes called with cells and with mice as replicates, one row an effect question x population.
    left_out
        The declared estimates without each mouse.
    design
        Content of design.json.
    """
    asked, effects, populations = _asked(design)
    told = mechanism.drop_duplicates(READOUT).astype({READOUT: str, "label": str})
    labels: dict[str, str] = dict(zip(told[READOUT], told["label"], strict=True))
    is_rescue = answers["endpoint"] == "rescue"
    declared = answers["declared"].map(is_true).astype(bool)
    changes = ~is_rescue & answers[QUESTION].isin(effects)
    shown = changes & declared
    leads = not shown.any()
    shown = changes & answers["lead"].map(is_true).astype(bool) if leads else shown
    return {
        "answers": plot_answers(answers[shown], asked, labels, leads=leads),
        "robustness": plot_robustness(answers[declared], left_out, asked, labels),
        "gene_counts": plot_gene_counts(expression, list(effects), populations),
        "volcanoes": plot_volcanoes(expression, effects, populations),
        "rescue": plot_rescue(answers[is_rescue], asked),
        "pseudoreplication": plot_pseudoreplication(calls, asked),
    }


def draw_mice(
    pathways: pd.DataFrame,
    proportions: pd.DataFrame,
    readouts: pd.DataFrame,
    mechanism: pd.DataFrame,
    composition: pd.DataFrame,
    design: Mapping[str, Any],
) -> dict[str, Figure]:
    """Name -> figure: `composition`, `totals`, `pathways`, `mechanism`.

    Parameters
    ----------
    pathways, mechanism, composition
        Results of all questions.
    proportions
        One row a unit, level and population: arm, level, population, fraction.
    readouts
        One row a unit and mechanism read-out: arm, readout, population, value.
    design
        Content of design.json.
    """
    _, effects, populations = _asked(design)
    return {
        "composition": draw_composition(proportions, populations, design["factors"]),
        "totals": plot_totals(composition[composition["level"] == "population"], effects, populations),
        "pathways": plot_pathways(pathways, effects, populations),
        "mechanism": draw_readouts(readouts, mechanism, design["factors"]),
    }


def _asked(design: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Sentence of every question, of those about a change, and the populations tested."""
    asked = {name: str(one["sentence"]) for name, one in design["questions"].items()}
    others = ("rescue", "equivalence")  # a share, and p-values that speak for sameness
    effects = {name: text for name, text in asked.items() if design["questions"][name]["kind"] not in others}
    return asked, effects, list(design["settings"]["populations"])


def draw_composition(proportions: pd.DataFrame, populations: list[str], factors: Mapping[str, list[str]]) -> Figure:
    """Share of each population among the kept cells of every mouse."""
    table = proportions[(proportions["level"] == "population") & proportions[POPULATION].isin(populations)]
    table = table.rename(columns={POPULATION: "quantity", "fraction": "value"})
    labels = {name: words(name) for name in populations}
    return plot_mice(
        table, factors, title="Share of each population among a mouse's kept cells", labels=labels, log=True
    )


def draw_readouts(readouts: pd.DataFrame, mechanism: pd.DataFrame, factors: Mapping[str, list[str]]) -> Figure:
    """Every mechanism read-out, in the population that answers most questions."""
    chosen = mechanism.groupby([READOUT, POPULATION], sort=False).size().reset_index(name="n")
    chosen = chosen.sort_values("n", ascending=False, kind="stable").drop_duplicates(READOUT)
    table = readouts.merge(chosen[[READOUT, POPULATION]], on=[READOUT, POPULATION]).rename(
        columns={READOUT: "quantity"}
    )
    texts = mechanism.drop_duplicates(READOUT).set_index(READOUT)["label"]
    labels = {str(name): capital(str(texts[name])) for name in texts.index}
    return plot_mice(table, factors, title="The Fasl-Fas axis, mouse by mouse (log2 scale)", labels=labels, columns=4)
