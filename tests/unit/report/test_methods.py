"""The methods tell what was run, with the numbers of the run, and cite what they name."""

from __future__ import annotations

import copy
import re
from types import SimpleNamespace

import pandas as pd
import pytest

from livermet.report.methods import Facts, compose_methods
from livermet.report.references import REFERENCES
from livermet.report.rendering import render
from livermet.report.versions import read_versions

VERSIONS = read_versions()


def outline(toy: SimpleNamespace, config: dict | None = None, **changes: object) -> dict:
    names = ("barcodes", "samples", "stability", "integration", "states", "design")
    facts = Facts(**{**{name: getattr(toy, name) for name in names}, **changes})
    return compose_methods(config or toy.config, VERSIONS, facts)


def text_of(methods: dict) -> str:
    return " ".join(
        run["text"] for section in methods["sections"] for paragraph in section["paragraphs"] for run in paragraph
    )


def test_numbers_are_those_of_the_run(toy: SimpleNamespace) -> None:
    text = text_of(outline(toy))
    assert "12 samples from 12 mice in 4 arms (3 to 3 mice an arm)" in text
    assert "600 barcodes went in" in text
    assert "480 cells (80.0% of the barcodes) were kept" in text
    assert "Resolution 1 (4 clusters; adjusted Rand index 0.93)" in text
    assert "from 0.70 to 0.95" in text
    assert f"{toy.design['residual_df']} residual degrees of freedom" in text
    assert f"edgepython {VERSIONS['packages']['edgepython']}" in text.replace("(", "").replace(")", "")


def test_integration_is_told_by_the_method_that_was_taken(toy: SimpleNamespace) -> None:
    text = text_of(outline(toy))
    assert "were brought together with Harmony" in text
    assert "80% of a cell's neighbours within its batch stayed its neighbours" in text
    config = copy.deepcopy(toy.config)
    config["embed"]["integrate"] = "scanorama"
    other = outline(toy, config)
    assert "were brought together with Scanorama" in text_of(other)
    assert "10.1038/s41587-019-0113-3" in {one["doi"] for one in other["references"]}
    assert "10.1038/s41592-019-0619-0" not in {one["doi"] for one in other["references"]}


def test_the_reference_that_was_asked_is_named_and_cited(toy: SimpleNamespace) -> None:
    config = copy.deepcopy(toy.config)
    asked = {"path": "atlas.h5ad", "sha256": "ab" * 32, "label": "kind", "allow_pickle": False}
    for path, doi, other in (("atlas.h5ad", "s41590-018-0276-y", "abl5197"), ("m.PKL", "abl5197", "s41590-018-0276-y")):
        config["annotate"]["reference"] = {**asked, "path": path}
        found = outline(toy, config)
        dois = " ".join(one["doi"] for one in found["references"])
        assert doi in dois
        assert other not in dois
        assert "SHA-256 begins with abababababab" in " ".join(text_of(found).split())


def test_settings_show(toy: SimpleNamespace) -> None:
    config = copy.deepcopy(toy.config)
    config["quality"]["min_umis"] = 777
    config["tcells"]["min_z"] = 2.5
    config["cluster"]["resolution"] = 1.0
    text = text_of(outline(toy, config))
    assert "777 UMIs" in text
    assert "best z is below 2.5" in text
    assert "was set in the config" in text


def test_only_what_was_run_is_cited(toy: SimpleNamespace) -> None:
    full = outline(toy)
    assert {"10.1038/s41592-019-0619-0", "10.1111/j.2517-6161.1954.tb00159.x"} <= {
        one["doi"] for one in full["references"]
    }
    config = copy.deepcopy(toy.config)
    config["embed"]["integrate"] = "none"
    config["design"]["questions"] = [one for one in config["design"]["questions"] if one["kind"] != "rescue"]
    config["demo"]["simulate"] = False
    less = outline(toy, config, states=pd.DataFrame())
    dois = {one["doi"] for one in less["references"]}
    assert not dois & {"10.1038/s41592-019-0619-0", "10.1111/j.2517-6161.1954.tb00159.x", "10.1016/j.csbj.2021.06.043"}
    assert "Batches were not brought together" in text_of(less)
    assert "simulated: " not in text_of(less)
    assert "No T cells were found" in text_of(less)


def test_one_batch_is_not_said_to_be_integrated(toy: SimpleNamespace) -> None:
    assert "Batches were not brought together" in text_of(outline(toy, integration=toy.integration.iloc[:0]))


def test_citations_are_numbered_by_first_use_and_every_reference_is_used(toy: SimpleNamespace) -> None:
    methods = outline(toy)
    used = [
        run["cites"]
        for section in methods["sections"]
        for paragraph in section["paragraphs"]
        for run in paragraph
        if run["cites"]
    ]
    first = list(dict.fromkeys(used))
    assert first == sorted(first) == [one["number"] for one in methods["references"]]
    assert "[@" not in text_of(methods)


def test_markdown(toy: SimpleNamespace) -> None:
    methods = outline(toy)
    markdown = render("methods.md.j2", **methods)
    assert markdown.startswith("# Methods: Twelve mice & &lt;two> sites\n")  # viewers of markdown take tags for tags
    numbers = {int(found) for found in re.findall(r"\[(\d+)\]", markdown)}
    assert numbers == set(range(1, len(methods["references"]) + 1))
    assert markdown.count("\n## ") == len(methods["sections"]) + 1
    assert not re.search(r"\n{4,}", markdown)


@pytest.mark.parametrize("key", REFERENCES)
def test_references_have_a_doi_and_a_year(key: str) -> None:
    one = REFERENCES[key]
    assert re.fullmatch(r"10\.\d{4,}/\S+", one.doi)
    assert re.search(r"\((19|20)\d\d\)$", one.text)


def test_other_choices_are_told_where_they_were_made(toy: SimpleNamespace) -> None:
    assert "Other choices" not in text_of(outline(toy))
    config = copy.deepcopy(toy.config)
    config["multiverse"] |= {"enabled": True, "mads": [3.0], "doublets": ["remove", "strict"], "resolutions": [0.7]}
    methods = outline(toy, config)
    section = next(one for one in methods["sections"] if one["title"] == "Other choices")
    text = text_of({"sections": [section]})
    assert "(3, 5 median absolute deviations)" in text  # the study's own strictness is always one of them
    assert "doublets (remove, strict)" in text
    assert "resolution (0.7)" in text
    assert "10.1038/s41562-020-0912-z" in {one["doi"] for one in methods["references"]}


def test_hashtags_are_told_where_there_were_any(toy: SimpleNamespace) -> None:
    assert "hashtag" not in text_of(outline(toy)).lower()
    samples = toy.samples.assign(**{"hashtags: singlet": 90.0, "hashtags: doublet": 7.0})
    text = text_of(outline(toy, samples=samples))
    assert f"were read in {len(samples)} samples" in text
    assert f"{7 * len(samples)} droplets of two hashtags count as called doublets" in text
    split = text_of(outline(toy, samples=samples.assign(hashtag="HTO1", **{"hashtags: doublet": 0.0})))
    assert f"{len(samples)} samples are the cells of one hashtag in a library of several" in split
    assert "count as called doublets" not in split
    assert "10.1093/bioinformatics/btad481" in {one["doi"] for one in outline(toy, samples=samples)["references"]}
