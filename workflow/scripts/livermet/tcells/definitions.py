"""What makes a T-cell state: the definitions of ``resources/states.yaml``, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from livermet.errors import InputError, Problem
from livermet.keys import UNASSIGNED
from livermet.tcells.signatures import Signatures, Strict, check

#: Outcomes of the study: a state that is defined by them cannot be tested for them.
OUTCOMES = ("Fas", "Fasl")
OTHER = "other"  # subset of a T cell whose receptor and co-receptor say nothing


class Evidence(Strict):
    """Genes that the neighbourhood of a cell has to express.

    Attributes
    ----------
    genes
        Symbols; the most expressed one counts.
    at_least
        Smoothed log-normalised expression that it has to reach.
    """

    genes: tuple[str, ...] = Field(min_length=1)
    at_least: float = Field(gt=0)


class Subset(Strict):
    """A subset of T cells, told by its receptor, co-receptor or master regulator.

    Attributes
    ----------
    name
        Such as ``CD8``.
    requires
        Evidence, all of which has to hold.
    above
        Genes that the first evidence has to exceed (smoothed expression times the factor).
    factor
        Weight of the `above` genes: larger than 1 for a transcript that drops out more.
    """

    name: str = Field(min_length=1)
    requires: tuple[Evidence, ...] = Field(min_length=1)
    above: tuple[str, ...] = ()
    factor: float = Field(1.0, gt=0)


class State(Strict):
    """A state.

    Attributes
    ----------
    name
        As in the tables.
    subsets
        Subsets that may hold it; all where empty.
    signature
        The set whose z-score speaks for it.
    requires
        Evidence besides, all of which has to hold.
    fallback
        True for a programme that runs on top of an identity (cycling, interferon): it is called only where no identity
        stands out, so that it does not swallow the cycling or stimulated cells of every state.
    description
        One line for people.
    """

    name: str = Field(min_length=1)
    subsets: tuple[str, ...] = ()
    signature: str
    requires: tuple[Evidence, ...] = ()
    fallback: bool = False
    description: str = Field(min_length=1)


class States(Strict):
    """The definitions.

    Attributes
    ----------
    outcomes
        Genes kept out of every definition.
    own_weight
        Weight of the cell itself in smoothing; its neighbours share the rest by the graph's weights.
    subsets, states
        In order: the first subset that holds is taken; states compete.
    readouts
        Sets that are scored for the tables and define nothing.
    """

    schema_version: int
    outcomes: tuple[str, ...]
    own_weight: float = Field(gt=0, le=1)
    subsets: tuple[Subset, ...] = Field(min_length=1)
    states: tuple[State, ...] = Field(min_length=1)
    readouts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> States:
        names = [item.name for item in self.states]
        subsets = {item.name for item in self.subsets} | {OTHER}
        if len(set(names)) < len(names) or UNASSIGNED in names:
            raise ValueError(f"each state once, and none is called '{UNASSIGNED}'")
        unknown = sorted({subset for item in self.states for subset in item.subsets} - subsets)
        if unknown:
            raise ValueError(f"subsets {', '.join(sorted(subsets))}; {', '.join(unknown)} is none of them")
        absent = [gene for gene in OUTCOMES if gene not in self.outcomes]
        if absent:
            raise ValueError(f"outcomes that hold at least {', '.join(OUTCOMES)}")
        return self

    def signatures(self) -> list[str]:
        """Sets to score: those of the states, then the read-outs, each once."""
        return list(dict.fromkeys([*(item.signature for item in self.states), *self.readouts]))

    def gate_genes(self) -> list[str]:
        """Every symbol that a gate looks at, each once."""
        genes = [gene for subset in self.subsets for item in subset.requires for gene in item.genes]
        genes += [gene for subset in self.subsets for gene in subset.above]
        genes += [gene for state in self.states for item in state.requires for gene in item.genes]
        return list(dict.fromkeys(genes))


def load_states(content: Mapping[str, Any], collection: Signatures, *, where: str = "states") -> States:
    """Check the content of a states file against the gene sets it names.

    Parameters
    ----------
    content
        The file as plain objects.
    collection
        The gene sets.
    where
        What to call the file in an error.

    Returns
    -------
    States
        The checked definitions.

    Raises
    ------
    InputError
        With every problem: unknown keys, a set that does not exist, an outcome gene (Fas, Fasl) in a definition.
    """
    states = check(States, content, where=where)
    known = set(collection.names())
    problems = [
        Problem(f"{where} {name}", "no such signature", remedy="Name a set of the signatures file")
        for name in states.signatures()
        if name not in known
    ]
    for state in states.states:
        genes = {gene for item in state.requires for gene in item.genes}
        if state.signature in known:
            genes |= {*collection[state.signature].up, *collection[state.signature].down}
        caught = sorted(genes & set(states.outcomes))
        if caught:
            remedy = "A state that is defined by an outcome cannot be tested for it: take the gene out of the set"
            problems.append(Problem(f"{where} {state.name}", f"defined by {', '.join(caught)}", remedy=remedy))
    caught = sorted(
        {gene for item in states.subsets for piece in item.requires for gene in piece.genes} & set(states.outcomes)
    )
    if caught:
        problems.append(Problem(f"{where} subsets", f"defined by {', '.join(caught)}"))
    if problems:
        raise InputError(problems)
    return states
