"""Data sets at the edge: what each one ends in. A right, plain statement or a plain refusal; never a traceback."""

from __future__ import annotations

import contextlib
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import yaml

from benchmarks.cells import biology, steps
from benchmarks.cells.simulate import Library, as_canonical, simulate_study
from benchmarks.cells.worlds import World, draw_world
from benchmarks.common import MEASURED
from livermet.errors import InputError
from livermet.keys import IS_DOUBLET, LINEAGE, STATE, SYMBOL, UNASSIGNED
from livermet.settings import resolve
from livermet.study import open_study

FINISHED, REFUSED, TRACEBACK = "finished", "refused", "traceback"
DONE, SAID, EITHER = (FINISHED,), (REFUSED,), (FINISHED, REFUSED)
FEW = ("cell",)  # a refusal of few cells says so
SEED = 4


@dataclass(frozen=True)
class Ending:
    """What a case ended in.

    Attributes
    ----------
    case
        In words.
    ended
        "finished", "refused" (an error for people) or "traceback".
    right
        Whether that is what should be, and what is said of the cells is true.
    said
        The statement; for a traceback the function of the package it came from and the error.
    """

    case: str
    ended: str
    right: bool
    said: str


@dataclass(frozen=True)
class Case:
    """One data set at the edge: how it is run, how it should end, and when its statement is right."""

    run: Callable[[], dict[str, Any]]
    should: tuple[str, ...]
    holds: Callable[[dict[str, Any]], bool] = lambda _: True
    words: tuple[str, ...] = ()


def run_edges() -> pd.DataFrame:
    """Run every case.

    Returns
    -------
    pandas.DataFrame
        A row a case: the fields of :class:`Ending`.
    """
    return pd.DataFrame([vars(try_case(name)) for name in CASES])


def try_case(name: str) -> Ending:
    """Run one case and judge its ending."""
    case = CASES[name]
    try:
        found = case.run()
    except InputError as error:
        said = " ".join(str(error).split())
        right = REFUSED in case.should and all(word in said for word in case.words)
        return Ending(name, REFUSED, right, said)
    except Exception as error:  # what must not happen is what is looked for
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "livermet" in frame.filename]
        where = f"{Path(frames[-1].filename).stem}.{frames[-1].name}" if frames else "outside the package"
        return Ending(name, TRACEBACK, False, f"{where}: {type(error).__name__}: {' '.join(str(error).split())[:160]}")
    said = "; ".join(f"{key} {value}" for key, value in found.items())
    return Ending(name, FINISHED, FINISHED in case.should and case.holds(found), said)


def follow(libraries: list[Library], sheet: pd.DataFrame) -> dict[str, Any]:
    """Every step from droplets to states, and what comes of it in numbers."""
    study = steps.run_study(libraries, sheet)
    scores, states = steps.call(study)
    lineages = study.annotation.lineages[LINEAGE]
    truth = pd.concat([one.truth for one in libraries]).loc[lineages.index]
    single = ~truth[IS_DOUBLET].to_numpy(dtype=bool)
    named = single & (lineages != UNASSIGNED).to_numpy()
    accepted = {name: biology.accepted(name) for name in biology.KINDS}
    fine = [call in accepted[true] for call, true in zip(lineages[named], truth.loc[named, LINEAGE], strict=True)]
    return {
        "cells": len(lineages),
        "clusters": int(study.clustering.clusters["leiden"].nunique()),
        "unassigned": int((lineages == UNASSIGNED).sum()),
        "right of named": round(float(np.mean(fine)), 3) if fine else "none named",
        "T cells": len(states),
        "states": int((states[STATE] != UNASSIGNED).sum()) if len(states) else 0,
        "integration": "not needed" if study.embedding.integration.empty else "measured",
        "scored": len(scores),
    }


def named_right(found: Mapping[str, Any], least: float = 0.9) -> bool:
    """Whether what is named is right; naming nothing is no mistake."""
    share = found["right of named"]
    return bool(share == "none named" or share >= least)


def _simulate(
    *, only: str = "", without: tuple[str, ...] = (), n_samples: int = 2, n_cells: int = 300, n_batches: int = 2
) -> Callable[[], dict[str, Any]]:
    def run() -> dict[str, Any]:
        rng = np.random.default_rng(SEED)
        absent = tuple(name for name in biology.KINDS if name != only) if only else without
        world = draw_world(rng, without=absent, n_free=3000)
        batches: Sequence[Mapping[str, float]] = [{"sd": 0.0}, {"sd": 0.3}][:n_batches]
        return follow(*simulate_study(rng, world, n_samples=n_samples, n_cells=n_cells, batches=batches))

    return run


def _one_state() -> dict[str, Any]:
    rng = np.random.default_rng(SEED)
    world = draw_world(rng, states=["CD8_naive_like"], without=[n for n in biology.KINDS if n != "T_cell"], n_free=3000)
    return follow(*simulate_study(rng, world, n_samples=2, n_cells=200))


def _empty_droplets() -> dict[str, Any]:
    """A library in which nothing but soup is: no barcode has a cell's UMIs."""
    rng = np.random.default_rng(SEED)
    world = draw_world(rng, n_free=3000)
    libraries, sheet = simulate_study(rng, world, n_samples=1, n_cells=100)
    poor = libraries[0].counts.copy()
    poor.X = sp.csr_matrix(poor.X.multiply(sp.csr_matrix(rng.random(poor.shape) < 0.02)).astype(np.int32))
    return follow([Library(poor, libraries[0].raw, libraries[0].truth)], sheet)


def _dead_sample() -> dict[str, Any]:
    """One sample of two is soup: it is set aside and the run goes on."""
    rng = np.random.default_rng(SEED)
    world = draw_world(rng, n_free=3000)
    libraries, sheet = simulate_study(rng, world, n_samples=2, n_cells=300)
    poor = libraries[1].counts.copy()
    poor.X = sp.csr_matrix(poor.X.multiply(sp.csr_matrix(rng.random(poor.shape) < 0.02)).astype(np.int32))
    return follow([libraries[0], Library(poor, libraries[1].raw, libraries[1].truth)], sheet)


def _human() -> dict[str, Any]:
    rng = np.random.default_rng(SEED)
    world = draw_world(rng, n_free=2000)
    symbols = world.genes[SYMBOL].str.upper()
    # Names that people do not have (a mouse's own in capitals are read as the mouse's).
    symbols = symbols[~symbols.str.match(r"GM\d|.*RIK\d*$|H2-|HB[AB]-|TRP\d|CD8B1|.+-PS\d*$")]
    genes = pd.DataFrame({SYMBOL: [*symbols, "HLA-A", "HLA-DRA", "TP53", "CD8B"]})
    genes.index = pd.Index(genes[SYMBOL], name="gene_id")
    return _read_as_mouse(rng, world, genes[~genes.index.duplicated()])


def _human_ids() -> dict[str, Any]:
    rng = np.random.default_rng(SEED)
    world = draw_world(rng, n_free=2000)
    ids = pd.Index([f"ENSG{number:011d}" for number in range(len(world.genes))], name="gene_id")
    return _read_as_mouse(rng, world, pd.DataFrame({SYMBOL: world.genes[SYMBOL].str.upper().to_numpy()}, index=ids))


def _read_as_mouse(rng: np.random.Generator, world: World, genes: pd.DataFrame) -> dict[str, Any]:
    counts = sp.csr_matrix(rng.poisson(0.5, (50, len(genes))).astype(np.int32))
    return {"genes": as_canonical(counts, genes, "s1", [f"c{n}" for n in range(50)]).n_vars}


def _batch_is_treatment() -> dict[str, Any]:
    """The demo's own config, with a sheet in which every treatment is a batch."""
    config = yaml.safe_load((MEASURED / "config/config.yaml").read_text(encoding="utf-8"))
    sheet = pd.read_csv(MEASURED / "config/samples.tsv", sep="\t", dtype=str, keep_default_na=False)
    sheet["batch"] = "b_" + sheet["treatment"]
    return _open(config, sheet)


def _batch_is_treatment_unadjusted() -> dict[str, Any]:
    """The same, and the config does not even adjust for the batch: what is left is the integration of the cells."""
    config = yaml.safe_load((MEASURED / "config/config.yaml").read_text(encoding="utf-8"))
    config["design"]["covariates"] = []
    sheet = pd.read_csv(MEASURED / "config/samples.tsv", sep="\t", dtype=str, keep_default_na=False)
    sheet["batch"] = "b_" + sheet["treatment"]
    return _open(config, sheet)


def _open(config: dict[str, Any], sheet: pd.DataFrame) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(MEASURED):
        path = Path(folder) / "samples.tsv"
        sheet.to_csv(path, sep="\t", index=False)
        opened = open_study(resolve({**config, "samples": str(path)}))
    return {"samples let through": len(opened)}


CASES: dict[str, Case] = {
    "no T cells": Case(
        _simulate(without=("T_cell",)),
        DONE,
        lambda f: f["T cells"] <= 0.01 * f["cells"] and named_right(f),
    ),
    "one kind of cell, B cells": Case(_simulate(only="B_cell"), DONE, named_right),
    "one T-cell state alone": Case(_one_state, DONE, named_right),
    "12 cells": Case(_simulate(n_samples=1, n_cells=12), EITHER, lambda f: named_right(f, 0.7), FEW),
    "12 cells in four samples": Case(_simulate(n_samples=4, n_cells=3), EITHER, lambda f: named_right(f, 0.7), FEW),
    "one batch": Case(_simulate(n_batches=1), DONE, lambda f: f["integration"] == "not needed" and named_right(f)),
    "one sample": Case(
        _simulate(n_samples=1, n_batches=1), DONE, lambda f: f["integration"] == "not needed" and named_right(f)
    ),
    "no cell passes quality control": Case(_empty_droplets, SAID, words=("no cell passes",)),
    "one sample of two is dead": Case(_dead_sample, DONE, lambda f: f["cells"] >= 200 and named_right(f)),
    "human genes by symbol": Case(_human, SAID, words=("human",)),
    "human genes by Ensembl id": Case(_human_ids, SAID, words=("human",)),
    "every treatment is a batch": Case(_batch_is_treatment, SAID, words=("batch",)),
    "every treatment is a batch, no covariate": Case(
        _batch_is_treatment_unadjusted, SAID, words=("batch", "treatment")
    ),
}
