"""What holds for every sheet, every name and every config, not only for those that somebody thought of."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.conftest import ROOT

from livermet.config_files import read_config
from livermet.errors import InputError, Problem
from livermet.names import as_name, has_control, is_formula, is_name, printable, visible
from livermet.report.rendering import render
from livermet.samples import read_samples
from livermet.settings import resolve

quick = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
names = st.one_of(
    st.sampled_from(["None", "NA", "nan", "NULL", "null", "1e3", "007", "True", "N", "-".join("abc"), "0_.-"]),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True),
)
anything = st.text(st.characters(codec="utf-8"), max_size=30)


def is_free_text(text: str) -> bool:
    """Whether a sheet takes a text for a column besides as it stands."""
    return not (has_control(text) or is_formula(text)) and unicodedata.normalize("NFC", text) == text == text.strip()


INVISIBLE = re.compile("[\\s\\u200b-\\u200f\\u2060\\ufeff\\u00ad\\u180e]")  # taken away at the ends of a cell
free = anything.filter(lambda text: is_free_text(text) and not INVISIBLE.search(text[:1] + text[-1:]))


def outcome(call: Callable[[], Any]) -> tuple[Any, InputError | None]:
    """What a call gives, or how it refuses; any other exception is a failure."""
    try:
        return call(), None
    except InputError as error:
        return None, error


def is_sound(error: InputError) -> bool:
    """Whether a refusal says where and what, in characters that can be printed."""
    said = [bool(problem.where and problem.found) for problem in error.problems]
    return bool(said) and all(said) and str(error).replace("\n", "").isprintable()


@st.composite
def sheets(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a sheet without a fault; a mouse a sample."""
    size = draw(st.integers(1, 6))
    ids = draw(st.lists(names, min_size=size, max_size=size, unique_by=str.casefold))
    ids = [one for one in ids if not one.endswith((".empty", ".soup", ".notices"))] or ["a"]
    header = ["sample", "mouse", "treatment", "path", "my note (1)"]
    rows = [
        [one, f"m{place}", draw(st.sampled_from(["None", "NA", "drug"])), f"data/{place}", draw(free)]
        for place, one in enumerate(ids)
    ]
    order = draw(st.permutations(range(len(header))))
    return [header[place] for place in order], [[row[place] for place in order] for row in rows]


@quick
@given(
    sheet=sheets(),
    separator=st.sampled_from("\t,;"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_a_sheet_that_is_written_in_any_dialect_is_read_as_it_was(
    tmp_path: Path, sheet: tuple[list[str], list[list[str]]], separator: str, end: str, encoding: str, quoting: int
) -> None:
    header, rows = sheet
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([header, *rows])
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    path = tmp_path / "samples.txt"
    path.write_bytes((mark + stream.getvalue()).encode(encoding))
    if any(line.startswith("#") for line in re.split(r"[\r\n]+", stream.getvalue())):
        return  # a row that is left out by its sign
    read = read_samples(path, {"treatment": ["None", "NA", "drug"]}, [], exists=lambda _: True)
    assert list(read.index) == [row[header.index("sample")] for row in rows]
    for place, column in enumerate(header):
        if column != "sample":
            assert read[column].tolist() == [row[place] for row in rows], column


@quick
@given(anything)
@example("\u0430")
@example("a\u0301")
@example("=1+1")
def test_a_name_is_plain_or_refused_and_what_is_said_of_it_is_printable(tmp_path: Path, text: str) -> None:
    path = tmp_path / "samples.csv"
    cell = '"' + text.replace('"', '""') + '"'
    path.write_bytes(f"mouse,sample,treatment,path\nm1,{cell},drug,a\nm2,z-z,none,b\n".encode())
    sheet, error = outcome(lambda: read_samples(path, {"treatment": ["none", "drug"]}, [], exists=lambda _: True))
    assert is_sound(error) if error else is_name(sheet.index[0])
    plain = as_name(text)
    assert plain == "" or is_name(plain)
    assert visible(text).isprintable()
    assert str(Problem(text, text, text, text)).isprintable()


@quick
@given(anything)
@example("<script>alert(1)</script>")
@example("\x1b[31m")
def test_free_text_is_refused_or_travels_unchanged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "samples.csv"
    cell = '"' + text.replace('"', '""') + '"'
    path.write_bytes(f"sample,mouse,treatment,path,note\na,m1,drug,a,{cell}\nb,m2,none,b,x\n".encode())
    sheet, error = outcome(lambda: read_samples(path, {"treatment": ["none", "drug"]}, [], exists=lambda _: True))
    if error:
        assert has_control(text) or is_formula(text), str(error)
    else:
        value = sheet["note"].iloc[0]
        assert not has_control(value)
        assert not is_formula(value)
        assert unicodedata.normalize("NFC", text).find(value) >= 0, "trimmed at most"
    assert printable(text).isprintable()


@quick
@given(anything)
@example("</title><script>alert(1)</script>")
def test_the_methods_hold_no_tag_of_a_title(text: str) -> None:
    methods = render("methods.md.j2", title=text, sections=[], references=[])
    assert not re.search(r"<[a-zA-Z/!]", methods)


DEMO = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
TEXT = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8")
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), anything, st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(anything, st.integers()), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip


def steps(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a config."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [place for key, value in inner for place in [(*path, key), *steps(value, (*path, key))]]


PLACES = steps(DEMO)


def settled(path: Path) -> dict[str, Any] | None:
    """The config as the gate takes it, or None where it is refused; anything else fails."""
    resolved, error = outcome(lambda: resolve(read_config(path)))
    assert error is None or is_sound(error)
    return resolved  # type: ignore[no-any-return]


@quick
@given(place=st.sampled_from(PLACES), value=values, how=st.sampled_from(["replace", "remove", "add"]))
def test_a_config_with_anything_in_any_place_is_settled_or_refused(
    tmp_path: Path, place: tuple[Any, ...], value: Any, how: str
) -> None:
    content = yaml.safe_load(TEXT)
    holder = content
    for key in place[:-1]:
        holder = holder[key]
    if how == "remove":
        del holder[place[-1]]
    elif how == "add" and isinstance(holder, dict):
        holder["added"] = value
    else:
        holder[place[-1]] = value
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    resolved = settled(path)
    if resolved is not None:
        assert resolve(resolved) == resolved, "what is settled stays as it is"
        assert yaml.safe_load(yaml.safe_dump(resolved)) == resolved, "plain types"


@quick
@given(where=st.integers(0, len(TEXT)), length=st.integers(0, 12), instead=anything)
def test_a_config_with_any_damage_to_its_text_is_settled_or_refused(
    tmp_path: Path, where: int, length: int, instead: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes((TEXT[:where] + instead + TEXT[where + length :]).encode("utf-8", "surrogatepass"))
    settled(path)


@quick
@given(st.binary(max_size=400))
def test_any_bytes_for_a_config_or_a_sheet_are_refused_or_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    settled(path)
    with pytest.raises(InputError):
        read_samples(path, {"treatment": ["none", "drug"]}, [])
