"""The house's own resources, and toys with a planted answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse

from livermet.tcells.definitions import States, load_states
from livermet.tcells.signatures import Signatures, load

RESOURCES = Path(__file__).parents[3] / "resources"


@pytest.fixture(scope="session")
def signature_content() -> dict[str, Any]:
    return yaml.safe_load((RESOURCES / "signatures.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def state_content() -> dict[str, Any]:
    return yaml.safe_load((RESOURCES / "states.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def collection(signature_content: dict[str, Any]) -> Signatures:
    return load(signature_content)


@pytest.fixture(scope="session")
def states(state_content: dict[str, Any], collection: Signatures) -> States:
    return load_states(state_content, collection)


@pytest.fixture(scope="session")
def bins() -> pd.DataFrame:
    return pd.read_csv(RESOURCES / "expression_bins.tsv", sep="\t", keep_default_na=False)


@pytest.fixture(scope="session")
def toy_var(bins: pd.DataFrame, collection: Signatures) -> pd.DataFrame:
    """Every third gene of the reference and all genes of the sets."""
    named = {gene for item in collection.signatures for gene in (*item.up, *item.down)}
    symbols = [gene for place, gene in enumerate(bins["symbol"]) if place % 3 == 0 or gene in named]
    symbols += sorted(named - set(bins["symbol"]))
    ids = dict(zip(bins["symbol"], bins["gene_id"], strict=True))
    index = pd.Index([ids.get(gene, gene) for gene in symbols], name="gene_id")
    return pd.DataFrame({"symbol": symbols}, index=index)


@pytest.fixture(scope="session")
def toy_rates(toy_var: pd.DataFrame, bins: pd.DataFrame) -> np.ndarray:
    """Share of each gene in a resting cell: by its bin, a twelvefold range a third of the bins, with noise."""
    number = dict(zip(bins["symbol"], bins["bin"], strict=True))
    level = np.array([number.get(gene, 1) for gene in toy_var["symbol"]])
    rate = 1.25**level * np.random.default_rng(1).lognormal(0, 0.3, size=len(level))
    return rate / rate.sum()


def draw_cells(rates: np.ndarray, n_cells: int, *, depth: float, seed: int) -> sparse.csr_matrix:
    """Counts of cells with these shares: gamma-Poisson, dispersion .3, lognormal depth."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(np.log(depth), 0.3, size=(n_cells, 1))
    mean = size * rates * rng.gamma(1 / 0.3, 0.3, size=(n_cells, len(rates)))
    return sparse.csr_matrix(rng.poisson(mean).astype(np.int32))


def plant(rates: np.ndarray, symbols: pd.Series, levels: dict[str, float]) -> np.ndarray:
    """Set genes to levels, UMIs per 10,000."""
    planted = rates.copy()
    for gene, level in levels.items():
        planted[np.flatnonzero(symbols == gene)] = level / 1e4
    return planted / planted.sum()
