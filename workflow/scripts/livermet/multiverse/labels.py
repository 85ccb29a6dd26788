"""Labels of a set of cells at several resolutions: the study's own steps, from the embedding to the states.

No step is written anew here. What is left out is what only the eye or the choice of a resolution needs: layouts, the
stability of clusters, scores that no call depends on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from livermet.cells.clusters.cluster import find_clusters
from livermet.cells.embedding.embed import Embedding, embed_cells
from livermet.cells.lineages.annotate import annotate_cells
from livermet.cells.lineages.own_labels import take_labels
from livermet.errors import InputError
from livermet.keys import CELL, FAILURE, LEIDEN, LINEAGE, N_CELLS, STATE
from livermet.multiverse.grid import INTEGRATE, RESOLUTION
from livermet.tcells.calls import find_missing, name_compartment
from livermet.tcells.controls import make_control_sets
from livermet.tcells.definitions import load_states
from livermet.tcells.embed import embed_tcells
from livermet.tcells.labels import label_cells, select_tcells, take_cells
from livermet.tcells.signatures import load
from livermet.tcells.states import call_states

if TYPE_CHECKING:
    from anndata import AnnData

log = logging.getLogger("livermet")

N_CLUSTERS, N_TCELLS = "n_clusters", "n_t_cells"
COLUMNS = [RESOLUTION, N_CELLS, N_CLUSTERS, N_TCELLS, FAILURE]


@dataclass(frozen=True)
class Knowledge:
    """What labels rest on: contents of marker, signature and state files, bins, the owner's labels, states of macrophages."""

    markers: dict[str, Any]
    signatures: Mapping[str, Any]
    states: Mapping[str, Any]
    bins: pd.DataFrame
    labels: pd.DataFrame | None = None
    macrophages: Mapping[str, Any] | None = None


def relabel_cells(
    counts: AnnData,
    *,
    knowledge: Knowledge,
    settings: Mapping[str, Any],
    integrate: str,
    resolutions: Sequence[float],
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Label one set of cells, batches brought together in one way, at several resolutions.

    Parameters
    ----------
    counts
        Raw counts of the set's cells, obs with the batch.
    knowledge
        Markers, gene sets, states, bins.
    settings
        Resolved sections `embed`, `annotate` (without `markers`), `tcells` and `macrophages` (without `states`).
    integrate
        Takes the place of `embed.integrate`.
    resolutions
        Of the clustering.
    seed
        The study's.

    Returns
    -------
    labels : DataFrame
        Columns resolution, cell, lineage, state; no rows of a resolution that failed.
    outcomes : DataFrame
        A row per resolution: :data:`COLUMNS`, `failure` empty where there is none.
    """
    embed = {**settings["embed"], INTEGRATE: integrate}
    try:
        labeller = _Labeller(
            counts, embed_cells(counts, seed=seed, measure=False, **embed), knowledge, settings, embed, seed
        )
    except InputError as error:
        return _no_labels(), pd.DataFrame(
            [(value, counts.n_obs, 0, 0, str(error)) for value in resolutions], columns=COLUMNS
        )
    tables, rows = [_no_labels()], []
    for value in resolutions:
        try:
            labels = labeller.label(value)
        except InputError as error:
            rows.append((value, counts.n_obs, 0, 0, str(error)))
            continue
        tables.append(labels[[LINEAGE, STATE]].reset_index().assign(**{RESOLUTION: value}))
        n_tcells = len(select_tcells(labels, settings["tcells"]["lineages"]))
        rows.append((value, counts.n_obs, labels[LEIDEN].nunique(), n_tcells, ""))
        log.info("resolution %g: %d clusters, %d T cells", value, labels[LEIDEN].nunique(), n_tcells)
    return pd.concat(tables, ignore_index=True)[list(_no_labels())], pd.DataFrame(rows, columns=COLUMNS)


def _no_labels() -> pd.DataFrame:
    return pd.DataFrame(
        {RESOLUTION: pd.Series(dtype=float), **{name: pd.Series(dtype=str) for name in (CELL, LINEAGE, STATE)}}
    )


class _Labeller:
    """Clusters, lineages and states of one embedding at any resolution."""

    def __init__(
        self,
        counts: AnnData,
        embedding: Embedding,
        knowledge: Knowledge,
        settings: Mapping[str, Any],
        embed: Mapping[str, Any],
        seed: int,
    ) -> None:
        self.counts, self.embedding, self.knowledge, self.own = counts, embedding, knowledge, knowledge.labels
        self.macrophages = settings.get("macrophages", {})
        self.annotate, self.tcells, self.embed, self.seed = settings["annotate"], settings["tcells"], embed, seed
        self.collection = load(knowledge.signatures)
        self.definitions = load_states(knowledge.states, self.collection)
        self.columns = [item.signature for item in self.definitions.states]
        self.sets = make_control_sets(
            self.collection,
            self.definitions.called_by(),
            bins=knowledge.bins,
            var=counts.var,
            n_control_sets=self.tcells["n_control_sets"],
        )
        self.barred = find_missing(self.collection, self.definitions, counts.var)
        # As in the study: cells are clustered in the order of their names.
        self.order = np.argsort(counts.obs_names.to_numpy(dtype=str), kind="stable")
        self.graph = sparse.csr_matrix(embedding.connectivities)[self.order][:, self.order]
        self.called: tuple[pd.Index, pd.DataFrame] | None = None

    def label(self, resolution: float) -> pd.DataFrame:
        """Index cell; leiden, lineage, state."""
        found = np.empty(self.counts.n_obs, dtype=np.int64)
        found[self.order] = find_clusters(self.graph, resolution=resolution, seed=self.seed)
        clusters = pd.DataFrame({LEIDEN: found.astype(str)}, index=pd.Index(self.counts.obs_names, name=CELL))
        lineages = annotate_cells(
            self.counts,
            clusters,
            self.knowledge.markers,
            seed=self.seed,
            connectivities=self.embedding.connectivities,
            **self.annotate,
        ).lineages
        if self.own is not None:
            lineages = take_labels(lineages, self.own)
        return label_cells(lineages, self._call(lineages), self._call_macrophages(lineages))

    def _call_macrophages(self, lineages: pd.DataFrame) -> pd.DataFrame | None:
        """States of the macrophages, where the study calls them."""
        if self.knowledge.macrophages is None:
            return None
        return name_compartment(
            self.counts,
            lineages,
            study_connectivities=self.embedding.connectivities,
            signatures=self.knowledge.signatures,
            states=self.knowledge.macrophages,
            bins=self.knowledge.bins,
            **{key: self.macrophages[key] for key in ("lineages", "n_control_sets", "min_z")},
        )["states"]

    def _call(self, lineages: pd.DataFrame) -> pd.DataFrame:
        """States of the T cells; the same T cells are not called twice."""
        matrix, cells = take_cells(self.counts, lineages, self.tcells["lineages"])
        if self.called is not None and cells.equals(self.called[0]):
            return self.called[1]
        connectivities = embed_tcells(
            self.counts,
            lineages,
            study_pca=self.embedding.pca,
            study_connectivities=self.embedding.connectivities,
            signatures=self.knowledge.signatures,
            states=self.knowledge.states,
            seed=self.seed,
            measure=False,
            **{name: self.tcells[name] for name in ("lineages", "min_cells", "n_top_genes", "n_pcs")},
            **{name: self.embed[name] for name in ("n_neighbors", INTEGRATE, "batch_key")},
        ).connectivities
        states = call_states(
            matrix,
            self.counts.var,
            sets=self.sets,
            # UCell only says whether it would agree with a call, and that is not asked here.
            ucell=pd.DataFrame(0.0, index=cells, columns=self.columns),
            connectivities=connectivities,
            collection=self.collection,
            states=self.definitions,
            min_z=self.tcells["min_z"],
            barred=self.barred,
        )
        self.called = (cells, states)
        return states
