"""The config as a file: read strictly, or refused by name and line.

YAML is kinder than a config can bear: a key that stands twice is silently the last one, `NO` is false, `012` is ten, an alias
may stand for a billion values, and a tag may call code. Snakemake reads a `--configfile` with a reader of its own, before
anything of ours runs; such files are looked at here all the same, and the study stops by their name and line. The demo's
config, and one given by `--config file=...`, are read here and nowhere else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from livermet.errors import InputError, Problem
from livermet.names import visible

FILE = "file"  # `--config file=...`
LARGEST = 1 << 20  # bytes
DEEPEST = 40  # lists within lists
MOST = 20_000  # values, aliases unfolded; or ten times as many as stand in the file
_TEMPLATES = ("__use_yte__", "__definitions__", "__variables__")
_PLAIN = {"int": r"[-+]?(0|[1-9][0-9]*)", "float": r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"}
_QUOTES = "Put it in quotes"
_NO_CODE = "A config holds plain values and runs nothing: write the value itself"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def settle(config: Mapping[str, Any], files: Iterable[str | Path], default: str, check: bool) -> dict[str, Any]:
    """The config of a run: what Snakemake read, or a file that is read here.

    Parameters
    ----------
    config
        As Snakemake has it: from `--configfile` and `--config`.
    files
        Those that `--configfile` named.
    default
        The config of the demo, read where nothing names a study.
    check
        Look at `files`, too. The jobs of a run that was checked need not do so again.

    Returns
    -------
    dict
        Not yet validated. What `--config` says goes over what the file says.

    Raises
    ------
    InputError
        With every place of a file that a strict reader refuses.
    """
    given = dict(config)
    if FILE in given or "study" not in given:
        return _over(read_config(str(given.pop(FILE, default))), given)
    if check:
        problems = [problem for file in files for problem in _check(Path(file))[1]]
        if problems:
            raise InputError(problems)
    return given


def read_config(path: str | Path) -> dict[str, Any]:
    """Read a config strictly.

    Parameters
    ----------
    path
        YAML, or JSON, which is YAML as well; UTF-8.

    Returns
    -------
    dict
        Plain types.

    Raises
    ------
    InputError
        Where it is no mapping, a key stands twice, a plain value is read as something else than it looks like, aliases
        unfold to more than a config can hold, a tag or a template stands in it: every place, by name and line.
    """
    node, problems = _check(Path(path))
    if problems or node is None:
        raise InputError(problems)
    loader = yaml.SafeLoader("")
    try:
        return dict(loader.construct_document(node))
    except yaml.YAMLError as error:
        raise InputError(_not_yaml(Path(path).name, error)) from None


def locate(error: InputError, files: Iterable[str | Path]) -> InputError:
    """The same problems, those of the config with the file and the line where each key stands."""
    places: dict[str, str] = {}
    for file in map(Path, files):
        node, problems = _check(file)
        if node is not None and not problems:
            places |= {key: f"{file.name} line {line}, {key}" for key, line in _lines(node).items()}

    def place(problem: Problem) -> Problem:
        if not problem.where.startswith("config "):
            return problem
        key = re.sub(r"\[(\w+)\]", r".\1", problem.where.removeprefix("config "))
        parts = key.split(".")
        known = next((one for n in range(len(parts), 0, -1) if (one := ".".join(parts[:n])) in places), None)
        if known is None:
            return problem
        where = places[known] + key[len(known) :]
        return Problem(where, problem.found, problem.expected, problem.remedy)

    return InputError(place(problem) for problem in error.problems)


def _over(base: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A config with another laid over it, section by section."""
    merged = dict(base)
    for key, value in given.items():
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return merged


def _check(path: Path) -> tuple[yaml.Node | None, list[Problem]]:
    """The file's tree, and what is wrong with it."""
    name = path.name
    try:
        text = _text(path)
        problems = _check_events(name, text)
        node = None if problems else yaml.compose(text, Loader=_Loader)
    except InputError as error:
        return None, error.problems
    except yaml.YAMLError as error:
        return None, [_not_yaml(name, error)]
    if problems:
        return None, problems
    if not isinstance(node, yaml.MappingNode):
        return None, [Problem(name, "no keys", "`key: value` lines", "config/README.md shows the smallest config")]
    problems = _check_size(name, node)
    return node, problems or _check_tree(name, node)


def _text(path: Path) -> str:
    if not path.is_file():
        found = "a folder" if path.is_dir() else "there is no such config"
        raise InputError(Problem(str(path), found, "a YAML file", "Mend the path"))
    if path.stat().st_size > LARGEST:
        raise InputError(Problem(str(path), "more than 1 MiB", "a config of a few pages", "Is it the right file?"))
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].count(b"\n")
        where = f"{path.name} line {before + 1}"
        raise InputError(
            Problem(where, f"not UTF-8 text (byte 0x{raw[error.start]:02x})", "UTF-8", "Save it so")
        ) from None
    # JSON may be laid out by tabs, which YAML forbids; no text of JSON's can hold one.
    return text.replace("\t", " ") if text.lstrip().startswith("{") else text


def _not_yaml(name: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or " ".join(str(error).split())
    where = f"{name} line {mark.line + 1}" if mark else name
    remedy = "Look at the quotes, colons and spaces there and just before; tabs may not indent"
    return Problem(where, f"not YAML: {visible(said)}", "`key: value` lines, indented by spaces", remedy)


def _check_events(name: str, text: str) -> list[Problem]:
    """What makes the tree unsafe to build: depth, several documents, tags."""
    problems: list[Problem] = []
    depth, documents = 0, 0
    for event in yaml.parse(text, Loader=_Loader):
        where = f"{name} line {event.start_mark.line + 1 if event.start_mark else 0}"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > DEEPEST:
            return [*problems, Problem(where, f"more than {DEEPEST} levels", "a handful", "Is a bracket left open?")]
        if documents > 1:
            return [*problems, Problem(where, "a second document (---)", "one config a file", "Remove what is below")]
        tag = getattr(event, "tag", None)
        if tag and tag not in ("!", "tag:yaml.org,2002:str"):
            shown = tag.replace("tag:yaml.org,2002:", "!!")
            problems.append(Problem(where, f"a tag, '{visible(shown)}'", "no tags", _NO_CODE))
    return problems


def _check_size(name: str, root: yaml.Node) -> list[Problem]:
    """Aliases that unfold to more than a config can hold, or that hold themselves."""
    sizes: dict[int, int] = {}
    inside: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in inside:
            line = node.start_mark.line + 1
            raise InputError(Problem(f"{name} line {line}", "an alias that holds itself", "a value", "Write it out"))
        if id(node) not in sizes:
            inside.add(id(node))
            sizes[id(node)] = 1 + sum(map(size, _children(node)))
            inside.discard(id(node))
        return sizes[id(node)]

    try:
        total = size(root)
    except InputError as error:
        return error.problems
    most = max(MOST, 10 * len(sizes))
    if total <= most:
        return []
    worst, line = root, 1
    while (large := max(_children(worst), key=size, default=None)) is not None and size(large) > most:
        worst, line = large, large.start_mark.line + 1
    found = f"aliases that unfold to {total:,} values"
    return [Problem(f"{name} line {line}", found, f"at most {most:,}", "Write the values out instead of *aliases")]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_tree(name: str, root: yaml.Node) -> list[Problem]:
    """Keys that stand twice, and plain values that are read as something else than they look like."""
    problems: list[Problem] = []
    seen: set[int] = set()

    def walk(node: yaml.Node, path: str) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            problems.extend(_check_keys(name, node, path))
        elif isinstance(node, yaml.ScalarNode):
            problems.extend(_check_scalar(name, node, path))
        for key, child in _steps(node):
            walk(child, f"{path}.{key}" if path else key)

    walk(root, "")
    return problems


def _check_keys(name: str, node: yaml.MappingNode, path: str) -> list[Problem]:
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        where = f"{name} line {line}"
        if not isinstance(key, yaml.ScalarNode):
            problems.append(Problem(where, "a list or a mapping for a key", "a word", "Write a word before the colon"))
            continue
        dotted = f"{path}.{key.value}" if path else key.value
        if key.tag != "tag:yaml.org,2002:merge":
            problems += _check_scalar(name, key, dotted)
        if key.value in lines:
            remedy = "Keep one: of two, only the last would be taken"
            problems.append(
                Problem(f"{where}, {dotted}", f"stands twice (also in line {lines[key.value]})", remedy=remedy)
            )
        elif not path and key.value in _TEMPLATES:
            problems.append(Problem(f"{where}, {key.value}", "a template, which runs code", "plain values", _NO_CODE))
        lines.setdefault(key.value, line)
    return problems


def _check_scalar(name: str, node: yaml.ScalarNode, path: str) -> list[Problem]:
    """A plain value is what it looks like, or it is refused."""
    if node.style:
        return []
    kind, text = node.tag.removeprefix("tag:yaml.org,2002:"), node.value
    where = f"{name} line {node.start_mark.line + 1}, {path}"
    if kind == "bool" and text.lower() not in ("true", "false"):
        value = "true" if text.lower() in ("yes", "on", "y") else "false"
        return [
            Problem(
                where, f"{text} is read as {value}", "true or false, or text", f"{_QUOTES}: '{text}', or write {value}"
            )
        ]
    if kind in _PLAIN and not re.fullmatch(_PLAIN[kind], text):
        value = yaml.SafeLoader("").construct_object(node)
        if not math.isfinite(value):
            return [
                Problem(where, f"{text} is no number to count with", "a number", "Write a number, or leave the key out")
            ]
        return [
            Problem(
                where, f"{text} is read as {value}", "a plain number, or text", f"{_QUOTES}: '{text}', or write {value}"
            )
        ]
    if kind in ("timestamp", "value", "merge"):
        what = "a date" if kind == "timestamp" else "a sign of YAML's own"
        return [Problem(where, f"{text} is read as {what}", "a number, true, false or text", f"{_QUOTES}: '{text}'")]
    return []


def _steps(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    """Children of a node by key or place."""
    if isinstance(node, yaml.MappingNode):
        return [(key.value, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
    if isinstance(node, yaml.SequenceNode):
        return [(str(place), child) for place, child in enumerate(node.value)]
    return []


def _lines(root: yaml.Node) -> dict[str, int]:
    """Dotted key -> line; items of lists by their place and, where they have one, by their name."""
    lines: dict[str, int] = {}

    def walk(node: yaml.Node, path: str) -> None:
        for key, child in _steps(node):
            below = f"{path}.{key}" if path else key
            lines.setdefault(below, child.start_mark.line + 1)
            walk(child, below)
            named = dict(_steps(child)).get("name") if isinstance(node, yaml.SequenceNode) else None
            if isinstance(named, yaml.ScalarNode):
                lines.setdefault(f"{path}.{named.value}", child.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):  # the line of the key, where its value begins below it
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode):
                    lines[f"{path}.{key.value}" if path else key.value] = key.start_mark.line + 1

    walk(root, "")
    return lines
