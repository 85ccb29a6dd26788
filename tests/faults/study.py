"""The smallest study that runs every rule: six simulated mice, 2,000 genes, own labels, macrophages, a multiverse."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from tests.conftest import ROOT

NAME = "tiny"
CONFIG = "tiny.yaml"
SHEET = "tiny.tsv"
ARMS = [("subcutaneous", "untreated"), ("subcutaneous_liver", "untreated"), ("subcutaneous_liver", "rt_anti_pdl1")]


def write_study(folder: Path, *, everything: bool = False, shuffled: bool = False) -> None:
    """Write config and sheet into a checkout.

    Parameters
    ----------
    folder
        The checkout.
    everything
        With all rules that a study has to ask for: macrophage states, ambient correction, the multiverse.
    shuffled
        The rows of the sheet in another order.
    """
    (folder / CONFIG).write_text(yaml.safe_dump(config(everything), sort_keys=False))
    sheet = pd.DataFrame(rows())
    if shuffled:
        sheet = sheet.iloc[[4, 1, 3, 0, 5, 2]]
    sheet.to_csv(folder / SHEET, sep="\t", index=False)


def rows() -> list[dict[str, str]]:
    """Six mice, two an arm."""
    found = []
    for number in range(6):
        site, treatment = ARMS[number // 2]
        sample = f"s{number + 1}"
        ending = ".h5" if number % 2 else ""
        found.append(
            {
                "sample": sample, "mouse": f"m{number + 1}", "site": site, "treatment": treatment, "tissue": "liver",
                "batch": f"b{number % 2 + 1}", "sex": "f", "path": f"results/{NAME}/input/{sample}{ending}",
                "raw_path": f"results/{NAME}/input/{sample}.raw.h5",
            }
        )  # fmt: skip
    return found


def config(everything: bool) -> dict[str, Any]:
    """The demo's config, small."""
    demo = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    design = copy.deepcopy(demo["design"])
    design["factors"]["treatment"] = ["untreated", "rt_anti_pdl1"]
    design["populations"] = {
        name: design["populations"][name] for name in ("T_cell", "CD8_activated", "B_cell", "Neutrophil")
    }
    design["min_cells"] = 2
    design["endpoints"] = design["endpoints"][:1]
    wanted = {"site_untreated", "combo_livermet", "rescue_combo"}
    design["questions"] = [one for one in design["questions"] if one["name"] in wanted]
    for one in design["questions"]:
        if one["kind"] == "rescue":
            one["readouts"] = [{"population": "CD8_activated", "readout": "abundance"}]
    small: dict[str, Any] = {
        **demo,
        "study": NAME,
        "samples": SHEET,
        "demo": {"simulate": True, "n_genes": 2000, "cells_per_mouse": 80, "n_empty_droplets": 100},
        "quality": {"min_umis": 100, "min_genes": 50, "min_cells_per_sample": 10},
        "embed": {"n_top_genes": 300, "n_pcs": 10},
        "cluster": {"resolutions": [1.0], "n_subsamples": 2},
        "design": design,
    }
    small["tcells"] = {**demo["tcells"], "n_control_sets": 20, "min_cells": 10}
    if everything:
        small["quality"]["ambient"] = "correct"
        small["macrophages"] = {"states": "resources/macrophage_states.yaml", "n_control_sets": 20}
        small["multiverse"] = {"enabled": True, "mads": [5.0], "doublets": ["remove"], "integrate": ["none"]}
    return small
