"""A cohort for the tests of the mice room: sheet, settings, design and labels, as plain as they can be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from livermet.mice.design.model import Design, build_design
from livermet.settings import resolve

SITES = ("healthy", "tumour")
TREATMENTS = ("none", "drug")
POPULATIONS = {
    "CD8_activated": {"states": ["CD8_activated"]},
    "CD8_T": {"states": ["CD8_activated", "CD8_naive_like"]},
    "Macrophage": {"lineages": ["Macrophage"]},
    "B_cell": {"lineages": ["B_cell"]},
    "NK_cell": {"lineages": ["NK_cell"]},
    "Neutrophil": {"lineages": ["Neutrophil"]},
}
QUESTIONS = [
    {"name": "site", "kind": "effect", "factor": "site", "level": "tumour", "reference": "healthy",
     "within": {"treatment": "none"}},
    {"name": "drug", "kind": "effect", "factor": "treatment", "level": "drug", "reference": "none",
     "within": {"site": "tumour"}},
    {"name": "drug_healthy", "kind": "effect", "factor": "treatment", "level": "drug", "reference": "none",
     "within": {"site": "healthy"}},
    {"name": "drug_by_site", "kind": "difference", "of": ["drug", "drug_healthy"]},
    {"name": "rescue", "kind": "rescue", "damage": "site", "repair": "drug",
     "readouts": [{"population": "CD8_activated", "readout": "abundance"},
                  {"population": "CD8_activated", "readout": "signature", "signature": "death"}]},
]  # fmt: skip
#: label -> (lineage, state, expected cells of a mouse)
CELLS = {
    "CD8_activated": ("T_cell", "CD8_activated", 40),
    "CD8_naive_like": ("T_cell", "CD8_naive_like", 60),
    "T_cell_unassigned": ("T_cell", "unassigned", 30),
    "Macrophage": ("Macrophage", "Macrophage", 50),
    "B_cell": ("B_cell", "B_cell", 90),
    "NK_cell": ("NK_cell", "NK_cell", 60),
    "Neutrophil": ("Neutrophil", "Neutrophil", 80),
    "Kupffer_cell": ("Kupffer_cell", "Kupffer_cell", 50),
}


def make_settings(**changes: Any) -> dict[str, Any]:
    """The resolved `design` section."""
    design = {
        "factors": {"site": list(SITES), "treatment": list(TREATMENTS)},
        "populations": POPULATIONS,
        "questions": QUESTIONS,
        **changes,
    }
    settings: dict[str, Any] = resolve({"study": "test", "samples": "samples.tsv", "design": design})["design"]
    return settings


def make_sheet(n: int = 3, arms: dict[tuple[str, str], int] | None = None) -> pd.DataFrame:
    """`n` mice in every arm, or as many as `arms` says; index sample."""
    rows = [
        {"sample": f"{site}_{treatment}_{mouse}", "mouse": f"{site[0]}{treatment[0]}{mouse}", "tissue": "liver",
         "site": site, "treatment": treatment}
        for site in SITES for treatment in TREATMENTS
        for mouse in range((arms or {}).get((site, treatment), n))
    ]  # fmt: skip
    return pd.DataFrame(rows).set_index("sample")


def make_design(n: int = 3, settings: dict[str, Any] | None = None, **arms: Any) -> Design:
    """The design of such a cohort."""
    return build_design(make_sheet(n, **arms), settings or make_settings())


def draw_counts(
    design: Design, rng: np.random.Generator, effects: dict[str, dict[str, float]] | None = None, spread: float = 0.3
) -> pd.DataFrame:
    """Cells of each unit and label: multinomial, around rates that vary between mice.

    Parameters
    ----------
    effects
        Arm -> label -> log2 change of its rate.
    spread
        Standard deviation (log2) of a rate between mice of an arm.
    """
    rows = {}
    for unit, arm in design.units["arm"].items():
        change = np.array([(effects or {}).get(arm, {}).get(label, 0.0) for label in CELLS])
        rate = np.array([cells for *_, cells in CELLS.values()]) * 2 ** (change + rng.normal(0, spread, len(CELLS)))
        total = int(rng.lognormal(np.log(sum(cells for *_, cells in CELLS.values())), 0.5)) + 50
        rows[unit] = rng.multinomial(total, rate / rate.sum())
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(CELLS))


def make_cells(counts: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Labels (index cell; lineage, state) and units of as many cells."""
    lineages, states, units = [], [], []
    for unit, row in counts.iterrows():
        for label, n in row.items():
            lineage, state, _ = CELLS[str(label)]
            lineages += [lineage] * n
            states += [state] * n
            units += [unit] * n
    index = pd.Index([f"c{number}" for number in range(len(units))], name="cell")
    return pd.DataFrame({"lineage": lineages, "state": states}, index=index), pd.Series(units, index=index)
