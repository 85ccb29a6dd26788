"""A small study as tables, for the rooms that draw and write: twelve mice, two populations, three questions."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from livermet.mice.design.doctor import examine
from livermet.mice.design.model import build_design
from livermet.settings import resolve

SITES, TREATMENTS = ["subcutaneous", "subcutaneous_liver"], ["untreated", "rt_anti_pdl1"]
POPULATIONS = ["CD8_activated", "Neutrophil"]
CONFIG = {
    "study": "toy",
    "title": "Twelve mice & <two> sites",
    "samples": "samples.tsv",
    "demo": {"simulate": True},
    "design": {
        "factors": {"site": SITES, "treatment": TREATMENTS},
        "covariates": ["batch"],
        "populations": {"CD8_activated": {"states": ["CD8_activated"]}, "Neutrophil": {"lineages": ["Neutrophil"]}},
        "questions": [
            {
                "name": "site_untreated", "kind": "effect", "sentence": "What does a liver metastasis do?", "factor": "site",
                "level": SITES[1], "reference": SITES[0], "within": {"treatment": "untreated"},
            },
            {
                "name": "combo_livermet", "kind": "effect", "sentence": "What does the combination do?",
                "factor": "treatment", "level": "rt_anti_pdl1", "reference": "untreated", "within": {"site": SITES[1]},
            },
            {
                "name": "rescue_combo", "kind": "rescue", "sentence": "How much is undone?", "damage": "site_untreated",
                "repair": "combo_livermet", "readouts": [{"population": "CD8_activated", "readout": "abundance"}],
            },
        ],
    },
}  # fmt: skip


def _samples() -> pd.DataFrame:
    rows = [
        {"sample": f"s{number:02d}", "mouse": f"m{number:02d}", "site": site, "treatment": treatment, "tissue": "liver",
         "batch": f"b{replicate}", "sex": "f", "path": "x", "raw_path": "", "soup_source": "raw matrix",
         "ambient_found_by": "silent genes", "ambient_low": 0.04, "ambient_high": 0.06, "ambient_corrected": False}
        for number, (site, treatment, replicate) in enumerate(
            ((site, treatment, replicate) for site in SITES for treatment in TREATMENTS for replicate in (1, 2, 3)), 1
        )
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _barcodes(samples: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    tables = []
    for _, row in samples.iterrows():
        number = 50
        table = pd.DataFrame(
            {"sample": row["sample"], "barcode": [f"B{place}" for place in range(number)], "mouse": row["mouse"]}
        )
        table["kept"] = np.arange(number) >= 10
        reason = np.where(
            np.arange(number) < 6, "too few UMIs (12 < 500); too few genes (9 < 200)", "doublet (score 0.4 > 0.2)"
        )
        table["drop_reason"] = np.where(table["kept"], "", reason)
        table["n_umis"] = rng.lognormal(8, 0.5, number).astype(int)
        table["n_genes"] = rng.lognormal(7, 0.3, number).astype(int)
        table["mitochondrial_fraction"] = rng.beta(2, 40, number)
        table["doublet_score"] = rng.random(number)
        table["is_doublet"] = reason == "doublet (score 0.4 > 0.2)"
        table.loc[table["kept"], "is_doublet"] = False
        table["ambient_fraction"] = 0.05
        table.index = row["sample"] + "_" + table["barcode"]
        tables.append(table)
    table = pd.concat(tables)
    table.index.name = "cell"
    return table


def _clusters(cells: pd.Index) -> dict[str, pd.DataFrame]:
    """Two resolutions: three clusters, of which the finer one cuts the second in two, badly."""
    coarse = np.arange(len(cells)) % 6
    coarse = np.select([coarse < 3, coarse < 5], ["0", "1"], "2")
    fine = np.where((coarse == "1") & (np.arange(len(cells)) % 12 < 6), "3", coarse)
    clusters = pd.DataFrame({"leiden": fine, "leiden_0.5": coarse, "leiden_1": fine}, index=cells)
    rows = [
        (0.5, "0", 240, 0.99, "highly stable"), (0.5, "1", 160, 0.9, "highly stable"), (0.5, "2", 80, 0.8, "stable"),
        (1.0, "0", 240, 0.98, "highly stable"), (1.0, "1", 80, 0.5, "not to be relied on"),
        (1.0, "2", 80, 0.78, "stable"), (1.0, "3", 80, 0.55, "not to be relied on"),
    ]  # fmt: skip
    held = pd.DataFrame(rows, columns=["resolution", "cluster", "n_cells", "jaccard", "verdict"]).assign(
        jaccard_sd=0.02
    )
    stability = pd.DataFrame(
        {"resolution": [0.5, 1.0], "n_clusters": [3, 4], "smallest": 80, "stability": [0.95, 0.93],
         "stability_sd": [0.01, 0.02], "seed_stability": [0.99, 0.97], "chosen": [False, True]}
    )  # fmt: skip
    return {"clusters": clusters, "stability": stability, "cluster_stability": held}


def _integration() -> dict[str, pd.DataFrame]:
    """Batches that mix, and one of three groups that was laid among unlike cells."""
    measures = pd.DataFrame(
        {"measure": ["batch_mixing", "structure_kept"], "before": [0.7, 1.0], "after": [0.95, 0.8], "best": 1.0,
         "about": ["batches mixed", "biology kept"], "meaning": "what it means"}
    )  # fmt: skip
    groups = pd.DataFrame(
        {"batch": ["b1", "b1", "b2"], "group": [0, 1, 0], "n_cells": [90, 40, 100], "markers": ["Cd3e Trac", "Cpa3 Kit", "Cd3e Lck"],
         "distinct": 1.4, "purity_before": 0.95, "purity_after": [0.94, 0.8, 0.95], "mixed_before": 0.4, "mixed_after": 0.9,
         "markers_shared": [0.97, 0.18, 1.0], "over_corrected": [False, True, False],
         "verdict": ["among its like", "over-corrected: laid among unlike cells of other batches", "among its like"]}
    )  # fmt: skip
    return {"integration": measures, "groups": groups}


def _tests(questions: list[str], rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    def numbers(count: int) -> dict[str, np.ndarray]:
        effect, p = rng.normal(0, 1, count), np.sort(rng.random(count) ** 3)
        return {"log_fold_change": effect, "ci_low": effect - 0.8, "ci_high": effect + 0.8, "p_value": p,
                "adjusted_p_value": np.minimum(1, p * 3), "tier": "confirmatory"}  # fmt: skip

    pairs = [(question, population) for question in questions for population in POPULATIONS]
    names = {
        "question": [q for q, _ in pairs for _ in range(40)],
        "population": [p for _, p in pairs for _ in range(40)],
    }
    expression = pd.DataFrame(
        {**names, "gene": [f"Gene{place}" for place in range(40)] * len(pairs), **numbers(40 * len(pairs))}
    )
    expression = expression.assign(mean_log_cpm=5.0, minimum_detectable_log_fold_change=1.2)
    expression = expression.assign(voom_p_value=expression["p_value"], consensus_p_value=expression["p_value"])
    names = {
        key: [value for value, _ in zip(values[::40], pairs, strict=True) for _ in range(3)]
        for key, values in names.items()
    }
    signatures = ["T_AICD_apoptosis_priming", "p53_radiation_response", "T_cytotoxicity"] * len(pairs)
    pathways = pd.DataFrame({**names, "signature": signatures, **numbers(3 * len(pairs))})
    composition = pd.DataFrame(
        {"question": [q for q, _ in pairs], "population": [p for _, p in pairs], **numbers(len(pairs))}
    )
    composition["level"] = "population"
    mechanism = (
        composition.drop(columns="level").rename(columns={"log_fold_change": "estimate"}).drop_duplicates("question")
    )
    mechanism = mechanism.assign(
        readout="Fas_in_activated_CD8", label="Fas in activated CD8 T cells", unit="log2", note=""
    )
    edges = {"log_fold_change": 0.1, "ci_low": -0.7, "ci_high": 0.9}
    shares = {f"share_{name}": composition["log_fold_change"] + add for name, add in edges.items()}
    unknown = {"references_agree": pd.array([pd.NA] * len(pairs), dtype="boolean")}
    composition = composition.assign(
        **shares, **unknown, **dict.fromkeys(["holds_if_total_above", "holds_if_total_below"], np.nan)
    )
    return {"expression": expression, "pathways": pathways, "composition": composition, "mechanism": mechanism}


def _answers() -> pd.DataFrame:
    columns = ["question", "population", "endpoint", "readout", "sentence", "estimate", "unit", "ci_low", "ci_high", "p_value",
               "adjusted_p_value", "tier", "minimum_detectable_effect", "n_mice", "declared"]  # fmt: skip
    rows = [
        ("site_untreated", "CD8_activated", "composition", "abundance", "Activated CD8 T cells are <fewer>.", -1.5, "log2",
         -2.1, -0.9, 0.00004, 0.0002, "confirmatory", 0.9, 6, True),
        ("site_untreated", "Neutrophil", "composition", "abundance", "No effect was shown.", 0.1, "log2", -0.6, 0.8, 0.7, 0.8,
         "confirmatory", 1.0, 6, False),
        ("site_untreated", "CD8_activated", "mechanism", "Fas_in_activated_CD8", "Fas rose.", 0.4, "log2", -0.1, 0.9, 0.09,
         0.2, "exploratory", 0.8, 6, True),
        ("rescue_combo", "CD8_activated", "rescue", "abundance", "All of it was undone.", 1.04, "rescued share", 0.6, 1.7,
         np.nan, np.nan, "confirmatory", np.nan, 9, True),
        ("rescue_combo", "Neutrophil", "rescue", "abundance", "Cannot be answered.", np.nan, "rescued share", np.nan, np.nan,
         np.nan, np.nan, "not estimable", np.nan, np.nan, True),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    table["family"] = table["endpoint"].where(~table["declared"], "declared")
    checks = {"lead": ~table["declared"], "loo_low": -2.4, "loo_high": -1.1, "loo_mouse": "m01", "sign_flips": False,
              "permutation_p_value": 0.1, "smallest_p_attainable": 0.1}  # fmt: skip
    return table.assign(**checks)


def _calls() -> pd.DataFrame:
    """Cell-level calls beside ours: one question that the truth can judge whole, one population too small to compare."""
    columns = ["question", "population", "tier", "n_mice_compared", "n_cells_compared", "n_genes_by_cells", "n_genes_by_mice",
               "called_by_cells", "called_by_mice", "called_by_both", "share_unsupported", "judged_by_truth", "false_by_cells",
               "false_by_mice", "reason"]  # fmt: skip
    nothing = [np.nan] * 6
    rows = [
        ("site_untreated", "CD8_activated", "confirmatory", 6, 120, 40, 40, 30, 6, 6, 0.8, True, 20, 1, ""),
        ("site_untreated", "Neutrophil", "confirmatory", 6, 9, *nothing, False, np.nan, np.nan, "fewer than 10 cells on one side"),
        ("combo_livermet", "CD8_activated", "confirmatory", 6, 110, 40, 40, 50, 0, 0, 1.0, True, 50, 0, ""),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _left_out() -> pd.DataFrame:
    """The declared abundance without each of two mice."""
    row = {
        "question": "site_untreated",
        "endpoint": "composition",
        "population": "CD8_activated",
        "readout": "abundance",
    }
    return pd.DataFrame([row | {"mouse": "m01", "estimate": -2.4}, row | {"mouse": "m02", "estimate": -1.1}])


def _label_permutations() -> pd.DataFrame:
    """Genes called, and called by exchanged labels, in one population."""
    row = {"question": "site_untreated", "population": "CD8_activated", "n_genes": 400, "n_called": 31, "null_median": 0.0,
           "null_max": 2.0, "n_permutations": 18, "permutation_p_value": 0.1, "smallest_p": 0.1,
           "scheme": "labels exchanged"}  # fmt: skip
    return pd.DataFrame([row])


@pytest.fixture(scope="session")
def toy() -> SimpleNamespace:
    """Tables of a small study, as the rooms hand them on. Not to be changed by a test."""
    rng = np.random.default_rng(7)
    config = resolve(CONFIG)
    samples = _samples()
    sheet = samples.set_index("sample")
    built = build_design(sheet, config["design"])
    design = json.loads(json.dumps(built.to_dict(), default=str))
    barcodes = _barcodes(samples, rng)
    cells = barcodes.index[barcodes["kept"]]
    lineage = np.resize(["T_cell", "Neutrophil", "Kupffer_cell", "unassigned"], len(cells))
    t_cells = cells[lineage == "T_cell"]
    state = np.resize(["CD8_activated", "Treg", "CD8_Tex", "unassigned"], len(t_cells))
    centre = {"T_cell": -4.0, "Neutrophil": 0.0, "Kupffer_cell": 4.0, "unassigned": 8.0}
    x = np.array([centre[name] for name in lineage]) + rng.normal(0, 0.5, len(cells))
    layout = pd.DataFrame({"umap_1": x, "umap_2": rng.normal(0, 1, len(cells))}, index=cells)
    labels = pd.DataFrame({"leiden": "0", "lineage": lineage, "state": lineage}, index=cells)
    labels.loc[t_cells, "state"] = state
    arms = sheet["site"] + "." + sheet["treatment"]
    units = pd.DataFrame({"mouse": sheet["mouse"], "tissue": "liver", "arm": arms}).reset_index(drop=True)
    proportions = pd.concat(
        [
            units.assign(level="population", population=name, n_cells=10, n_total=40, fraction=rng.beta(2, 8, 12))
            for name in POPULATIONS
        ]
    )
    z = pd.DataFrame(
        rng.normal(0, 1, (len(t_cells), 2)), index=t_cells, columns=["z:T_early_activated", "ucell:T_early_activated"]
    )
    return SimpleNamespace(
        config=config,
        design=design,
        findings=json.loads(json.dumps(examine(built).to_dict())),
        calls=_calls(),
        left_out=_left_out(),
        label_permutations=_label_permutations(),
        tests=pd.DataFrame(
            [
                {"question": question, "population": population, "tier": tier, "n_left_out": len(mice.split()), "left_out": mice}
                for question, population, tier, mice in (
                    ("site_untreated", "CD8_activated", "exploratory", "m04 m05"),
                    ("combo_livermet", "CD8_activated", "confirmatory", "m04 m05"),
                    ("site_untreated", "Neutrophil", "confirmatory", ""),
                )
            ]
        ),
        samples=samples,
        barcodes=barcodes,
        layout=layout,
        labels=labels,
        states=pd.DataFrame({"state": state}, index=t_cells),
        scores=z,
        answers=_answers(),
        proportions=proportions,
        readouts=units.assign(readout="Fas_in_activated_CD8", population="CD8_activated", value=rng.normal(5, 1, 12)),
        **_clusters(cells),
        **_integration(),
        truth=pd.DataFrame(
            {
                "quantity": ["lineages, macro-F1", "abundance of CD8_activated, site_untreated", "rescue of abundance"],
                "planted": [np.nan, -1.5, 1.0],
                "found": [0.97, -1.4, 1.1],
                "detail": ["at least 0.95 wanted", "95% CI", "95% CI"],
                "verdict": ["found", "found", "missed"],
            }
        ),
        **_tests(["site_untreated", "combo_livermet"], rng),
    )  # fmt: skip
