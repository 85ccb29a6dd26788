"""How many genes the labels alone would call, beside how many were called, population by population."""

from __future__ import annotations

import pandas as pd

from livermet.keys import N_GENES, PERMUTATION_P_VALUE, POPULATION, QUESTION
from livermet.report.tables import Column, Table, build

COLUMNS = (
    Column(POPULATION, "Population", "words"),
    Column(N_GENES, "Genes", "count"),
    Column("n_called", "Called", "count"),
    Column("null_median", "Labels exchanged: median", "count"),
    Column("null_max", "most", "count"),
    Column("n_permutations", "Other labellings", "count"),
    Column(PERMUTATION_P_VALUE, "p", "p"),
    Column("smallest_p", "Smallest p", "p"),
)
NOTE = (
    "Genes called at a false discovery rate of 5 % within the population by one quick test (limma-trend on log CPM), with the "
    "mice's labels as they were and exchanged: these counts compare with each other, not with the genes above. Mice share "
    "their noise over many genes, so that labels without a meaning now and then call many."
)


def tables_of_labels(label_permutations: pd.DataFrame, question: str) -> list[Table]:
    """The null of the labels for the genes of one question.

    Parameters
    ----------
    label_permutations
        As :func:`livermet.mice.checks.gene_null.permute_genes` gives it, all questions.
    question
        Its name.

    Returns
    -------
    list of Table
        One table, or none where the question has no tested genes.
    """
    part = label_permutations[label_permutations[QUESTION] == question]
    if part.empty:
        return []
    schemes = "; ".join(dict.fromkeys(part["scheme"].astype(str)))
    return [build(part, COLUMNS, "Genes that exchanged labels call", f"{NOTE} Here: {schemes}.")]
