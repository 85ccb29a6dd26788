"""Marker sets as a table: lineage, gene and, where it matters, direction; checked row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from livermet.errors import InputError, Problem

DIRECTIONS = {"": "up", "up": "up", "+": "up", "down": "down", "-": "down"}
COLUMNS = ("lineage", "gene", "direction", "subset", "compartment")
NEEDED = ("lineage", "gene")


def as_content(markers: Mapping[str, Any] | pd.DataFrame) -> dict[str, Any]:
    """Marker sets in the form of resources/lineages.yaml, whichever way they were written.

    Parameters
    ----------
    markers
        Content of a YAML file; or a table with the columns `lineage`, `gene` and perhaps `direction` (up or down, + or
        -; up where empty), `subset` and `compartment`, one row a gene.

    Returns
    -------
    dict
        `lineages`: name -> genes.

    Raises
    ------
    InputError
        With every faulty row of the table.
    """
    if not isinstance(markers, pd.DataFrame):
        if not isinstance(markers.get("lineages"), Mapping):
            raise InputError(
                Problem(
                    "marker sets", "no lineages", "a section 'lineages': name -> genes", "See resources/lineages.yaml"
                )
            )
        return dict(markers)
    table = markers.rename(columns=lambda name: str(name).strip().lower())
    _check_columns(table)
    table = table.reindex(columns=list(COLUMNS)).fillna("").astype(str).apply(lambda column: column.str.strip())
    problems = _check_rows(table)
    if problems:
        raise InputError(problems)
    lineages: dict[str, Any] = {}
    for name, rows in table.groupby("lineage", sort=False):
        compartment = next((text for text in rows["compartment"] if text), "immune")
        kinds = {str(kind) or str(name): _genes(part) for kind, part in rows.groupby("subset", sort=False)}
        entry = next(iter(kinds.values())) if list(kinds) == [name] else {"subsets": kinds}
        lineages[str(name)] = {"compartment": compartment, **entry}
    return {"lineages": lineages}


def _check_columns(table: pd.DataFrame) -> None:
    missing = [name for name in NEEDED if name not in table]
    unknown = [str(name) for name in table if name not in COLUMNS]
    if missing or unknown:
        found = "; ".join(
            f"{what} {', '.join(names)}"
            for what, names in (("no column", missing), ("unknown column", unknown))
            if names
        )
        raise InputError(
            Problem("marker table", found, f"columns {', '.join(COLUMNS)}, the first two always", "Mend the header row")
        )


def _check_rows(table: pd.DataFrame) -> list[Problem]:
    problems = []
    seen: dict[tuple[str, str, str], tuple[int, str]] = {}
    for number, row in enumerate(table.itertuples(index=False), 2):
        where = f"marker table, row {number}"
        lineage, gene, direction = str(row.lineage), str(row.gene), str(row.direction).lower()
        problems += [
            Problem(where, f"no {name}", "a name")
            for name, value in zip(NEEDED, (lineage, gene), strict=True)
            if not value
        ]
        if direction not in DIRECTIONS:
            problems.append(Problem(where, f"direction '{row.direction}'", "up or down (or + or -); empty is up"))
            continue
        key = (lineage, str(row.subset), gene.lower())
        if gene and key in seen:
            first, before = seen[key]
            again = "stands there twice" if before == DIRECTIONS[direction] else "is both up and down"
            problems.append(Problem(where, f"{gene} of {lineage} {again} (row {first})", "each gene of a set once"))
        seen.setdefault(key, (number, DIRECTIONS[direction]))
    return problems


def _genes(rows: pd.DataFrame) -> dict[str, list[str]]:
    direction = rows["direction"].str.lower().map(DIRECTIONS)
    return {way: rows.loc[direction == way, "gene"].tolist() for way in ("up", "down")}
