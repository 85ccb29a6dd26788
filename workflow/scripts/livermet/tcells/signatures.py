"""Gene sets: loaded strictly, resolved to the study's own genes, with their coverage told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from livermet.errors import InputError, Problem
from livermet.keys import SYMBOL

SIGNATURE = "signature"
N_GENES_IN_SET = "n_genes"
N_FOUND = "n_found"
SHARE = "share"
ENOUGH = "enough"
#: A set of which less is found in the study is flagged: its score speaks for other genes than its name.
MIN_SHARE = 0.6

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """A piece of a resource file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Signature(Strict):
    """One gene set.

    Attributes
    ----------
    name, kind, lineage, use, description
        What it is called, what it is about, and what it may be used for.
    up, down
        Symbols whose expression speaks for it, and against it.
    source, verification, note
        Where it comes from, how far that was checked, what to beware of.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    kind: Literal["state", "lineage", "technical"]
    lineage: str = Field(min_length=1)
    use: Literal["score", "gate", "cell_cycle", "report", "diagnostic"]
    description: str = Field(min_length=1)
    up: tuple[str, ...] = Field(min_length=1)
    down: tuple[str, ...]
    source: str = Field(min_length=1)
    verification: Literal["read", "read in part", "curated"]
    note: str = ""

    @model_validator(mode="after")
    def _genes_once(self) -> Signature:
        genes = [*self.up, *self.down]
        twice = sorted({gene for gene in genes if genes.count(gene) > 1})
        if twice:
            raise ValueError(f"each gene once, in up or in down: {', '.join(twice)} stands twice")
        return self


class Signatures(Strict):
    """All gene sets, and other names of their genes.

    Attributes
    ----------
    aliases
        Symbol used here -> names of the same gene in other annotations.
    signatures
        The sets.
    """

    schema_version: Literal[1]
    species: Literal["mouse"]
    aliases: dict[str, tuple[str, ...]]
    signatures: tuple[Signature, ...] = Field(min_length=1)

    @field_validator("signatures")
    @classmethod
    def _names_once(cls, value: tuple[Signature, ...]) -> tuple[Signature, ...]:
        names = [item.name for item in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"each name once: {', '.join(twice)} stands twice")
        return value

    @model_validator(mode="after")
    def _aliases_once(self) -> Signatures:
        names = [*self.aliases, *(other for others in self.aliases.values() for other in others)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"an alias leads to one gene: {', '.join(twice)} stands twice")
        used = {gene for item in self.signatures for gene in (*item.up, *item.down)}
        clash = sorted({other for others in self.aliases.values() for other in others} & used)
        if clash:
            raise ValueError(f"sets use the main name of a gene: {', '.join(clash)} is only an alias")
        return self

    def __getitem__(self, name: str) -> Signature:
        for item in self.signatures:
            if item.name == name:
                return item
        raise KeyError(name)

    def names(self) -> list[str]:
        """Names of the sets, in the file's order."""
        return [item.name for item in self.signatures]


def load(content: Mapping[str, Any], *, where: str = "signatures") -> Signatures:
    """Check the content of a signature file.

    Parameters
    ----------
    content
        The file as plain objects (as YAML gives them).
    where
        What to call the file in an error.

    Returns
    -------
    Signatures
        The checked sets.

    Raises
    ------
    InputError
        With every problem: unknown or missing keys, a name, gene or alias that stands twice.
    """
    return check(Signatures, content, where=where)


def check(model: type[Model], content: Mapping[str, Any], *, where: str) -> Model:
    """Validate plain objects and tell every problem in the house's words.

    Parameters
    ----------
    model
        What the content should be.
    content
        Plain objects.
    where
        What to call the file in an error.

    Returns
    -------
    Model
        The checked content.

    Raises
    ------
    InputError
        With every problem found.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            place = " ".join([where, ".".join(str(part) for part in item["loc"])]).strip()
            found = {"extra_forbidden": "unknown key", "missing": "missing"}.get(item["type"])
            message = item["msg"].removeprefix("Value error, ")
            problems.append(Problem(place, found) if found else Problem(place, "not valid", expected=message))
        raise InputError(problems) from None


class GeneIndex:
    """Finds a symbol among a study's genes, also under its other names.

    Parameters
    ----------
    symbols
        The study's symbols, in the order of its genes; where one stands twice, the first place counts.
    aliases
        Symbol -> other names of the same gene.
    """

    def __init__(self, symbols: Sequence[str] | pd.Index | pd.Series, aliases: Mapping[str, Iterable[str]]) -> None:
        self._place: dict[str, int] = {}
        for place, symbol in enumerate(symbols):
            self._place.setdefault(str(symbol), place)
        self._names: dict[str, tuple[str, ...]] = {}
        for symbol, others in aliases.items():
            group = (symbol, *others)
            for name in group:
                self._names[name] = (name, *(other for other in group if other != name))

    def names(self, symbol: str) -> tuple[str, ...]:
        """The names of a gene, the one asked for first."""
        return self._names.get(symbol, (symbol,))

    def find(self, symbol: str) -> int | None:
        """Place of a gene, or None where the study does not have it."""
        for name in self.names(symbol):
            if name in self._place:
                return self._place[name]
        return None

    def find_all(self, symbols: Iterable[str]) -> NDArray[np.int64]:
        """Places of the genes that the study has, each once, in order."""
        places = (self.find(symbol) for symbol in symbols)
        return np.array(list(dict.fromkeys(place for place in places if place is not None)), dtype=np.int64)


def resolve(collection: Signatures, symbols: Sequence[str] | pd.Index | pd.Series) -> GeneIndex:
    """Make the study's genes findable by the symbols of the sets.

    Parameters
    ----------
    collection
        The sets, for their aliases.
    symbols
        The study's symbols, in the order of its genes.

    Returns
    -------
    GeneIndex
        ``find`` and ``find_all`` give places among `symbols`.
    """
    return GeneIndex(symbols, collection.aliases)


def cover(collection: Signatures, var: pd.DataFrame, *, names: Collection[str] | None = None) -> pd.DataFrame:
    """Tell how much of each set a study has.

    Parameters
    ----------
    collection
        The sets.
    var
        The study's genes, with ``symbol``.
    names
        Sets to tell of; all where None.

    Returns
    -------
    DataFrame
        ``signature n_genes n_found share enough missing``: genes up and down together; ``enough`` is False under
        60 %, and ``missing`` names what was not found.
    """
    genes = resolve(collection, var[SYMBOL])
    rows = []
    for item in collection.signatures:
        if names is not None and item.name not in names:
            continue
        every = [*item.up, *item.down]
        missing = [gene for gene in every if genes.find(gene) is None]
        found = len(every) - len(missing)
        share = found / len(every)
        rows.append((item.name, len(every), found, share, share >= MIN_SHARE, " ".join(missing)))
    return pd.DataFrame(rows, columns=[SIGNATURE, N_GENES_IN_SET, N_FOUND, SHARE, ENOUGH, "missing"])


def signature_page(content: Mapping[str, Any]) -> str:
    """Write the page of gene sets for people (``docs/signatures.md``).

    Parameters
    ----------
    content
        The signature file as plain objects.

    Returns
    -------
    str
        Markdown.
    """
    collection = load(content)
    kinds = {
        "state": "States and programmes",
        "lineage": "Lineages",
        "technical": "Technical sets",
    }
    lines = [
        "# Gene sets",
        "",
        "Made from `resources/signatures.yaml` by `make docs`; do not edit here. Symbols are MGI (mouse).",
        "",
        "*read*: the list was read in the source named, or in a public file that attributes it to the source. *read in",
        "part*: some genes were read, the others are curated. *curated*: put together from general knowledge of the",
        "field; the source supports the biology, not each gene of the list.",
    ]
    for kind, title in kinds.items():
        lines += ["", f"## {title}"]
        for item in (item for item in collection.signatures if item.kind == kind):
            lines += [
                "",
                f"### {item.name}",
                "",
                f"{_sentence(item.description)} Lineage: {item.lineage}. Use: {item.use}.",
            ]
            lines += ["", f"- up ({len(item.up)}): {', '.join(item.up)}"]
            if item.down:
                lines.append(f"- down ({len(item.down)}): {', '.join(item.down)}")
            lines += [f"- source: {item.source}", f"- verification: {item.verification}"]
            if item.note:
                lines.append(f"- note: {item.note}")
    lines += ["", "## Other names", "", "| here | elsewhere |", "|---|---|"]
    lines += [f"| {symbol} | {', '.join(others)} |" for symbol, others in sorted(collection.aliases.items())]
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "."
