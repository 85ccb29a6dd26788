"""The gate: config, sheet, design and inputs are checked here, all of them, before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from livermet.cells.embedding.backends import find_missing
from livermet.cells.lineages.marker_tables import as_content
from livermet.cells.lineages.markers import read_markers
from livermet.config_files import FILE, locate, read_config, settle
from livermet.errors import InputError, Problem
from livermet.inputs.duplicates import find_duplicates
from livermet.inputs.labels import read_labels
from livermet.inputs.readers import find_files, peek
from livermet.inputs.references import check_reference
from livermet.keys import OWN_LABEL, PATH, RAW_PATH
from livermet.mice.design.bulletin import write_bulletin
from livermet.mice.design.doctor import examine
from livermet.mice.design.integrating import check_batches, describe_batches
from livermet.mice.design.model import build_design, check
from livermet.mice.endpoints.applicable import choose
from livermet.notices import STUDY, Notice
from livermet.pools import check_hashtags, find_pool, libraries
from livermet.samples import read_samples, tell_remarks
from livermet.settings import resolve

SIGNATURES = "resources/signatures.yaml"
OURS = ("resources/states.yaml", "resources/macrophage_states.yaml")
MECHANISM = "resources/mechanism.yaml"


def enter(
    config: Mapping[str, Any], files: Sequence[str | Path], default: str, inspect: bool
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Everything that is checked before a run: the config's files, the config, and the study.

    Parameters
    ----------
    config
        As Snakemake read it.
    files
        The files that it was read from.
    default
        The config that is taken where none is named: the demo's.
    inspect
        Look into all files. The jobs of a run that has been checked need not do so again.

    Returns
    -------
    config, sheet
        The resolved config and the sample sheet.

    Raises
    ------
    InputError
        With every problem; those of the config by file and line.
    """
    own = [str(config.get(FILE, default))] if FILE in config or "study" not in config else files
    settled = settle(config, files, default, inspect)
    try:
        resolved = resolve(settled)
        return resolved, open_study(resolved, inspect)
    except InputError as error:
        raise locate(error, own) from None


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
                corrected = path == row[PATH] and config["quality"]["counts"] == "corrected"
                problems += peek(path, f"sample '{sample}'", config["species"], corrected)
        problems += find_duplicates(libraries(sheet))
        problems += check_hashtags(sheet, config["quality"]["hashtags"])
    if problems:
        raise InputError(problems)
    return sheet.sort_index()  # nothing may depend on the order of the rows


def tell(sheet: pd.DataFrame, config: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the gate has to tell of a study that it let through.

    Parameters
    ----------
    sheet, config
        As :func:`enter` gave them.

    Returns
    -------
    list of dict
        Plain types, for `params:`; keys as in :class:`livermet.notices.Notice`.
    """
    notices = tell_remarks(config["samples"], sheet)
    for factor, levels in config["design"]["factors"].items():
        unused = [level for level in levels if level not in set(sheet[factor])]
        if unused:
            what = f"No sample is {' or '.join(unused)}, which the config declares for {factor}"
            remedy = "Take it out of design.factors, or look for it among the samples that are missing"
            notices.append(Notice(STUDY, "gate", what, f"{Path(config['samples']).name}, {factor}", remedy))
    return [asdict(notice) for notice in notices]


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


def pool(sheet: pd.DataFrame, sample: str) -> dict[str, str]:
    """Sample -> hashtag, of all samples in the library of this one; empty where the library is one sample."""
    return find_pool(sheet, sample)


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
        try:
            return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            said = " ".join(str(error).split())
            raise InputError(Problem(path, f"no table ({said})", "tab-separated UTF-8 text", "Mend the file")) from None
    return read_config(path)


def _check_resources(config: dict[str, Any], inspect: bool) -> list[Problem]:
    paths = {"annotate.markers": config["annotate"]["markers"], "tcells.states": config["tcells"]["states"]}
    if config["macrophages"]["states"]:
        paths["macrophages.states"] = config["macrophages"]["states"]
    reference = config["annotate"]["reference"]
    problems: list[Problem] = []
    for key, path in paths.items():
        if not Path(path).is_file():
            remedy = "Mend the path or leave the key out for ours"
            problems.append(Problem(f"config {key}", f"there is no '{path}'", remedy=remedy))
        elif inspect or key == "annotate.markers":
            problems += _check_resource(key, path)
    return problems + (check_reference(**reference) if reference and inspect else [])


def _check_resource(key: str, path: str) -> list[Problem]:
    """Marker sets, or definitions of states, that a config names."""
    try:
        content = _read(path)
        if key == "annotate.markers":
            read_markers(content)
        elif path not in OURS:  # a test looks at ours
            from livermet.tcells.definitions import load_states
            from livermet.tcells.signatures import load

            load_states(content, load(_read(SIGNATURES)), where="states")
    except InputError as error:
        said = error.problems
        name = Path(path).name
        return [
            Problem(one.where if one.where.startswith(name) else f"{path}: {one.where}", one.found, one.expected,
                    one.remedy or "config/README.md says how such a file is written")
            for one in said
        ]  # fmt: skip
    return []
