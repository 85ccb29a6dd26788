"""Names of barcodes and features, kinds of features, species by names."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.conftest import ROOT

from livermet.errors import InputError
from livermet.inputs.names import check_barcodes, check_names, find_dated, find_kinds
from livermet.inputs.species import are_mouse_capitals, restore_case, species_of, strip_genome


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("", "an empty name"),
        ("  ", "an empty name"),
        ("=1+1", "'=1+1'"),
        ("+cmd", "'+cmd'"),
        ("@SUM", "'@SUM'"),
        ("<b>", "'<b>'"),
        ("a\x1b[2J", r"'a\x1b[2J'"),
        ("a\nb", r"'a\nb'"),
    ],
)
def test_names_that_are_refused(name: str, found: str) -> None:
    with pytest.raises(InputError) as error:
        check_names("f.tsv", ["Actb", name, "Cd3e"], "feature")
    assert f"f.tsv, feature 2: {found}" in str(error.value)


def test_names_that_are_let_through() -> None:
    odd = [
        "Actb",
        "H2-K1",
        "(CA)n",
        "l(2)gl",
        "a b",
        "5S_rRNA",
        "Nkx2-3",
        "Igh-V(J558)",
        "ä",
        "NA",
        "nan",
        "-",
        "mt:CoI",
        "a=b",
    ]
    check_names("f.tsv", odd, "feature")


def test_barcodes_once_and_some() -> None:
    check_barcodes("f", ["A", "B"])
    with pytest.raises(InputError, match="2 barcodes stand there more than once, such as A, B"):
        check_barcodes("f", ["A", "B", "A", "B", "C"])
    with pytest.raises(InputError, match="no cell"):
        check_barcodes("f", [])


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (None, ["Gene Expression", "Antibody Capture", "Antibody Capture", "Summary"]),
        (["Gene Expression", "Antibody Capture", "gene expression", "Custom"],
         ["Gene Expression", "Antibody Capture", "Gene Expression", "Custom"]),
        (["GEX", "ADT", "HTO", "Odd"], ["Gene Expression", "Antibody Capture", "Multiplexing Capture", "Odd"]),
        (["lncRNA", "chr1", "", "x"], ["Gene Expression", "Antibody Capture", "Antibody Capture", "Summary"]),
    ],
)  # fmt: skip
def test_kinds_of_features(kinds: list[str] | None, expected: list[str]) -> None:
    names = ["Cd8a", "CD8_TotalSeqB", "HTO-3", "__no_feature"]
    assert find_kinds(names, names, kinds).tolist() == expected


def test_genes_whose_names_begin_like_tags_are_genes() -> None:
    genes = ["Adtrp", "Cited1", "Cited2", "Htr1a", "Htt", "N_R"]
    assert set(find_kinds(genes, genes, None)) == {"Gene Expression"}


def test_dates() -> None:
    dated = ["1-Sep", "2-Mar", "Sep-01", "10-Sept", "2023-03-01", "01/09/2023", "2.31E+19", "1E+05"]
    assert find_dated([*dated, "Sept1", "March2", "Sep15", "Nkx2-3", "H2-K1", "Mar-R", "2310009E13Rik"]) == dated


def test_species_of_capitals() -> None:
    assert are_mouse_capitals(["CD3E", "GM12345", "H2-K1", "0610007P14RIK"])
    assert not are_mouse_capitals(["CD3E", "HLA-A", "TP53", "C1ORF43", "GAPDH"])
    assert species_of([], ["CD3E", "GM12345", "H2-K1", "0610007P14RIK", "TRP53"]) == "mouse"
    assert strip_genome(["mm10___Actb", "GRCh38_ENSG00000141510", "hg19_TP53", "Actb"]) == [
        "Actb", "ENSG00000141510", "TP53", "Actb",
    ]  # fmt: skip


def test_capitals_are_written_as_mouse_genes_again() -> None:
    genes = ["Cd3e", "mt-Co1", "mt-Cytb", "H2-K1", "H2-Ab1", "H2-DMa", "Hba-a1", "Rpl9-ps6", "Gm12345", "AA467197", "Tcrg-V6",
             "0610007P14Rik", "9930111J21Rik2", "A130010J15Rik", "D8Ertd738e", "Nkx2-3", "Klrb1c"]  # fmt: skip
    assert restore_case([gene.upper() for gene in genes]) == genes
    assert restore_case(genes) == genes
    known = pd.read_csv(ROOT / "resources" / "demo_genes.tsv.gz", sep="\t")["symbol"].astype(str)
    assert (pd.Series(restore_case(known.str.upper())) == known).mean() > 0.998


@pytest.mark.real
def test_real_names_are_left_alone(real_data: Path) -> None:
    table = pd.read_csv(real_data / "zilionis_lung" / "h_1" / "features.tsv.gz", sep="\t", header=None, dtype=str)
    symbols = table[1].tolist()
    check_names("lung", symbols, "feature")
    assert find_dated(symbols) == []
    assert set(find_kinds(symbols, symbols, None)) == {"Gene Expression"}
    assert species_of([], symbols) == "mouse"
    assert species_of([], [symbol.upper() for symbol in symbols]) == "mouse"
    assert (pd.Series(restore_case(pd.Series(symbols).str.upper())) == pd.Series(symbols)).mean() > 0.998
