"""What the truth of the demo says of genes: planted effects by arm, and where a call can be judged by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from livermet.demo.planted import ARM, ARMS
from livermet.keys import GENE_ID, LOG_FOLD_CHANGE, POPULATION, QUESTION
from livermet.mice.design.questions import terms, weights


def known_changes(
    truth: Mapping[str, pd.DataFrame], questions: Sequence[Mapping[str, Any]], factors: Mapping[str, Sequence[str]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the truth knows of genes: where it can judge a call, and which genes were moved there.

    Parameters
    ----------
    truth
        `genes` and `abundance`, as the simulation wrote them.
    questions, factors
        Of the resolved design.

    Returns
    -------
    judged
        question, population: where nothing was planted at all, any population (marked by an empty name); else those that
        were simulated as such. In a mixture of them a shift of its parts moves genes, too.
    moved
        question, population, gene_id: planted effects other than 0.
    """
    named = {question["name"]: question for question in questions}
    rate = truth["abundance"].set_index([POPULATION, ARM])[LOG_FOLD_CHANGE].unstack()
    genes = by_arm(truth["genes"])
    simulated = genes.index.get_level_values(POPULATION).unique()
    judged: list[tuple[str, str]] = []
    moved: list[pd.DataFrame] = []
    for name, question in named.items():
        if question["kind"] == "rescue":
            continue
        weight = weights(terms(question, named, factors), factors)
        effects, shifts = combine(genes, weight), combine(rate, weight)
        untouched = float(effects.abs().sum() + shifts.abs().sum()) < 1e-6
        judged += [(name, "")] if untouched else [(name, str(population)) for population in simulated]
        moved.append(effects[effects.abs() > 1e-9].index.to_frame(index=False).assign(**{QUESTION: name}))
    columns = [QUESTION, POPULATION, GENE_ID]
    return pd.DataFrame(judged, columns=columns[:2]), pd.concat(moved, ignore_index=True)[columns]


def by_arm(planted: pd.DataFrame) -> pd.DataFrame:
    """Planted gene effects, a column an arm; arms in which nothing was planted are columns of 0."""
    wide = planted.set_index([POPULATION, GENE_ID, ARM])[LOG_FOLD_CHANGE].unstack()
    return wide.reindex(columns=list(ARMS)).fillna(0.0)


def combine(by_arm: Any, weight: Mapping[str, float]) -> Any:
    """Weighted sum over arms of a Series (by arm) or of a table's columns."""
    return sum(value * by_arm[arm] for arm, value in weight.items())
