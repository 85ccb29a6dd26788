"""The Fasl-Fas axis, mouse by mouse: do macrophages kill activated CD8 T cells, and does radiotherapy stop them?

Read-outs are declared in ``resources/mechanism.yaml``. Two warnings travel with every one of them. Fas is a target of
p53, so radiotherapy raises it in cells that nobody activated: the p53 set is tested beside it. And cells that died are
not in the data: what is left may look healthier for it, so abundance (:mod:`livermet.mice.endpoints.composition`) is tested apart.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
from pydantic import Field, model_validator

from livermet import keys
from livermet.mice.design.model import ARM, UNIT, Design
from livermet.mice.endpoints.applicable import circular_genes
from livermet.mice.endpoints.composition import membership
from livermet.mice.endpoints.readouts import Measured, Profiles, count_positive, log_odds, mean_of, profile
from livermet.mice.models import equivalence
from livermet.mice.models.contrasts import N_MICE, REASON, ROW, estimate_rows
from livermet.mice.models.linear import adjust_within_question
from livermet.tcells.signatures import GeneIndex, Signatures, Strict, check

if TYPE_CHECKING:
    from anndata import AnnData

LOG2, LOG2_ODDS = "log2", "log2 odds"
UNITS = {"gene": LOG2, "share": LOG2_ODDS, "signature": LOG2, "mean": LOG2, "ratio": LOG2}
NEEDS = {
    "gene": {"gene", "population"},
    "share": {"gene", "population"},
    "signature": {"signature", "population"},
    "mean": {"of"},
    "ratio": {"numerator", "population"},
}
COLUMNS = [
    keys.QUESTION,
    keys.READOUT,
    keys.POPULATION,
    keys.ESTIMATE,
    "unit",
    keys.STANDARD_ERROR,
    keys.CI_LOW,
    keys.CI_HIGH,
    keys.P_VALUE,
    keys.ADJUSTED_P_VALUE,
    keys.MDE,
    keys.MICE_NEEDED,
    keys.TIER,
    REASON,
    "label",
    "note",
    N_MICE,
    *equivalence.COLUMNS,
]


class Readout(Strict):
    """One declared read-out; see the head of ``resources/mechanism.yaml`` for the kinds."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    kind: Literal["gene", "share", "signature", "mean", "ratio"]
    population: tuple[str, ...] = ()
    gene: str = ""
    signature: str = ""
    without: str = ""
    of: tuple[str, ...] = Field((), max_length=2)
    numerator: tuple[str, ...] = ()
    min_cells: int | None = Field(None, ge=1)
    label: str = Field(min_length=1)
    source: str = Field(min_length=1)
    note: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Readout:
        missing = sorted(key for key in NEEDS[self.kind] if not getattr(self, key))
        if missing:
            raise ValueError(f"kind {self.kind} needs {', '.join(missing)}")
        return self


class Mechanism(Strict):
    """The declared read-outs."""

    schema_version: Literal[1]
    readouts: tuple[Readout, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> Mechanism:
        names = [item.name for item in self.readouts]
        if len(set(names)) < len(names):
            raise ValueError("each read-out has a name of its own")
        for item in self.readouts:
            unknown = [name for name in item.of if name not in names or name == item.name]
            if unknown or (item.kind == "mean" and len(item.of) != 2):
                raise ValueError(
                    f"{item.name} is the mean of two other read-outs; there is no {', '.join(unknown) or 'second'}"
                )
        return self


def load(content: Mapping[str, Any], *, where: str = "mechanism") -> Mechanism:
    """Check declared read-outs; raises InputError with every problem."""
    return check(Mechanism, content, where=where)


def measure_readouts(
    counts: AnnData,
    pseudobulk: AnnData,
    labels: pd.DataFrame,
    units: pd.Series,
    design: Design,
    settings: Mapping[str, Any],
    signatures: Signatures,
    mechanism: Mechanism,
    defining: Mapping[str, Collection[str]],
) -> dict[tuple[str, str], Measured]:
    """Every read-out, once a mouse.

    Parameters
    ----------
    counts
        Kept cells, raw counts; only whether a cell has a gene at all is taken from it, added up per mouse.
    pseudobulk
        One row per unit and population.
    labels, units
        Index cell: lineage and state; the cell's unit.
    design, settings
        The checked design and the resolved `design` section.
    signatures, mechanism
        Gene sets and declared read-outs.
    defining
        Label -> genes by which it is called: in a population of that label alone they are left out of every signature.

    Returns
    -------
    dict
        (read-out, population) -> :class:`Measured`; a read-out that names several populations has one entry each.
    """
    measure = _Measure(counts, pseudobulk, labels, units, design, settings, signatures, defining)
    found: dict[tuple[str, str], Measured] = {}
    for item in sorted(mechanism.readouts, key=lambda item: item.kind == "mean"):
        if item.kind != "mean":
            for population in item.population:
                found[item.name, population] = measure(item, population)
            continue
        # The second part says which population was taken; the first has one and it goes with each.
        first, second = ([key for key in found if key[0] == name] for name in item.of)
        for left in first[:1]:
            for right in second:
                found[item.name, right[1]] = mean_of(found[left], found[right])
    return {key: found[key] for item in mechanism.readouts for key in found if key[0] == item.name}


class _Measure:
    """Measures one read-out in one population."""

    def __init__(
        self,
        counts: AnnData,
        pseudobulk: AnnData,
        labels: pd.DataFrame,
        units: pd.Series,
        design: Design,
        settings: Mapping[str, Any],
        signatures: Signatures,
        defining: Mapping[str, Collection[str]],
    ) -> None:
        self.counts, self.pseudobulk, self.labels, self.units = counts, pseudobulk, labels, units
        self.design, self.settings, self.signatures, self.defining = design, settings, signatures, defining
        self.matrix = design.matrix.to_numpy(dtype=float)
        self._profiles: dict[tuple[str, int], Profiles] = {}

    def __call__(self, item: Readout, population: str) -> Measured:
        unknown = [name for name in (population, *item.numerator) if name not in self.settings["populations"]]
        if unknown:
            return self._nothing(f"the config has no population {unknown[0]}")
        kinds: dict[str, Callable[[Readout, str], Measured]] = {
            "gene": lambda item, population: self._profile(item, population).level(item.gene),
            "signature": self._score,
            "share": self._share,
            "ratio": self._ratio,
        }
        return kinds[item.kind](item, population)

    def _nothing(self, reason: str) -> Measured:
        return Measured.nothing(self.design.units.index, reason)

    def _profile(self, item: Readout, population: str) -> Profiles:
        key = (population, item.min_cells or self.settings["min_cells"])
        if key not in self._profiles:
            self._profiles[key] = profile(self.pseudobulk, population, self.design, self.signatures.aliases, key[1])
        return self._profiles[key]

    def _score(self, item: Readout, population: str) -> Measured:
        try:
            chosen = self.signatures[item.signature]
            other = self.signatures[item.without] if item.without else None
        except KeyError as missing:
            return self._nothing(f"there is no gene set {missing}")
        without = [*other.up, *other.down] if other else []
        without += circular_genes(self.settings["populations"][population], self.defining)
        return self._profile(item, population).score(chosen, without)

    def _cells(self, population: str) -> pd.Series:
        members = membership(self.labels, self.settings["populations"][population])
        return self.units[members].value_counts().reindex(self.design.units.index).fillna(0).astype(int)

    def _share(self, item: Readout, population: str) -> Measured:
        place = GeneIndex(self.counts.var[keys.SYMBOL], self.signatures.aliases).find(item.gene)
        if place is None:
            return self._nothing(f"the study has no gene {item.gene}")
        members = membership(self.labels, self.settings["populations"][population])
        table = count_positive(self.counts, members, self.units, place).reindex(self.design.units.index).fillna(0)
        min_cells = item.min_cells or self.settings["min_cells"]
        return log_odds(table["positive"], table[keys.N_CELLS].astype(int), self.matrix, min_cells)

    def _ratio(self, item: Readout, population: str) -> Measured:
        upper, lower = self._cells(item.numerator[0]), self._cells(population)
        return log_odds(upper, upper + lower, self.matrix, item.min_cells or self.settings["min_cells"])


def test_mechanism(
    counts: AnnData,
    pseudobulk: AnnData,
    labels: pd.DataFrame,
    units: pd.Series,
    design: Design,
    settings: Mapping[str, Any],
    signatures: Signatures,
    mechanism: Mechanism,
    defining: Mapping[str, Collection[str]],
) -> dict[str, pd.DataFrame]:
    """Put every question to every read-out.

    Parameters
    ----------
    counts, pseudobulk, labels, units, design, settings, signatures, mechanism, defining
        As for :func:`measure_readouts`.

    Returns
    -------
    dict
        ``mechanism``: one row per question and read-out, in the first of its populations that can answer, adjusted
        within question. Read-outs differ in kind, so no variance is shared. ``readouts``: one row per mouse and read-out.
    """
    measured = measure_readouts(counts, pseudobulk, labels, units, design, settings, signatures, mechanism, defining)
    about = {item.name: item for item in mechanism.readouts}
    tables = []
    for (name, population), one in measured.items():
        values, variance = one.values.to_frame(name).T, one.variance.to_numpy(dtype=float)[None, :]
        table = estimate_rows(values, variance, design, settings, moderate=False, endpoint=about[name].kind)
        table[keys.POPULATION] = population
        if one.reason:
            table[REASON] = one.reason
        tables.append(table)
    table = _first_answer(pd.concat(tables, ignore_index=True)).rename(columns={ROW: keys.READOUT})
    table["unit"] = [UNITS[about[name].kind] for name in table[keys.READOUT]]
    table["label"] = [about[name].label for name in table[keys.READOUT]]
    table["note"] = [about[name].note for name in table[keys.READOUT]]
    table[keys.ADJUSTED_P_VALUE] = adjust_within_question(table)
    table = equivalence.judge(table, settings["confidence"])
    return {"mechanism": design.in_order(table).reindex(columns=COLUMNS), "readouts": _readouts(measured, design)}


def _first_answer(table: pd.DataFrame) -> pd.DataFrame:
    """Of each question and read-out the first population that can answer; the first of all where none can."""
    can = (table[keys.TIER] != keys.NOT_ESTIMABLE).rename("can")
    ranked = table.assign(can=~can, place=range(len(table)))
    chosen = ranked.sort_values(["can", "place"]).drop_duplicates([keys.QUESTION, ROW])
    return chosen.sort_values("place").drop(columns=["can", "place"])


def _readouts(measured: Mapping[tuple[str, str], Measured], design: Design) -> pd.DataFrame:
    """Values, a row a mouse and read-out; weight: 1 / counting variance."""
    tables = []
    for (name, population), one in measured.items():
        table = pd.DataFrame({"value": one.values, keys.N_CELLS: one.n_cells, "weight": 1 / one.variance})
        table = design.units[[keys.MOUSE, keys.TISSUE, ARM]].join(table)
        tables.append(table.assign(**{keys.READOUT: name, keys.POPULATION: population}))
    columns = [keys.MOUSE, keys.TISSUE, ARM, keys.READOUT, keys.POPULATION, "value", keys.N_CELLS, "weight"]
    return pd.concat(tables).rename_axis(UNIT).reset_index()[columns]
