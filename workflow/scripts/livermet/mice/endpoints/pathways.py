"""Signatures, mouse by mouse: the primary endpoint.

A gene set moves together or not at all, and a mean over its genes is known far better than each of them. For every question
and population each applicable set (:mod:`livermet.mice.endpoints.applicable`) gets

- an estimate: the mean log2 fold change of its genes, down genes with the sign turned, with an interval from one score a
  mouse (mean log2 CPM of the set) in a linear model whose variances are moderated across sets (Smyth 2004,
  doi:10.2202/1544-6115.1027);
- `p_value`: **fry**, the analytic limit of the rotation test ROAST (Wu et al. 2010, doi:10.1093/bioinformatics/btq401): do
  the genes of the set change at all (self-contained)?
- `camera_p_value`: do they change more than the other genes (competitive; Wu & Smyth 2012, doi:10.1093/nar/gks461)?

The genes whose effect on a question the ambient RNA can make (:mod:`livermet.mice.endpoints.ambience`) are counted, and
estimate and fry are given once more without them: a headline that goes with them was one about the soup. A set of which
fewer than three genes are left has no such estimate.

A question that spans tissues has several units of a mouse, correlated within the mouse
(:mod:`livermet.mice.models.blocks`): means of sets by the consensus of all sets' scores, single genes, for camera, by that of
the genes.

voom's precisions (Law et al. 2014, doi:10.1186/gb-2014-15-2-r29) are split into a part for the gene and a part for the
mouse (their means on the log scale): mice are weighed by theirs, and genes are brought to one scale of noise by theirs
before their variances are moderated. Weights of their own for every gene would leave the genes' residuals without the
common basis that fry needs.

Adjusted p-values are Benjamini-Hochberg within a question, over all populations and sets that were tested.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from livermet import keys
from livermet.mice.design.model import Contrast, Design
from livermet.mice.endpoints.ambience import explain, flag_panel
from livermet.mice.endpoints.applicable import choose, circular_genes
from livermet.mice.endpoints.gene_sets import MIN_GENES, find_sets
from livermet.mice.endpoints.pseudobulk import Selection, select
from livermet.mice.models import equivalence
from livermet.mice.models.blocks import are_repeated, can_be_judged, within_mouse_correlation
from livermet.mice.models.contrasts import N_MICE
from livermet.mice.models.libraries import Libraries, log_cpm, normalise, voom
from livermet.mice.models.linear import RowFit, adjust_within_question, fit_rows
from livermet.mice.models.moderated import voom_blocked
from livermet.mice.models.power import mice_per_arm_needed, replication
from livermet.mice.models.set_tests import (
    GeneSet,
    Measured,
    ModeratedGenes,
    competitive,
    score,
    score_sets,
    self_contained,
)
from livermet.tcells.signatures import GeneIndex

if TYPE_CHECKING:
    from anndata import AnnData

Array = npt.NDArray[np.float64]

SIGNATURE = "signature"
CAMERA_P_VALUE = "camera_p_value"
CAMERA_ADJUSTED = "camera_adjusted_p_value"
TESTED_KINDS = ("effect", "difference", "synergy", "equivalence")
COLUMNS = (
    keys.QUESTION,
    keys.POPULATION,
    SIGNATURE,
    keys.N_GENES,
    keys.ESTIMATE,
    keys.STANDARD_ERROR,
    keys.CI_LOW,
    keys.CI_HIGH,
    keys.P_VALUE,
    keys.ADJUSTED_P_VALUE,
    CAMERA_P_VALUE,
    CAMERA_ADJUSTED,
    keys.N_AMBIENT_GENES,
    keys.ESTIMATE_WITHOUT_AMBIENT,
    keys.P_VALUE_WITHOUT_AMBIENT,
    keys.MDE,
    keys.MICE_NEEDED,
    keys.TIER,
    N_MICE,
    *equivalence.COLUMNS,
)


def test_pathways(
    *,
    pseudobulk: AnnData,
    design: Design,
    signatures: Sequence[Mapping[str, Any]],
    aliases: Mapping[str, Collection[str]],
    defining: Mapping[str, Collection[str]],
    panel: Collection[str] = (),  # noqa: PT028 (a rule of the workflow, no test)
) -> pd.DataFrame:
    """Put every question to every applicable set of every population.

    Parameters
    ----------
    pseudobulk
        Rows unit x population (see :func:`livermet.mice.endpoints.pseudobulk.sum_counts`).
    design
        The checked design; its settings name populations, signatures, min_cells, confidence, effect_of_interest.
    signatures
        All sets: name, kind, lineage, up, down.
    aliases
        Symbol -> other names of the same gene.
    defining
        Label -> genes by which it is called (:func:`livermet.mice.endpoints.applicable.defining_genes`).
    panel
        Symbols that are flagged as ambient where the soup is not known
        (:func:`livermet.mice.endpoints.ambience.panel_genes`).

    Returns
    -------
    pandas.DataFrame
        One row a question x population x set (:data:`COLUMNS`), log2; p-values and intervals NaN where the tier is
        descriptive.
    """
    settings = design.settings
    tables: list[pd.DataFrame] = []
    for part, names in design.parts():
        names = [name for name in names if part[name].kind in TESTED_KINDS]
        for population, labels in settings["populations"].items() if names else ():
            selection = select(pseudobulk, population, part, settings["min_cells"])
            contrasts = [selection.design[name] for name in names if selection.design[name].estimable]
            sets = choose(signatures, labels, settings["signatures"])
            if not contrasts or not sets:
                continue
            libraries = normalise(selection.counts, selection.design.matrix.to_numpy())
            symbols = pseudobulk.var.loc[libraries.kept, keys.SYMBOL].astype(str)
            found = find_sets(sets, GeneIndex(symbols.to_list(), aliases), circular_genes(labels, defining))
            if not found:
                continue
            soup = explain(selection, libraries, contrasts, flag_panel(symbols, panel, labels))
            for table in _test_population(measure_genes(selection, libraries), found, contrasts, soup):
                table.insert(1, keys.POPULATION, population)
                tables.append(table)
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    table = design.in_order(pd.concat(tables, ignore_index=True))
    for p_value, adjusted in ((keys.P_VALUE, keys.ADJUSTED_P_VALUE), (CAMERA_P_VALUE, CAMERA_ADJUSTED)):
        table[adjusted] = adjust_within_question(table, p_value)
    return equivalence.judge(table, float(settings["confidence"]))[list(COLUMNS)]


def measure_genes(selection: Selection, libraries: Libraries) -> Measured:
    """Values of the kept genes and weights of the units with enough cells."""
    design = selection.design
    matrix = design.matrix.to_numpy()
    mice, correlation = list(design.units[keys.MOUSE]), 0.0
    if not can_be_judged(mice, design.residual_df):
        values = log_cpm(libraries)
        return Measured(values, np.ones(len(values)), np.ones(len(matrix)), design)
    if are_repeated(mice):
        values, precisions, correlation = voom_blocked(libraries, matrix, mice)
    else:
        values, precisions = voom(libraries, matrix)
    logs = np.log(precisions)
    weights = np.exp(logs.mean(axis=0))
    return Measured(values, np.exp(logs.mean(axis=1)), weights / weights.mean(), design, correlation)


def _test_population(
    measured: Measured, sets: list[GeneSet], contrasts: list[Contrast], soup: Mapping[str, pd.DataFrame]
) -> list[pd.DataFrame]:
    """A table for every contrast."""
    design, confidence = measured.design, float(measured.design.settings["confidence"])
    scores = score_sets(measured, sets)
    tested = can_be_judged(measured.mice, design.residual_df)
    matrix, weights = design.matrix.to_numpy(dtype=float), np.broadcast_to(measured.weights, scores.shape)
    correlation = within_mouse_correlation(scores, matrix, measured.mice, weights) if tested else 0.0
    basis = measured.basis(correlation)
    fit = fit_rows(pd.DataFrame(scores @ basis.T, index=[item.name for item in sets]), basis @ matrix)
    influence = (np.linalg.pinv(basis @ matrix) @ basis).T
    moderated = ModeratedGenes(measured) if tested else None
    tables = []
    for contrast in contrasts:
        table = _estimate(fit, contrast, design, confidence)
        if not tested:
            table[[keys.STANDARD_ERROR, "df", keys.CI_LOW, keys.CI_HIGH, keys.MDE, keys.MICE_NEEDED]] = np.nan
        table.insert(0, keys.QUESTION, contrast.name)
        table.insert(1, SIGNATURE, [item.name for item in sets])
        table.insert(2, keys.N_GENES, [len(item.places) for item in sets])
        vector = np.asarray(contrast.vector, dtype=float)
        clean = [item.without(soup[contrast.name][keys.IS_AMBIENT].to_numpy(dtype=bool)) for item in sets]
        places = _mark_ambient(table, clean)
        again = [clean[place] for place in places]
        table.loc[places, keys.ESTIMATE_WITHOUT_AMBIENT] = [
            score(measured, item) @ influence @ vector for item in again
        ]
        p = np.full(len(sets) + len(again), np.nan)
        if moderated:
            p = self_contained(measured, [*sets, *again], vector, correlation)
        table[keys.P_VALUE] = p[: len(sets)]
        table[keys.P_VALUE_WITHOUT_AMBIENT] = table[keys.P_VALUE].where(table[keys.N_AMBIENT_GENES] == 0)
        table.loc[places, keys.P_VALUE_WITHOUT_AMBIENT] = p[len(sets) :]
        table[CAMERA_P_VALUE] = competitive(moderated.z(vector), sets) if moderated else np.nan
        if equivalence.is_equivalence(contrast.kind):
            margin = equivalence.find_margin(contrast.name, design.settings, SIGNATURE)
            table = equivalence.turn(table, margin, confidence)
            table[[CAMERA_P_VALUE, keys.P_VALUE_WITHOUT_AMBIENT]] = np.nan  # of a difference; sameness is of the score
        tables.append(table.drop(columns="df"))
    return tables


def _mark_ambient(table: pd.DataFrame, clean: list[GeneSet]) -> list[int]:
    """Count the genes that the soup explains; rows that have some and keep enough others to be tested without them."""
    left = np.array([len(item.places) for item in clean])
    table[keys.N_AMBIENT_GENES] = table[keys.N_GENES] - left
    some = (table[keys.N_AMBIENT_GENES] > 0).to_numpy()
    table[keys.ESTIMATE_WITHOUT_AMBIENT] = table[keys.ESTIMATE].where(~some)
    return [int(place) for place in np.flatnonzero(some & (left >= MIN_GENES))]


def _estimate(fit: RowFit, contrast: Contrast, design: Design, confidence: float) -> pd.DataFrame:
    """Mean log2 fold changes with their intervals and power."""
    table = fit.estimate(np.asarray(contrast.vector, dtype=float), confidence).reset_index(drop=True)
    mice_now, n_arms = replication(contrast, design)
    known: dict[str, Any] = {"mice_now": mice_now, "n_arms": n_arms, "confidence": confidence}
    error, df = table[keys.STANDARD_ERROR], table["df"]
    if equivalence.is_equivalence(contrast.kind):
        margin = equivalence.find_margin(contrast.name, design.settings, SIGNATURE)
        table[keys.MICE_NEEDED] = equivalence.mice_for_equivalence(error, df, margin=margin, **known)
    else:
        effect = float(design.settings["effect_of_interest"])
        table[keys.MICE_NEEDED] = mice_per_arm_needed(error, df, effect=effect, **known)
    table[keys.TIER], table[N_MICE] = contrast.tier, json.dumps(contrast.n_mice)
    wanted = (
        keys.ESTIMATE,
        keys.STANDARD_ERROR,
        "df",
        keys.CI_LOW,
        keys.CI_HIGH,
        keys.MDE,
        keys.MICE_NEEDED,
        keys.TIER,
        N_MICE,
    )
    return table[list(wanted)]
