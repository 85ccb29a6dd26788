"""Headlines are declared, never picked: which rows they are, and what their p-values pay for being several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from livermet import keys
from livermet.mice.answers.sentences import Writer
from livermet.mice.design.declared import ABUNDANCE, COMPOSITION, MECHANISM, RESCUE, SIGNATURE, Declared, declare
from livermet.mice.design.model import Design
from livermet.mice.endpoints.levels import LEVEL, POPULATION_LEVEL

ROBUSTNESS = (
    keys.LOO_LOW,
    keys.LOO_HIGH,
    keys.LOO_MOUSE,
    keys.SIGN_FLIPS,
    keys.PERMUTATION_P_VALUE,
    keys.SMALLEST_P,
)  # of declared rows, from the checks
UNTESTED = (keys.DESCRIPTIVE, keys.NOT_ESTIMABLE)


def holm(p_values: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Holm's step-down adjustment (1979, doi:10.2307/4615733) over the p-values that there are.

    It holds the probability of a single false claim within the family, whatever the dependence of its rows.
    """
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return adjusted


def find_declared(design: Design) -> DeclaredRows:
    """The declared rows of a study."""
    return DeclaredRows(design, declare(design.settings))


@dataclass(frozen=True)
class DeclaredRows:
    """Declared rows among the tables of the tests."""

    design: Design
    rows: list[Declared]

    def adjust(
        self, pathways: pd.DataFrame, composition: pd.DataFrame, mechanism: pd.DataFrame
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """The tables with `adjusted_p_value` of the declared rows by Holm within their question; the others as they were."""
        tables = {SIGNATURE: pathways.copy(), COMPOSITION: composition.copy(), MECHANISM: mechanism.copy()}
        for question in self.design.contrasts:
            places = [self._find(one, tables[one.endpoint]) for one in self.rows if one.question == question]
            ends = [one.endpoint for one in self.rows if one.question == question]
            found = [(end, place) for end, place in zip(ends, places, strict=True) if place is not None]
            adjusted = holm([_p_value(tables[end], place) for end, place in found])
            for (end, place), value in zip(found, adjusted, strict=True):
                tables[end].at[place, keys.ADJUSTED_P_VALUE] = value
        return tables[SIGNATURE], tables[COMPOSITION], tables[MECHANISM]

    def _find(self, one: Declared, table: pd.DataFrame) -> int | None:
        """Where a table of tests has a declared row."""
        here = table[table[keys.QUESTION] == one.question]
        if one.population:
            here = here[here[keys.POPULATION] == one.population]
        if one.endpoint == COMPOSITION:
            here = here[here[LEVEL] == POPULATION_LEVEL]
        else:
            here = here[here[SIGNATURE if one.endpoint == SIGNATURE else keys.READOUT] == one.readout]
        return None if here.empty else here.index[0]

    def complete(self, table: pd.DataFrame, writer: Writer) -> pd.DataFrame:
        """Mark the declared rows of the answers, and add those that no test has: what was declared never goes missing.

        Parameters
        ----------
        table
            The answers: question, endpoint, population, readout, tier, ...
        writer
            Says what a missing row is about.
        """
        missing = [one for one in self.rows if not any(one.matches(*key) for key in _keys(table, one.question))]
        if missing:
            added = pd.DataFrame([self._missing(one, writer) for one in missing], columns=table.columns)
            table = pd.concat([table, added.astype(table.dtypes.to_dict(), errors="ignore")], ignore_index=True)
        declared = {
            (one.question, *key) for one in self.rows for key in _keys(table, one.question) if one.matches(*key)
        }
        rescued = table[keys.ENDPOINT] == RESCUE
        by = [keys.QUESTION, keys.ENDPOINT, keys.POPULATION, keys.READOUT]
        marked = pd.Series([key in declared for key in table[by].itertuples(index=False, name=None)], index=table.index)
        table[keys.DECLARED] = (marked | rescued).astype(bool)
        table[keys.FAMILY] = table[keys.ENDPOINT].where(~table[keys.DECLARED], keys.DECLARED)
        return table

    def _missing(self, one: Declared, writer: Writer) -> dict[str, object]:
        contrast = self.design[one.question]
        why = contrast.reason or "too few mice have enough cells or genes of it"
        thing = writer.name(one.readout)
        if one.population:
            thing = (
                writer.name(one.population)
                if one.readout == ABUNDANCE
                else f"{thing} genes in {writer.name(one.population)}"
            )
        return {
            keys.QUESTION: one.question,
            keys.POPULATION: one.population,
            keys.ENDPOINT: one.endpoint,
            keys.READOUT: one.readout,
            keys.SENTENCE: f"{writer.subject(one.question)}: what happens to {thing} cannot be answered: {why}.",
            keys.TIER: keys.NOT_ESTIMABLE,
        }


def _keys(table: pd.DataFrame, question: str) -> list[tuple[str, str, str]]:
    """Endpoint, population and read-out of every row of a question."""
    here = table.loc[table[keys.QUESTION] == question, [keys.ENDPOINT, keys.POPULATION, keys.READOUT]]
    return list(here.itertuples(index=False, name=None))


def _p_value(table: pd.DataFrame, place: int) -> float:
    """What a row was tested by; nothing where it was only described."""
    return np.nan if table.at[place, keys.TIER] in UNTESTED else float(table[keys.P_VALUE].loc[place])


def join_robustness(table: pd.DataFrame, robustness: pd.DataFrame | None, alpha: float = 0.05) -> pd.DataFrame:
    """Set beside each declared row what the checks found, and say in its sentence where a single mouse turns its sign.

    Parameters
    ----------
    table
        The answers.
    robustness
        One row a declared row: question, endpoint, population, readout and what is joined; None: nothing is known.
    alpha
        Adjusted p-value below which a change was claimed.
    """
    by = [keys.QUESTION, keys.ENDPOINT, keys.POPULATION, keys.READOUT]
    table = table.drop(columns=[name for name in ROBUSTNESS if name in table])
    if robustness is None or robustness.empty:
        return table.assign(**dict.fromkeys(ROBUSTNESS, np.nan))
    checked = robustness[[*by, *ROBUSTNESS, "flipping_mice"]].drop_duplicates(by)
    table = table.merge(checked, on=by, how="left", validate="many_to_one")
    # Of an estimate about 0 the sign turns easily, and nothing was claimed: the column says so, the sentence need not.
    claimed = (table[keys.ADJUSTED_P_VALUE] < alpha) | (table[keys.CI_LOW] > 0) | (table[keys.CI_HIGH] < 0)
    if keys.MARGIN in table:
        claimed &= table[keys.MARGIN].isna()  # what is the same may well have either sign
    flips = claimed & table[keys.SIGN_FLIPS].map(lambda value: str(value) == "True")
    warning = " " + table["flipping_mice"].map(name_flips)
    table[keys.SENTENCE] = table[keys.SENTENCE].where(~flips, table[keys.SENTENCE] + warning)
    return table.drop(columns="flipping_mice")


def name_flips(mice: object) -> str:
    """Which mice turn the sign, in words."""
    names = mice.split() if isinstance(mice, str) else []
    if not names:
        return ""
    each = f"mouse {names[0]}" if len(names) == 1 else f"any one of mice {', '.join(names[:-1])} or {names[-1]}"
    return f"Without {each} the sign turns."
