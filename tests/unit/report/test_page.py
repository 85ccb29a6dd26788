"""The page holds everything that it shows, escapes what it is told, and puts the answers first."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from livermet.notices import LOUD, Notice, tabulate
from livermet.plots.style import blank
from livermet.report.details import (
    table_of_samples,
    table_of_states,
    tables_of_question,
)
from livermet.report.figures import PLACES, make_pictures
from livermet.report.methods import Facts, compose_methods
from livermet.report.page import Results, write_page
from livermet.report.sources import captions_of, images_of
from livermet.report.versions import read_versions

VOID = {"meta", "link", "img", "br", "line", "path", "input", "hr"}
EVIL = '<script>alert("x")</script>'


class Reader(HTMLParser):
    """Checks that tags are closed in order; collects identifiers, links and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
            if name in ("src", "srcset", "data") or (tag == "link" and name == "href"):
                self.fetched.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def png() -> bytes:
    stream = io.BytesIO()
    blank("a figure").savefig(stream, format="png")
    return stream.getvalue()


@pytest.fixture(scope="module")
def results(toy: SimpleNamespace) -> Results:
    evidence = pd.DataFrame(
        {"leiden": ["0"], "lineage": ["T_cell"], "n_cells": [100], "score": [0.8], "markers": ["Cd3e 0.90"]}
    )
    coverage = pd.DataFrame({"signature": ["Treg"], "n_genes": [10], "n_found": [9], "share": [0.9]})
    profiles = pd.DataFrame(
        {"sample": ["s01"], "xist_umis": [310], "y_umis": [2], "sex_found": ["female"], "stress_score": [0.31],
         "share_S": [0.04], "share_G2M": [0.03], "share_unassigned": [0.01]}
    )  # fmt: skip
    suspects = pd.DataFrame(
        {"leiden": ["4", "5"], "n_cells": [60, 25], "lineage": ["T_cell", "unassigned"], "suspect": [np.nan, "doublets"],
         "because": [np.nan, "it expresses <both>"]}
    )  # fmt: skip
    inputs = pd.DataFrame({"sample": ["s01"], "file": ["x/matrix.mtx.gz"], "bytes": [123456], "sha256": ["a" * 64]})
    return Results(
        answers=toy.answers, expression=toy.expression, pathways=toy.pathways, composition=toy.composition,
        mechanism=toy.mechanism, barcodes=toy.barcodes, samples=toy.samples, labels=toy.labels, evidence=evidence,
        stability=toy.stability, cluster_stability=toy.cluster_stability, integration=toy.integration, groups=toy.groups,
        tcell_integration=toy.integration.iloc[:0], tcell_groups=toy.groups.iloc[:0],
        coverage=coverage, inputs=inputs, tests=toy.tests, calls=toy.calls, label_permutations=toy.label_permutations, truth=toy.truth,
        notices=tabulate([]), profiles=profiles, suspects=suspects,
    )  # fmt: skip


def page_of(toy: SimpleNamespace, results: Results, **changes: object) -> str:
    names = ("barcodes", "samples", "stability", "integration", "states", "design")
    versions = read_versions()
    methods = compose_methods(toy.config, versions, Facts(**{name: getattr(toy, name) for name in names}))
    figures = {name: png() for names in PLACES.values() for name in names}
    content = {
        "config": toy.config, "results": results, "design": toy.design, "findings": toy.findings, "methods": methods, "versions": versions,
        "images": figures, "captions": {"answers": "The headline. How to read it."},
    }  # fmt: skip
    return write_page(**{**content, **changes})


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_the_page_is_sound_and_fetches_nothing(toy: SimpleNamespace, results: Results) -> None:
    page = page_of(toy, results)
    reader = read(page)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    assert all(source.startswith("data:image/png;base64,") for source in reader.fetched)
    assert len(reader.fetched) == sum(len(names) for names in PLACES.values())
    assert not re.search(r"@import|url\(", page)
    inner = [link[1:] for link in reader.links if link.startswith("#")]
    assert inner
    assert set(inner) <= set(reader.ids)
    assert all(link.startswith(("#", "https://doi.org/")) for link in reader.links)


def test_order_and_banner(toy: SimpleNamespace, results: Results) -> None:
    page = page_of(toy, results)
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections == [
        "design",
        "answers",
        "mechanism",
        "figures",
        "tables",
        "tcells",
        "pseudoreplication",
        "quality",
        "truth",
        "methods",
        "provenance",
        "cite",
    ]
    first_words = "".join(read(page).text).strip()
    # The page's own title stands in its head, before the body's first words.
    assert first_words.removeprefix(toy.config["title"]).lstrip().startswith("This cohort is simulated.")


def test_a_real_study_has_no_banner_and_no_truth(toy: SimpleNamespace, results: Results) -> None:
    config = {**toy.config, "demo": {**toy.config["demo"], "simulate": False}}
    page = page_of(toy, replace(results, truth=None), config=config, images={"answers": png()})
    assert (
        "simulated"
        not in "".join(read(page).text)
        .replace("doublets simulated", "")
        .replace("cohort is simulated", "cohort is simulated")[:2000]
    )
    assert 'id="truth"' not in page
    assert "figure-umap" not in page


def test_everything_is_escaped(toy: SimpleNamespace, results: Results) -> None:
    answers = results.answers.assign(sentence=EVIL, readout=EVIL)
    samples = results.samples.assign(mouse=EVIL)
    expression = results.expression.assign(gene=EVIL)
    findings = {**toy.findings, "aliasing": [EVIL], "notes": [EVIL]}
    config = {**toy.config, "title": EVIL}
    page = page_of(
        toy, replace(results, answers=answers, samples=samples, expression=expression), config=config, findings=findings,
        captions={"answers": EVIL},
    )  # fmt: skip
    assert EVIL not in page
    assert page.count("<script>") == 1  # our own
    assert page.count("&lt;script&gt;") > 20
    assert read(page).open == []


def test_the_numbers_of_the_answers_are_on_the_page(toy: SimpleNamespace, results: Results) -> None:
    text = " ".join(" ".join(read(page_of(toy, results)).text).split())
    assert "Activated CD8 T cells are <fewer>." in text
    assert "−1.50 (−2.10 to −0.90) log2" in text
    assert "adjusted p < .001" in text
    assert "smallest detectable 0.90" in text
    assert (
        "Mice in each arm site × treatment untreated RT + anti-PD-L1 subcutaneous 3 3 subcutaneous + liver 3 3" in text
    )


def test_samples_tell_every_reason(toy: SimpleNamespace) -> None:
    table = table_of_samples(toy.barcodes, toy.samples, toy.design["factors"])
    line = dict(zip([column.name for column in table.columns], [cell.text for cell in table.rows[0]], strict=True))
    assert (line["barcodes"], line["kept"]) == ("50", "40")
    assert line["reasons"] == "too few UMIs 6; too few genes 6; doublet 4"
    assert line["ambient_fraction"] == "5.0 %"


def test_strongest_genes_come_first_whether_or_not_they_pass(toy: SimpleNamespace) -> None:
    tables = {
        table.title: table
        for table in tables_of_question(
            "combo_livermet",
            toy.expression,
            toy.pathways,
            toy.composition,
            toy.mechanism,
            ["Neutrophil", "CD8_activated"],
        )
    }
    assert set(tables) == {"Strongest signatures", "Abundance", "Fasl-Fas read-outs", "Strongest genes"}
    genes = tables["Strongest genes"]
    assert [row[0].text for row in genes.rows] == ["Neutrophil"] * 6 + ["CD8 activated"] * 6
    one = toy.expression[
        (toy.expression["question"] == "combo_livermet") & (toy.expression["population"] == "Neutrophil")
    ]
    assert [row[1].text for row in genes.rows[:6]] == one.nsmallest(6, "p_value")["gene"].tolist()
    assert tables_of_question("rescue_combo", toy.expression, toy.pathways, toy.composition, toy.mechanism, []) == []


def test_states_add_up_to_all_t_cells(toy: SimpleNamespace) -> None:
    table = table_of_states(toy.labels, ["T_cell"])
    assert sum(int(row[1].key.split(".")[0]) for row in table.rows) == (toy.labels["lineage"] == "T_cell").sum()
    assert not table_of_states(toy.labels, ["none"])


def test_pictures_know_their_size_and_place() -> None:
    image = png()
    pictures = make_pictures({"umap": image}, {"umap": "All cells.\nHow to read it. And more."})
    one = pictures["cells"][0]
    assert base64.b64decode(one.data) == image
    assert (one.width, one.height) == (1248, 208)
    assert (one.lead, one.rest) == ("All cells.", "How to read it. And more.")
    assert pictures["answers"] == []
    with pytest.raises(ValueError, match="not a PNG"):
        make_pictures({"umap": b"GIF89a"}, {})


def test_pictures_and_captions_go_by_file_name(tmp_path) -> None:
    (tmp_path / "umap.png").write_bytes(b"1")
    (tmp_path / "umap.rst").write_text("Cells.\n", encoding="utf-8")
    assert images_of([str(tmp_path / "umap.png")]) == {"umap": b"1"}
    assert captions_of([str(tmp_path / "umap.rst")]) == {"umap": "Cells."}


def test_a_study_without_results_has_a_page(toy: SimpleNamespace, results: Results) -> None:
    names = (
        "answers",
        "expression",
        "pathways",
        "composition",
        "mechanism",
        "evidence",
        "coverage",
        "inputs",
        "label_permutations",
        "profiles",
        "suspects",
    )
    nothing = replace(results, truth=None, **{name: getattr(results, name).iloc[:0] for name in names})
    page = page_of(toy, nothing, images={})
    assert read(page).open == []
    assert page.count("No endpoint was declared, and nothing can be estimated") == 3
    assert 'id="mechanism"' not in page


def test_notices_stand_before_the_answers_loud_ones_open(toy: SimpleNamespace, results: Results) -> None:
    told = [
        Notice("s07", "merge_samples", "The sample is set aside.", "12 cells", "Look at <it>", LOUD),
        Notice("s01, s02", "merge_samples", "They share 9 barcodes."),
    ]
    page = page_of(toy, replace(results, notices=tabulate(told)))
    assert read(page).open == []
    loud, quiet, answers = (page.index(text) for text in ("<b>s07</b>", "<b>s01, s02</b>", 'id="answers"'))
    assert loud < quiet < answers
    assert "12 cells." in page
    assert "Look at &lt;it&gt;." in page
    assert "1 smaller thing that" in page
    assert 'id="told"' not in page_of(toy, results)


def test_quality_tells_sexes_and_suspect_clusters(toy: SimpleNamespace, results: Results) -> None:
    page = page_of(toy, results)
    assert "Sex of the cells" in page
    assert ">female<" in page
    assert "it expresses &lt;both&gt;" in page
    assert page.count("Clusters to be looked at") == 1
    sound = page_of(toy, replace(results, suspects=results.suspects.iloc[:1]))
    assert "Clusters to be looked at" not in sound


def test_mice_without_cells_are_counted_as_missing(toy: SimpleNamespace, results: Results) -> None:
    n_mice = toy.samples["mouse"].nunique()
    assert f"<dt>mice</dt><dd>{n_mice}</dd>" in page_of(toy, results)
    barcodes = toy.barcodes.assign(kept=toy.barcodes["kept"] & (toy.barcodes["mouse"] != "m01"))
    assert f"<dt>mice</dt><dd>{n_mice - 1} of {n_mice}</dd>" in page_of(toy, replace(results, barcodes=barcodes))
