"""What lies behind the answers: tables per question, per sample, of the design and of the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from livermet.keys import (
    ADJUSTED_P_VALUE,
    AMBIENT,
    AMBIENT_FOUND_BY,
    AMBIENT_HIGH,
    AMBIENT_LOW,
    CI_HIGH,
    CI_LOW,
    DROP_REASON,
    ESTIMATE,
    GENE,
    HOLDS_ABOVE,
    HOLDS_BELOW,
    IS_DOUBLET,
    KEPT,
    LINEAGE,
    LOG_FOLD_CHANGE,
    MDE,
    MEAN_LOG_CPM,
    MITO,
    MOUSE,
    N_CELLS,
    N_GENES,
    N_UMIS,
    P_VALUE,
    POPULATION,
    QUESTION,
    REFERENCES_AGREE,
    SAMPLE,
    STATE,
    TIER,
    VOOM_P_VALUE,
)
from livermet.plots.words import words
from livermet.report.numbers import as_float, percent
from livermet.report.tables import Column, Table, build

TOP_GENES = 6
TOP_SIGNATURES = 15
TESTED = (
    Column(ESTIMATE, "Estimate", "number"),
    Column(LOG_FOLD_CHANGE, "log2 fold change", "number"),
    Column(CI_LOW, "CI low", "number"),
    Column(CI_HIGH, "CI high", "number"),
    Column(P_VALUE, "p", "p"),
    Column(ADJUSTED_P_VALUE, "adjusted p", "p"),
)


def tables_of_question(
    name: str,
    expression: pd.DataFrame,
    pathways: pd.DataFrame,
    composition: pd.DataFrame,
    mechanism: pd.DataFrame,
    populations: Sequence[str],
) -> list[Table]:
    """Strongest signatures and genes, all populations and read-outs of one question.

    Parameters
    ----------
    name
        The question.
    expression, pathways, composition, mechanism
        Results of all questions; `question` among the columns.
    populations
        Populations of the config, in their order.

    Returns
    -------
    list of Table
        Those that have rows.
    """
    tables = [
        _signatures(_of(pathways, name)),
        _abundance(_of(composition, name), populations),
        _mechanism(_of(mechanism, name)),
        _genes(_of(expression, name), populations),
    ]
    return [table for table in tables if table]


def _of(frame: pd.DataFrame, question: str) -> pd.DataFrame:
    return frame[frame[QUESTION].astype(str) == question] if QUESTION in frame else frame.iloc[:0]


def _signatures(part: pd.DataFrame) -> Table:
    columns = (Column("signature", "Signature", "words"), Column(POPULATION, "Population", "words"), *TESTED,
               Column("camera_p_value", "camera p", "p"), Column("n_genes", "Genes", "count"))  # fmt: skip
    if P_VALUE not in part:
        return build(part, columns)
    below = int((part[ADJUSTED_P_VALUE] < 0.05).sum())
    note = f"{below} of {len(part)} signature x population tests pass an adjusted p of .05. All are in pathways.tsv."
    return build(part.sort_values(P_VALUE, kind="stable").head(TOP_SIGNATURES), columns, "Strongest signatures", note)


def _abundance(part: pd.DataFrame, populations: Sequence[str]) -> Table:
    columns = (
        Column(POPULATION, "Population", "words"),
        *TESTED,
        Column("agree", "References agree"),
        Column("bears", "In number if all cells"),
        Column(TIER, "Evidence"),
    )
    if POPULATION not in part:
        return build(part, columns)
    kept = part[part["level"] == "population"] if "level" in part else part
    kept = kept[kept[POPULATION].isin(list(populations))]
    note = "Relative to the other cells of the same mouse; log2. All labels are in composition.tsv."
    if REFERENCES_AGREE in kept:
        said = kept[REFERENCES_AGREE].map({True: "yes", False: "no"})
        kept = kept.assign(
            agree=said, bears=[_bears(*ends) for ends in zip(kept[HOLDS_ABOVE], kept[HOLDS_BELOW], strict=True)]
        )
        if said.isna().all():
            kept = kept.drop(columns="agree")
            note += " No reference populations are declared (design.references), so none was asked whether it agrees."
    return build(kept, columns, "Abundance", note)


def _bears(above: float, below: float) -> str:
    """The changes of the total under which a change that was shown is one of numbers."""
    limit = above if math.isfinite(above) else below
    if not math.isfinite(limit):
        return ""
    fold = f"{limit:.1f}" if limit >= 1 else f"{limit:.2g}"
    return f"change {'over' if math.isfinite(above) else 'under'} {fold}-fold"


def _mechanism(part: pd.DataFrame) -> Table:
    columns = (
        Column("label", "Read-out"),
        Column(POPULATION, "Population", "words"),
        *TESTED,
        Column(TIER, "Evidence"),
    )
    return build(part, columns, "Fasl-Fas read-outs", "One value a mouse; log2.")


def _genes(part: pd.DataFrame, populations: Sequence[str]) -> Table:
    *tested, adjusted = TESTED
    columns = (Column(POPULATION, "Population", "words"), Column(GENE, "Gene", "gene"), *tested,
               Column(VOOM_P_VALUE, "voom's p", "p"), adjusted, Column(MEAN_LOG_CPM, "mean log CPM", "number"),
               Column(MDE, "smallest detectable", "number"), Column("ambient", "ambient", "yes"))  # fmt: skip
    if P_VALUE not in part:
        return build(part, columns)
    first = part.sort_values(P_VALUE, kind="stable").groupby(POPULATION, sort=False, observed=True).head(TOP_GENES)
    place = {population: number for number, population in enumerate(populations)}
    first = first.sort_values(POPULATION, key=lambda values: values.astype(str).map(place), kind="stable")
    below = int((part[ADJUSTED_P_VALUE] < 0.05).sum())
    note = (
        f"The {TOP_GENES} strongest genes of each population, whether or not they pass, by edgeR's p; "
        f"{below:,} gene x population tests pass an adjusted p of .05 by both. All are in expression.tsv."
    )
    return build(first, columns, "Strongest genes", note)


def table_of_samples(barcodes: pd.DataFrame, samples: pd.DataFrame, factors: Mapping[str, list[str]]) -> Table:
    """A line per sample: who it is, how many barcodes, how many kept, why others were dropped, medians of the kept.

    Parameters
    ----------
    barcodes
        One row an input barcode.
    samples
        The sheet's rows, with the factors.
    factors
        Factor -> levels.
    """
    rows = []
    groups = dict(iter(barcodes.groupby(barcodes[SAMPLE].astype(str), sort=False)))
    for _, row in samples.iterrows():
        cells = groups.get(str(row[SAMPLE]))
        if cells is None:
            continue
        kept = cells[cells[KEPT].astype(bool)]
        reasons = cells.loc[~cells[KEPT].astype(bool), DROP_REASON].astype(str)
        counts = reasons.str.split("; ").explode().str.replace(r" \(.*", "", regex=True).value_counts()
        rows.append(
            {
                SAMPLE: row[SAMPLE],
                MOUSE: row[MOUSE],
                **{name: row[name] for name in factors},
                "barcodes": len(cells),
                "kept": len(kept),
                N_UMIS: kept[N_UMIS].median(),
                N_GENES: kept[N_GENES].median(),
                MITO: kept[MITO].median(),
                AMBIENT: kept[AMBIENT].median(),
                "interval": _interval(row),
                IS_DOUBLET: cells[IS_DOUBLET].astype(float).mean(),
                "reasons": "; ".join(f"{words(reason)} {number}" for reason, number in counts.items()),
            }
        )
    columns = [
        Column(SAMPLE, "Sample", "code"),
        Column(MOUSE, "Mouse", "code"),
        *(Column(name, words(name), "words") for name in factors),
        Column("barcodes", "Barcodes", "count"),
        Column("kept", "Kept", "count"),
        Column(N_UMIS, "UMIs", "count"),
        Column(N_GENES, "Genes", "count"),
        Column(MITO, "Mito.", "percent"),
        Column(AMBIENT, "Ambient", "percent"),
        Column("interval", "95 % interval"),
        Column(IS_DOUBLET, "Doublets", "percent"),
        Column("reasons", "Dropped for"),
    ]
    return build(
        pd.DataFrame(rows),
        columns,
        note="Medians are over kept cells; the doublet share and the interval of the ambient share are over all barcodes.",
    )


def _interval(row: pd.Series) -> str:
    """Of a sample's ambient share."""
    low, high = as_float(row[AMBIENT_LOW]), as_float(row[AMBIENT_HIGH])
    if row[AMBIENT_FOUND_BY] == "cannot be told":
        return "cannot be told" + ("" if math.isnan(high) else f"; at most {percent(high)}")
    return f"{percent(low)} to {percent(high)}"


def table_of_states(labels: pd.DataFrame, t_lineages: Sequence[str]) -> Table:
    """Cells of every T-cell state, and their share of all T cells."""
    cells = labels[labels[LINEAGE].isin(list(t_lineages))]
    counts = cells[STATE].astype(str).value_counts()
    frame = pd.DataFrame(
        {STATE: counts.index, N_CELLS: counts.to_numpy(), "share": counts.to_numpy() / max(len(cells), 1)}
    )
    columns = (
        Column(STATE, "State", "words"),
        Column(N_CELLS, "Cells", "count"),
        Column("share", "Share of T cells", "percent"),
    )
    return build(frame, columns)
