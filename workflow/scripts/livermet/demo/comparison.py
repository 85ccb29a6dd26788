"""Did we find what was planted? The results of the demo beside its truth, each with a criterion and a verdict.

Every number here is computed from the two; the criteria are the constants below. A miss is a result: it is printed like a hit,
and no criterion is to be moved because of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, f1_score

from livermet.demo import programmes
from livermet.demo.cells import DOUBLET_KIND, LOW_QUALITY
from livermet.demo.known import by_arm, combine
from livermet.demo.planted import ARM, REPAIR, RESCUE, SIGNATURE
from livermet.keys import (
    ADJUSTED_P_VALUE,
    AMBIENT,
    CELL,
    CI_HIGH,
    CI_LOW,
    DOUBLET_SCORE,
    GENE,
    GENE_ID,
    IS_DOUBLET,
    LINEAGE,
    LOG_FOLD_CHANGE,
    POPULATION,
    QUESTION,
    READOUT,
    SAMPLE,
    STANDARD_ERROR,
    STATE,
    UNASSIGNED,
)
from livermet.mice.design.questions import terms, weights

MIN_LINEAGE_F1, MIN_STATE_F1, MIN_CALLED, MIN_AUPRC = 0.95, 0.85, 0.75, 0.5
MAX_AMBIENT_ERROR = 0.02  # share of UMIs, per sample
MAX_FALSE_DISCOVERIES = 0.1  # share of the genes called; 5 % is asked for
SLOPE = (0.8, 1.2)  # of estimated on planted log fold changes
CLEAR_EFFECT = 0.9  # a planted effect of this size must be told from 0
MIN_CELLS = 20  # of a lineage, for its F1 to mean something
FDR = 0.05

LIVER_GENES = frozenset(programmes.levels(programmes.IDENTITY["Hepatocyte"]))

QUANTITY, PLANTED, FOUND, DETAIL, VERDICT = "quantity", "planted", "found", "detail", "verdict"
COLUMNS = [QUANTITY, PLANTED, FOUND, DETAIL, VERDICT]


@dataclass(frozen=True)
class Row:
    """One comparison; `planted` is NaN where a score, not an effect, is judged."""

    quantity: str
    planted: float
    found: float
    detail: str
    met: bool


def compare_with_truth(
    *,
    barcodes: pd.DataFrame,
    labels: pd.DataFrame,
    composition: pd.DataFrame,
    rescue: pd.DataFrame,
    expression: pd.DataFrame,
    truth: Mapping[str, pd.DataFrame],
    questions: Sequence[Mapping[str, Any]],
    factors: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Set the results beside the truth.

    Parameters
    ----------
    barcodes
        Index cell: sample, kept, doublet score, ambient share of every barcode.
    labels
        Index cell: lineage and state of every kept cell.
    composition, rescue, expression
        What the mice gave, all questions.
    truth
        `cells`, `genes`, `abundance`, `rescue`, `samples`, as the simulation wrote them.
    questions, factors
        Of the resolved design.

    Returns
    -------
    pandas.DataFrame
        `quantity`, `planted`, `found`, `detail` (with the criterion), `verdict` (`found` or `missed`).
    """
    cells = truth["cells"].set_index(CELL)
    named = {question["name"]: question for question in questions}
    arms = {
        name: weights(terms(question, named, factors), factors)
        for name, question in named.items()
        if question["kind"] not in ("rescue", "equivalence")  # whose p-values speak for no change
    }
    rows = [
        *compare_labels(labels, cells),
        compare_doublets(barcodes, cells),
        compare_ambient(barcodes, truth["samples"]),
        *compare_abundance(composition, truth["abundance"], arms),
        *compare_rescue(rescue, truth["rescue"], named, factors),
        *compare_genes(expression, truth["genes"], arms),
        *compare_nulls(expression, composition, truth, arms),
    ]
    table = pd.DataFrame([(r.quantity, r.planted, r.found, r.detail, "found" if r.met else "missed") for r in rows])
    return table.set_axis(COLUMNS, axis=1)


def compare_labels(labels: pd.DataFrame, cells: pd.DataFrame) -> list[Row]:
    """Lineages and T-cell states of the single, living cells that were kept."""
    true = cells[~cells[IS_DOUBLET] & ~cells[LOW_QUALITY]]
    both = labels[[LINEAGE, STATE]].astype(str).join(true[[LINEAGE, STATE]], rsuffix="_true", how="inner")
    size = both[f"{LINEAGE}_true"].value_counts()
    lineages = sorted(size.index[size >= MIN_CELLS])
    lineage_f1 = _macro_f1(both[f"{LINEAGE}_true"], both[LINEAGE], lineages)
    t_cells = both[(both[f"{LINEAGE}_true"] == "T_cell") & (both[LINEAGE] == "T_cell")]
    called = t_cells[t_cells[STATE] != UNASSIGNED]
    share = len(called) / max(len(t_cells), 1)
    states = sorted(t_cells[f"{STATE}_true"].unique())
    state_f1 = _macro_f1(called[f"{STATE}_true"], called[STATE], states)
    return [
        Row(
            "lineages, macro-F1", np.nan, lineage_f1,
            f"{len(both)} cells, {len(lineages)} lineages of at least {MIN_CELLS}; at least {MIN_LINEAGE_F1} wanted",
            lineage_f1 >= MIN_LINEAGE_F1,
        ),
        Row(
            "T-cell states, macro-F1 on called cells", np.nan, state_f1,
            f"{len(called)} cells, {len(states)} states; at least {MIN_STATE_F1} wanted", state_f1 >= MIN_STATE_F1,
        ),
        Row(
            "T-cell states, share called", np.nan, share,
            f"of {len(t_cells)} T cells; at least {MIN_CALLED} wanted", share >= MIN_CALLED,
        ),
    ]  # fmt: skip


def compare_doublets(barcodes: pd.DataFrame, cells: pd.DataFrame) -> Row:
    """Ranking of heterotypic doublets above single living cells, over all samples."""
    eligible = cells[~cells[LOW_QUALITY] & (cells[DOUBLET_KIND] != "homotypic")]
    score = barcodes[DOUBLET_SCORE].reindex(eligible.index).astype(float)
    is_doublet = eligible[IS_DOUBLET].to_numpy()
    # A barcode without a score was never suspected: it ranks last.
    area = float(average_precision_score(is_doublet, score.fillna(score.min() - 1 if score.notna().any() else 0.0)))
    share = is_doublet.mean()
    detail = f"area under precision-recall, {is_doublet.sum()} of {len(eligible)} barcodes (chance: {share:.3f})"
    return Row(
        "doublets of two kinds of cell, AUPRC",
        np.nan,
        area,
        f"{detail}; at least {MIN_AUPRC} wanted",
        area >= MIN_AUPRC,
    )


def compare_ambient(barcodes: pd.DataFrame, samples: pd.DataFrame) -> Row:
    """Ambient share of each sample: the largest error."""
    found = barcodes.groupby(barcodes[SAMPLE].astype(str))[AMBIENT].mean()
    planted = samples.set_index(SAMPLE)["ambient"]
    error = (found.reindex(planted.index) - planted).abs()
    worst = float(error.max(skipna=False))
    detail = (
        f"largest error over {len(error)} samples (mean {error.mean():.3f}), planted {planted.min():.3f} to {planted.max():.3f}; "
        f"at most {MAX_AMBIENT_ERROR} wanted"
    )
    return Row("ambient share, error", 0.0, worst, detail, worst <= MAX_AMBIENT_ERROR)


def compare_abundance(
    composition: pd.DataFrame, abundance: pd.DataFrame, arms: Mapping[str, Mapping[str, float]]
) -> list[Row]:
    """Change in abundance, wherever one was planted, in the two populations that the arms act on."""
    table = composition[composition["level"] == "population"] if "level" in composition else composition
    rate = abundance.set_index([POPULATION, ARM])[LOG_FOLD_CHANGE]
    rows = []
    for question, weight in arms.items():
        for population in ("CD8_activated", "Monocyte_derived_macrophage"):
            planted = combine(rate[population], weight)
            one = table[(table[QUESTION] == question) & (table[POPULATION] == population)]
            if abs(planted) < 1e-9 or one.empty:
                continue
            rows.append(_interval_row(f"abundance of {population}, {question}", planted, one.iloc[0], LOG_FOLD_CHANGE))
    return rows


def compare_rescue(
    rescue: pd.DataFrame,
    planted: pd.DataFrame,
    questions: Mapping[str, Mapping[str, Any]],
    factors: Mapping[str, Sequence[str]],
) -> list[Row]:
    """Rescue index, wherever the simulation planted one."""
    rows = []
    for _, one in rescue.iterrows():
        repair = terms(questions[one[QUESTION]], questions, factors)[0]
        arm = ".".join(repair.levels.get(name, "") for name in factors)
        signature = str(one[SIGNATURE]) if pd.notna(one[SIGNATURE]) else ""
        same = (planted[POPULATION] == one[POPULATION]) & (planted[READOUT] == one[READOUT])
        true = planted[same & (planted[SIGNATURE] == signature) & (planted[REPAIR] == arm)]
        if true.empty:
            continue
        name = " ".join(filter(None, ["rescue of", signature or one[READOUT], "in", str(one[POPULATION])]))
        value = float(true[RESCUE].iloc[0])
        if not bool(one["estimable"]):
            rows.append(Row(f"{name}, {one[QUESTION]}", value, np.nan, f"not estimable: {one['reason']}", False))
            continue
        rows.append(_interval_row(f"{name}, {one[QUESTION]}", value, one, RESCUE))
    return rows


def compare_genes(
    expression: pd.DataFrame, planted: pd.DataFrame, arms: Mapping[str, Mapping[str, float]]
) -> list[Row]:
    """Planted log fold changes of genes against the estimates, and how many calls are false; Fasl by itself."""
    table = _with_planted(expression, planted, arms)
    rows = []
    for question in arms:
        one = table[table[QUESTION] == question]
        effects = one[(one[PLANTED].abs() > 0.1) & (one[STANDARD_ERROR] > 0)].dropna(
            subset=[LOG_FOLD_CHANGE, STANDARD_ERROR]
        )
        if len(effects) < 20:
            continue
        r = float(np.corrcoef(effects[PLANTED], effects[LOG_FOLD_CHANGE])[0, 1])
        inside = effects[PLANTED].between(effects[CI_LOW], effects[CI_HIGH]).mean()
        slope, error = _slope(effects)
        low, high = slope - 1.96 * error, slope + 1.96 * error
        detail = (
            f"slope of estimated on planted (95% CI {low:.2f} to {high:.2f}) over {len(effects)} genes x populations; r {r:.2f}, "
            f"{inside:.0%} of intervals hold the planted value; {SLOPE[0]} to {SLOPE[1]} wanted"
        )
        rows.append(Row(f"gene effects, {question}", 1.0, slope, detail, SLOPE[0] <= slope <= SLOPE[1]))
        called = one[one[ADJUSTED_P_VALUE] < FDR]
        if len(called) >= 20:
            wrong = called[called[PLANTED].abs() < 1e-9]
            false, from_soup = len(wrong) / len(called), int(wrong[GENE].astype(str).isin(LIVER_GENES).sum())
            detail = (
                f"of {len(called)} genes called at {FDR:.0%}; {from_soup} of the {len(wrong)} false ones are hepatocytes' own "
                f"genes, which the soup brings; at most {MAX_FALSE_DISCOVERIES} wanted"
            )
            rows.append(Row(f"false calls, {question}", 0.0, false, detail, false <= MAX_FALSE_DISCOVERIES))
    macrophages = table[(table[POPULATION] == "Monocyte_derived_macrophage") & (table["symbol_planted"] == "Fasl")]
    clear = macrophages[macrophages[PLANTED].abs() > CLEAR_EFFECT].drop_duplicates(QUESTION)
    for _, fasl in clear.iterrows():
        name = f"Fasl in {fasl[POPULATION]}, {fasl[QUESTION]}"
        rows.append(_interval_row(name, float(fasl[PLANTED]), fasl, LOG_FOLD_CHANGE))
    return rows


def compare_nulls(
    expression: pd.DataFrame,
    composition: pd.DataFrame,
    truth: Mapping[str, pd.DataFrame],
    arms: Mapping[str, Mapping[str, float]],
) -> list[Row]:
    """Questions to which nothing was planted: how many genes and populations are called all the same."""
    rate = truth["abundance"].set_index([POPULATION, ARM])[LOG_FOLD_CHANGE].unstack()
    genes = by_arm(truth["genes"])
    rows = []
    for question, weight in arms.items():
        moved = sum(float(combine(table, weight).abs().sum()) for table in (rate, genes))
        if moved > 1e-6:
            continue
        for what, table in (("genes", expression), ("populations", composition)):
            p = table.loc[table[QUESTION] == question, ADJUSTED_P_VALUE].dropna()
            calls = int((p < FDR).sum())
            detail = f"called at {FDR:.0%} of {len(p)} {what} tested, where nothing was planted; none wanted"
            rows.append(Row(f"calls among {what}, {question}", 0.0, float(calls), detail, len(p) > 0 and calls == 0))
    return rows


def _macro_f1(true: pd.Series, found: pd.Series, classes: list[str]) -> float:
    if not len(true):
        return 0.0
    return float(f1_score(true, found, labels=classes, average="macro", zero_division=0.0))


def _slope(effects: pd.DataFrame) -> tuple[float, float]:
    """Precision-weighted slope through the origin and its standard error, widened where residuals exceed theirs."""
    x, y = (effects[name].to_numpy(dtype=float) for name in (PLANTED, LOG_FOLD_CHANGE))
    weight = 1 / effects[STANDARD_ERROR].to_numpy(dtype=float) ** 2
    information = float((weight * x**2).sum())
    slope = float((weight * x * y).sum()) / information
    excess = float((weight * (y - slope * x) ** 2).sum()) / (len(x) - 1)
    return slope, float(np.sqrt(max(excess, 1.0) / information))


def _interval_row(quantity: str, planted: float, row: pd.Series, column: str) -> Row:
    """An estimate with its interval: it must hold the planted value, and leave out 0 where the effect is a clear one."""
    low, high = float(row[CI_LOW]), float(row[CI_HIGH])
    holds = low <= planted <= high
    clear = abs(planted) >= CLEAR_EFFECT
    met = holds and (not clear or low > 0 or high < 0)
    wanted = "the interval should hold the planted value" + (" and leave out 0" if clear else "")
    return Row(quantity, planted, float(row[column]), f"95% CI {low:.2f} to {high:.2f}; {wanted}", met)


def _with_planted(
    expression: pd.DataFrame, planted: pd.DataFrame, arms: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """The tested genes of populations that were planted as such, with the planted effect of the question."""
    wide = by_arm(planted)
    symbols = planted.drop_duplicates(GENE_ID).set_index(GENE_ID)["symbol"]
    effects = pd.concat(
        {
            question: pd.Series(combine(wide, weight), index=wide.index, dtype=float)
            for question, weight in arms.items()
        },
        names=[QUESTION],
    ).rename(PLANTED)
    known = expression[expression[POPULATION].isin(planted[POPULATION].unique())]
    known = known.astype({QUESTION: str, POPULATION: str, GENE_ID: str})
    found = known.merge(effects.reset_index(), on=[QUESTION, POPULATION, GENE_ID], how="left")
    return found.assign(**{PLANTED: found[PLANTED].fillna(0.0), "symbol_planted": found[GENE_ID].map(symbols)})
