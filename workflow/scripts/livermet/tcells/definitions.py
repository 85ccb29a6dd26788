"""What makes a state: the definitions of ``resources/states.yaml`` and its like, checked.

T cells and macrophages are named by the same machinery; only the definitions differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field, model_validator

from livermet.errors import InputError, Problem
from livermet.keys import UNASSIGNED
from livermet.tcells.signatures import Signatures, Strict, check

#: Outcomes of the study: a state that is defined by them cannot be tested for them.
OUTCOMES = ("Fas", "Fasl")
PROGRAMME = "programme:"  # prefix of the flags' columns
OTHER = "other"  # subset of a cell whose receptors say nothing


class Evidence(Strict):
    """Genes that the neighbourhood of a cell has to express.

    Attributes
    ----------
    genes
        Symbols; the most expressed one counts.
    at_least
        UMIs per 10,000 that its neighbourhood's mean has to reach; where empty, what counts as expressed in the file.
    """

    genes: tuple[str, ...] = Field(min_length=1)
    at_least: float | None = Field(None, gt=0)


class Subset(Strict):
    """A subset of cells, told by receptors, co-receptors or a master regulator.

    Attributes
    ----------
    name
        Such as ``CD8``.
    marks
        Genes that its cells express.
    key
        Those each of which its cells together have to show: else the study does not have the subset.
    may
        Marks of other subsets that its cells may express or not.
    """

    name: str = Field(min_length=1)
    marks: tuple[str, ...] = Field(min_length=1)
    key: tuple[str, ...] = Field(min_length=1)
    may: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _key_is_a_mark(self) -> Subset:
        if not set(self.key) <= set(self.marks):
            raise ValueError("a key among the marks")
        if set(self.may) & set(self.marks):
            raise ValueError("genes of `may` that are no marks of its own")
        return self


class Called(Strict):
    """What a cell is called by a signature.

    Attributes
    ----------
    name
        As in the tables.
    signature
        The set whose z-score speaks for it.
    description
        One line for people.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_]+$")
    signature: str
    description: str = Field(min_length=1)


class State(Called):
    """A state.

    Attributes
    ----------
    subsets
        Subsets that may hold it; all where empty.
    requires
        Evidence besides, all of which has to hold.
    above
        Genes that the first evidence has to exceed.
    lacks
        Evidence none of which may hold.
    fallback
        Name of a programme: the state is that of its cells of which no identity stands out. Without it, this is an
        identity.
    """

    subsets: tuple[str, ...] = ()
    requires: tuple[Evidence, ...] = ()
    above: tuple[str, ...] = ()
    lacks: tuple[Evidence, ...] = ()
    fallback: str = ""

    @model_validator(mode="after")
    def _has_evidence(self) -> State:
        if self.above and not self.requires:
            raise ValueError("`above` needs evidence in `requires` that exceeds it")
        return self

    def genes(self) -> set[str]:
        """Symbols that its gates look at."""
        return {gene for item in (*self.requires, *self.lacks) for gene in item.genes} | set(self.above)


class Programme(Called):
    """A programme that runs on top of an identity, such as the cell cycle: a flag of its own, not a rival of states.

    Attributes
    ----------
    within
        States (identities) that may show it; all cells where empty.
    """

    within: tuple[str, ...] = ()


class States(Strict):
    """The definitions.

    Attributes
    ----------
    outcomes
        Genes kept out of every definition.
    expressed
        UMIs per 10,000 from which on a gene counts as expressed by a neighbourhood.
    own_weight
        Weight of the cell itself in smoothing; its neighbours share the rest by the graph's weights.
    steps
        How often neighbourhoods are averaged: 2 reaches the neighbours' neighbours.
    subsets
        Told by each cell's own counts and its neighbours.
    states
        Compete within the subsets.
    programmes
        Flagged beside the states.
    readouts
        Sets that are scored for the tables and define nothing.
    """

    schema_version: int
    outcomes: tuple[str, ...]
    expressed: float = Field(gt=0)
    own_weight: float = Field(gt=0, le=1)
    steps: int = Field(1, ge=1, le=3)
    subsets: tuple[Subset, ...] = ()
    states: tuple[State, ...] = Field(min_length=1)
    programmes: tuple[Programme, ...] = ()
    readouts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> States:
        names = [item.name for item in self.states]
        if len(set(names)) < len(names) or UNASSIGNED in names:
            raise ValueError(f"each state once, and none is called '{UNASSIGNED}'")
        subsets = {item.name for item in self.subsets} | {OTHER}
        self._refuse("subsets", subsets, (one for item in self.states for one in item.subsets))
        programmes = [item.name for item in self.programmes]
        if len(set(programmes)) < len(programmes):
            raise ValueError("each programme once")
        self._refuse("programmes", set(programmes), (item.fallback for item in self.states if item.fallback))
        identities = {item.name for item in self.states if not item.fallback}
        self._refuse("states", identities, (one for item in self.programmes for one in item.within))
        absent = [gene for gene in OUTCOMES if gene not in self.outcomes]
        if absent:
            raise ValueError(f"outcomes that hold at least {', '.join(OUTCOMES)}")
        return self

    @staticmethod
    def _refuse(kind: str, known: set[str], named: Iterable[str]) -> None:
        unknown = sorted(set(named) - known)
        if unknown:
            raise ValueError(f"{kind} {', '.join(sorted(known))}; {', '.join(unknown)} is none of them")

    @property
    def called(self) -> list[Called]:
        """States and programmes."""
        return [*self.states, *self.programmes]

    def called_by(self) -> list[str]:
        """Sets that states and programmes are called by, each once."""
        return list(dict.fromkeys(item.signature for item in self.called))

    def signatures(self) -> list[str]:
        """Sets to score: those that something is called by, then the read-outs, each once."""
        return list(dict.fromkeys([*self.called_by(), *self.readouts]))

    def gate_genes(self) -> list[str]:
        """Every symbol that a state's gate looks at, each once."""
        genes = [gene for state in self.states for item in (*state.requires, *state.lacks) for gene in item.genes]
        genes += [gene for state in self.states for gene in state.above]
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
    for item in states.called:
        genes = item.genes() if isinstance(item, State) else set()
        if item.signature in known:
            genes |= {*collection[item.signature].up, *collection[item.signature].down}
        caught = sorted(genes & set(states.outcomes))
        if caught:
            remedy = "A state that is defined by an outcome cannot be tested for it: take the gene out of the set"
            problems.append(Problem(f"{where} {item.name}", f"defined by {', '.join(caught)}", remedy=remedy))
    caught = sorted({gene for one in states.subsets for gene in one.marks} & set(states.outcomes))
    if caught:
        problems.append(Problem(f"{where} subsets", f"defined by {', '.join(caught)}"))
    if problems:
        raise InputError(problems)
    return states
