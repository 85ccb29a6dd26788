"""Libraries that hold several samples, told apart by hashtags: what the sheet says of them, and whether it can be so."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from livermet.errors import InputError, Problem
from livermet.inputs.hashtags import are_hashtags, check_named, find_named, label, read_features
from livermet.keys import HASHTAG, PATH, RAW_PATH
from livermet.names import has_control, visible

LONGEST = 100  # characters of a hashtag


def is_used(sheet: pd.DataFrame) -> bool:
    """Whether any row of a sheet names a hashtag."""
    return HASHTAG in sheet and bool((sheet[HASHTAG] != "").any())


def shared_rows(sheet: pd.DataFrame) -> pd.Series:
    """Rows whose counts lie in a file of which any row names a hashtag."""
    if not is_used(sheet) or PATH not in sheet:
        return pd.Series(False, index=sheet.index)
    files = sheet[PATH].map(plain_path)
    return (files != "") & files.isin(files[sheet[HASHTAG] != ""])


def check_pools(name: str, sheet: pd.DataFrame) -> list[Problem]:
    """Problems of rows that share a file of counts.

    Parameters
    ----------
    name
        Of the sheet.
    sheet
        Text, index: number of the row.
    """
    problems = []
    pooled = sheet[shared_rows(sheet)]
    for row, value in pooled[HASHTAG].items() if len(pooled) else ():
        if has_control(value) or len(value) > LONGEST:
            found = f"'{visible(value)}'"
            problems.append(Problem(f"{name} row {row}, {HASHTAG}", found, "the id or name of a feature of the counts"))
    for _, group in pooled.groupby(pooled[PATH].map(plain_path), sort=False) if len(pooled) else ():
        path = visible(str(group[PATH].iloc[0]))
        empty = group.index[group[HASHTAG] == ""]
        if len(empty):
            problems.append(
                Problem(
                    f"{name} row {', '.join(map(str, empty))}, {HASHTAG}",
                    f"empty, where another row of '{path}' names a hashtag",
                    "a hashtag in every row of a library that holds several samples",
                    "Name the row's hashtag, or give the row counts of its own",
                )
            )
        for tag, same in group[group[HASHTAG] != ""].groupby(HASHTAG, sort=False):
            if len(same) > 1:
                problems.append(
                    Problem(
                        f"{name} rows {' and '.join(map(str, same.index))}, {HASHTAG}",
                        f"'{visible(str(tag))}' of '{path}' stands {len(same)} times",
                        "a hashtag of its own for every sample of a library",
                        "Name each row's own hashtag, or remove one",
                    )
                )
        if RAW_PATH in group and group[RAW_PATH].map(plain_path).nunique() > 1:
            problems.append(
                Problem(
                    f"{name} rows {', '.join(map(str, group.index))}, {RAW_PATH}",
                    f"differs, where the counts all lie in '{path}'",
                    "the raw matrix of the library, the same in all of its rows",
                    "Name it in every row, or in none",
                )
            )
    return problems


def find_pool(sheet: pd.DataFrame, sample: str) -> dict[str, str]:
    """Sample -> hashtag, of all samples in the library of this one; empty where the library is one sample."""
    if not is_used(sheet) or not sheet.loc[sample, HASHTAG]:
        return {}
    there = sheet[PATH].map(plain_path) == plain_path(str(sheet.loc[sample, PATH]))
    return {str(one): str(tag) for one, tag in sheet.loc[there, HASHTAG].sort_index().items()}


def libraries(sheet: pd.DataFrame) -> dict[str, str]:
    """Sample -> path, of one sample a library."""
    first = ~(shared_rows(sheet) & sheet[PATH].map(plain_path).duplicated())
    return {str(sample): str(path) for sample, path in sheet.loc[first, PATH].items()}


def check_hashtags(sheet: pd.DataFrame, wanted: str | Sequence[str]) -> list[Problem]:
    """Whether the files have the hashtags that the sheet and `quality.hashtags` name; text tables are left to their jobs.

    Parameters
    ----------
    sheet
        The sample sheet, index sample.
    wanted
        As for :func:`livermet.inputs.hashtags.are_hashtags`.
    """
    named = [] if isinstance(wanted, str) else list(wanted)
    if not named and not is_used(sheet):
        return []
    problems: list[Problem] = []
    tables: dict[str, pd.DataFrame | None] = {}
    for sample, path in libraries(sheet).items():
        pool = find_pool(sheet, sample)
        if not named and not pool:
            continue
        try:
            tables[path] = read_features(path)
        except InputError:  # said where each input is looked into
            continue
        features = tables[path]
        if features is not None:
            problems += check_named(features, pool, path)
    return problems + _check_wanted(named, tables)


def _check_wanted(named: Sequence[str], tables: Mapping[str, pd.DataFrame | None]) -> list[Problem]:
    """Hashtags of the config that no file has."""
    known = [table for table in tables.values() if table is not None]
    if len(known) < len(tables) or not tables:
        return []
    every = pd.concat(known, ignore_index=True).drop_duplicates(["id", "symbol"], ignore_index=True)
    there = label(every[are_hashtags(every)]) or label(every)
    held = f"the files have {', '.join(map(visible, there[:12]))}" if there else "the files have genes only"
    return [
        Problem("config quality.hashtags", f"no file has a feature called '{visible(name)}'", f"its id or name; {held}")
        for name in named
        if find_named(every, name) < 0
    ]


def plain_path(path: str) -> str:
    """A path as it is compared with others: two ways to write one are one; empty where there is none."""
    return os.path.normpath(path) if path else ""
