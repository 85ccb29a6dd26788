"""What is planted is what the study design says, and the truth tables say what is planted."""

from __future__ import annotations

import numpy as np
import pytest

from livermet.demo import planted, programmes
from livermet.demo.cohort import Study
from livermet.errors import InputError

ROW = {p.name: number for number, p in enumerate(programmes.POPULATIONS)}


def effect(study: Study, arm: str, population: str, symbol: str) -> float:
    column = study.genes.index[study.genes["symbol"] == symbol][0]
    return float(study.effects[arm][ROW[population], column])


def test_populations_are_shares_of_a_whole() -> None:
    assert sum(p.share for p in programmes.POPULATIONS) == pytest.approx(1.0)
    assert sum(p.share for p in programmes.POPULATIONS if p.lineage == "T_cell") == pytest.approx(0.45)


@pytest.mark.parametrize(("arm", "scale"), [("untreated", 1.0), ("anti_pdl1", 0.7), ("rt", 0.8), ("rt_anti_pdl1", 0.0)])
def test_damage_to_t_cells_follows_severity(study: Study, arm: str, scale: float) -> None:
    full = effect(study, "subcutaneous_liver.untreated", "CD8_activated", "Casp8")
    assert 0.6 <= full <= 1.0
    assert effect(study, f"subcutaneous_liver.{arm}", "CD8_activated", "Casp8") == pytest.approx(scale * full)
    assert effect(study, f"subcutaneous_liver.{arm}", "B_cell", "Casp8") == 0.0
    assert planted.abundance_effects(f"subcutaneous_liver.{arm}")["CD8_activated"] == pytest.approx(-1.5 * scale)


def test_radiation_raises_p53_genes_everywhere_and_nothing_else_without_liver_metastasis(study: Study) -> None:
    p53 = study.genes["symbol"].isin(programmes.P53.split()).to_numpy()
    change = study.effects["subcutaneous.rt"]
    assert ((change[:, p53] >= 0.5) & (change[:, p53] <= 1.5)).all()
    assert not change[:, ~p53].any()


def test_anti_pdl1_without_liver_metastasis_is_a_null(study: Study) -> None:
    assert not study.effects["subcutaneous.anti_pdl1"].any()
    assert not any(planted.abundance_effects("subcutaneous.anti_pdl1").values())
    assert planted.shares("subcutaneous.anti_pdl1") == pytest.approx([p.share for p in programmes.POPULATIONS])


def test_fasl_rises_in_the_macrophages_that_come_in(study: Study) -> None:
    assert effect(study, "subcutaneous_liver.untreated", "Monocyte_derived_macrophage", "Fasl") == pytest.approx(2.0)
    assert effect(study, "subcutaneous_liver.rt", "Monocyte_derived_macrophage", "Fasl") == pytest.approx(0.2)
    shares = planted.shares("subcutaneous_liver.untreated") / planted.shares(planted.CONTROL)
    influx, unchanged = shares[ROW["Monocyte_derived_macrophage"]], shares[ROW["B_cell"]]
    assert influx / unchanged == pytest.approx(2.5)


def test_gene_table_holds_every_effect_and_nothing_else(study: Study) -> None:
    table = planted.gene_table(study.effects, study.genes)
    total = sum(float(change.sum(dtype=float)) for change in study.effects.values())
    assert table["log_fold_change"].astype(float).sum() == pytest.approx(total, rel=1e-5)
    assert (table["log_fold_change"] != 0).all()
    one = table.query("population == 'NK_cell' and arm == 'subcutaneous.rt' and symbol == 'Mdm2'")
    assert one["log_fold_change"].item() == pytest.approx(effect(study, "subcutaneous.rt", "NK_cell", "Mdm2"))


def test_abundance_table_adds_up_unions() -> None:
    table = planted.abundance_table().set_index(["arm", "population"])["log_fold_change"]
    by_hand = np.log2((0.45 - 0.10 + 0.10 * 2**-1.5) / 0.45)
    assert table["subcutaneous_liver.untreated", "T_cell"] == pytest.approx(by_hand)
    assert table["subcutaneous_liver.rt_anti_pdl1", "T_cell"] == pytest.approx(0.0)


def test_rescue_table_says_what_the_arms_give_back(study: Study) -> None:
    table = planted.rescue_table(planted.gene_table(study.effects, study.genes), planted.abundance_table())
    found = table.set_index(["population", "readout", "repair"])["rescue"]
    arm = "subcutaneous_liver."
    assert found["CD8_activated", "abundance", f"{arm}rt_anti_pdl1"] == pytest.approx(1.0)
    assert found["CD8_activated", "abundance", f"{arm}anti_pdl1"] == pytest.approx(0.3)
    assert found["Monocyte_derived_macrophage", "abundance", f"{arm}anti_pdl1"] == pytest.approx(0.0)
    assert found["Monocyte_derived_macrophage", "abundance", f"{arm}rt"] == pytest.approx(0.9)
    assert found["CD8_activated", "signature", f"{arm}anti_pdl1"] == pytest.approx(0.3)
    # Fas alone answers p53 as well, and keeps the rescue along the axis a little short of 1.
    assert 0.85 < found["CD8_activated", "signature", f"{arm}rt_anti_pdl1"] < 1.0


def test_unknown_arms_are_all_named() -> None:
    rows = [{"sample": name, "site": "spleen", "treatment": "untreated"} for name in ("one", "two")]
    with pytest.raises(InputError) as caught:
        planted.arms_of(rows)
    assert [problem.where for problem in caught.value.problems] == ["sample 'one'", "sample 'two'"]
