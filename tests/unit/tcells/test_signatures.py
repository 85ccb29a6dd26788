"""Gene sets: strict loading, other names, coverage, the page for people."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pandas as pd
import pytest

from livermet.errors import InputError
from livermet.tcells.signatures import GeneIndex, Signatures, cover, load, resolve, signature_page


def test_every_set_says_where_it_comes_from(collection: Signatures) -> None:
    assert len(collection.signatures) == 75
    verified = Counter(item.verification for item in collection.signatures)
    assert set(verified) == {"read", "read in part", "curated"}
    assert collection["T_AICD_apoptosis_priming"].verification == "curated"
    assert collection["CD8_effector_memory"].verification == "read in part"
    assert collection["T_stemness_min"].verification == "read"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda c: c["signatures"][0].update(colour="red"), "unknown key"),
        (lambda c: c["signatures"][0].pop("source"), "missing"),
        (lambda c: c["signatures"].append(dict(c["signatures"][0])), "T_naive_like stands twice"),
        (lambda c: c["signatures"][0]["up"].append("Sell"), "Sell stands twice"),
        (lambda c: c["signatures"][0]["down"].append("Sell"), "Sell stands twice"),
        (lambda c: c["aliases"].update(Foxp3=["Emr1"]), "Emr1 stands twice"),
        (lambda c: c["aliases"].update(Abc1=["Foxp3"]), "Foxp3 is only an alias"),
        (lambda c: c["signatures"][0].update(verification="memory"), "read in part"),
    ],
)
def test_a_spoilt_file_is_refused(signature_content: dict[str, Any], spoil: Any, expected: str) -> None:
    content = copy.deepcopy(signature_content)
    spoil(content)
    with pytest.raises(InputError, match=expected):
        load(content)


def test_all_problems_come_at_once(signature_content: dict[str, Any]) -> None:
    content = copy.deepcopy(signature_content)
    content["signatures"][0]["colour"] = "red"
    del content["signatures"][3]["up"]
    with pytest.raises(InputError) as caught:
        load(content)
    assert len(caught.value.problems) == 2


def test_a_gene_is_found_under_any_of_its_names() -> None:
    aliases = {"Cd244a": ["Cd244"], "Lilrb4a": ["Lilrb4", "Gp49b"]}
    old = GeneIndex(["Actb", "Cd244", "Gp49b"], aliases)
    assert old.find("Cd244a") == 1
    assert old.find("Lilrb4a") == 2
    assert old.find("Foxp3") is None
    assert GeneIndex(["Cd244a"], aliases).find("Cd244") == 0
    # Where a study has both names, the one asked for counts, and a gene is taken once.
    assert GeneIndex(["Cd244", "Cd244a"], aliases).find("Cd244a") == 1
    assert old.find_all(["Cd244a", "Cd244", "Foxp3"]).tolist() == [1]


def test_no_two_symbols_of_a_set_are_one_gene(collection: Signatures, bins: pd.DataFrame) -> None:
    genes = resolve(collection, bins["symbol"])
    for item in collection.signatures:
        symbols = [gene for gene in (*item.up, *item.down) if genes.find(gene) is not None]
        assert len(genes.find_all(symbols)) == len(symbols), item.name


def test_older_names_of_the_reference_are_reached(collection: Signatures, bins: pd.DataFrame) -> None:
    genes = resolve(collection, bins["symbol"])
    for symbol, old in {"H2az1": "H2afz", "Jpt1": "Hn1", "Pclaf": "2810417H13Rik", "Selenop": "Sepp1"}.items():
        place = genes.find(symbol)
        assert place is not None
        assert bins["symbol"][place] == old


def test_real_symbols_resolve(collection: Signatures, real_data: Any) -> None:
    """All but antigen receptors and eight others are in a real feature list, under one name or another."""
    features = pd.read_csv(real_data / "zilionis_lung" / "h_1" / "features.tsv.gz", sep="\t", header=None)
    genes = resolve(collection, features[1])
    absent = {g for item in collection.signatures for g in (*item.up, *item.down) if genes.find(g) is None}
    receptors = {gene for gene in absent if gene.startswith(("Tr", "Tcrg", "Igh", "Igk"))}
    assert absent - receptors == {
        "Ifit1bl1", "Il17a", "Mcpt8", "Serpina1c", "Cebpd", "Mir22hg", "Nppc", "Mup20", "Xist",
    }  # fmt: skip


def test_coverage_counts_and_flags(collection: Signatures) -> None:
    treg = collection["Treg"]
    var = pd.DataFrame({"symbol": [*treg.up[:6], "Actb", "Tcf7"]})
    table = cover(collection, var, names=["Treg", "T_stemness_min"]).set_index("signature")
    assert table.loc["Treg", ["n_genes", "n_found"]].tolist() == [11, 6]
    assert table.loc["Treg", "share"] == pytest.approx(6 / 11)
    assert not table.loc["Treg", "enough"]
    assert table.loc["Treg", "missing"].split() == list(treg.up[6:])
    assert table.loc["T_stemness_min", "n_found"] == 1


def test_the_page_holds_every_set(signature_content: dict[str, Any], collection: Signatures) -> None:
    page = signature_page(signature_content)
    for item in collection.signatures:
        assert f"### {item.name}\n" in page
        assert f"- source: {item.source}\n- verification: {item.verification}\n" in page
    assert "- up (11): Foxp3, Il2ra, Ctla4" in page
    assert "| Cd244a | Cd244 |" in page
