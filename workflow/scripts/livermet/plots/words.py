"""Names as people write them: labels for levels, lineages, states and signatures."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping

import pandas as pd

# What an underscore cannot say. Everything else is its own name with spaces.
WORDS = {
    "anti_pdl1": "anti-PD-L1",
    "anti_pd1": "anti-PD-1",
    "rt": "RT",
    "rt_anti_pdl1": "RT + anti-PD-L1",
    "subcutaneous_liver": "subcutaneous + liver",
    "T_cell": "T cell",
    "CD8_T": "CD8 T cell",
    "CD8_activated": "CD8 activated",
    "CD8_Tpex": "CD8 Tpex",
    "CD8_Tex": "CD8 Tex",
    "CD8_naive_like": "CD8 naive-like",
    "CD4_naive_like": "CD4 naive-like",
    "T_naive_like": "Naive-like T",
    "CD8_central_memory": "CD8 central memory",
    "CD8_effector_memory": "CD8 effector memory",
    "gamma_delta_T": "γδ T",
    "gamma_delta": "γδ",
    "T_IFN_stimulated": "IFN-stimulated T",
    "T_proliferating": "Proliferating T",
    "Monocyte_derived_macrophage": "Monocyte-derived macrophage",
    "log2_fold_change": "log2 fold change",
}
ARM_SEPARATOR = "."


def words(name: object) -> str:
    """A name as people write it.

    Parameters
    ----------
    name
        A level, lineage, state, signature or column name; anything else is turned into text as it is.

    Returns
    -------
    str
        The known spelling, or the name with spaces for underscores.
    """
    text = "" if name is None or (isinstance(name, float) and name != name) else str(name)
    if text in WORDS:
        return WORDS[text]
    # Names that users put together from these levels, such as those of questions.
    text = re.sub(r"anti_pdl1", "anti-PD-L1", text).replace("_", " ")
    return re.sub(r"\brt\b", "RT", text)


def capital(text: str) -> str:
    """The first letter large, but for names that are written small, such as p53."""
    return text if re.match(r"[a-z]\d", text) else text[:1].upper() + text[1:]


def wrapped(text: str, width: int) -> str:
    """Text in lines of at most `width` characters, words kept whole."""
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False))


def arm_words(arm: str, factors: Mapping[str, list[str]]) -> str:
    """An arm's levels as people write them; `arm` is levels joined by dots in the order of the factors."""
    for levels, name in _arms(factors):
        if name == arm:
            return " · ".join(words(level) for level in levels)
    return words(arm)


def arm_of(table: pd.DataFrame, factors: Mapping[str, list[str]]) -> pd.Series:
    """The arm of every row.

    Parameters
    ----------
    table
        Has one column per factor.
    factors
        Factor -> levels, reference first.

    Returns
    -------
    pandas.Series
        Levels joined by dots, on the table's index.
    """
    columns = [table[name].astype(str) for name in factors]
    arm = columns[0]
    for column in columns[1:]:
        arm = arm + ARM_SEPARATOR + column
    return arm.rename("arm")


def arm_order(factors: Mapping[str, list[str]], present: Iterable[str] | None = None) -> list[str]:
    """All arms in the order of the factors' levels; only those present where that is given."""
    kept = None if present is None else set(present)
    return [name for _, name in _arms(factors) if kept is None or name in kept]


def _arms(factors: Mapping[str, list[str]]) -> list[tuple[tuple[str, ...], str]]:
    arms: list[tuple[str, ...]] = [()]
    for levels in factors.values():
        arms = [(*arm, level) for arm in arms for level in levels]
    return [(arm, ARM_SEPARATOR.join(arm)) for arm in arms]
