"""Names are never trusted: what a shell, a browser, a spreadsheet, a terminal or a disk would make more of than text."""

from __future__ import annotations

import h5py
from tests.robustness.case import Case, Good
from tests.robustness.cases_sheet import one_value
from tests.robustness.study import Study

from livermet.inputs.labels import read_labels

HARMFUL = {
    "a command of the shell": ("$(touch made)", "'$', '(', ' ', ..."),
    "a second command": ("a;touch made", "';', ' '"),
    "backticks": ("`touch made`", "'`', ' '"),
    "the folder above": ("../a", "'/'"),
    "a hidden file": (".a", ""),
    "an option": ("-rf", ""),
    "a path of the root": ("/etc/passwd", "'/'"),
    "a wildcard": ("a*", "'*'"),
    "braces of Snakemake": ("{sample}", "'{', '}'"),
    "a tag of HTML": ("<script>alert(1)</script>", "'<', '>', '(', ..."),
    "the end of a script": ("a</script>", "'<', '/', '>'"),
    "a formula": ("=cmd|'/C calc'!A0", "'=', '|', ''', ..."),
    "a formula that begins with +": ("+1", "'+'"),
    "a formula that begins with @": ("@SUM(1)", "'@', '(', ')'"),
    "mathematics": ("$x_1$", "'$'"),
    "a sequence for the terminal": ("\x1b[31ma", ""),
}


def shown(text: str) -> str:
    """As a message shows it."""
    return text.replace("\x1b", "\\x1b")


def in_question(study: Study, text: str) -> Study:
    """A question under another name."""
    return study.settings("name: drug", f"name: {quoted(text)}")


def quoted(text: str) -> str:
    """A text for YAML, in quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\x1b", "\\e") + '"'


def label_cells(study: Study, *labels: str) -> Study:
    """Labels of one's own for the first cells of sample b."""
    with h5py.File(study.data / "b.h5") as file:
        barcodes = [name.decode() for name in file["matrix/barcodes"][: len(labels)]]
    rows = "".join(f"b\t{barcode}\t{label}\n" for barcode, label in zip(barcodes, labels, strict=True))
    study.write("labels.tsv", "sample\tbarcode\tlabel\n" + rows)
    return study.add("annotate: {labels: {table: labels.tsv}}\n")


CASES = [
    Case(
        "labels of one's own that become one",
        lambda s: label_cells(s, "T_cell", "NK/T", "NK T"),
        "labels: 'NK T' and 'NK/T' would both be called 'NK_T' (expected labels that differ by letters",
    ),
    *(
        Case(
            f"{name}, for an id",
            lambda s, text=text: s.sheet("b\tm2", f"{text}\tm2"),
            (f"samples.tsv row 3, sample: '{shown(text)}'", odd),
            run=name == "a command of the shell",
            unwritten=("results", "made"),
        )
        for name, (text, odd) in HARMFUL.items()
    ),
    *(
        Case(
            f"{name}, for a level",
            lambda s, text=text: s.sheet("untreated", text).settings("untreated", quoted(text)),
            f"design.factors.treatment.0: {shown(text)!r} (expected letters, digits, '_', '.', '-'".replace(
                "\\\\", "\\"
            ),
        )
        for name, (text, _) in list(HARMFUL.items())[::3]
    ),
    *(
        Case(
            f"{name}, for a question",
            lambda s, text=text: in_question(s, text),
            ("config.yaml line 9, design.questions.0.name: ", "expected letters, digits, '_', '.', '-'"),
        )
        for name, (text, _) in list(HARMFUL.items())[::5]
    ),
    Case(
        "the folder above, for a study",
        lambda s: s.settings("study: mine", "study: ../mine"),
        "line 1, study: '../mine' (exp",
    ),
    Case(
        "two dots for a study",
        lambda s: s.settings("study: mine", "study: '..'"),
        "config.yaml line 1, study: '..' (expected",
    ),
    Case("a tag of HTML, for a population", lambda s: s.settings("T_cell: {", "'<b>': {"), "design.populations.<b>"),
    Case("a tag of HTML, for a batch", lambda s: s.sheet("\tb1\t", "\t<i>b1\t"), "row 2, batch: '<i>b1' ('<', '>')"),
    Case(
        "a tag of HTML, for a tissue", lambda s: s.sheet(one_value("tissue", "<i>")), "row 2, tissue: '<i>' ('<', '>')"
    ),
    Case(
        "a tag of HTML, for a column", lambda s: s.sheet("batch", "<b>"), "samples.tsv header: column 4 is called '<b>'"
    ),
    Case(
        "a folder, for a column",
        lambda s: s.sheet("batch", "a/../b\\c"),
        "samples.tsv header: column 4 is called 'a/../b\\c'",
    ),
    Case(
        "a formula, for a column", lambda s: s.sheet("batch", "=1+1"), "samples.tsv header: column 4 is called '=1+1'"
    ),
    *(
        Case(
            f"a formula in a column besides: {text}",
            lambda s, text=text: s.sheet(one_value("note", text)),
            f"samples.tsv row 2, note: '{text}' is a formula to a spreadsheet (expected text or a number). Put a letter",
        )
        for text in ("=cmd|'/C calc'!A0", "=1+1", "@SUM(A1)", "+SUM(A1:A9)", "-cmd|' /C x'!A1", "＝1+1")
    ),
    Case(
        "a sequence for the terminal in a column besides",
        lambda s: s.sheet(one_value("note", "\x1b]0;owned\x07")),
        "samples.tsv row 2, note: '\\x1b]0;owned\\x07' holds a line break or another control character",
    ),
    Case(
        "letters that turn the direction",
        lambda s: s.sheet(one_value("note", "a\u202eb")),
        "row 2, note: 'a\\u202eb' holds a line break or another control character",
    ),
    Case(
        "a sequence for the terminal in a path",
        lambda s: s.sheet("data/b.h5", "data/\x1b[2J"),
        "samples.tsv row 3, path: 'data/\\x1b[2J' holds a line break",
    ),
    Case(
        "a sequence for the terminal in a title",
        lambda s: s.add('title: "a\\e[31mb"\n'),
        "config.yaml line 14, title: 'a\\x1b[31mb' (expected text without control characters)",
    ),
    Case(
        "a formula for a title",
        lambda s: s.add("title: '=1+1'\n"),
        "title: '=1+1' (expected text that does not begin like",
    ),
    Case(
        "a formula for a word",
        lambda s: s.add("words: {names: {drug: '@SUM(1)'}}\n"),
        "config.yaml line 14, words.names.drug: '@SUM(1)' (expected text that does not begin like a spreadsheet's formula",
    ),
    Case(
        "marker sets in a path with braces",
        lambda s: s.add("annotate: {markers: 'm{x}.tsv'}\n"),
        "config.yaml line 14, annotate.markers: 'm{x}.tsv' (expected a path without braces, which Snakemake has its own use for",
    ),
    Case(
        "a sheet in a path that is empty",
        lambda s: s.settings(": samples.tsv", ": ''"),
        "config.yaml line 2, samples: '' (exp",
    ),
    Case(
        "marker sets of a harmful name",
        lambda s: s.write("m.tsv", "lineage\tgene\nT_cell\tCd3e\n<b>\tCd79a\n").add("annotate: {markers: m.tsv}\n"),
        "m.tsv: marker sets, lineage '<b>': '<b>' for a name (expected letters, digits",
    ),
    Case(
        "marker genes of a harmful name",
        lambda s: s.write("m.tsv", "lineage\tgene\nT_cell\t=cmd|x!A1\n").add("annotate: {markers: m.tsv}\n"),
        "m.tsv: marker sets, lineage 'T_cell': '=cmd|x!A1' for a gene (expected a symbol). Mend or remove it",
    ),
    Case(
        "marker sets that run code",
        lambda s: s.write("m.yaml", "lineages: !!python/name:os.system\n").add("annotate: {markers: m.yaml}\n"),
        "m.yaml line 1: a tag, '!!python/name:os.system' (expected no tags)",
    ),
    Case(
        "marker sets that name a lineage twice",
        lambda s: s.write("m.yaml", "lineages:\n  T_cell: {up: [Cd3e]}\n  T_cell: {up: [Cd79a]}\n").add(
            "annotate: {markers: m.yaml}\n"
        ),
        "m.yaml line 3, lineages.T_cell: stands twice (also in line 2)",
    ),
    Case(
        "marker sets that are a list",
        lambda s: s.write("m.yaml", "- T_cell\n").add("annotate: {markers: m.yaml}\n"),
        "m.yaml: no keys",
    ),
    Case(
        "marker sets without lineages",
        lambda s: s.write("m.yaml", "lineages: [T_cell]\n").add("annotate: {markers: m.yaml}\n"),
        "m.yaml: marker sets: no lineages (expected a section 'lineages'",
    ),
    Case(
        "marker sets that are no text",
        lambda s: s.write("m.tsv", b"\xff\xfe\x00\x01" * 9).add("annotate: {markers: m.tsv}\n"),
        "m.tsv: no table (",
    ),
    Case(
        "states that are no states",
        lambda s: s.write("s.yaml", "states: [a]\n").add("tcells: {states: s.yaml}\n"),
        ("s.yaml: states schema_version: missing", "s.yaml: states states.0: not valid"),
    ),
    Case(
        "a pickle for a reference",
        lambda s: s.write("model.pkl", b"cos\nsystem\n(S'touch made'\ntR.").add(
            f"annotate: {{reference: {{path: model.pkl, sha256: {'ab' * 32}}}}}\n"
        ),
        "config.yaml line 14, annotate.reference.path: 'model.pkl' is a pickle: loading it runs whatever code is in it",
    ),
]

GOOD = [
    Good(
        "labels of one's own with signs of all kinds",
        lambda s: label_cells(s, "T_cell", "<script>alert(1)</script>", "=cmd|x!A1", "CD4+", "../x"),
        lambda o: sorted(set(read_labels({"b": "data/b.h5"}, **o.config["annotate"]["labels"])["label"])),
        ["CD4pos", "T_cell", "cmd_x_A1", "script_alert_1_script", "x"],
    ),
    Good(
        "names of the longest kind",
        lambda s: s.sheet("a\tm1", f"{'a' * 64}\tm1").settings("name: drug", "name: " + "q." * 32),
        lambda o: (len(o.sheet.index[0]), len(o.config["design"]["questions"][0]["name"])),
        (64, 64),
    ),
    Good(
        "names with every sign that is allowed",
        lambda s: s.sheet("a\tm1", "0_.-a\t1.-_").settings("study: mine", "study: 2026-11.a_b"),
        lambda o: (o.sheet.index[0], o.sheet["mouse"].iloc[0], o.config["study"]),
        ("0_.-a", "1.-_", "2026-11.a_b"),
    ),
    *(
        Good(f"a note that is no formula: {text}", lambda s, text=text: s.sheet(one_value("note", text)),
             lambda o: o.sheet["note"].tolist(), [text] * 4)
        for text in ("-", "+/+", "-/-", "-3.5", "+1", "<3 months", "a=b", "5 % (w/v)", "<script>alert(1)</script>", "$x$ 'y' \"z\" `w`")
    ),
    Good("a title with signs of all kinds", lambda s: s.add("title: <b> & $x_1$ `code` *bold* 100 % -- é ΔΔ 肝\n"),
         lambda o: o.config["title"], "<b> & $x_1$ `code` *bold* 100 % -- é ΔΔ 肝"),
]  # fmt: skip
