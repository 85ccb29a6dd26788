"""Counts summed per mouse and population: the only thing that inference sees of the cells' expression.

Cells of one mouse are not replicates (Squair et al. 2021, doi:10.1038/s41467-021-25960-2); the sum over them is one
measurement of the mouse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from livermet import keys
from livermet.errors import InputError, Problem
from livermet.mice.design.model import Design
from livermet.mice.design.units import UNIT
from livermet.mice.endpoints.ambience import LAYER, expected_counts

if TYPE_CHECKING:
    from anndata import AnnData

Array = npt.NDArray[np.float64]


def sum_counts(
    *,
    counts: AnnData,
    labels: pd.DataFrame,
    populations: Mapping[str, Mapping[str, Any]],
    units: pd.DataFrame,
    soup: pd.DataFrame | None = None,
) -> AnnData:
    """Sum raw counts over the cells of each unit and population.

    Parameters
    ----------
    counts
        Cells x genes, raw counts in X; obs mouse and tissue, and where `soup` is given sample, n_umis and
        ambient_fraction.
    labels
        Index cell; columns lineage and state. Cells that are not in it belong to no population.
    populations
        Name -> lineages and states whose cells belong to it (their union).
    units
        The design's units: index unit; mouse, tissue, factors, covariates.
    soup
        Genes x samples, the profile of each sample's ambient RNA; None: ambient counts are not worked out.

    Returns
    -------
    AnnData
        A row for every unit x population, those without cells included: obs population, n_cells, unit and the columns of
        `units`; X sparse sums (int64); var as given. With `soup` also layers["ambient"], the ambient counts to be expected
        among them (float32), and obs ambient_fraction, their share, NaN where it is not known
        (:func:`livermet.mice.endpoints.ambience.expected_counts`).

    Raises
    ------
    InputError
        If a cell's mouse and tissue are not a unit.
    """
    import anndata

    unit_of_cell = _units_of_cells(counts.obs, units)
    placed = labels[[keys.LINEAGE, keys.STATE]].astype(str).reindex(counts.obs_names)
    blocks, rows, ambient = [], [], []
    for name, population in populations.items():
        members = placed[keys.LINEAGE].isin(population["lineages"]) | placed[keys.STATE].isin(population["states"])
        cells = np.flatnonzero(members.to_numpy())
        indicator = sparse.csr_matrix(
            (np.ones(len(cells), dtype=np.int64), (unit_of_cell[cells], cells)), shape=(len(units), counts.n_obs)
        )
        blocks.append(indicator @ counts.X)
        n_cells = np.bincount(unit_of_cell[cells], minlength=len(units))
        table = units.reset_index()
        table[keys.POPULATION], table[keys.N_CELLS] = name, n_cells
        if soup is not None:
            expected, table[keys.AMBIENT] = expected_counts(
                counts.obs.iloc[cells], unit_of_cell[cells], len(units), soup, counts.var_names
            )
            ambient.append(expected)
        rows.append(table)
    obs = pd.concat(rows, ignore_index=True)
    obs.index = pd.Index(obs[keys.POPULATION].astype(str) + ":" + obs[UNIT].astype(str))
    for column in obs.columns.drop([keys.N_CELLS, keys.AMBIENT], errors="ignore"):
        obs[column] = obs[column].astype("category")
    layers = {LAYER: sparse.csr_matrix(sparse.vstack(ambient))} if ambient else {}
    return anndata.AnnData(X=sparse.csr_matrix(sparse.vstack(blocks)), obs=obs, var=counts.var.copy(), layers=layers)


def _units_of_cells(obs: pd.DataFrame, units: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Place of each cell's unit among the units."""
    columns = [keys.MOUSE, keys.TISSUE] if keys.TISSUE in obs else [keys.MOUSE]
    known = {
        tuple(key): place for place, key in enumerate(units[columns].astype(str).itertuples(index=False, name=None))
    }
    groups = obs[columns].astype(str).groupby(columns, sort=False, observed=True).ngroup().to_numpy()
    first = np.unique(groups, return_index=True)[1]
    keys_found = list(obs[columns].astype(str).iloc[first].itertuples(index=False, name=None))
    strange = [
        Problem("cells", f"{' '.join(key)} is not a unit of the design") for key in keys_found if key not in known
    ]
    if strange:
        raise InputError(strange)
    return np.array([known[key] for key in keys_found], dtype=np.int64)[groups]


@dataclass(frozen=True)
class Selection:
    """One population as its test sees it.

    Attributes
    ----------
    counts
        Genes x units, raw sums.
    design
        Of the units with enough cells.
    n_cells
        Cells of every unit of the part of the design, those left out included.
    left_out
        Units with too few cells.
    ambient
        Genes x units, the ambient counts to be expected among them; None where nothing is known of the soup.
    ambient_share
        Of the counts of each unit; NaN where it is not known.
    """

    counts: Array
    design: Design
    n_cells: dict[str, int]
    left_out: list[str]
    ambient: Array | None = None
    ambient_share: Array = field(default_factory=lambda: np.zeros(0))


def select(pseudobulk: AnnData, population: str, design: Design, min_cells: int) -> Selection:
    """Sums of one population for the units of a design that have enough cells.

    Parameters
    ----------
    pseudobulk
        As :func:`sum_counts` gives it.
    population
        Its name.
    design
        The design, or a part of it.
    min_cells
        A unit with fewer cells is left out: its sum says more about chance than about the mouse.

    Returns
    -------
    Selection
        Counts in the order of the units of its design.
    """
    obs = pseudobulk.obs
    mine = (obs[keys.POPULATION].astype(str) == population).to_numpy()
    place = pd.Series(np.flatnonzero(mine), index=obs.loc[mine, UNIT].astype(str))
    n_cells = {
        str(unit): int(obs[keys.N_CELLS].iloc[place[unit]]) if unit in place.index else 0 for unit in design.units.index
    }
    kept = [unit for unit, n in n_cells.items() if n >= max(min_cells, 1)]
    part = design if len(kept) == len(n_cells) else design.subset(kept)
    rows = place[kept].to_numpy(dtype=int)
    left_out = [unit for unit in n_cells if unit not in kept]
    if LAYER not in pseudobulk.layers:
        return Selection(_dense(pseudobulk.X[rows]), part, n_cells, left_out)
    share = obs[keys.AMBIENT].to_numpy(dtype=np.float64)[rows]
    return Selection(_dense(pseudobulk.X[rows]), part, n_cells, left_out, _dense(pseudobulk.layers[LAYER][rows]), share)


def _dense(rows: Any) -> Array:
    """Rows of a matrix, sparse or not, turned: genes x units."""
    dense = np.asarray(rows.toarray() if sparse.issparse(rows) else rows, dtype=np.float64)
    return np.ascontiguousarray(dense.T)
