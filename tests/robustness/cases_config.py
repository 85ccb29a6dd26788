"""The config: the file, its YAML, its keys and values."""

from __future__ import annotations

import json

import yaml
from tests.robustness.case import Case, Good
from tests.robustness.study import CONFIG, Study

BOMB = "bomb0: &b0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"bomb{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
RUNS_CODE = "__use_yte__: true\ntitle: ?open('made-by-the-config', 'w').write('code')\n"


def level(study: Study, written: str) -> Study:
    """The treated arm under another name, as written in the config; the sheet follows."""
    return study.settings("[untreated, drug]", f"[untreated, {written}]").sheet("\tdrug\t", f"\t{written}\t")


CASES = [
    # -- what YAML would let through
    Case(
        "an unknown key",
        lambda s: s.add("quality: {min_gene: 3}\n"),
        "config.yaml line 14, quality.min_gene: unknown key. Did you mean 'min_genes'?",
    ),
    Case(
        "an unknown section",
        lambda s: s.add("qualty: {}\n"),
        "config.yaml line 14, qualty: unknown key. Did you mean 'qual",
    ),
    Case(
        "an unknown key of a question",
        lambda s: s.settings("level: drug", "level: drug\n      levl: drug"),
        "config.yaml line 13, design.questions.0.levl: unknown key. Did you mean 'level'?",
    ),
    Case(
        "a key twice",
        lambda s: s.settings("samples: samples.tsv", "seed: 1\nsamples: samples.tsv\nseed: 2"),
        "config.yaml line 4, seed: stands twice (also in line 2). Keep one: of two, only the last would be taken",
        run=True,
    ),
    Case(
        "a key twice, deep down",
        lambda s: s.settings("kind: effect", "kind: effect\n      name: other"),
        "config.yaml line 11, design.questions.0.name: stands twice (also in line 9)",
    ),
    Case(
        "a section twice", lambda s: s.add("design: {}\n"), "config.yaml line 14, design: stands twice (also in line 3)"
    ),
    Case(
        "a key twice, once in quotes",
        lambda s: s.add("seed: 1\n'seed': 2\n"),
        "config.yaml line 15, seed: stands twice (also in line 14)",
    ),
    Case(
        "a level that is read as false",
        lambda s: level(s, "NO"),
        "config.yaml line 5, design.factors.treatment.1: NO is read as false (expected true or false, or text). "
        "Put it in quotes: 'NO', or write false",
        run=True,
    ),
    Case(
        "a level that is read as true",
        lambda s: level(s, "on"),
        "line 5, design.factors.treatment.1: on is read as true",
    ),
    Case(
        "a level that is true",
        lambda s: level(s, "true"),
        "line 5, design.factors.treatment.1: True is not text (expected text). Put it in quotes: 'true'",
    ),
    Case(
        "a level that is read as nothing",
        lambda s: level(s, "NULL"),
        "line 5, design.factors.treatment.1: None is not text (expected text). Put it in quotes: 'null'",
    ),
    Case(
        "a level that is a number",
        lambda s: level(s, "7"),
        "treatment.1: 7 is not text (expected text). Put it in quotes: '7'",
    ),
    Case(
        "a level that is a fraction",
        lambda s: level(s, "2.5"),
        "2.5 is not text (expected text). Put it in quotes: '2.5'",
    ),
    Case(
        "a level that is read as eight times",
        lambda s: level(s, "012"),
        "config.yaml line 5, design.factors.treatment.1: 012 is read as 10 (expected a plain number, or text). Put it in quotes: "
        "'012', or write 10",
    ),
    Case("a level that is read as sixty times", lambda s: level(s, "1:30"), "1:30 is read as 90"),
    Case("a level that is read as a date", lambda s: level(s, "2020-01-01"), "2020-01-01 is read as a date"),
    Case("a level that is read as sixteen times", lambda s: level(s, "0x1F"), "0x1F is read as 31"),
    Case("a level with an underscore in a number", lambda s: level(s, "1_000"), "1_000 is read as 1000"),
    Case(
        "a level that is a sign of YAML",
        lambda s: level(s, "="),
        "line 5, design.factors.treatment.1: = is read as a sign of",
    ),
    Case(
        "a level that is read as false, within a question",
        lambda s: s.settings("reference: untreated", "reference: untreated\n      within: {treatment: off}"),
        "config.yaml line 14, design.questions.0.within.treatment: off is read as false",
    ),
    Case(
        "a level that is read as false, for a key",
        lambda s: s.add("words: {names: {NO: no drug}}\n"),
        "config.yaml line 14, words.names.NO: NO is read as false",
    ),
    Case(
        "a seed that is read as eight times",
        lambda s: s.add("seed: 010\n"),
        "config.yaml line 14, seed: 010 is read as 8",
    ),
    Case(
        "a switch in words",
        lambda s: s.add("quality: {remove_doublets: yes}\n"),
        "config.yaml line 14, quality.remove_doublets: yes is read as true",
    ),
    # -- what harms
    Case("aliases without end", lambda s: s.add(BOMB), "aliases that unfold to"),
    Case(
        "an alias that holds itself",
        lambda s: s.add("words: &w\n  names: *w\n"),
        "config.yaml line 14: an alias that holds itself (expected a value). Write it out",
    ),
    Case(
        "a tag that runs code",
        lambda s: s.add('title: !!python/object/apply:os.system ["touch made-by-the-config"]\n'),
        "config.yaml line 14: a tag, '!!python/object/apply:os.system' (expected no tags). A config holds plain values and runs",
        run=True,
        by="--config file=",
        unwritten=("results", "made-by-the-config"),
    ),
    Case(
        "a template that runs code",
        lambda s: s.add(RUNS_CODE),
        "config.yaml line 14, __use_yte__: a template, which runs code (expected plain values). A config holds plain values",
        run=True,
        by="--config file=",
        unwritten=("results", "made-by-the-config"),
    ),
    Case(
        "a tag of one's own",
        lambda s: s.add("title: !mine x\n"),
        "config.yaml line 14: a tag, '!mine' (expected no tags)",
    ),
    Case(
        "lists within lists without end",
        lambda s: s.add("title: " + "[" * 9000 + "]" * 9000),
        "line 14: more than 40 levels",
    ),
    # -- the file
    Case(
        "a second document",
        lambda s: s.add("---\nstudy: other\n"),
        "config.yaml line 14: a second document (---) (expected one config a file). Remove what is below",
    ),
    Case(
        "a tab that indents",
        lambda s: s.settings("  factors:", "\tfactors:"),
        "config.yaml line 4: not YAML: found character",
    ),
    Case(
        "an open bracket", lambda s: s.settings("[untreated, drug]", "[untreated, drug"), "config.yaml line 6: not YAML"
    ),
    Case("a list on top", lambda s: s.settings("- a\n- b\n"), "config.yaml: no keys (expected `key: value` lines)"),
    Case("an empty config", lambda s: s.settings(""), "config.yaml: no keys (expected `key: value` lines)"),
    Case("a config of one word", lambda s: s.settings("study"), "config.yaml: no keys"),
    Case(
        "a config in UTF-16",
        lambda s: s.write("config.yaml", CONFIG.encode("utf-16")),
        "line 1: not UTF-8 text (byte 0xff)",
    ),
    Case(
        "a config in Latin-1",
        lambda s: s.write("config.yaml", b"study: caf\xe9\n"),
        "line 1: not UTF-8 text (byte 0xe9)",
    ),
    Case("a NUL byte in a config", lambda s: s.add("title: 'a\0b'\n"), "not YAML: "),
    Case(
        "a config of 2 MiB",
        lambda s: s.add("#" * (2 << 20)),
        "config.yaml: more than 1 MiB (expected a config of a few pages)",
    ),
    Case(
        "no such config",
        lambda s: s.config.unlink(),
        "config.yaml: there is no such config (expected a YAML file). Mend the path",
        by="--config file=",
    ),
    Case(
        "a key that is a list", lambda s: s.add("? [a, b]\n: c\n"), "config.yaml line 14: a list or a mapping for a key"
    ),
    # -- what is missing, and values that are not right
    Case("no sheet named", lambda s: s.settings("samples: samples.tsv\n", ""), "config samples: missing. Add it"),
    Case(
        "no questions",
        lambda s: s.settings(CONFIG[: CONFIG.index("    - name")] + "    []\n"),
        "line 8, design.questions:",
    ),
    Case(
        "a word for a number",
        lambda s: s.add("quality: {min_genes: many}\n"),
        "line 14, quality.min_genes: 'many' (expected",
    ),
    Case(
        "a number in quotes",
        lambda s: s.add("quality: {min_genes: '200'}\n"),
        "quality.min_genes: '200' (expected Input should be a valid integer). Write 200, without quotes",
    ),
    Case(
        "a number that YAML takes for text",
        lambda s: s.add("quality: {min_umis: 1e3}\n"),
        "quality.min_umis: '1e3' (expected Input should be a valid integer). Write 1000, without quotes",
    ),
    Case(
        "a share above 1",
        lambda s: s.add("quality: {max_mitochondrial_fraction: 20}\n"),
        "max_mitochondrial_fraction: 20 (exp",
    ),
    Case(
        "infinity",
        lambda s: s.add("quality: {mads: .inf}\n"),
        "config.yaml line 14, quality.mads: .inf is no number to count with",
    ),
    Case(
        "infinity, spelt out",
        lambda s: s.add("quality: {mads: 1.0e+999}\n"),
        "config.yaml line 14, quality.mads: inf (expected",
    ),
    Case(
        "a negative seed",
        lambda s: s.add("seed: -1\n"),
        "config.yaml line 14, seed: -1 (expected Input should be greater than",
    ),
    Case(
        "a seed beyond any generator",
        lambda s: s.add("seed: 4294967296\n"),
        "line 14, seed: 4294967296 (expected Input should",
    ),
    Case(
        "a list for a word",
        lambda s: s.settings("study: mine", "study: [mine]"),
        "config.yaml line 1, study: not valid is not",
    ),
    Case(
        "a species that is not known",
        lambda s: s.add("species: human\n"),
        "line 14, species: 'human' (expected Input should be",
    ),
    Case(
        "levels that differ by case",
        lambda s: s.settings("[untreated, drug]", "[untreated, drug, Drug]"),
        "design.factors: not valid (expected names that differ by more than case, not 'drug' and 'Drug')",
    ),
    Case(
        "a level declared twice",
        lambda s: s.settings("[untreated, drug]", "[untreated, drug, drug]"),
        "not 'drug' twice",
    ),
    Case(
        "two questions of one name",
        lambda s: s.settings(CONFIG + CONFIG[CONFIG.index("    - name") :]),
        "config.yaml line 8, design.questions: not valid (expected every name once, not 'drug' twice)",
    ),
    Case(
        "populations that differ by case",
        lambda s: s.settings("    T_cell: {", "    t_cell: {lineages: [T_cell]}\n    T_cell: {"),
        "names that differ by more than case, not 't_cell' and 'T_cell'",
    ),
    Case(
        "a population of nothing that is known",
        lambda s: s.settings("[T_cell]", "[T_cel]"),
        "config.yaml line 7, design.populations.T_cell: no lineage or state is called 'T_cel'. Did you mean 'T_cell'?",
    ),
    Case(
        "a question about a factor that is not there",
        lambda s: s.settings("factor: treatment", "factor: tretment"),
        "config.yaml line 9, design.questions.drug.factor: 'tretment'",
    ),
    Case(
        "marker sets that are not there",
        lambda s: s.add("annotate: {markers: my/markers.yaml}\n"),
        "config.yaml line 14, annotate.markers: there is no 'my/markers.yaml'. Mend the path or leave the key out for ours",
    ),
    Case(
        "everything of a config at once",
        lambda s: s.settings("study: mine", "study: ../mine", "[T_cell]", "[T cell]", "      level: drug\n", "").add(
            "seed: x\n"
        ),
        (
            "4 problems",
            "config.yaml line 1, study: '../mine' (expected letters",
            "config.yaml line 7, design.populations.T_cell.lineages.0: 'T cell' (expected letters",
            "config.yaml line 9, design.questions.0.level: missing",
            "config.yaml line 13, seed: 'x' (expected",
        ),
    ),
]

GOOD = [
    Good(
        "a level that no sample has",
        lambda s: s.settings("[untreated, drug]", "[untreated, drug, both]"),
        lambda o: [(notice.sample, notice.what, notice.evidence) for notice in o.notices],
        [("the study", "No sample is both, which the config declares for treatment", "samples.tsv, treatment")],
    ),
    Good(
        "levels in quotes",
        lambda s: s.settings("[untreated, drug]", "['no', \"1e3\"]", ": drug\n", ": '1e3'\n", "untreated", "'no'").sheet(
            "untreated", "no", "\tdrug", "\t1e3"
        ),
        lambda o: (o.config["design"]["factors"]["treatment"], o.sheet["treatment"].tolist()),
        (["no", "1e3"], ["no", "no", "1e3", "1e3"]),
    ),
    Good("a byte order mark before a config", lambda s: s.write("config.yaml", CONFIG.encode("utf-8-sig")),
         lambda o: o.config["study"], "mine"),
    Good("a config of Windows", lambda s: s.settings("\n", "\r\n"), lambda o: o.config["design"]["questions"][0]["level"], "drug"),
    Good("a config in JSON", lambda s: s.settings(json.dumps(yaml.safe_load(CONFIG), indent="\t")),
         lambda o: o.config["design"]["factors"], {"treatment": ["untreated", "drug"]}, run=True),
    Good("an anchor that is used twice", lambda s: s.settings("lineages: [T_cell]}", "lineages: &t [T_cell]}\n    T2: {lineages: *t}"),
         lambda o: o.config["design"]["populations"]["T2"]["lineages"], ["T_cell"]),
    Good("sections that are merged", lambda s: s.settings("{lineages: [T_cell]}", "&t {lineages: [T_cell]}\n    T2: {<<: *t}"),
         lambda o: o.config["design"]["populations"]["T2"]["lineages"], ["T_cell"]),
    Good("a title over several lines", lambda s: s.add("title: >\n  Liver metastases\n  & <radiotherapy>\n"),
         lambda o: o.config["title"], "Liver metastases & <radiotherapy>"),
    Good("numbers with signs", lambda s: s.add("annotate: {min_score: -0.5}\nquality: {mads: +3.5}\n"),
         lambda o: (o.config["annotate"]["min_score"], o.config["quality"]["mads"]), (-0.5, 3.5)),
    Good("a tag that says text", lambda s: s.add("title: !!str 012\n"), lambda o: o.config["title"], "012"),
    Good("a value of nothing where nothing may be", lambda s: s.add("cluster: {resolution: ~}\n"),
         lambda o: o.config["cluster"]["resolution"], None),
    Good("a whole number for a fraction", lambda s: s.add("quality: {mads: 3}\n"), lambda o: o.config["quality"]["mads"], 3.0),
]  # fmt: skip
