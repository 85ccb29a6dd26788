"""Which species gene names speak of, by Ensembl ids and by how symbols are written."""

from __future__ import annotations

import re
from collections.abc import Iterable

from livermet.errors import InputError, Problem

# Ensembl's stable ids: ENS, a species code (none for human), G, eleven digits, perhaps a version.
ENSEMBL = re.compile(r"ENS(?P<species>[A-Z]{0,4})G\d{11}")
ENSEMBL_SPECIES = {"MUS": "mouse", "": "human"}
# In capitals: names that only mice, and names that only people, have.
MOUSE_CAPITALS = re.compile(r"\d{7}[A-Z]\d{2}RIK|GM\d{3,5}|H2-\w+|HB[AB]-[AB]\w*|TRP(?:53|63|73)\w*|CD8B1|.+-PS\d*")
HUMAN_CAPITALS = re.compile(r"HLA-\w+|C\d+ORF\d+|LINC\d+|A[CLP]\d{6}\.\d+|RP\d+-\d+.*|TP(?:53|63|73)|CD8B|HB[AB]\d?")
CLONE = re.compile(r"(?P<name>[A-Z\d]\d{6}[A-Z]\d\d)RIK(?P<number>\d*)")
EXPRESSED = re.compile(r"(?P<place>D(?:\d+|X|Y))(?P<lab>[A-Z]+)(?P<number>\d+)E")
ACCESSION = re.compile(r"(?!GM)[A-Z]{1,2}\d{5,6}(?:\.\d+)?")  # AA467197: written so in mice, too

GENOME_PREFIX = re.compile(r"^(?:mm\d+|GRCm\d+|GRCh\d+|hg\d+)[^_]{0,12}_+(?=\w)")
GENOMES = re.compile(r"^(?:mm\d|GRC[mh]\d|hg\d)", re.MULTILINE)


def strip_genome(names: Iterable[str]) -> list[str]:
    """Names without the genome that Cell Ranger puts before them where there are several: mm10___Actb is Actb."""
    every = list(names)
    if not GENOMES.search("\n".join(every)):
        return every
    return [GENOME_PREFIX.sub("", name) for name in every]


def species_of(ids: Iterable[str], symbols: Iterable[str]) -> str | None:
    """Species by evidence: Ensembl ids where there are any, else how the symbols are written.

    Returns
    -------
    str or None
        "mouse", "human", "mixed" where each holds more than a twentieth, another Ensembl species code, or None where the
        names do not tell.
    """
    codes = [found["species"] for name in ids if (found := ENSEMBL.match(name))]
    votes: dict[str, int] = {}
    for code in codes:
        species = ENSEMBL_SPECIES.get(code, f"Ensembl species code {code}")
        votes[species] = votes.get(species, 0) + 1
    if not votes:
        # Mouse symbols are written Cd3e, human ones CD3E; what begins with a digit (RIKEN clones) is mouse's.
        letters = [symbol for symbol in symbols if sum(map(str.isalpha, symbol)) >= 3 and not ENSEMBL.match(symbol)]
        mouse = sum(1 for symbol in letters if re.match(r"[A-Z][a-z]|mt-[A-Z][a-z]|\d{7}[A-Z]\d\dRik", symbol))
        human = sum(1 for symbol in letters if symbol == symbol.upper() or re.match(r"C\d+orf", symbol))
        if human > 0.95 * len(letters) and are_mouse_capitals(symbols):
            return "mouse"
        votes = {name: number for name, number in (("mouse", mouse), ("human", human)) if number}
        if sum(votes.values()) < max(3, len(letters) / 2):
            return None
    ranked = sorted(votes, key=lambda name: votes[name], reverse=True)
    if len(ranked) > 1 and votes[ranked[1]] > 0.05 * sum(votes.values()):
        return "mixed"
    return ranked[0]


def are_mouse_capitals(symbols: Iterable[str]) -> bool:
    """Whether symbols in capitals are a mouse's: only mice have Gm12345, H2-K1 or 0610007P14Rik."""
    named = list(symbols)
    mouse = sum(1 for symbol in named if MOUSE_CAPITALS.fullmatch(symbol))
    human = sum(1 for symbol in named if HUMAN_CAPITALS.fullmatch(symbol))
    return mouse >= 3 and mouse > 10 * human


def restore_case(symbols: Iterable[str]) -> list[str]:
    """Symbols in capitals as mouse genes are written: CD3E is Cd3e, MT-CO1 is mt-Co1, H2-AB1 is H2-Ab1."""
    return [_restore(symbol) for symbol in symbols]


def _restore(symbol: str) -> str:
    if symbol != symbol.upper() or ENSEMBL.match(symbol) or ACCESSION.fullmatch(symbol):
        return symbol
    if clone := CLONE.fullmatch(symbol):  # A130010J15Rik, 9930111J21Rik2
        return f"{clone['name']}Rik{clone['number']}"
    if tag := EXPRESSED.fullmatch(symbol):  # D8Ertd738e
        return f"{tag['place']}{tag['lab'].capitalize()}{tag['number']}e"
    start, _, rest = symbol.partition("-")
    if start == "MT" and rest:
        return f"mt-{rest.capitalize()}"
    if start == "H2" and rest:
        return f"H2-DM{rest[2:].lower()}" if rest.startswith("DM") else f"H2-{rest.capitalize()}"
    if re.fullmatch("TCR[ABDG]", start) and rest:  # Tcrg-V6
        return f"{start.capitalize()}-{rest}"
    return symbol.capitalize()


def check_species(ids: list[str], symbols: list[str], species: str, where: str) -> None:
    """Refuse genes of another species than the config names.

    Raises
    ------
    InputError
        With the species that the names speak of, and some of them.
    """
    found = species_of(ids, symbols)
    if found == species:
        return
    shown = ", ".join(symbols[:3])
    if found is None:
        raise InputError(
            Problem(
                where,
                f"genes named like {shown}, which tells no species",
                f"genes of the {species}",
                "Name genes by Ensembl id or official symbol",
            )
        )
    what = "genes of several species" if found == "mixed" else f"genes of another species ({found}), such as {shown}"
    remedy = (
        "Keep the features of one genome" if found == "mixed" else "Is it the right file? Count against that genome"
    )
    raise InputError(Problem(where, what, f"genes of the {species}, as the config says", remedy))
