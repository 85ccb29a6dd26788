"""Gene ids, symbols, species and marked groups."""

from __future__ import annotations

import logging

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from tests.unit.inputs.conftest import GENES

from livermet.errors import InputError
from livermet.inputs.genes import count_gene_like, identify_genes
from livermet.inputs.species import species_of


def counts_of(ids: list[str], symbols: list[str], values: list[list[int]] | None = None) -> anndata.AnnData:
    dense = np.array(values if values is not None else [[1] * len(ids)])
    obs = pd.DataFrame(index=[f"c{number}" for number in range(len(dense))])
    return anndata.AnnData(sp.csr_matrix(dense), obs=obs, var=pd.DataFrame({"symbol": symbols}, index=ids))


def test_ids_symbols_and_marks() -> None:
    var = identify_genes(counts_of(list(GENES), list(GENES.values())), "mouse").var
    assert var.index.name == "gene_id"
    assert var.index[0] == "ENSMUSG00000032093"  # without version
    assert var.index[9] == "0610007P14Rik"
    assert list(var["symbol"]) == list(GENES.values())
    assert set(var["symbol"][var["mitochondrial"]]) == {"mt-Co1", "mt-Cytb"}  # not the metallothionein
    assert set(var["symbol"][var["ribosomal"]]) == {"Rpl13", "Rps17"}  # not the kinase
    assert set(var["symbol"][var["haemoglobin"]]) == {"Hba-a1"}


def test_ribosomal_families() -> None:
    yes = ["Rplp0", "Rplp1", "Rpsa", "Rpl36al", "Rps4x", "Rps27rt", "Rps27l", "Rpl22l1", "Rps3a1", "Rpl10a", "Rpl9-ps6"]
    no = ["Rps6ka1", "Rps6kb1", "Rps6kc1", "Rps6kl1", "Rps19bp1", "Mrpl12", "Mrps7", "Rpap1"]
    var = identify_genes(counts_of([*yes, *no, "mt-Nd1"], [*yes, *no, "mt-Nd1"]), "mouse").var
    assert var.index[var["ribosomal"]].tolist() == yes


def test_same_gene_in_two_rows_is_summed_and_said(caplog: pytest.LogCaptureFixture) -> None:
    ids = ["ENSMUSG00000029580.1", "ENSMUSG00000064351", "ENSMUSG00000029580.2", "ENSMUSG00000032093"]
    adata = counts_of(ids, ["Actb", "mt-Co1", "Actb", "Cd3e"], [[1, 2, 3, 4], [0, 5, 6, 0]])
    with caplog.at_level(logging.INFO, logger="livermet"):
        found = identify_genes(adata, "mouse")
    assert list(found.var_names) == ["ENSMUSG00000029580", "ENSMUSG00000064351", "ENSMUSG00000032093"]
    np.testing.assert_array_equal(found.X.toarray(), [[4, 2, 4], [6, 5, 0]])
    assert "summed: ENSMUSG00000029580" in caplog.text


def test_genome_prefixes_go() -> None:
    found = identify_genes(
        counts_of(["mm10___ENSMUSG00000064351", "mm10___ENSMUSG00000029580"], ["mm10___mt-Co1", "mm10___Actb"]), "mouse"
    )
    assert list(found.var_names) == ["ENSMUSG00000064351", "ENSMUSG00000029580"]
    assert list(found.var["symbol"]) == ["mt-Co1", "Actb"]


def test_mitochondrion_is_known_by_its_ids_where_symbols_lack() -> None:
    ids = ["ENSMUSG00000064351", "ENSMUSG00000029580", "ENSMUSG00000032093"]
    assert identify_genes(counts_of(ids, ids), "mouse").var["mitochondrial"].tolist() == [True, False, False]


def test_no_mitochondrial_gene_is_refused() -> None:
    with pytest.raises(InputError, match="none of 2 genes is mitochondrial"):
        identify_genes(counts_of(["ENSMUSG00000029580", "ENSMUSG00000032093"], ["Actb", "Cd3e"]), "mouse")


@pytest.mark.parametrize(
    ("names", "species"),
    [
        (["ENSG00000167286", "ENSG00000198804"], "human"),
        (["ENSMUSG00000032093", "ENSMUSG00000064351"], "mouse"),
        (["ENSMUSG00000032093", "ENSG00000198804"], "mixed"),
        (["ENSRNOG00000016069"], "Ensembl species code RNO"),
        (["CD3E", "GAPDH", "C1orf43", "HLA-A", "MT-CO1"], "human"),
        (["Cd3e", "Gapdh", "0610007P14Rik", "H2-K1", "mt-Co1", "Gm10300"], "mouse"),
        (["g1", "g2", "g3"], None),
    ],
)
def test_species_by_evidence(names: list[str], species: str | None) -> None:
    assert species_of(names, names) == species


def test_another_species_is_refused_by_name() -> None:
    human = ["CD3E", "GAPDH", "MT-CO1", "ACTB"]
    with pytest.raises(InputError, match=r"another species \(human\), such as CD3E"):
        identify_genes(counts_of(human, human), "mouse")


def test_barcodes_are_no_genes() -> None:
    assert count_gene_like(["AAACCTGAGAAACCAT-1", "Cell1", "h_1_bc0031", "GSM1_ACGT", "T1", "B2"]) == 0
    assert count_gene_like(["Rpl13", "mt-Co1", "Cd3e", "ENSMUSG00000064351.4", "0610007P14Rik", "Gm10300"]) == 6
