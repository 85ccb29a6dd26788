"""The gate: config, sheet, design and inputs are checked here, all of them, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from livermet.errors import InputError, Problem
from livermet.inputs.duplicates import find_duplicates
from livermet.inputs.readers import find_files, peek
from livermet.mice.design.bulletin import write_bulletin
from livermet.mice.design.doctor import examine
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
        The sample sheet, index `sample`.

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
    problems = [*_check_resources(config), *(_check_simulated(sheet, config) if simulated else [])]
    if not problems:
        sets = _read(SIGNATURES)["signatures"]
        problems += check(
            sheet,
            design,
            signatures={one["name"] for one in sets},
            labels=_labels(config),
            tested=_tested(design, sets),
            readouts={one["name"] for one in _read(MECHANISM)["readouts"]},
        )
    if inspect and not simulated:
        for sample, row in sheet.iterrows():
            for path in filter(None, (row[PATH], row[RAW_PATH])):
                problems += peek(path, where=f"sample '{sample}'")
        problems += find_duplicates({str(sample): str(path) for sample, path in sheet[PATH].items()})
    if problems:
        raise InputError(problems)
    return sheet


def describe_design(sheet: pd.DataFrame, config: dict[str, Any]) -> str:
    """What the mice of a checked study can tell, for the terminal."""
    return write_bulletin(examine(build_design(sheet, config["design"])).to_dict(), config["study"])


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


def _labels(config: dict[str, Any]) -> set[str]:
    """Lineages and states that a population may name."""
    lineages = _read(config["annotate"]["markers"])["lineages"]
    files = filter(None, (config["tcells"]["states"], config["macrophages"]["states"]))
    return {*lineages, *(state["name"] for path in files for state in _read(path)["states"])}


def _tested(design: dict[str, Any], sets: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Gene sets that are put to each population."""
    return {
        name: {one["name"] for one in choose(sets, population, design["signatures"])}
        for name, population in design["populations"].items()
    }


def _read(path: str) -> Any:
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(Problem(path, f"not YAML: {error}")) from None


def _check_resources(config: dict[str, Any]) -> list[Problem]:
    paths = {"annotate.markers": config["annotate"]["markers"], "tcells.states": config["tcells"]["states"]}
    if config["macrophages"]["states"]:
        paths["macrophages.states"] = config["macrophages"]["states"]
    return [
        Problem(f"config {key}", f"there is no '{path}'", remedy="Mend the path or leave the key out for ours")
        for key, path in paths.items()
        if not Path(path).is_file()
    ]
