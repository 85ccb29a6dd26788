"""What a test that takes cells for replicates would have claimed: counted, never believed.

**This is the wrong unit of analysis, on purpose.** Cells of one mouse share its genes, its cage, its tumour and its library;
they are not independent, and a test that treats them so finds differences between mice and reports them as effects of the
treatment (Squair et al. 2021, doi:10.1038/s41467-021-25960-2; Zimmerman et al. 2021, doi:10.1038/s41467-021-21038-1). It is
run once, as such papers run it: the Wilcoxon rank-sum test on log-normalised cells of two arms, gene by gene, adjusted by
Benjamini-Hochberg. Only counts of calls leave this module: no p-value of it is published or enters an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse, stats

from livermet import keys
from livermet.mice.design.model import ARM, Contrast, Design
from livermet.mice.design.questions import EFFECT
from livermet.mice.design.units import UNIT

if TYPE_CHECKING:
    from anndata import AnnData

Array = npt.NDArray[np.float64]

MIN_CELLS = 10  # on either side of a comparison
MIN_SHARE = 0.05  # of the cells compared in which a gene must be found
TARGET = 1e4  # counts per cell after normalisation
LOW_WORD = (1 << 32) - 1
COLUMNS = (
    keys.QUESTION,
    keys.POPULATION,
    keys.TIER,
    "n_mice_compared",
    "n_cells_compared",
    "n_genes_by_cells",
    "n_genes_by_mice",
    "called_by_cells",
    "called_by_mice",
    "called_by_both",
    "share_unsupported",
    "judged_by_truth",
    "false_by_cells",
    "false_by_mice",
    "reason",
)


def compare_cell_tests(
    *,
    counts: AnnData,
    labels: pd.DataFrame,
    design: Design,
    expression: pd.DataFrame,
    samples: pd.DataFrame,
    rate: float,
    known: tuple[pd.DataFrame, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Count the genes that a cell-level test calls beside those that the mice support.

    Parameters
    ----------
    counts
        Cells x genes, raw counts in X; obs mouse, tissue, n_umis.
    labels
        Index cell; lineage and state.
    design
        The checked design; its effect questions are compared, cells of the arms that they name only.
    expression, samples
        What :func:`livermet.mice.endpoints.expression.test_expression` gave: the calls with mice as replicates.
    rate
        False discovery rate of both, within a question over all populations.
    known
        In a simulation: (question, population) pairs in which the truth can judge a call (an empty population: in all), and
        the (question, population, gene_id) that were moved. None otherwise.

    Returns
    -------
    pandas.DataFrame
        One row an effect question x population (:data:`COLUMNS`): mice and cells compared, genes tested and called either
        way, those called by both in the same direction, the share of the cell-level calls that the mice do not support,
        whether the truth can judge them and how many calls of either it knows to be false, and why a comparison was left
        out. Nothing in it is a p-value.
    """
    obs = counts.obs
    unit = pd.Series(_unit_names(obs, design), index=obs.index)
    arm = unit.map(design.units[ARM])
    placed = labels[[keys.LINEAGE, keys.STATE]].astype(str).reindex(obs.index)
    totals = obs[keys.N_UMIS].to_numpy(dtype=float)
    tier = samples.set_index([keys.QUESTION, keys.POPULATION])[keys.TIER]
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    tested: dict[str, list[pd.DataFrame]] = {}
    for population, members in design.settings["populations"].items():
        mine = placed[keys.LINEAGE].isin(members["lineages"]) | placed[keys.STATE].isin(members["states"])
        chosen = np.flatnonzero((mine & arm.notna()).to_numpy())
        values = log_normalise(sparse.csr_matrix(counts.X[chosen]), totals[chosen])
        for contrast in design.contrasts.values():
            if contrast.kind != EFFECT:
                continue
            sides = _sides(contrast, arm.iloc[chosen])
            found, row = _compare(values, sides)
            mice = obs[keys.MOUSE].iloc[chosen].to_numpy()[sides != 0]
            row |= {
                "n_mice_compared": len(set(mice)),
                keys.TIER: tier.get((contrast.name, population), keys.NOT_ESTIMABLE),
            }
            rows[contrast.name, population] = row
            if found is not None:
                found.insert(0, keys.POPULATION, population)
                found.insert(1, keys.GENE_ID, counts.var_names[found.pop("place")].astype(str))
                tested.setdefault(contrast.name, []).append(found)
    for question, tables in tested.items():
        calls = _call(question, pd.concat(tables, ignore_index=True), expression, rate)
        for population in design.settings["populations"]:
            row = rows[question, population]
            if not row["reason"]:
                row |= _count(*(part[part[keys.POPULATION] == population] for part in calls))
                row |= _judge(question, population, calls, known)
    order = [(name, population) for name in design.contrasts for population in design.settings["populations"]]
    listed = [
        {keys.QUESTION: name, keys.POPULATION: population, **rows[name, population]}
        for name, population in order
        if (name, population) in rows
    ]
    return pd.DataFrame(listed, columns=list(COLUMNS))


def log_normalise(counts: sparse.csr_matrix, totals: Array) -> sparse.csr_matrix:
    """Counts per ten thousand, log(1 + x): what cell-level papers test.

    Parameters
    ----------
    counts
        Cells x genes, raw.
    totals
        UMIs of each cell, over all genes.
    """
    scaled = counts.astype(np.float32)
    per_cell = np.repeat((TARGET / np.maximum(totals, 1.0)).astype(np.float32), np.diff(scaled.indptr))
    scaled.data = np.log1p(scaled.data * per_cell)
    return scaled


def rank_sum(values: sparse.csc_matrix, first: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Wilcoxon rank-sum test of every gene, cells as replicates: **not** a test of the treatment.

    What :func:`scipy.stats.mannwhitneyu` with ``method="asymptotic"`` gives (ties and continuity corrected), to rounding,
    without ranking the zeros: most values of single cells are zero and share one rank, which is what makes the comparison
    affordable in every run.

    Parameters
    ----------
    values
        Cells x genes, float32, nothing below zero.
    first
        Cells of the first side; the others are the second.

    Returns
    -------
    shift
        (U1 - U2) / (n1 n2), per gene: between -1 and 1, above 0 where the first side is higher.
    p_value
        Two-sided, per gene; 1 where all cells are alike.
    """
    n_cells, n_genes = values.shape
    n_first = int(first.sum())
    n_second = n_cells - n_first
    present = np.diff(values.indptr).astype(np.int64)
    zeros = n_cells - present
    # One integer a value: gene, then value (a positive float32 sorts as its bits do), then side. A sort of plain integers is
    # several times as fast as ranking, and gives the ranks within every gene at once.
    gene = np.repeat(np.arange(n_genes, dtype=np.int64), present)
    bits = np.ascontiguousarray(values.data, dtype=np.float32).view(np.uint32).astype(np.int64)
    key = np.sort((gene << 33) | (bits << 1) | first[values.indices])
    tied = np.flatnonzero(np.diff(key >> 1, prepend=-1))  # first place of every run of equal values
    length = np.diff(tied, append=len(key))
    of_gene = (key[tied] >> 33).astype(np.intp)
    rank = zeros[of_gene] + (tied - values.indptr[:-1][of_gene]) + (length + 1) / 2
    of_first = np.add.reduceat(key & 1, tied) if len(tied) else np.zeros(0, dtype=np.int64)
    present_first = np.bincount(of_gene, weights=of_first, minlength=n_genes)
    rank_total = np.bincount(of_gene, weights=rank * of_first, minlength=n_genes)
    rank_total += (n_first - present_first) * (zeros + 1) / 2
    lost = np.bincount(of_gene, weights=length.astype(float) ** 3 - length, minlength=n_genes)
    lost += zeros.astype(float) ** 3 - zeros
    u = rank_total - n_first * (n_first + 1) / 2
    excess = u - n_first * n_second / 2
    variance = n_first * n_second / 12 * (n_cells + 1 - lost / (n_cells * (n_cells - 1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, (np.abs(excess) - 0.5) / np.sqrt(variance), -np.inf)
    return 2 * excess / (n_first * n_second), np.minimum(2 * stats.norm.sf(z), 1.0)


def _unit_names(obs: pd.DataFrame, design: Design) -> list[str]:
    """The unit of every cell; a name that is no unit where the design does not have it."""
    several = design.units.index.name == UNIT and (design.units.index != design.units[keys.MOUSE]).any()
    mice = obs[keys.MOUSE].astype(str)
    return list(mice + "|" + obs[keys.TISSUE].astype(str)) if several else list(mice)


def _sides(contrast: Contrast, arm: pd.Series) -> npt.NDArray[np.int_]:
    """1 for cells of the arms that an effect adds, -1 for those that it subtracts, 0 for the rest."""
    signs: Mapping[str, int] = {name: int(np.sign(weight)) for name, weight in contrast.weights.items()}
    return np.asarray(arm.map(signs).fillna(0), dtype=np.int_)


def _compare(values: sparse.csr_matrix, sides: npt.NDArray[np.int_]) -> tuple[pd.DataFrame | None, dict[str, Any]]:
    """One comparison: the genes tested, and what is known of it before calls are counted."""
    numbers = [int((sides == side).sum()) for side in (1, -1)]
    row: dict[str, Any] = {"n_cells_compared": sum(numbers), "reason": ""}
    if min(numbers) < MIN_CELLS:
        return None, {**row, "reason": f"fewer than {MIN_CELLS} cells on one side ({numbers[0]} and {numbers[1]})"}
    of_both = values[sides != 0].tocsc()
    kept = np.flatnonzero(np.diff(of_both.indptr) >= MIN_SHARE * of_both.shape[0])
    shift, p = rank_sum(of_both[:, kept], sides[sides != 0] > 0)
    return pd.DataFrame({"place": kept, "shift": shift, "_p": p}), {**row, "n_genes_by_cells": len(kept)}


def _call(
    question: str, tested: pd.DataFrame, expression: pd.DataFrame, rate: float
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Genes called by cells, genes tested by mice, and genes called by both in the same direction; one family each."""
    by_cells = tested[stats.false_discovery_control(tested["_p"].to_numpy(), method="bh") < rate]
    ours = expression[expression[keys.QUESTION].astype(str) == question].astype(
        {keys.POPULATION: str, keys.GENE_ID: str}
    )
    ours = ours.loc[
        ours[keys.P_VALUE].notna(), [keys.POPULATION, keys.GENE_ID, keys.LOG_FOLD_CHANGE, keys.ADJUSTED_P_VALUE]
    ]
    ours["called"] = ours[keys.ADJUSTED_P_VALUE] < rate
    both = by_cells.merge(ours[ours["called"]], on=[keys.POPULATION, keys.GENE_ID])
    return by_cells, ours, both[np.sign(both["shift"]) == np.sign(both[keys.LOG_FOLD_CHANGE])]


def _count(by_cells: pd.DataFrame, ours: pd.DataFrame, both: pd.DataFrame) -> dict[str, Any]:
    """Calls in one population."""
    return {
        "n_genes_by_mice": len(ours),
        "called_by_cells": len(by_cells),
        "called_by_mice": int(ours["called"].sum()),
        "called_by_both": len(both),
        "share_unsupported": 1 - len(both) / len(by_cells) if len(by_cells) else np.nan,
    }


def _judge(
    question: str,
    population: str,
    calls: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    known: tuple[pd.DataFrame, pd.DataFrame] | None,
) -> dict[str, Any]:
    """Calls that a simulation's truth knows to be false."""
    if known is None:
        return {"judged_by_truth": False}
    judged, moved = (part[part[keys.QUESTION] == question] for part in known)
    if not judged[keys.POPULATION].isin([population, ""]).any():
        return {"judged_by_truth": False}
    true = set(moved.loc[moved[keys.POPULATION] == population, keys.GENE_ID])
    by_cells, ours, _ = (part[part[keys.POPULATION] == population] for part in calls)
    return {
        "judged_by_truth": True,
        "false_by_cells": int((~by_cells[keys.GENE_ID].isin(true)).sum()),
        "false_by_mice": int((~ours.loc[ours["called"], keys.GENE_ID].isin(true)).sum()),
    }
