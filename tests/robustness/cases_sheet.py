"""The sample sheet: what it says, and the file it is."""

from __future__ import annotations

import gzip
import os
import unicodedata
from collections.abc import Callable

from tests.robustness.case import Case, Good
from tests.robustness.study import SHEET, Opened, Study

ROWS = SHEET.splitlines(keepends=True)


def column(name: str) -> Callable[[Opened], list[str]]:
    """A column of the sheet as it was read."""
    return lambda opened: opened.sheet[name].tolist()


def told(opened: Opened) -> list[tuple[str, str]]:
    """What the gate says of the sheet: whom it is about, and what."""
    return [(notice.sample, notice.what) for notice in opened.notices]


def with_column(name: str, *values: str) -> str:
    """The sheet with one more column."""
    return "".join(
        f"{line.rstrip()}\t{value}\n" for line, value in zip(ROWS, [name, *values, "", "", ""], strict=False)
    )


def one_value(name: str, value: str) -> str:
    """The sheet with one more column, the same in all rows."""
    return with_column(name, value, value, value, value)


def mistakes(study: Study) -> None:
    """Eight mistakes of eight kinds."""
    study.sheet(with_column("note", "", "", "=1+1", "").replace("data/a", "data/x"))
    study.sheet("c\tm3\tdrug", "c\tm3\tdrugg", "b\tm2", "../b\tm2", "d\tm4\tdrug\tb2", "C\tm1\tdrug\tB2")
    study.settings("  factors:", "  covariates: [sex]\n  factors:")


CASES = [
    # -- ids, levels, and what looks like them
    Case(
        "a level misspelt",
        lambda s: s.sheet("c\tm3\tdrug", "c\tm3\tdrugg"),
        "samples.tsv row 4, treatment: 'drugg' is not a level (untreated, drug). Did you mean 'drug'?",
    ),
    Case(
        "a level in capitals",
        lambda s: s.sheet("c\tm3\tdrug", "c\tm3\tDrug"),
        "samples.tsv row 4, treatment: 'Drug' is not a level (untreated, drug). Did you mean 'drug'?",
    ),
    Case(
        "a level that resembles none",
        lambda s: s.sheet("c\tm3\tdrug", "c\tm3\tvehicle"),
        "row 4, treatment: 'vehicle' is not a level (untreated, drug). Add it under design.factors or mend the sheet",
    ),
    Case(
        "a level with a Cyrillic letter",
        lambda s: s.sheet("c\tm3\tdrug", "c\tm3\tdr\u0443g"),
        ("samples.tsv row 4, treatment: 'drуg' (CYRILLIC SMALL LETTER U)", "Did you mean 'drug'?"),
    ),
    Case(
        "an id with a Cyrillic letter",
        lambda s: s.sheet("a\tm1", "\u0430\tm1"),
        ("row 2, sample: '\u0430' (CYRILLIC SMALL LETTER A)", "Did you mean 'a'?"),
    ),
    Case(
        "an accent, composed",
        lambda s: s.sheet("a\tm1", "caf\u00e9\tm1"),
        ("row 2, sample: 'caf\u00e9' (LATIN SMALL LETTER E WITH ACUTE)", "Did you mean 'cafe'?"),
    ),
    Case(
        "an accent of its own letter",
        lambda s: s.sheet("a\tm1", "cafe\u0301\tm1"),
        ("row 2, sample: 'caf\u00e9' (LATIN SMALL LETTER E WITH ACUTE)", "Did you mean 'cafe'?"),
    ),
    Case(
        "a zero-width space inside a level",
        lambda s: s.sheet("c\tm3\tdrug", "c\tm3\tdr\u200bug"),
        ("row 4, treatment: 'dr\\u200bug' (ZERO WIDTH SPACE)", "Did you mean 'drug'?"),
    ),
    Case(
        "a non-breaking space inside an id",
        lambda s: s.sheet("a\tm1", "mouse\u00a01\tm1"),
        ("row 2, sample: 'mouse\\xa01' (NO-BREAK SPACE)", "Did you mean 'mouse_1'?"),
    ),
    Case(
        "a typographic minus",
        lambda s: s.sheet("a\tm1", "a\u20131\tm1"),
        ("row 2, sample: 'a–1' (EN DASH)", "Did you mean 'a-1'?"),
    ),
    Case(
        "an id with a space",
        lambda s: s.sheet("a\tm1", "a 1\tm1"),
        ("row 2, sample: 'a 1' (' ') (expected letters, digits", "Did you mean 'a_1'?"),
    ),
    Case("an id too long", lambda s: s.sheet("a\tm1", "a" * 65 + "\tm1"), ("row 2, sample: 'aaaa", "at most 64")),
    Case("an id that is empty", lambda s: s.sheet("a\tm1", "\tm1"), "row 2, sample: empty (expected letters"),
    Case("a mouse that is empty", lambda s: s.sheet("a\tm1", "a\t"), "row 2, mouse: empty (expected letters"),
    Case("a level that is empty", lambda s: s.sheet("m3\tdrug", "m3\t"), "row 4, treatment: empty (expected letters"),
    Case(
        "one id twice",
        lambda s: s.sheet("b\tm2", "a\tm2"),
        "samples.tsv rows 2 and 3, sample: sample id 'a' stands 2 times. Rename or remove one",
    ),
    Case(
        "one id twice, in capitals", lambda s: s.sheet("b\tm2", "A\tm2"), "rows 2 and 3, sample: sample id 'a' stands 2"
    ),
    Case(
        "an id that ends like a file of another",
        lambda s: s.sheet("b\tm2", "a.soup\tm2"),
        "samples.tsv rows 2 and 3, sample: files of sample 'a.soup' would be taken for files of 'a'",
    ),
    Case(
        "one batch in two spellings",
        lambda s: s.sheet("d\tm4\tdrug\tb2", "d\tm4\tdrug\tB2"),
        "samples.tsv row 5, batch: 'B2' beside 'b2': they differ by case only (expected one spelling). Did you mean 'b2'?",
    ),
    Case(
        "one mouse in two spellings",
        lambda s: s.sheet("b\tm2", "b\tM1"),
        "samples.tsv row 3, mouse: 'M1' beside 'm1': they differ by case only",
    ),
    Case(
        "one tissue in two spellings",
        lambda s: s.sheet(with_column("tissue", "liver", "liver", "Liver", "liver")),
        "samples.tsv row 4, tissue: 'Liver' beside 'liver': they differ by case only",
    ),
    Case(
        "one mouse in two arms",
        lambda s: s.sheet("c\tm3", "c\tm1"),
        "samples.tsv rows 2, 4, treatment: mouse 'm1' (unknown) is 'untreated' and 'drug'",
    ),
    Case(
        "a level without a mouse",
        lambda s: s.settings("[untreated, drug]", "[untreated, drug, both]", "level: drug", "level: both"),
        "config.yaml line 9, design.questions.drug: the design cannot answer it: no mouse is in arm both. Leave the question out",
    ),
    Case(
        "pooled mice that are not counted",
        lambda s: s.sheet(one_value("pool_size", "two")),
        "pool_size: 'two' (expected a whole number of mice, 1 or more)",
    ),
    Case(
        "cells counted with commas",
        lambda s: s.sheet(one_value("absolute_cells", "2,400,000")),
        "samples.tsv row 2, absolute_cells: '2,400,000' (expected a positive number of cells",
    ),
    Case(
        "everything at once",
        mistakes,
        (
            "8 problems",
            "header: no column 'sex'",
            "row 3, sample: '../b'",
            "rows 4 and 5, sample: sample id 'c' stands 2 times",
            "row 4, treatment: 'drugg' is not a level (untreated, drug). Did you mean 'drug'?",
            "row 4, note: '=1+1' is a formula",
            "row 5, batch: 'B2' beside 'b2'",
            "rows 2, 5, treatment: mouse 'm1' (unknown) is 'untreated' and 'drug'",
            "row 2, path: there is no 'data/x'",
        ),
        run=True,
    ),
    # -- columns
    Case(
        "no column of mice",
        lambda s: s.sheet("mouse", "mous"),
        "samples.tsv header: no column 'mouse'. Is 'mous' meant?",
    ),
    Case(
        "no column of a factor",
        lambda s: s.sheet("treatment", "arms"),
        "header: no column 'treatment'. The sheet has: ",
    ),
    Case("a column in capitals", lambda s: s.sheet("mouse", "Mouse"), "header: no column 'mouse'. Is 'Mouse' meant?"),
    Case(
        "a column with a Cyrillic letter",
        lambda s: s.sheet("mouse", "m\u043euse"),
        "header: no column 'mouse'. Is 'm\u043euse' meant?",
    ),
    Case("a column twice", lambda s: s.sheet("batch", "mouse"), "samples.tsv header: column 'mouse' stands twice"),
    Case("a column twice but for case", lambda s: s.sheet("batch", "Mouse"), "'mouse' and 'Mouse' differ by case only"),
    Case("a column without a name", lambda s: s.sheet("batch", ""), "samples.tsv header: column 4 has no name"),
    Case(
        "a column that a result is called by",
        lambda s: s.sheet("batch", "n_umis"),
        "header: column 'n_umis' has the name of a result. Rename it, such as 'my_n_umis'",
    ),
    Case(
        "a row too short", lambda s: s.sheet("d\tm4\tdrug\tb2\t", "d\tm4\tdrug\t"), "row 5: 4 cells (expected 5, as in"
    ),
    Case("a row too long", lambda s: s.sheet("\tb2\tdata/d", "\tb2\tx\tdata/d"), "row 5: 6 cells (expected 5, as in"),
    # -- the file
    Case("no such sheet", lambda s: s.samples.unlink(), "samples.tsv: there is no such sample sheet"),
    Case("a folder for a sheet", lambda s: s.settings("samples.tsv", "data"), "data: a folder (expected a text file)"),
    Case(
        "an empty sheet", lambda s: s.sheet(""), "samples.tsv: no samples (expected a header row and a row per sample)"
    ),
    Case("a header alone", lambda s: s.sheet(ROWS[0]), "samples.tsv: no samples (expected a header row and a row per"),
    Case("a header and white space", lambda s: s.sheet(ROWS[0] + "\t\t\t\t\n \n"), "samples.tsv: no samples"),
    Case(
        "an Excel file",
        lambda s: s.write("samples.tsv", b"PK\x03\x04\x14\0" + bytes(500)),
        "samples.tsv: an Excel or OpenDocument file (expected a text file). Save it as text, UTF-8",
    ),
    Case(
        "a sheet that is packed",
        lambda s: s.write("samples.tsv", gzip.compress(SHEET.encode())),
        "samples.tsv: a gzip file (expected a text file)",
    ),
    Case(
        "random bytes",
        lambda s: s.write("samples.tsv", bytes(range(254, 0, -1)) * 9),
        "samples.tsv row 1: not UTF-8 text (byte 0xfe)",
    ),
    Case("a NUL byte", lambda s: s.sheet("m3\tdrug", "m3\tdr\0ug"), "samples.tsv row 4: a NUL byte: not a text file"),
    Case(
        "UTF-32",
        lambda s: s.sheet(SHEET, encoding="utf-32"),
        "samples.tsv row 1:",
    ),
    Case(
        "Latin-1",
        lambda s: s.write("samples.tsv", SHEET.replace("b1\tdata/c", "caf\u00e9\tdata/c").encode("latin-1")),
        "samples.tsv row 4: not UTF-8 text (byte 0xe9) (expected UTF-8 text). Save it as UTF-8",
    ),
    Case(
        "half a UTF-16 character",
        lambda s: s.write("samples.tsv", SHEET.encode("utf-16")[:-1]),
        "samples.tsv row 5: not UTF-16 text",
    ),
    Case(
        "a huge file",
        lambda s: s.write("samples.tsv", SHEET.encode() + bytes(9 << 20)),
        "samples.tsv: 9 MiB (expected a sheet with a row per sample). Is it a matrix of counts?",
    ),
    Case("a pipe that nobody fills", lambda s: s.samples.unlink() or os.mkfifo(s.samples), "no such sample sheet"),
    Case("columns apart by spaces", lambda s: s.sheet("\t", "  "), "samples.tsv header: one column, 'sample  mouse"),
    Case(
        "a quote that is never closed",
        lambda s: s.sheet("b1\tdata/c", '"b1\tdata/c'),
        "samples.tsv row 4: quotes that do not match",
    ),
    Case(
        "a line break in a cell",
        lambda s: s.sheet("b1\tdata/c", '"b\n1"\tdata/c'),
        "samples.tsv row 4, batch: 'b\\n1' holds a line break or another control character",
    ),
    Case(
        "a line break in a note",
        lambda s: s.sheet(with_column("note", "", '"two\nlines"')),
        "samples.tsv row 3, note: 'two\\nlines' holds a line break",
    ),
    # -- paths
    Case(
        "a file that is not there",
        lambda s: s.sheet("data/b.h5", "data/bb.h5"),
        "samples.tsv row 3, path: there is no 'data/bb.h5'. Did you mean 'data/b.h5'?",
    ),
    Case(
        "a path in capitals",
        lambda s: s.sheet("data/b.h5", "data/B.h5"),
        "no 'data/B.h5'. Did you mean 'data/b.h5' (the",
    ),
    Case(
        "a path in another Unicode form",
        lambda s: (
            (s.data / "b.h5").rename(s.data / unicodedata.normalize("NFD", "é.h5"))
            and s.sheet("data/b.h5", "data/\u00e9.h5")
        ),
        "row 3, path: there is no 'data/\u00e9.h5'. Did you mean 'data/e\u0301.h5' (the same letters, other case or another",
    ),
    Case("a path that is empty", lambda s: s.sheet("data/b.h5", ""), "row 3, path: empty (expected a file or a 10x"),
    Case(
        "an address for a path", lambda s: s.sheet("data/b.h5", "https://a.b/b.h5"), "Download it: inputs are files on"
    ),
    Case("a home folder's sign", lambda s: s.sheet("data/b.h5", "~/b.h5"), "'~' is not read as a home folder"),
    Case(
        "a path with braces",
        lambda s: (s.data / "b.h5").rename(s.data / "{b}.h5") and s.sheet("data/b.h5", "data/{b}.h5"),
        "row 3, path: 'data/{b}.h5' (expected no braces: Snakemake has its own use). Rename the file, or name a link to it",
    ),
    Case(
        "one file under two ids",
        lambda s: s.sheet("data/b.h5", "./data/../data/d.h5"),
        "samples.tsv rows 3 and 5, path: input './data/../data/d.h5' stands 2 times. Give each sample its own",
    ),
    Case(
        "one matrix under two ids, copied",
        lambda s: s.write("data/b.h5", (s.data / "d.h5").read_bytes()),
        ("samples 'b' and 'd': the same counts", "have the same content", "List it once"),
        run=True,
    ),
    Case(
        "one matrix under two ids, linked",
        lambda s: (s.data / "b.h5").unlink() or (s.data / "b.h5").symlink_to("d.h5"),
        "samples 'b' and 'd': the same counts",
    ),
    Case(
        "one matrix under two ids, packed anew",
        lambda s: [
            s.write(f"data/c/{name}", gzip.compress(gzip.decompress((s.data / "a" / name).read_bytes()), 9))
            for name in ("matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz")
        ],
        "samples 'a' and 'c': the same counts",
    ),
    Case(
        "the counts for a raw matrix",
        lambda s: s.sheet(with_column("raw_path", "", "data/b.h5")),
        "samples.tsv row 3, raw_path: the same as path (expected the unfiltered matrix beside the cells). Leave raw_path",
    ),
]

PLAIN = ["untreated", "untreated", "drug", "drug"]
GOOD = [
    Good("commas", lambda s: s.sheet("\t", ","), column("treatment"), PLAIN),
    Good("semicolons", lambda s: s.sheet("\t", ";"), column("treatment"), PLAIN),
    Good("commas within quotes", lambda s: s.sheet("\t", ",", "b1,", '"b1",'), column("batch"), ["b1", "b2", "b1", "b2"]),
    Good(
        "spaces before quotes",
        lambda s: s.sheet("\t", ", ", "b1", '"b1"'),
        column("batch"),
        ["b1", "b2", "b1", "b2"],
    ),
    Good("Excel's first line", lambda s: s.sheet("\t", ";", "sample;", "sep=;\nsample;"), column("treatment"), PLAIN),
    Good("a byte order mark", lambda s: s.sheet(SHEET, encoding="utf-8-sig"), column("treatment"), PLAIN),
    Good(
        "UTF-16",
        lambda s: s.sheet(SHEET, encoding="utf-16"),
        lambda o: (column("treatment")(o), told(o)),
        (PLAIN, [("the study", "The sample sheet is UTF-16 and was read as such")]),
    ),
    Good("UTF-16, the other way", lambda s: s.write("samples.tsv", b"\xfe\xff" + SHEET.encode("utf-16-be")), column("mouse"),
         ["m1", "m2", "m3", "m4"]),
    Good("UTF-16 without a mark", lambda s: s.sheet(SHEET, encoding="utf-16-le"), column("treatment"), PLAIN),
    Good("lines of Windows", lambda s: s.sheet("\n", "\r\n"), column("path"), ["data/a", "data/b.h5", "data/c", "data/d.h5"]),
    Good("lines of an old Mac", lambda s: s.sheet("\n", "\r"), column("treatment"), PLAIN),
    Good("no line end at the end", lambda s: s.sheet(SHEET.rstrip()), column("treatment"), PLAIN),
    Good("empty lines", lambda s: s.sheet("\nc\t", "\n\n\t\t\t\t\nc\t"), column("treatment"), PLAIN),
    Good("empty columns of a spreadsheet", lambda s: s.sheet("\n", "\t\t\n"), lambda o: len(o.sheet.columns), 6),
    Good(
        "spaces around a level",
        lambda s: s.sheet("m3\tdrug", "m3\t drug "),
        lambda o: (column("treatment")(o), told(o), "row 4, treatment: ' drug '" in o.notices[0].evidence),
        (PLAIN, [("c", "White space around cells was taken away")], True),
    ),
    Good(
        "invisible characters around a level",
        lambda s: s.sheet("m3\tdrug", "m3\t\u00a0drug\u200b"),
        lambda o: (column("treatment")(o), o.notices[0].evidence),
        (PLAIN, "samples.tsv row 4, treatment: '\\xa0drug\\u200b'"),
    ),
    Good(
        "a comment with commas above the header",
        lambda s: s.sheet("# who, when, why; and how\n" + SHEET),
        lambda o: (column("treatment")(o), told(o)),
        (PLAIN, []),
    ),
    Good(
        "a row that is left out by a sign",
        lambda s: s.sheet(SHEET + "#e\tm5\tdrug\tb1\tdata/e\n"),
        lambda o: (list(o.sheet.index), told(o), o.notices[0].evidence),
        (["a", "b", "c", "d"], [("the study", "Rows that begin with # were left out")], "samples.tsv row 6"),
    ),
    *(
        Good(
            f"a control arm called {name}",
            lambda s, name=name: s.sheet("untreated", name).settings("untreated", f'"{name}"'),
            column("treatment"),
            [name, name, "drug", "drug"],
        )
        for name in ("None", "NA", "nan", "NULL", "null", "False", "1e3", "007", "N")
    ),
    Good("samples called by numbers", lambda s: s.sheet("a\tm1", "007\tm1", "b\tm2", "7\tm2"), lambda o: list(o.sheet.index),
         ["007", "7", "c", "d"]),
    Good("a sample called NA", lambda s: s.sheet("a\tm1", "NA\tm1"), lambda o: o.read("NA").obs["sample"].unique().tolist(),
         ["NA"]),
    Good(
        "mice that are told by a zero",
        lambda s: s.sheet("m2", "m01"),
        lambda o: told(o),
        [("the study", "Mice m1 and m01 are taken for 2 mice")],
    ),
    Good(
        "columns besides",
        lambda s: s.sheet(with_column("body weight (g)", "21.5", "-3", "+/+", "Ödem; <b>")),
        column("body weight (g)"),
        ["21.5", "-3", "+/+", "Ödem; <b>"],
    ),
    Good(
        "a factor called arm",
        lambda s: s.sheet("treatment", "arm").settings("treatment", "arm"),
        column("arm"),
        PLAIN,
    ),
    Good("a note with accents of their own", lambda s: s.sheet(one_value("note", "cafe\u0301")), column("note"),
         ["caf\u00e9"] * 4),
    Good("a level and its capital in a note", lambda s: s.sheet(with_column("note", "Drug", "drug")), column("note"),
         ["Drug", "drug", "", ""]),
    Good(
        "lanes of one mouse",
        lambda s: s.sheet("d\tm4", "d\tm3", "drug\tb2", "drug\tb1").settings("design:", "embed: {integrate: none}\ndesign:"),
        column("mouse"),
        ["m1", "m2", "m3", "m3"],
    ),
    Good(
        "a path with spaces and signs of the shell",
        lambda s: (s.data / "b.h5").rename(s.data / "b $(touch y) ; é&.h5") and s.sheet("data/b.h5", "data/b $(touch y) ; é&.h5"),
        lambda o: o.read("b").n_obs > 80,
        True,
        run=True,
    ),
    Good("a path from above", lambda s: s.sheet("data/b.h5", f"../{s.folder.name}/data/b.h5"),
         lambda o: o.read("b").n_obs > 80, True),
]  # fmt: skip
