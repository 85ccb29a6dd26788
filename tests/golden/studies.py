"""The studies whose answers R gave: sheets, design sections and gene sets, in the pipeline's own words.

`draw_inputs.py` draws counts for them, `reference.R` answers their questions with edgeR and limma, the tests ask livermet.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from livermet.mice.design.model import Design, build_design
from livermet.settings import resolve

HERE = Path(__file__).parent
INPUTS, REFERENCE = HERE / "inputs", HERE / "reference"
N_GENES = 300
POPULATION = "B_cell"
SITES = ["control", "liver_met"]
TREATMENTS = ["untreated", "rt", "anti_pdl1", "combo"]
SITE = {"name": "site", "kind": "effect", "factor": "site", "level": "liver_met", "reference": "control"}
RT = {"name": "rt", "kind": "effect", "factor": "treatment", "level": "rt", "reference": "untreated"}
COMBO = {"kind": "effect", "factor": "treatment", "level": "combo", "reference": "untreated"}


class Study(NamedTuple):
    """A sheet and the `design` section of its config."""

    sheet: pd.DataFrame
    settings: dict[str, Any]

    @property
    def design(self) -> Design:
        """As every job of the pipeline gets it."""
        return build_design(self.sheet, self.settings)


def _settings(**section: Any) -> dict[str, Any]:
    section = {"min_cells": 10, "populations": {POPULATION: {"lineages": [POPULATION]}}, **section}
    resolved: dict[str, Any] = resolve({"study": "golden", "samples": "samples.tsv", "design": section})["design"]
    return resolved


def _sheet(rows: list[dict[str, str]]) -> pd.DataFrame:
    sheet = pd.DataFrame(rows)
    sheet.insert(0, "sample", [f"s{number:02d}" for number in range(len(sheet))])
    return sheet.set_index("sample")


def _arms(factors: dict[str, list[str]], n: int, **more: list[str]) -> pd.DataFrame:
    """`n` mice in every arm; `more`: column -> values, given out in turn."""
    rows = []
    for levels in product(*factors.values()):
        for _ in range(n):
            place = len(rows)
            given = {name: values[place % len(values)] for name, values in more.items()}
            rows.append(
                {"mouse": f"m{place:02d}", "tissue": "liver", **dict(zip(factors, levels, strict=True)), **given}
            )
    return _sheet(rows)


def _factorial() -> Study:
    factors = {"site": SITES, "treatment": TREATMENTS}
    within = {"site": "liver_met"}
    questions = [
        {**SITE, "within": {"treatment": "untreated"}},
        {**COMBO, "name": "combo", "within": within},
        {**COMBO, "name": "combo_control", "within": {"site": "control"}},
        {"name": "combo_by_site", "kind": "difference", "of": ["combo", "combo_control"]},
        {"name": "synergy", "kind": "synergy", "factor": "treatment", "combination": "combo",
         "singles": ["rt", "anti_pdl1"], "reference": "untreated", "within": within},
    ]  # fmt: skip
    # Five batches in turn: crossed with the arms, balanced with none of them.
    sheet = _arms(factors, 3, batch=["b1", "b2", "b1", "b3", "b2"])
    return Study(sheet, _settings(factors=factors, covariates=["batch"], questions=questions))


def _two_arms() -> Study:
    factors = {"treatment": TREATMENTS[:2]}
    return Study(_arms(factors, 3), _settings(factors=factors, questions=[RT]))


def _two_mice() -> Study:
    factors = {"treatment": TREATMENTS[:2]}
    sheet = _arms(factors, 2, age=["8.5", "11", "9", "12.5"])
    return Study(sheet, _settings(factors=factors, covariates=["age"], questions=[RT]))


def _additive() -> Study:
    factors = {"site": SITES, "treatment": TREATMENTS}
    questions = [SITE, RT, {**COMBO, "name": "combo"}]
    return Study(_arms(factors, 1), _settings(factors=factors, model="additive", questions=questions))


def _tissues() -> Study:
    rows = [
        {"mouse": f"m{mouse}", "tissue": tissue, "treatment": TREATMENTS[mouse // 3]}
        for mouse in range(6)
        for tissue in ("liver", "blood")
    ]
    questions = [
        {**RT, "name": "rt_liver", "tissue": "liver"},
        {**RT, "name": "rt_blood", "tissue": "blood"},
        {"name": "rt_by_tissue", "kind": "difference", "of": ["rt_liver", "rt_blood"]},
    ]
    return Study(_sheet(rows), _settings(factors={"treatment": TREATMENTS[:2]}, questions=questions))


def make_studies() -> dict[str, Study]:
    """All of them, by the name of their files."""
    return {
        "factorial": _factorial(),  # 2 x 4 arms of three mice, batches: 14 residual degrees of freedom
        "two_arms": _two_arms(),  # three against three: 4
        "two_mice": _two_mice(),  # two against two with a number as covariate: 1
        "additive": _additive(),  # 2 x 4 arms of one mouse, main effects only: 3
        "tissues": _tissues(),  # six mice in two tissues: 8, mice correlated with themselves
    }


def make_sets() -> list[dict[str, Any]]:
    """Gene sets in the form of resources/signatures.yaml: planted ones, a signed one, ones of any genes."""
    genes = np.array([f"Gene{number:03d}" for number in range(N_GENES)])
    up, down = list(genes[:20]), list(genes[20:32])
    lists = {
        "planted_up": (up, []),
        "planted_signed": (up[:12], down),
        "planted_down": ([], down),
        "half": ([*up[:8], *genes[100:120]], []),
        "against": (down, up[:12]),
        **{f"any_{start}": (list(genes[start : start + 25]), []) for start in range(40, 280, 30)},
    }
    return [
        {"name": name, "kind": "state", "lineage": "any", "up": for_it, "down": against}
        for name, (for_it, against) in lists.items()
    ]


def read_table(path: Path) -> pd.DataFrame:
    """A table that R or `draw_inputs.py` wrote; the first column is the index."""
    return pd.read_csv(path, sep="\t", index_col=0, float_precision="round_trip")


def read_counts(name: str) -> pd.DataFrame:
    """Counts of a study, genes x units."""
    return read_table(INPUTS / f"{name}.counts.tsv.gz").astype(float)


def read_reference(name: str) -> pd.DataFrame:
    """What R wrote under this name."""
    return read_table(REFERENCE / f"{name}.tsv.gz")


def read_answers(name: str) -> dict[str, pd.DataFrame]:
    """What R wrote of several questions, taken apart: question -> table."""
    table = read_reference(name)
    questions = dict.fromkeys(str(column).split(":")[0] for column in table)
    return {
        question: table.filter(regex=f"^{question}:").rename(columns=lambda column: str(column).split(":")[1])
        for question in questions
    }


def make_pseudobulk(name: str, study: Study) -> anndata.AnnData:
    """The counts as the rules of the workflow hand them on: one population of fifty cells in every unit."""
    counts, units = read_counts(name), study.design.units
    obs = units.reset_index().assign(population=POPULATION, n_cells=50)
    obs.index = pd.Index(POPULATION + ":" + obs["unit"])
    var = pd.DataFrame({"symbol": counts.index}, index=pd.Index("ENS" + counts.index, name="gene_id"))
    return anndata.AnnData(sparse.csr_matrix(counts[units.index].to_numpy().T), obs=obs, var=var)


def log10_difference(found: Any, expected: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How far p-values lie apart in decades, one number each."""
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    return np.asarray(np.abs(np.log10(found) - np.log10(expected)))
