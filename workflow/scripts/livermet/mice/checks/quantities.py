"""What every declared row was measured by: one value a mouse, and the model that was fitted to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.design.declared import COMPOSITION, MECHANISM, RESCUE, SIGNATURE, Declared, declare
from livermet.mice.design.model import Design
from livermet.mice.endpoints.applicable import choose, circular_genes
from livermet.mice.endpoints.composition import read_abundance
from livermet.mice.endpoints.gene_sets import find_sets
from livermet.mice.endpoints.pathways import measure_genes
from livermet.mice.endpoints.pseudobulk import select
from livermet.mice.endpoints.readouts import find_units, profile
from livermet.mice.endpoints.rescue import AXIS
from livermet.mice.models.contrasts import fit_part
from livermet.mice.models.libraries import normalise
from livermet.mice.models.linear import Array, RowFit, fit_rows
from livermet.mice.models.set_tests import score_sets
from livermet.tcells.signatures import GeneIndex, Signatures

if TYPE_CHECKING:
    from anndata import AnnData


@dataclass(frozen=True)
class Rows:
    """Rows that are fitted together.

    Attributes
    ----------
    values
        Rows x units of the study; NaN where not measured.
    variance
        Rows x units: variance by counting alone; None where `weights` are given.
    weights
        One number a unit, for all rows; None where they follow from the counting variance.
    moderate
        Whether the rows share what they know of the residual variance.
    """

    values: pd.DataFrame
    variance: Array | None
    weights: Array | None
    moderate: bool

    def fit(self, part: Design) -> tuple[RowFit, Array]:
        """Fits to the units of a part of the design, as the endpoint's own test makes them; and the weights."""
        if self.variance is not None:
            return fit_part(self.values, self.variance, part, self.moderate)
        places = self.values.columns.get_indexer(part.units.index)
        chosen = self.values.iloc[:, places]
        weights = np.broadcast_to(np.asarray(self.weights)[places], chosen.shape)
        matrix, mice = part.matrix.to_numpy(dtype=float), list(part.units[keys.MOUSE])
        return fit_rows(chosen, matrix, weights, self.moderate, blocks=mice), weights

    def raw(self) -> Rows:
        """The same rows, each on its own."""
        return replace(self, moderate=False)


@dataclass(frozen=True)
class Quantity:
    """A declared row: its rows' fit and its place among them; None and why not where it was not measured.

    A rescue along an axis that is learned has no rows either, and no reason: its values change with the mice at hand.
    """

    declared: Declared
    rows: Rows | None
    place: int
    reason: str = ""


@dataclass(frozen=True)
class Sources:
    """What the tests of the endpoints measured, and what they measured it with.

    Attributes
    ----------
    abundance, readouts, mechanism
        Tables of the composition test (unit, population, clr, variance) and of the mechanism test (mouse, tissue, readout,
        population, value, weight; and the population that answers each question).
    pseudobulk
        A row per unit and population.
    sets
        The content of `resources/signatures.yaml`: its `signatures`.
    signatures
        The same, checked.
    defining
        Label -> genes by which it is called.
    """

    abundance: pd.DataFrame
    readouts: pd.DataFrame
    mechanism: pd.DataFrame
    pseudobulk: AnnData
    sets: Sequence[Mapping[str, Any]]
    signatures: Signatures
    defining: Mapping[str, Collection[str]]


def find_quantities(design: Design, sources: Sources) -> list[Quantity]:
    """Every declared row with what was measured for it.

    Parameters
    ----------
    design
        The checked design; its settings declare endpoints and rescues.
    sources
        What the tests measured.

    Returns
    -------
    list of Quantity
        In the order of the questions; of a rescue each of its read-outs.
    """
    known = _Known(design, sources)
    found = [known.quantity(one) for one in declare(design.settings)]
    for asked in design.settings["questions"]:
        if asked["kind"] == RESCUE:
            found += [known.rescue(asked["name"], readout) for readout in asked["readouts"]]
    order = {name: place for place, name in enumerate(design.contrasts)}
    return sorted(found, key=lambda one: order[one.declared.question])


class _Known:
    """Measures each thing once."""

    def __init__(self, design: Design, sources: Sources) -> None:
        self.design, self.sources = design, sources
        self.abundance = Rows(*read_abundance(sources.abundance, design), None, moderate=True)
        self.parts = {name: part for part, names in design.parts() for name in names}
        self._rows: dict[tuple[str, ...], Rows | str] = {}

    def quantity(self, one: Declared) -> Quantity:
        """A declared endpoint of a question."""
        if one.endpoint == COMPOSITION:
            return self._place(one, self.abundance, one.population, "too few cells of it to measure its abundance")
        if one.endpoint == SIGNATURE:
            return self._place(
                one,
                self._once("scores", one.population, one.question),
                one.readout,
                "too few of its genes are expressed",
            )
        mine = self.sources.mechanism[[keys.QUESTION, keys.READOUT, keys.POPULATION]].astype(str)
        mine = mine[(mine[keys.QUESTION] == one.question) & (mine[keys.READOUT] == one.readout)]
        if mine.empty:
            return Quantity(one, None, 0, "it was not measured")
        population = mine[keys.POPULATION].iloc[0]
        one = replace(one, population=population)
        return self._place(one, self._once(MECHANISM, one.readout, population), one.readout, "it was not measured")

    def rescue(self, question: str, readout: Mapping[str, Any]) -> Quantity:
        """A read-out of a rescue."""
        population, signature = readout[keys.POPULATION], readout.get(SIGNATURE) or ""
        one = Declared(question, RESCUE, population, signature or readout[keys.READOUT])
        if readout[keys.READOUT] == AXIS:
            return Quantity(one, None, 0)  # learned anew from the mice at hand: no fixed values stand for it
        if not signature:
            return self._place(one, self.abundance, population, "too few cells of it to measure its abundance")
        return self._place(one, self._once("axis", population, signature), signature, "it was not measured")

    def _place(self, one: Declared, rows: Rows | str, name: str, why: str) -> Quantity:
        if isinstance(rows, str):
            return Quantity(one, None, 0, rows)
        names = list(rows.values.index)
        return Quantity(one, rows, names.index(name)) if name in names else Quantity(one, None, 0, why)

    def _once(self, kind: str, *names: str) -> Rows | str:
        if kind == "scores":  # questions of one part of the design share them
            names = (names[0], next(name for name, part in self.parts.items() if part is self.parts[names[1]]))
        if (kind, *names) not in self._rows:
            make: dict[str, Callable[..., Rows | str]] = {
                "scores": self._scores,
                MECHANISM: self._readout,
                "axis": self._axis,
            }
            self._rows[kind, *names] = make[kind](*names)
        return self._rows[kind, *names]

    def _readout(self, name: str, population: str) -> Rows:
        table = self.sources.readouts
        table = table[(table[keys.READOUT] == name) & (table[keys.POPULATION] == population)]
        table = table.set_axis(find_units(table, self.design), axis=0).reindex(self.design.units.index)
        variance = 1 / table["weight"].to_numpy(dtype=float)
        return Rows(table[["value"]].astype(float).T.set_axis([name], axis=0), variance[None, :], None, moderate=False)

    def _axis(self, population: str, signature: str) -> Rows | str:
        """The score that a rescue measures."""
        settings, sets = self.design.settings, self.sources.signatures
        profiles = profile(self.sources.pseudobulk, population, self.design, sets.aliases, settings["min_cells"])
        without = circular_genes(settings["populations"][population], self.sources.defining)
        measured = profiles.score(sets[signature], without)
        if measured.reason:
            return measured.reason
        variance = measured.variance.to_numpy(dtype=float)
        return Rows(measured.values.to_frame(signature).T, variance[None, :], None, moderate=False)

    def _scores(self, population: str, question: str) -> Rows | str:
        """Scores of all sets of a population, as the test of signatures makes them for its estimates."""
        settings, part = self.design.settings, self.parts[question]
        labels = settings["populations"][population]
        selection = select(self.sources.pseudobulk, population, part, settings["min_cells"])
        if not selection.counts.shape[1]:
            return f"no mouse has {settings['min_cells']} cells of it"
        libraries = normalise(selection.counts, selection.design.matrix.to_numpy(dtype=float))
        if not libraries.kept.any():
            return "no gene has enough counts"
        symbols = self.sources.pseudobulk.var[keys.SYMBOL][libraries.kept].astype(str)
        index = GeneIndex(symbols.to_list(), self.sources.signatures.aliases)
        chosen = choose(self.sources.sets, labels, settings["signatures"])
        sets = find_sets(chosen, index, circular_genes(labels, self.sources.defining))
        measured = measure_genes(selection, libraries)
        scores = pd.DataFrame(
            score_sets(measured, sets), index=[one.name for one in sets], columns=selection.design.units.index
        )
        units = self.design.units.index
        per_unit = pd.Series(measured.weights, index=scores.columns).reindex(units).to_numpy(dtype=np.float64)
        return Rows(scores.reindex(columns=units), None, np.asarray(per_unit), moderate=True)
