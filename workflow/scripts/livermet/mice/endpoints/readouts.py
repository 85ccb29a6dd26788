"""What is measured once a mouse: a gene's level, a signature, a share of cells; each with its counting noise."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from livermet import keys
from livermet.mice.design.model import UNIT, Design
from livermet.mice.models.libraries import normalise
from livermet.mice.models.linear import Array
from livermet.tcells.signatures import GeneIndex

if TYPE_CHECKING:
    from anndata import AnnData

    from livermet.tcells.signatures import Signature

PRIOR_COUNT = 0.5
LN2_SQUARED = float(np.log(2) ** 2)


@dataclass(frozen=True)
class Measured:
    """One quantity, once a unit.

    Attributes
    ----------
    values
        Index unit; NaN where not measured.
    variance
        Index unit: variance by counting alone, in the squared unit of the values.
    n_cells
        Index unit: cells behind the value.
    reason
        Why nothing was measured; empty where something was.
    """

    values: pd.Series
    variance: pd.Series
    n_cells: pd.Series
    reason: str = ""

    @classmethod
    def nothing(cls, units: pd.Index, reason: str) -> Measured:
        """Say that nothing could be measured, and why."""
        empty = pd.Series(np.nan, index=units)
        return cls(empty, empty, pd.Series(0, index=units), reason)


@dataclass(frozen=True)
class Profiles:
    """Pseudobulk of one population, a row a unit with enough cells.

    Attributes
    ----------
    units
        All units of the design, in its order.
    counts
        Index unit (those with enough cells); columns places of the genes.
    library
        Effective library size (sum x TMM factor) of those units.
    expressed
        Which genes have enough counts for the design, by edgeR's rule.
    n_cells
        Cells of every unit, 0 where there are none.
    genes
        Finds a symbol's place.
    matrix
        Units x columns: the design matrix, all units.
    """

    units: pd.Index
    counts: pd.DataFrame
    library: pd.Series
    expressed: npt.NDArray[np.bool_]
    n_cells: pd.Series
    genes: GeneIndex
    matrix: Array = field(repr=False)

    def level(self, symbol: str) -> Measured:
        """log2 counts per million of one gene, half a count added."""
        place = self.genes.find(symbol)
        if place is None:
            return Measured.nothing(self.units, f"the study has no gene {symbol}")
        values, variance = self._levels(np.array([place]))
        return self._measured(values[:, 0], variance[:, 0])

    def score(self, signature: Signature, without: Collection[str] = ()) -> Measured:
        """Mean log2 counts per million of a set's genes, +1 for genes up and -1 for genes down over their number.

        Weights are declared by the set, so no axis is learned from the mice that it is tested in. Genes without enough
        counts are left out, whatever they do; `without` names others, such as those by which the population was called.
        """
        signs = {self.genes.find(gene): 1.0 for gene in signature.up if gene not in without}
        signs |= {self.genes.find(gene): -1.0 for gene in signature.down if gene not in without}
        seen = [place for place in signs if place is not None and self.expressed[place]]
        if not seen:
            return Measured.nothing(self.units, f"no gene of {signature.name} is expressed")
        weights = np.array([signs[place] for place in seen]) / len(seen)
        values, variance = self._levels(np.array(seen))
        return self._measured(values @ weights, variance @ weights**2)

    def levels(self, without: Collection[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
        """log2 counts per million of all genes with enough counts but those named, and the counting variance.

        Both: index unit (those with enough cells), columns places of the genes.
        """
        dropped = {self.genes.find(gene) for gene in without}
        places = np.array([place for place in np.flatnonzero(self.expressed) if place not in dropped], dtype=int)
        found = self._levels(places)
        values, variance = (pd.DataFrame(one, index=self.counts.index, columns=places) for one in found)
        return values, variance

    def _levels(self, places: Array) -> tuple[Array, Array]:
        """log2 CPM of genes and its counting variance, at the level that the design expects."""
        library = self.library.to_numpy()[:, None]
        prior = PRIOR_COUNT * library / library.mean()  # the same addition to every unit's CPM
        values = np.log2((self.counts.to_numpy()[:, places] + prior) / (library + 2 * prior) * 1e6)
        x = self.matrix[self.units.get_indexer(self.counts.index)]
        expected = 2.0 ** (x @ (np.linalg.pinv(x, rcond=1e-10) @ values)) * library / 1e6
        return values, 1 / (np.maximum(expected, PRIOR_COUNT) * LN2_SQUARED)

    def _measured(self, values: Array, variance: Array) -> Measured:
        index = self.counts.index
        return Measured(
            pd.Series(values, index=index).reindex(self.units),
            pd.Series(variance, index=index).reindex(self.units),
            self.n_cells,
        )


def profile(
    pseudobulk: AnnData, population: str, design: Design, aliases: Mapping[str, Iterable[str]], min_cells: int
) -> Profiles:
    """Pseudobulk of one population.

    Parameters
    ----------
    pseudobulk
        One row per unit and population: obs mouse, tissue, population, n_cells; X summed raw counts; var symbol.
    population
        Its name.
    design
        The checked design.
    aliases
        Symbol -> other names of the same gene.
    min_cells
        Units with fewer cells are left out.
    """
    rows = pseudobulk[(pseudobulk.obs[keys.POPULATION] == population).to_numpy()]
    units, names = design.units.index, find_units(rows.obs, design)
    n_cells = pd.Series(rows.obs[keys.N_CELLS].to_numpy(), index=names).reindex(units).fillna(0).astype(int)
    enough = ((rows.obs[keys.N_CELLS] >= min_cells).to_numpy()) & names.isin(units)
    x = rows.X[np.flatnonzero(enough)] if enough.any() else np.zeros((0, rows.n_vars))
    dense = np.asarray(x.toarray() if hasattr(x, "toarray") else x, dtype=float)
    counts = pd.DataFrame(dense, index=pd.Index(names[enough]))
    library, expressed = dense.sum(axis=1), np.zeros(rows.n_vars, dtype=bool)
    if len(counts) > 1:
        part = design if len(counts) == len(units) else design.subset(counts.index)
        libraries = normalise(dense[counts.index.get_indexer(part.units.index)].T, part.matrix.to_numpy(dtype=float))
        library = pd.Series(libraries.size, index=part.units.index)[counts.index].to_numpy()
        expressed = libraries.kept
    return Profiles(
        units=units,
        counts=counts,
        library=pd.Series(library, index=counts.index),
        expressed=expressed,
        n_cells=n_cells,
        genes=GeneIndex(rows.var[keys.SYMBOL], aliases),
        matrix=design.matrix.to_numpy(dtype=float),
    )


def find_units(table: pd.DataFrame, design: Design) -> pd.Index:
    """The unit of each row of a table with columns mouse and, where the study has several, tissue; None for no unit."""
    several = design.units[keys.TISSUE].nunique() > 1
    columns = [keys.MOUSE, keys.TISSUE] if several else [keys.MOUSE]
    known = {key[1:]: key[0] for key in design.units[columns].astype(str).itertuples(name=None)}
    return pd.Index(
        [known.get(key) for key in table[columns].astype(str).itertuples(index=False, name=None)], dtype=object
    )


def units_of_cells(obs: pd.DataFrame, design: Design) -> pd.Series:
    """The unit of each cell, by the mouse and tissue in its row."""
    return pd.Series(find_units(obs, design), index=obs.index, name=UNIT)


def log_odds(successes: pd.Series, trials: pd.Series, matrix: Array, min_trials: int = 1) -> Measured:
    """Empirical log2 odds, with the variance of a binomial at the odds that the design expects.

    Parameters
    ----------
    successes, trials
        Index unit: counts of cells.
    matrix
        Units x columns: the design matrix.
    min_trials
        Units with fewer trials are not measured.

    Notes
    -----
    log2((k + .5) / (n - k + .5)) (Haldane 1956, doi:10.1111/j.1469-1809.1955.tb01285.x). The number of one population
    per cell of another is the same quantity, with n the cells of both.
    """
    raw = pd.Series(np.log2((successes + 0.5) / (trials - successes + 0.5)), index=trials.index)
    values = raw.where(trials >= max(min_trials, 1))
    seen = values.notna().to_numpy()
    if not seen.any():
        return Measured.nothing(trials.index, f"no mouse has {max(min_trials, 1)} cells or more")
    x = matrix[seen]
    odds = 2.0 ** (x @ (np.linalg.pinv(x, rcond=1e-10) @ values.to_numpy()[seen]))
    p = odds / (1 + odds)
    padded = trials.to_numpy()[seen] + 1.0
    floor = 0.5 / padded
    p = np.clip(p, floor, 1 - floor)
    variance = pd.Series(np.nan, index=trials.index)
    variance[seen] = 1 / (padded * p * (1 - p) * LN2_SQUARED)
    return Measured(values, variance, trials)


def mean_of(first: Measured, second: Measured) -> Measured:
    """Mean of two measurements of the same mice, whose counting noise is independent."""
    return Measured(
        (first.values + second.values) / 2,
        (first.variance + second.variance) / 4,
        pd.concat([first.n_cells, second.n_cells], axis=1).min(axis=1),
        first.reason or second.reason,
    )


def count_positive(counts: AnnData, members: pd.Series, units: pd.Series, place: int) -> pd.DataFrame:
    """Cells of a population with at least one count of a gene, per unit.

    Parameters
    ----------
    counts
        Kept cells, raw counts.
    members
        Index cell: belongs to the population.
    units
        Index cell: the unit of each cell.
    place
        The gene's place among the columns.

    Returns
    -------
    pandas.DataFrame
        Index unit; columns positive, n_cells.
    """
    chosen = members.reindex(counts.obs_names, fill_value=False).to_numpy(dtype=bool)
    column = counts.X[:, [place]]
    positive = np.asarray(column.toarray() if hasattr(column, "toarray") else column).ravel()[chosen] > 0
    of = units.reindex(counts.obs_names).to_numpy()[chosen]
    table = pd.DataFrame({"positive": positive, keys.N_CELLS: 1}).groupby(of).sum()
    return table.astype(int)
