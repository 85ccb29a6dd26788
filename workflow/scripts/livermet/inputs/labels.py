"""Labels that the study's owner gives to cells: a column of the h5ad files, or a table keyed by sample and barcode."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from livermet.errors import InputError, Problem
from livermet.inputs.files import file_format, reading
from livermet.keys import BARCODE, CELL, OWN_LABEL, SAMPLE
from livermet.names import visible

MISSING = frozenset({"", "nan", "none", "na", "unassigned", "unknown"})


def read_labels(
    paths: Mapping[str, str], *, column: str | None, table: str | None, names: Mapping[str, str]
) -> pd.DataFrame:
    """Read what cells were called.

    Parameters
    ----------
    paths
        Sample -> its input.
    column
        A column of `obs` of every sample's h5ad; or None.
    table
        A .tsv or .csv file with the columns `sample`, `barcode` and a third that holds the labels; or None.
    names
        Label as given -> lineage.

    Returns
    -------
    pandas.DataFrame
        Index `cell` ("<sample>_<barcode>"); `label`: the lineage. Labels that `names` does not translate keep their
        words, joined by underscores; cells without a label have no row.

    Raises
    ------
    InputError
        With everything that is wrong with the labels.
    """
    given = _read_table(str(table), set(paths)) if table else _read_columns(paths, str(column))
    text = given[OWN_LABEL].astype("string").fillna("").astype(str).str.strip()
    given = given.assign(**{OWN_LABEL: text})[~text.str.lower().isin(MISSING)]
    unknown = sorted(set(names) - set(given[OWN_LABEL]))
    if unknown:
        raise InputError(
            [
                Problem(
                    f"config annotate.labels.names, '{name}'",
                    "no cell has this label",
                    f"one of {', '.join(sorted(set(given[OWN_LABEL]))[:20])}",
                )
                for name in unknown
            ]
        )
    cells = pd.Index(given[SAMPLE] + "_" + given[BARCODE], name=CELL)
    if cells.has_duplicates:
        twice = cells[cells.duplicated()].unique()
        raise InputError(
            Problem(
                "labels",
                f"{len(twice)} cells have several, such as {', '.join(map(str, twice[:3]))}",
                "one label a cell",
            )
        )
    _check_words(set(given[OWN_LABEL]) - set(names))
    return pd.DataFrame({OWN_LABEL: [names.get(name, _as_name(name)) for name in given[OWN_LABEL]]}, index=cells)


def _check_words(labels: set[str]) -> None:
    """Two labels that become one word would be one kind of cell from then on, in silence."""
    words: dict[str, list[str]] = {}
    for label in sorted(labels):
        words.setdefault(_as_name(label), []).append(label)
    problems = [
        Problem(
            "labels",
            " and ".join(f"'{visible(label)}'" for label in same) + f" would both be called '{word}'",
            "labels that differ by letters, digits, '.' or '-'",
            "Say what each is under annotate.labels.names",
        )
        for word, same in words.items()
        if len(same) > 1
    ]
    if problems:
        raise InputError(problems)


def _as_name(label: str) -> str:
    """A label as the config can name it: letters, digits, `_ . -`."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", label.replace("+", "pos")).strip("_").lstrip("_.-") or "unnamed"


def _read_table(path: str, samples: set[str]) -> pd.DataFrame:
    with reading(path):
        frame = pd.read_csv(
            path, sep="," if ".csv" in Path(path).name.lower() else "\t", dtype=str, keep_default_na=False
        )
    frame.columns = [str(name).strip() for name in frame.columns]
    others = [name for name in frame.columns if name not in (SAMPLE, BARCODE)]
    if SAMPLE not in frame or BARCODE not in frame or len(others) != 1:
        raise InputError(
            Problem(
                path, f"columns {', '.join(frame.columns)}", f"{SAMPLE}, {BARCODE} and one with the labels",
                "Mend the header row; .tsv files are tab-separated, .csv files comma-separated",
            )
        )  # fmt: skip
    strangers = frame.index[~frame[SAMPLE].isin(samples)]
    if len(strangers):
        named = sorted(set(frame.loc[strangers, SAMPLE]))
        raise InputError(
            Problem(
                f"{path}, row {strangers[0] + 2}", f"{len(strangers)} rows are of samples not in the sheet: "
                f"{', '.join(named[:5])}", f"one of {', '.join(sorted(samples)[:5])}", "Name samples as the sheet does",
            )
        )  # fmt: skip
    return frame.rename(columns={others[0]: OWN_LABEL})


def _read_columns(paths: Mapping[str, str], column: str) -> pd.DataFrame:
    parts, problems = [], []
    for sample, path in paths.items():
        if file_format(path) != "h5ad":
            problems.append(
                Problem(
                    f"sample '{sample}', {path}", "not an h5ad, so it has no column of labels", "an .h5ad",
                    "Give the labels as a table (annotate.labels.table)",
                )
            )  # fmt: skip
            continue
        barcodes, values, there = _read_obs(path, column)
        if values is None:
            problems.append(
                Problem(f"sample '{sample}', {path}", f"obs has no column '{column}'", f"one of {', '.join(there)}")
            )
            continue
        parts.append(pd.DataFrame({SAMPLE: sample, BARCODE: barcodes, OWN_LABEL: values}))
    if problems:
        raise InputError(problems)
    return pd.concat(parts, ignore_index=True)


def _read_obs(path: str, column: str) -> tuple[Any, Any, list[str]]:
    """Barcodes and one column of an h5ad's obs, without its matrix."""
    from livermet.inputs.annotated import H5AD
    from livermet.inputs.h5ad_tables import Table
    from livermet.inputs.hdf5 import open_h5

    with open_h5(path, H5AD) as file:
        obs = Table(file["obs"])
        values = obs.words(column) if column in obs.columns else None
        return pd.Index(obs.index()), values, obs.columns
