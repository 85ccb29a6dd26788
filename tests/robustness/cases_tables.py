"""The counts as a table of text: csv and tsv, either way round."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import pandas as pd
from tests.robustness.case import Case, Good
from tests.robustness.formats import counts_of, same, truth
from tests.robustness.study import Opened, Study


def put(
    study: Study,
    change: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame,
    name: str = "b.csv",
    names: str = "ids",
    **how: Any,
) -> Study:
    """Sample b as a table that pandas writes (genes x cells), changed before; `how` goes to `to_csv`."""
    frame = change(counts_of(study).frame(names))
    return study.put("b", lambda path: frame.to_csv(path, **({"sep": "," if ".csv" in name else "\t"} | how)), name)


def cell(row: int, column: int, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Another value in one place."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(object)
        frame.iat[row, column] = value
        return frame

    return change


def unchanged(opened: Opened) -> bool:
    """Whether b is read as it was simulated."""
    return same(opened.read("b"), truth(opened.study, "b"), symbols=False)


def as_ids(opened: Opened) -> bool:
    """Whether b, named by symbols, is read as it was simulated, every gene under its symbol."""
    good = truth(opened.study, "b")
    return same(opened.read("b"), good._replace(ids=good.symbols), symbols=False)


FILE = "data/b.csv"

CASES = [
    Case("a table with a fraction", lambda s: put(s, cell(2, 3, 0.5)), (f"{FILE}, row 4 (", "column ", "a fractional value")),
    Case("a table with a negative count", lambda s: put(s, cell(2, 3, -4)), (f"{FILE}, row 4 (", "a negative value (-4)")),
    Case("a table with a missing count", lambda s: put(s, cell(2, 3, "nan")), (f"{FILE}, row 4 (", "a missing value")),
    Case("a table with an empty cell", lambda s: put(s, cell(2, 3, "")), (f"{FILE}, row 4 (", "whole numbers, 0 or more")),
    Case("a table with a word", lambda s: put(s, cell(2, 3, "many")), (f"{FILE}, row 4 (", "'many'")),
    Case("a table with a word, far down", lambda s: put(s, cell(1990, 3, "many")), (f"{FILE}, row 1992 (", "'many'"), reader="b"),
    Case("a table with true and false", lambda s: put(s, lambda f: f > 0), (FILE, "88 of them text", "Leave columns out that are no counts")),
    Case("a comma as decimal sign", lambda s: put(s, lambda f: (f / 3).round(2), sep=";", decimal=","),
         (FILE, "a comma as decimal sign", "a point as decimal sign")),
    Case("a comma as decimal sign between commas", lambda s: put(s, lambda f: f / 3 + 0.25, quoting=0, decimal=","),
         (FILE, "a comma as decimal sign")),
    Case("a table with a NUL", lambda s: put(s).change(FILE, lambda d: d[:40_000] + b"\0" + d[40_000:]), (FILE, "NUL")),
    Case("a workbook that is called .tsv", lambda s: s.put("b", lambda p: p.write_bytes(b"PK\x03\x04 xl/"), "b.tsv"),
         ("data/b.tsv", "an Excel workbook", "Save the sheet as tab-separated text")),
    Case("an old workbook that is called .csv", lambda s: s.put("b", lambda p: p.write_bytes(b"\xd0\xcf\x11\xe0 "), "b.csv"),
         (FILE, "an Excel workbook")),
    Case("a web page that is called .csv", lambda s: s.put("b", lambda p: p.write_text("\n<html>"), "b.csv"),
         (FILE, "a web page", "login page")),
    Case("a table in UTF-16", lambda s: put(s, encoding="utf-16"), (FILE, "not text", "UTF-8")),
    Case("a table that is cut short", lambda s: put(s, name="b.csv.gz").change("data/b.csv.gz", lambda d: d[: len(d) // 2]),
         ("data/b.csv.gz", "cut short"), reader="b"),
    Case("a row that is cut short", lambda s: put(s).change(FILE, lambda d: d[:-60]), FILE, reader="b"),
    Case("a row that is too long", lambda s: put(s).change(FILE, lambda d: d[:-1] + b",1,1\n"),
         (FILE, "rows of the same length"), reader="b"),
    Case("a table that is a header alone", lambda s: put(s, lambda f: f.iloc[:0]), (FILE, "a header, then one row a gene")),
    Case("a table of one column", lambda s: s.put("b", lambda p: p.write_text("a\nb\nc\n"), "b.csv"), (FILE, "a header, then one row")),
    Case("a table with the genes' lengths", lambda s: put(s, lambda f: pd.concat([f.iloc[:, :1].set_axis(["Length"], axis=1), f], axis=1)),
         (f"{FILE}, column Length: a column that holds no counts", "Leave such columns out")),
    Case("a table with descriptions", lambda s: put(s, lambda f: f.assign(text="a gene")[["text", *f]].assign(more="x")),
         (FILE,)),
    Case("a table with a cell twice", lambda s: put(s, lambda f: f.set_axis([*f.columns[:-1], f.columns[0]], axis=1)),
         (FILE, "1 barcodes stand there more than once")),
    Case("a table with a cell twice in its rows", lambda s: put(s, lambda f: f.T.set_axis([*f.columns[:-1], f.columns[0]])),
         (FILE, "1 barcodes stand there more than once"), reader="b"),
    Case("a table whose sides cannot be told", lambda s: put(s, lambda f: f.set_axis([f"x{n}" for n in range(len(f))])
         .set_axis([f"y{n}" for n in range(f.shape[1])], axis=1)), (FILE, "Name the genes by Ensembl id"), reader="b"),
    Case("a table of a human", lambda s: put(s, lambda f: f.rename(index=lambda g: g.replace("ENSMUSG", "ENSG"))),
         (FILE, "genes of another species (human)")),
    Case("a table of logs", lambda s: put(s, lambda f: (f / f.sum() * 1e4 + 1).map(__import__("math").log)),
         (FILE, "a fractional value")),
    Case("a table of counts per million, rounded", lambda s: put(s, lambda f: (f / f.sum() * 1e6).round().astype(int)),
         (FILE, "whole numbers that are no counts"), reader="b"),
    Case("a table of nothing but zeros", lambda s: put(s, lambda f: f * 0), (FILE, "every count is 0"), reader="b"),
    Case("a table with a formula for a gene", lambda s: put(s, lambda f: f.rename(index={f.index[7]: "@SUM(A1)"})),
         (f"{FILE}, feature 8", "'@SUM(A1)'"), reader="b"),
]  # fmt: skip

GOOD = [
    Good("a csv with genes in the rows", put, unchanged, True),
    Good("a csv with cells in the rows", lambda s: put(s, lambda f: f.T), unchanged, True),
    Good("a tsv.gz by symbols", lambda s: put(s, name="b.tsv.gz", names="symbols"), as_ids, True),
    Good("a table with semicolons", lambda s: put(s, sep=";"), unchanged, True),
    Good("a table with a byte order mark", lambda s: put(s, encoding="utf-8-sig"), unchanged, True),
    Good("a table with quotes and Windows lines", lambda s: put(s, quoting=2, lineterminator="\r\n"), unchanged, True),
    Good("a table without a corner", lambda s: put(s, name="b.txt").change(
        "data/b.txt", lambda d: d[1:]), unchanged, True),
    Good("counts with a decimal point", lambda s: put(s, lambda f: f.astype(float)), unchanged, True),
    Good("a table with a counter's summary", lambda s: put(s, lambda f: pd.concat(
        [f, pd.DataFrame(999, index=["__no_feature", "__ambiguous"], columns=f.columns)])),
         lambda o: (unchanged(o), "2 of type Summary" in o.told("b")), (True, True)),
    Good("a table packed twice is not, packed once is", lambda s: put(s, name="b.csv.gz").change(
        "data/b.csv.gz", lambda d: gzip.compress(gzip.decompress(d), 9)), unchanged, True),
]  # fmt: skip
