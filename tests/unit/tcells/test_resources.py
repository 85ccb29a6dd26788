"""Every symbol of every resource is the main name of a gene, under which (or an alias) real data have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from livermet.tcells.signatures import Signatures, resolve

from .conftest import RESOURCES

FILES = ("signatures", "states", "macrophage_states", "lineages", "mechanism")
LISTS = ("up", "down", "genes", "above", "outcomes")


def symbols(content: Any, key: str = "") -> Iterator[str]:
    """Symbols of a resource file, wherever they stand."""
    if isinstance(content, dict):
        for name, value in content.items():
            if name == "gene":
                yield str(value)
            elif name != "aliases":
                yield from symbols(value, name)
    elif isinstance(content, list):
        for value in content:
            if isinstance(value, str):
                if key in LISTS:
                    yield value
            else:
                yield from symbols(value, key)


def load(name: str) -> Any:
    return yaml.safe_load((RESOURCES / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FILES)
def test_symbols_are_main_names(name: str, collection: Signatures) -> None:
    found = set(symbols(load(name)))
    assert len(found) >= {"mechanism": 2, "macrophage_states": 15}.get(name, 25)
    others = {alias for names in collection.aliases.values() for alias in names}
    assert not found & others
    assert not [gene for gene in found if not gene[0].isupper() and not gene.startswith("mt-")]


@pytest.mark.parametrize("name", FILES)
def test_symbols_are_in_a_real_feature_list(name: str, collection: Signatures, real_data: Path) -> None:
    """Antigen receptors are often not in a feature list; a few others are known to be missing from this one."""
    features = pd.read_csv(real_data / "zilionis_lung" / "h_1" / "features.tsv.gz", sep="\t", header=None)
    genes = resolve(collection, features[1])
    absent = {gene for gene in symbols(load(name)) if genes.find(gene) is None}
    receptors = {gene for gene in absent if gene.startswith(("Tra", "Trb", "Trd", "Tcrg", "Igh", "Igk"))}
    assert absent - receptors <= {
        "Ifit1bl1", "Il17a", "Mcpt8", "Serpina1c", "Cebpd", "Mir22hg", "Nppc", "Mup20", "Xist",
    }  # fmt: skip


def test_every_state_that_a_population_may_name_has_its_own_genes_kept_from_its_tests() -> None:
    from livermet.mice.endpoints.applicable import circular_genes, defining_genes

    sets = load("signatures")["signatures"]
    by_name = {item["name"]: item for item in sets}
    states, macrophages = load("states"), load("macrophage_states")
    defining = defining_genes(states, macrophages, load("lineages"), sets)
    for state in [*states["states"], *macrophages["states"]]:
        own = circular_genes({"lineages": [], "states": [state["name"]]}, defining)
        wanted = {*by_name[state["signature"]]["up"], *by_name[state["signature"]]["down"], *state.get("above", ())}
        for evidence in (*state.get("requires", ()), *state.get("lacks", ())):
            wanted |= set(evidence["genes"])
        assert own == wanted, state["name"]
        assert not {"Fas", "Fasl"} & own, state["name"]
