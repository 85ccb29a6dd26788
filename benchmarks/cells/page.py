"""The page of docs that shows the committed results, ours beside plain scanpy's."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.common.run import read

RESULTS = Path(__file__).resolve().parent / "results"
HEAD = """# Are the cells right?

Made by `make docs` from `benchmarks/cells/results/`, which `make benchmark-cells` writes. Every figure is a mean over data sets
of a planted or published truth, with its 95 % limits over data sets; plain scanpy's figure beside it comes from the same cells
of the same run: its Scrublet, its default Leiden clusters named by `score_genes` of our marker sets, `score_genes` of our state
signatures. What was simulated, what was asked and what is missed stands in
[benchmarks/cells](../benchmarks/cells/README.md).
"""
#: Quantity -> plain scanpy's, words.
Measures = dict[str, tuple[str, str]]
DOUBLETS: Measures = {
    "auprc_heterotypic": ("scrublet_auprc_heterotypic", "area under precision over recall, doublets of unlike cells"),
    "auprc_heterotypic_minus_scrublet": ("", "the same, minus Scrublet's in the same library"),
    "heterotypic_found": ("scrublet_heterotypic_found", "share of such doublets that is called"),
    "precision_of_calls": ("scrublet_precision_of_calls", "share of calls that is a doublet"),
    "called_share": ("scrublet_called_share", "share of barcodes called"),
    "cpu_seconds_doublets_alone": ("scrublet_cpu_seconds", "CPU seconds (a machine's; compare them with each other)"),
}
TOPICS: dict[str, tuple[str, Measures]] = {
    "ambient": (
        "Ambient RNA, simulated",
        {
            "told": ("", "libraries in which a share is told at all"),
            "sample_error_points": ("", "error of a library's mean share, points"),
            "sample_bias_points": ("", "of which bias"),
            "cell_error_points": ("", "mean error of a cell's share, points"),
            "cell_floor_points": ("", "what one who knows all but the droplet's draw would leave of it"),
            "cell_floor_by_depth_points": ("", "the same, seeing the cell's kind and UMIs only"),
            "sample_relative_error": ("", "error of the mean share, relative"),
        },
    ),
    "lung_ambient": (
        "Ambient RNA planted in real cells",
        {
            "planted_error_points": ("", "error of the planted share, points"),
            "planted_relative_error": ("", "the same, relative"),
            "native_share_told": ("", "share told of the cells as they came"),
        },
    ),
    "doublets": ("Doublets, simulated", DOUBLETS),
    "lung_doublets": ("Doublets of real cells", DOUBLETS),
    "hashtags": (
        "Hashtags, simulated (beside scanpy's hashsolo)",
        {
            "doublet_precision": ("hashsolo_doublet_precision", "share of called doublets that hold two tags"),
            "doublet_recall": ("hashsolo_doublet_recall", "share of such doublets that is called"),
            "doublet_f1": ("hashsolo_doublet_f1", "their F1"),
            "singlet_precision": ("hashsolo_singlet_precision", "share of called singlets with the right tag"),
            "singlet_recall": ("hashsolo_singlet_recall", "share of singlets with the right tag found"),
            "unstained_given_a_tag": ("hashsolo_unstained_given_a_tag", "share of unstained cells that is given a tag"),
        },
    ),
    "study": (
        "Whole studies, simulated: lineages, states, batches",
        {
            "lineage_macro_f1": ("scanpy_lineage_macro_f1", "lineages, macro-F1 (unassigned is wrong)"),
            "rare_lineage_f1": ("scanpy_rare_lineage_f1", "of the lineages of about 1 %"),
            "lineage_unassigned": ("scanpy_lineage_unassigned", "share of cells unassigned"),
            "right_of_one_batch_lineages": ("", "right, of lineages that one batch alone has"),
            "state_macro_f1_of_called": ("scanpy_state_macro_f1_of_called", "T-cell states, macro-F1 of called cells"),
            "state_called": ("scanpy_state_called", "share of T cells called"),
            "state_macro_f1_of_all": ("scanpy_state_macro_f1_of_all", "T-cell states, macro-F1 of all T cells"),
            "batch_mixing": ("scanpy_batch_mixing", "batches mixed within lineages (iLISI, 0 to 1)"),
            "unintegrated_batch_mixing": ("", "the same without integration"),
            "purity": ("scanpy_purity", "neighbours of one lineage (1 - cLISI)"),
            "unintegrated_purity": ("", "the same without integration"),
            "cluster_ari": ("scanpy_cluster_ari", "clusters against lineages, adjusted Rand index"),
            "unintegrated_cluster_ari": ("", "the same without integration"),
        },
    ),
    "scores": (
        "Scores when a sample is added, and at 40 % depth",
        {
            "sample_added_largest_change": (
                "scanpy_sample_added_largest_shift_sd",
                "sample added: largest change of any score (scanpy: largest mean shift, SD)",
            ),
            "depth_mean_shift_sd": ("scanpy_depth_mean_shift_sd", "40 % depth: mean shift over signatures, SD"),
            "depth_largest_shift_sd": ("scanpy_depth_largest_shift_sd", "40 % depth: largest mean shift, SD"),
        },
    ),
    "lung": (
        "Real cells: mouse lung leucocytes with the authors' labels",
        {
            "cluster_ari": ("scanpy_cluster_ari", "clusters against published types, adjusted Rand index"),
            "lineage_accuracy": ("scanpy_lineage_accuracy", "lineages that are the published type"),
            "contradicted_subset": ("scanpy_contradicted_subset", "CD4 or CD8 calls against the best ImmGen match"),
            "naive_called_naive": ("scanpy_naive_called_naive", "naive by ImmGen and called naive"),
            "called_of_T_cells": ("scanpy_called_of_T_cells", "share of T cells called"),
        },
    ),
    "mock_splits": (
        "Mock splits of real cells: nothing differs",
        {
            "any_gene_called": (
                "",
                "splits with any gene called at a false discovery rate of 5 % (<= .5: the median is 0)",
            ),
            "more_than_5_genes_called": ("", "splits with more than 5 genes called (<= .05: the 95th percentile)"),
            "type_1": ("", "genes with p < .05"),
        },
    ),
}


def cells_page(folder: Path = RESULTS) -> str:
    """The page, as text.

    Parameters
    ----------
    folder
        Where the results lie.
    """
    table = read(folder / "cells.tsv")
    lines = [HEAD]
    for name, (title, measures) in TOPICS.items():
        rows = table[table["scenario"] == name]
        lines += [f"## {title}", ""]
        if rows.empty:
            lines += ["Not in this run.", ""]
            continue
        lines += ["| setting | measure | livermet | plain scanpy | target | verdict |", "|---|---|---|---|---|---|"]
        lines += [*_rows(rows, measures), ""]
    lines += [
        "## Data sets at the edge",
        "",
        "| data set | ended | as it should | what was said |",
        "|---|---|---|---|",
    ]
    edges = pd.read_csv(folder / "edges.tsv", sep="\t", keep_default_na=False)
    for case, ended, right, said in edges[["case", "ended", "right", "said"]].itertuples(index=False, name=None):
        lines.append(f"| {case} | {ended} | {'yes' if right else '**no**'} | {_short(str(said))} |")
    versions = pd.read_csv(folder / "versions.tsv", sep="\t", dtype=str)
    told = ", ".join(f"{package} {version}" for package, version in versions.itertuples(index=False, name=None))
    seeds = ", ".join(str(seed) for seed in sorted(table["seed"].unique()))
    lines += ["", f"Seed {seeds}; {told}.", ""]
    return "\n".join(lines)


def _rows(table: pd.DataFrame, measures: Measures) -> list[str]:
    """Rows of one scenario: a setting after the other, measures in the order of the page."""
    lines = []
    for setting, rows in table.groupby("setting", sort=False):
        known = {str(row["quantity"]): row for _, row in rows.iterrows()}
        for quantity, (other, words) in measures.items():
            if quantity not in known or pd.isna(known[quantity]["value"]):
                continue
            row = known[quantity]
            theirs = _number(known[other]) if other in known else ""
            lines.append(f"| {setting} | {words} | {_number(row)} | {theirs} | {row['target']} | {_verdict(row)} |")
    return lines


def _verdict(row: pd.Series) -> str:
    """In words; a value off its target that its limits do not exclude is not called compatible and left at that."""
    if row["verdict"] != "compatible":
        return "**missed**" if row["verdict"] == "missed" else str(row["verdict"])
    sign, _, edge = str(row["target"]).partition(" ")
    outside = (sign == "<=" and row["value"] > float(edge)) or (sign == ">=" and row["value"] < float(edge))
    return "*off target, not beyond its limits*" if outside else "compatible"


def _number(row: pd.Series) -> str:
    """Value and limits."""
    if pd.isna(row["value"]):
        return "none"
    digits = 2 if abs(row["value"]) >= 1 else 3
    text = f"{row['value']:.{digits}f}"
    return text if pd.isna(row["low"]) else f"{text} ({row['low']:.{digits}f} to {row['high']:.{digits}f})"


def _short(text: str, width: int = 220) -> str:
    """At most so many letters, safe within a table."""
    text = text.replace("|", "/")
    return text if len(text) <= width else text[: width - 1].rsplit(" ", 1)[0] + " ..."
