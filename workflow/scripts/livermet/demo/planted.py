"""What is planted: the effect of every arm on genes and on abundance, and the truth tables that say so.

Severity `s` is how far the T cells' damage goes (0 without liver metastasis, 1 in untreated mice with one), influx `m` how
far the monocyte-derived macrophages come in. Radiotherapy acts on p53's genes everywhere; anti-PD-L1 does nothing at all
in mice without liver metastasis: a question with nothing to be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livermet.demo import programmes
from livermet.errors import InputError, Problem
from livermet.keys import GENE_ID, LOG_FOLD_CHANGE, POPULATION, READOUT, SYMBOL

ARM, REPAIR, RESCUE, SIGNATURE = "arm", "repair", "rescue", "signature"
CONTROL = "subcutaneous.untreated"
DAMAGED = "subcutaneous_liver.untreated"
SITES = ("subcutaneous", "subcutaneous_liver")
TREATMENTS = ("untreated", "anti_pdl1", "rt", "rt_anti_pdl1")
ARMS = tuple(f"{site}.{treatment}" for site, treatment in product(SITES, TREATMENTS))
_SEVERITY = {"untreated": 1.0, "anti_pdl1": 0.7, "rt": 0.8, "rt_anti_pdl1": 0.0}
_INFLUX = {"untreated": 1.0, "anti_pdl1": 1.0, "rt": 0.1, "rt_anti_pdl1": 0.1}

CD8_LOSS = -1.5  # log2, at severity 1
MACROPHAGE_INFLUX = float(np.log2(2.5))  # log2, at influx 1
FASL_RISE = 2.0  # log2, in those macrophages, at influx 1


def arm_of(row: Mapping[str, str]) -> str:
    """Arm of a row of the sheet.

    Raises
    ------
    InputError
        Where the demo knows no such site or treatment.
    """
    arm = f"{row.get('site', '')}.{row.get('treatment', '')}"
    if arm not in ARMS:
        raise InputError(
            Problem(
                f"sample '{row['sample']}'", f"arm '{arm}'", "one of " + ", ".join(ARMS), "The demo simulates no other"
            )
        )
    return arm


def severity(arm: str) -> float:
    """Damage to the T cells, 0 to 1."""
    site, treatment = arm.split(".")
    return _SEVERITY[treatment] if site == "subcutaneous_liver" else 0.0


def influx(arm: str) -> float:
    """Influx of monocyte-derived macrophages, 0 to 1."""
    site, treatment = arm.split(".")
    return _INFLUX[treatment] if site == "subcutaneous_liver" else 0.0


def gene_effects(symbols: Sequence[str], rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Log2 fold change of every gene in every population, arm by arm, against the control arm.

    Parameters
    ----------
    symbols
        Symbols of the simulated genes.
    rng
        Draws the size of each gene's effect, once for all arms.

    Returns
    -------
    dict
        Arm -> array (populations, genes), populations in the order of `programmes.POPULATIONS`.
    """
    column = {symbol: number for number, symbol in enumerate(symbols)}
    rows = {population.name: number for number, population in enumerate(programmes.POPULATIONS)}

    def sizes(text: str, low: float, high: float) -> NDArray[np.float32]:
        size = np.zeros(len(symbols), dtype=np.float32)
        for gene in text.split():
            drawn = rng.uniform(low, high)  # drawn also where the gene is not simulated: the others keep theirs
            if gene in column:
                size[column[gene]] = drawn
        return size

    death = sizes(programmes.AICD, 0.6, 1.0)
    exhaustion = sizes(programmes.EXHAUSTION, 0.4, 1.0)
    p53 = sizes(programmes.P53, 0.5, 1.5)
    effects = {}
    for arm in ARMS:
        effect = np.zeros((len(rows), len(symbols)), dtype=np.float32)
        effect[rows["CD8_activated"]] += severity(arm) * death
        effect[[rows[state] for state in programmes.CD8_STATES]] += severity(arm) * exhaustion
        if "rt" in arm.split(".")[1].split("_"):
            effect += p53
        if "Fasl" in column:
            effect[rows["Monocyte_derived_macrophage"], column["Fasl"]] += FASL_RISE * influx(arm)
        effects[arm] = effect
    return effects


def abundance_effects(arm: str) -> dict[str, float]:
    """Log2 change of a population's rate, other cells staying as they are; populations not named do not change."""
    return {"CD8_activated": CD8_LOSS * severity(arm), "Monocyte_derived_macrophage": MACROPHAGE_INFLUX * influx(arm)}


def shares(arm: str) -> NDArray[np.float64]:
    """Expected share of every population among the cells of a mouse of this arm."""
    change = abundance_effects(arm)
    rates = np.array([p.share * 2.0 ** change.get(p.name, 0.0) for p in programmes.POPULATIONS])
    return np.asarray(rates / rates.sum())


def gene_table(effects: Mapping[str, NDArray[np.float32]], genes: pd.DataFrame) -> pd.DataFrame:
    """The planted gene effects as a long table; what is not in it is 0."""
    names = np.array([population.name for population in programmes.POPULATIONS])
    parts = []
    for arm, effect in effects.items():
        rows, columns = np.nonzero(effect)
        parts.append(
            pd.DataFrame(
                {
                    POPULATION: names[rows],
                    GENE_ID: genes[GENE_ID].to_numpy()[columns],
                    SYMBOL: genes[SYMBOL].to_numpy()[columns],
                    ARM: arm,
                    LOG_FOLD_CHANGE: effect[rows, columns],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def abundance_table() -> pd.DataFrame:
    """The planted abundance changes: every population, lineage and tested union in every arm.

    Returns
    -------
    pandas.DataFrame
        `population`, `arm`, `log_fold_change` (of the rate), `log_fold_change_of_share` (of the share of all cells).
    """
    members = {p.name: (p.name,) for p in programmes.POPULATIONS} | programmes.UNIONS
    index = {p.name: number for number, p in enumerate(programmes.POPULATIONS)}
    base = np.array([p.share for p in programmes.POPULATIONS])
    control = shares(CONTROL)
    rows = []
    for arm, (population, names) in product(ARMS, members.items()):
        at = [index[name] for name in names]
        change = np.array([abundance_effects(arm).get(name, 0.0) for name in names])
        rate = float(np.log2((base[at] * 2.0**change).sum() / base[at].sum()))
        share = float(np.log2(shares(arm)[at].sum() / control[at].sum()))
        rows.append((population, arm, rate, share))
    return pd.DataFrame(rows, columns=[POPULATION, ARM, LOG_FOLD_CHANGE, "log_fold_change_of_share"])


def rescue_table(genes: pd.DataFrame, abundance: pd.DataFrame) -> pd.DataFrame:
    """Rescue that was planted, by read-out and repairing arm: what the treatment gives back of what the disease took.

    Parameters
    ----------
    genes
        From :func:`gene_table`.
    abundance
        From :func:`abundance_table`.

    Returns
    -------
    pandas.DataFrame
        `population`, `readout`, `signature` (empty but for signatures), `repair` (arm), `damage` (log2), `rescue`.
    """
    rate = abundance.set_index([POPULATION, ARM])[LOG_FOLD_CHANGE]
    death = genes[(genes[POPULATION] == "CD8_activated") & genes[SYMBOL].isin(programmes.AICD.split())]
    axis = death.groupby(ARM)[LOG_FOLD_CHANGE].sum() / len(death[SYMBOL].unique())
    readouts: list[tuple[str, str, str, pd.Series]] = [
        (population, "abundance", "", rate[population])
        for population in ("CD8_activated", "Monocyte_derived_macrophage")
    ]
    readouts.append(("CD8_activated", "signature", "T_AICD_apoptosis_priming", axis))
    rows = []
    for (population, readout, signature, change), treatment in product(readouts, TREATMENTS[1:]):
        repair = f"subcutaneous_liver.{treatment}"
        damage = float(change.get(DAMAGED, 0.0))
        rescue = (damage - float(change.get(repair, 0.0))) / damage
        rows.append((population, readout, signature, repair, damage, rescue))
    return pd.DataFrame(rows, columns=[POPULATION, READOUT, SIGNATURE, REPAIR, "damage", RESCUE])


def arms_of(rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Sample -> arm; every unknown arm is named at once."""
    found, problems = {}, []
    for row in rows:
        try:
            found[row["sample"]] = arm_of(row)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found
