"""The pipeline's steps, called as its rules' scripts call them, with the defaults of the config.

Everything that a benchmark asks of the package goes through here, so that a changed signature is mended in one place.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
import yaml
from pydantic import BaseModel

from benchmarks.cells.simulate import Library
from benchmarks.common import MEASURED
from livermet.cells.barcodes import quality
from livermet.cells.barcodes.quality import assess_quality
from livermet.cells.clusters.cluster import Clustering, cluster_cells
from livermet.cells.embedding.embed import Embedding, embed_cells
from livermet.cells.lineages.annotate import Annotation, annotate_cells
from livermet.cells.merge import Merged, merge_samples
from livermet.keys import SYMBOL
from livermet.settings import Annotate, Cluster, Embed, Quality, TCells
from livermet.tcells.calls import name_states
from livermet.tcells.embed import embed_tcells
from livermet.tcells.scores import score_states

SCORING = "score_doublets"  # the function that the quality step scores doublets with


def settings(section: type[BaseModel], function: Callable[..., Any], **changed: Any) -> dict[str, Any]:
    """A section of the config with its defaults: the keys that a function takes, as the rule hands them over."""
    taken = inspect.signature(function).parameters
    values = {**section().model_dump(), **changed}
    return {name: value for name, value in values.items() if name in taken}


@cache
def resource(name: str) -> Any:
    """A resource file of the pipeline."""
    path = MEASURED / "resources" / name
    if path.suffix == ".tsv":
        return pd.read_csv(path, sep="\t", keep_default_na=False)
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def assess(library: Library, *, raw: bool = True, seed: int = 1, **changed: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Quality table and soup of one library, with its raw matrix or without."""
    sample = str(library.counts.obs["sample"].iloc[0])
    values = settings(Quality, assess_quality, **changed)
    values.pop("counts", None)  # the key of that name says what the reader may find, and is not for this step
    return _first_two(assess_quality(library.counts, library.raw if raw else None, sample=sample, seed=seed, **values))


@contextmanager
def timed_doublets() -> Iterator[list[float]]:
    """CPU seconds of the doublet scoring within the quality step, one a call."""
    seconds: list[float] = []
    original = getattr(quality, SCORING)

    def timed(*arguments: Any, **named: Any) -> Any:
        before = time.process_time()
        try:
            return original(*arguments, **named)
        finally:
            seconds.append(time.process_time() - before)

    setattr(quality, SCORING, timed)
    try:
        yield seconds
    finally:
        setattr(quality, SCORING, original)


def _first_two(found: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    return found[0], found[1]


@dataclass(frozen=True)
class Study:
    """What the steps make of a study."""

    merged: Merged
    embedding: Embedding
    clustering: Clustering
    annotation: Annotation

    @property
    def counts(self) -> Any:
        """Kept cells x genes."""
        return self.merged.counts


def run_study(
    libraries: Sequence[Library],
    sheet: pd.DataFrame,
    *,
    raw: bool = True,
    seed: int = 1,
    integrate: str | None = None,
    changed: dict[str, Any] | None = None,
) -> Study:
    """From libraries to lineages."""
    found = [assess(library, raw=raw, seed=seed, **(changed or {})) for library in libraries]
    merged = merge_samples([one.counts for one in libraries], [q for q, _ in found], [s for _, s in found], sheet)
    return annotate(merged, seed=seed, integrate=integrate)


def annotate(merged: Merged, *, seed: int = 1, integrate: str | None = None) -> Study:
    """From merged counts to lineages."""
    how = {"integrate": integrate} if integrate else {}
    embedding = embed_cells(merged.counts, seed=seed, **settings(Embed, embed_cells, **how))
    clustering = cluster_cells(
        embedding.connectivities, embedding.pca.index, seed=seed, **settings(Cluster, cluster_cells)
    )
    values = settings(
        Annotate,
        annotate_cells,
        markers=resource("lineages.yaml"),
        seed=seed,
        connectivities=embedding.connectivities,
    )
    lineages = annotate_cells(merged.counts, clustering.clusters, **values)
    return Study(merged, embedding, clustering, lineages)


def score(counts: Any, labels: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Scores of the T cells among labelled cells."""
    return score_states(
        counts,
        labels,
        signatures=resource("signatures.yaml"),
        bins=resource("expression_bins.tsv"),
        **settings(TCells, score_states, states=resource("states.yaml")),
    )


def call(study: Study, labels: pd.DataFrame | None = None, *, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and states of a study's T cells; `labels` instead of the study's own lineages where given."""
    labels = study.annotation.lineages if labels is None else labels
    _, graph, *_ = embed_tcells(
        study.counts,
        labels,
        study_pca=study.embedding.pca,
        study_connectivities=study.embedding.connectivities,
        signatures=resource("signatures.yaml"),
        seed=seed,
        **{**settings(Embed, embed_tcells), **settings(TCells, embed_tcells, states=resource("states.yaml"))},
    )
    scores = score(study.counts, labels)["scores"]
    tables = name_states(
        study.counts,
        labels,
        scores=scores,
        connectivities=graph,
        signatures=resource("signatures.yaml"),
        bins=resource("expression_bins.tsv"),
        **settings(TCells, name_states, states=resource("states.yaml")),
    )
    return scores, tables["states"]


def marker_sets() -> dict[str, list[str]]:
    """Lineage -> the genes that speak for it, of all its kinds: what plain scanpy is given, too."""
    found: dict[str, list[str]] = {}
    for lineage, entry in resource("lineages.yaml")["lineages"].items():
        kinds = (entry.get("subsets") or {"": entry}).values()
        found[lineage] = list(dict.fromkeys(gene for kind in kinds for gene in kind["up"]))
    return found


def state_sets() -> dict[str, list[str]]:
    """State -> the up genes of its signature."""
    up = {entry["name"]: list(entry["up"]) for entry in resource("signatures.yaml")["signatures"]}
    return {state["name"]: up[state["signature"]] for state in resource("states.yaml")["states"]}


def by_symbol(counts: Any) -> Any:
    """The counts with symbols as names, for scanpy."""
    renamed = counts.copy()
    renamed.var_names = pd.Index(counts.var[SYMBOL].astype(str))
    renamed.var_names_make_unique()
    return renamed
