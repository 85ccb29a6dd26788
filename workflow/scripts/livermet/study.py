"""The gate: config, sheet, design and inputs are checked here, all of them, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from livermet.cells.embedding.backends import find_missing
from livermet.cells.lineages.marker_tables import as_content
from livermet.cells.lineages.markers import read_markers
from livermet.errors import InputError, Problem
from livermet.inputs.duplicates import find_duplicates
from livermet.inputs.labels import read_labels
from livermet.inputs.readers import find_files, peek
from livermet.inputs.references import check_reference
from livermet.keys import OWN_LABEL
from livermet.mice.design.bulletin import write_bulletin
from livermet.mice.design.doctor import examine
from livermet.mice.design.integrating import check_batches, describe_batches
from livermet.mice.design.model import build_design, check
from livermet.mice.endpoints.applicable import choose
from livermet.samples import PATH, RAW_PATH, read_samples

SIGNATURES = "resources/signatures.yaml"
MECHANISM = "resources/mechanism.yaml"


def open_study(config: dict[str, Any], inspect: bool = True) -> pd.DataFrame:
    """Check a study whole and hand out its sheet.

    Parameters
    ----------
    config
        The resolved config (see :func:`livermet.settings.resolve`).
    inspect
        Look into the input files, too. The jobs of a run that has been checked need not do so again.

    Returns
    -------
    pandas.DataFrame
        The sample sheet, index `sample`, sorted by it.

    Raises
    ------
    InputError
        With every problem of the sheet; or, where the sheet can be read, with every problem of resources, design and
        input files together.
    """
    simulated = bool(config["demo"]["simulate"])
    exists: Callable[[str], bool] = (lambda _: True) if simulated else (lambda name: Path(name).exists())
    design = config["design"]
    sheet = read_samples(config["samples"], design["factors"], design["covariates"], exists)
    problems = [*_check_resources(config, inspect), *(_check_simulated(sheet, config) if simulated else [])]
    if not problems:
        sets = _read(SIGNATURES)["signatures"]
        problems += check(
            sheet,
            design,
            signatures={one["name"] for one in sets},
            labels=_labels(config, sheet, inspect),
            tested=_tested(design, sets),
            readouts={one["name"] for one in _read(MECHANISM)["readouts"]},
        )
    if inspect and not problems:
        problems += _check_integration(sheet, config)
    if inspect and not simulated:
        for sample, row in sheet.iterrows():
            for path in filter(None, (row[PATH], row[RAW_PATH])):
                problems += peek(path, where=f"sample '{sample}'")
        problems += find_duplicates({str(sample): str(path) for sample, path in sheet[PATH].items()})
    if problems:
        raise InputError(problems)
    return sheet.sort_index()  # nothing may depend on the order of the rows


def describe_design(sheet: pd.DataFrame, config: dict[str, Any]) -> str:
    """What the mice of a checked study can tell, for the terminal."""
    design = build_design(sheet, config["design"])
    notes = describe_batches(sheet, config["design"], config["embed"])
    return write_bulletin(examine(design, notes).to_dict(), config["study"])


def input_files(sheet: pd.DataFrame, sample: str) -> list[str]:
    """Files that make up the counts of a sample."""
    return find_files(str(sheet.loc[sample, PATH]))


def raw_files(sheet: pd.DataFrame, sample: str) -> list[str]:
    """Files that make up the raw (unfiltered) matrix of a sample; none where the sheet names none."""
    path = str(sheet.loc[sample, RAW_PATH])
    return find_files(path) if path else []


def _check_simulated(sheet: pd.DataFrame, config: dict[str, Any]) -> list[Problem]:
    """Simulated files only ever take a place of their own: a run must not write over somebody's data."""
    folder = f"results/{config['study']}/input/"
    return [
        Problem(
            f"sample '{sample}', {column}",
            f"'{row[column]}' would be written by the simulation",
            expected=f"a path below {folder}",
            remedy="Leave `demo:` out of the config of a study with data of its own",
        )
        for sample, row in sheet.iterrows()
        for column in (PATH, RAW_PATH)
        if row[column] and (not row[column].startswith(folder) or ".." in row[column].split("/"))
    ]


def _check_integration(sheet: pd.DataFrame, config: dict[str, Any]) -> list[Problem]:
    """Batches are brought together by something that is installed, and never where a batch is the treatment."""
    methods = {"embed.integrate": str(config["embed"]["integrate"])}
    if config["multiverse"]["enabled"]:
        methods |= {
            "multiverse.integrate": ", ".join(one for one in config["multiverse"]["integrate"] if one != "none")
        }
    missing = [
        problem
        for where, named in methods.items()
        for method in named.split(", ")
        for problem in find_missing(method, f"config {where}")
    ]
    wanted = {where: named or "none" for where, named in methods.items()}
    return missing + check_batches(sheet, config["design"], config["embed"], wanted)


def _labels(config: dict[str, Any], sheet: pd.DataFrame, inspect: bool) -> set[str] | None:
    """Lineages and states that a population may name; None where they are not looked for."""
    own = config["annotate"]["labels"]
    if own and not inspect:
        return None  # cells are called what their owner calls them: checked before the first job
    lineages = set(as_content(_read(config["annotate"]["markers"]))["lineages"])
    if own:
        lineages = {*read_labels({str(name): str(path) for name, path in sheet[PATH].items()}, **own)[OWN_LABEL]}
    files = filter(None, (config["tcells"]["states"], config["macrophages"]["states"]))
    return {*lineages, *(state["name"] for path in files for state in _read(path)["states"])}


def _tested(design: dict[str, Any], sets: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Gene sets that are put to each population."""
    return {
        name: {one["name"] for one in choose(sets, population, design["signatures"])}
        for name, population in design["populations"].items()
    }


def _read(path: str) -> Any:
    if path.endswith(".tsv"):
        return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(Problem(path, f"not YAML: {error}")) from None


def _check_resources(config: dict[str, Any], inspect: bool) -> list[Problem]:
    paths = {"annotate.markers": config["annotate"]["markers"], "tcells.states": config["tcells"]["states"]}
    if config["macrophages"]["states"]:
        paths["macrophages.states"] = config["macrophages"]["states"]
    reference = config["annotate"]["reference"]
    problems = [
        Problem(f"config {key}", f"there is no '{path}'", remedy="Mend the path or leave the key out for ours")
        for key, path in paths.items()
        if not Path(path).is_file()
    ]
    if Path(markers := paths["annotate.markers"]).is_file():
        try:
            read_markers(_read(markers))
        except InputError as error:
            problems += [
                Problem(f"{markers}: {one.where}", one.found, one.expected, one.remedy) for one in error.problems
            ]
    return problems + (check_reference(**reference) if reference and inspect else [])
