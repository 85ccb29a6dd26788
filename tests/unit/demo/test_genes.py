"""The demo's genes are real ones, and the ones that the analysis needs are among them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from livermet.demo import programmes
from livermet.demo.genes import choose_genes, first_genes, write_genes

MITOCHONDRIAL = {
    f"mt-{name}"
    for name in ["Atp6", "Atp8", "Co1", "Co2", "Co3", "Cytb", "Nd1", "Nd2", "Nd3", "Nd4", "Nd4l", "Nd5", "Nd6"]
}


def test_table_holds_unique_real_genes_and_what_is_needed(gene_table: pd.DataFrame) -> None:
    assert len(gene_table) == 12000
    assert gene_table["gene_id"].is_unique
    assert gene_table["symbol"].is_unique
    assert gene_table["gene_id"].str.fullmatch(r"ENSMUSG\d{11}").mean() > 0.9
    symbols = gene_table.set_index("symbol")["gene_id"]
    assert symbols["Fas"] == "ENSMUSG00000024778"
    assert symbols["Fasl"] == "ENSMUSG00000000817"
    assert symbols["Xist"] == "ENSMUSG00000086503"
    assert symbols["Trac"] == "ENSMUSG00000076928"
    assert set(symbols.index) >= MITOCHONDRIAL | {"Ddx3y", "Uty", "Kdm5d", "Eif2s3y", "Hba-a1", "Hbb-bs"}
    assert symbols.index.str.match(r"^Rp[ls]\d").sum() > 80


def test_every_gene_of_a_programme_is_in_the_smallest_table(gene_table: pd.DataFrame) -> None:
    assert programmes.all_genes() <= set(first_genes(gene_table, 2000)["symbol"])


def test_real_feature_list_says_the_same(gene_table: pd.DataFrame, real_data: Path) -> None:
    features = pd.read_csv(
        real_data / "zilionis_lung/h_1/features.tsv.gz", sep="\t", header=None, names=["id", "symbol", "t"]
    )
    both = gene_table.merge(features, on="symbol")
    assert len(both) > 11900
    assert (both["gene_id"] == both["id"]).all()


def test_choice_takes_required_genes_first_then_the_strongest(tmp_path: Path) -> None:
    features = pd.DataFrame({"gene_id": list("abcdef"), "symbol": ["A", "B", "C", "D", "mt-Nd1", "F"]})
    extra = pd.DataFrame({"gene_id": ["x"], "symbol": ["Trac"]})
    counts = np.array([9, 0, 5, 7, 1, 2])
    chosen = choose_genes(features=features, counts=counts, extra=extra, required={"B"}, n_genes=8)
    assert set(chosen["symbol"][:6]) == {"B", "mt-Nd1", "Trac", "Xist", "Malat1", "Il17a"}
    assert chosen["symbol"][6:].tolist() == ["A", "D"]
    assert chosen.set_index("symbol")["level"]["B"] == 0
    with pytest.raises(ValueError, match="only 10 genes"):
        choose_genes(features=features, counts=counts, extra=extra, required=set(), n_genes=11)
    write_genes(chosen, tmp_path / "one.gz")
    write_genes(chosen, tmp_path / "two.gz")
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()
    assert gzip.decompress((tmp_path / "one.gz").read_bytes()).decode().splitlines()[0] == "gene_id\tsymbol\tlevel"
