"""How much of a damage does a repair undo? A ratio of two contrasts that share mice, with an honest interval.

The rescue index is repair / -damage: 0 undoes nothing, 1 undoes all of it, above 1 overshoots. Both effects contain the
diseased, untreated mice: computed from noise alone the ratio is .5 on average, which is why it is only given where the
damage itself is separated from 0, with Fieller's interval from the joint covariance of both effects. Its read-outs are
declared in the config: an abundance, or a signature whose weights (+1, -1) come from outside. No axis is learned from the
mice that are then judged by it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from livermet import keys
from livermet.mice.design.model import UNIT, Contrast, Design
from livermet.mice.endpoints.applicable import circular_genes
from livermet.mice.endpoints.readouts import Measured, profile
from livermet.mice.models.contrasts import N_MICE, REASON, fit_part
from livermet.mice.models.fieller import BOUNDED, fieller
from livermet.mice.models.linear import RowFit, adjust
from livermet.tcells.signatures import Signatures

if TYPE_CHECKING:
    from anndata import AnnData

ABUNDANCE, SIGNATURE = "abundance", "signature"
DAMAGE, REPAIR, RESCUE = "damage", "repair", "rescue"
COLUMNS = [
    keys.QUESTION,
    keys.POPULATION,
    keys.READOUT,
    SIGNATURE,
    RESCUE,
    keys.CI_LOW,
    keys.CI_HIGH,
    DAMAGE,
    "damage_ci_low",
    "damage_ci_high",
    REPAIR,
    "repair_ci_low",
    "repair_ci_high",
    "estimable",
    "rescue_excludes_zero",
    "rescue_includes_one",
    REASON,
    keys.TIER,
    "interval",
    N_MICE,
]
GENE_COLUMNS = [
    keys.QUESTION,
    keys.POPULATION,
    keys.GENE_ID,
    keys.GENE,
    "damage_log_fold_change",
    "repair_log_fold_change",
    RESCUE,
    "damage_adjusted_p_value",
    "repair_adjusted_p_value",
    "two_stage",
    "strict_p_value",
    "strict_adjusted_p_value",
    "strict",
]


def test_rescue(
    abundance: pd.DataFrame,
    pseudobulk: AnnData,
    expression: pd.DataFrame,
    design: Design,
    settings: Mapping[str, Any],
    signatures: Signatures,
    defining: Mapping[str, Collection[str]],
) -> dict[str, pd.DataFrame]:
    """Rescue of every declared read-out, and of single genes.

    Parameters
    ----------
    abundance
        Columns unit, population, clr, variance, as :func:`livermet.mice.endpoints.composition.test_composition` gives them.
    pseudobulk
        One row per unit and population.
    expression
        The gene table of all questions and populations.
    design, settings
        The checked design and the resolved `design` section.
    signatures
        Gene sets.
    defining
        Label -> genes by which it is called: in a population of that label alone they are left out of a signature.

    Returns
    -------
    dict
        ``rescue``: one row per rescue question and declared read-out. ``genes``: one row per rescue question, population
        and gene whose damage passes the first stage, or that the strict test calls.
    """
    asked = {item["name"]: item for item in settings["questions"] if item["kind"] == RESCUE}
    values = abundance.pivot(index=keys.POPULATION, columns=UNIT, values="clr").reindex(columns=design.units.index)
    variance = abundance.pivot(index=keys.POPULATION, columns=UNIT, values="variance").reindex_like(values)
    rows = []
    for part, names in design.parts():
        names = [name for name in names if name in asked]
        if not names:
            continue
        together = fit_part(values, variance.to_numpy(), part, moderate=True)[0] if len(values) else None
        for name in names:
            for readout in asked[name]["readouts"]:
                fit, row, why = together, _place(values.index, readout[keys.POPULATION]), _RARE
                if readout["readout"] == SIGNATURE:
                    measured = _signature(pseudobulk, readout, design, settings, signatures, defining)
                    fit, row, why = _fit_one(measured, part), None if measured.reason else 0, measured.reason
                rows.append(_judge(name, readout, fit, row, why, part, settings["confidence"]))
    order = {name: place for place, name in enumerate(asked)}
    table = pd.DataFrame(rows, columns=COLUMNS)
    table = table.sort_values(keys.QUESTION, key=lambda column: column.map(order), kind="stable", ignore_index=True)
    genes = [rescue_genes(expression, design[name], settings["confidence"]) for name in asked]
    return {
        RESCUE: table,
        "genes": pd.concat(genes, ignore_index=True) if genes else pd.DataFrame(columns=GENE_COLUMNS),
    }


_RARE = "too few cells of it to measure its abundance"


def _place(index: pd.Index, name: str) -> int | None:
    return list(index).index(name) if name in index else None


def _signature(
    pseudobulk: AnnData,
    readout: Mapping[str, Any],
    design: Design,
    settings: Mapping[str, Any],
    signatures: Signatures,
    defining: Mapping[str, Collection[str]],
) -> Measured:
    try:
        chosen = signatures[readout[SIGNATURE]]
    except KeyError:
        return Measured.nothing(design.units.index, f"there is no gene set {readout[SIGNATURE]}")
    profiles = profile(pseudobulk, readout[keys.POPULATION], design, signatures.aliases, settings["min_cells"])
    return profiles.score(chosen, circular_genes(settings["populations"][readout[keys.POPULATION]], defining))


def _fit_one(measured: Measured, part: Design) -> RowFit:
    values = measured.values.to_frame("value").T
    return fit_part(values, measured.variance.to_numpy(dtype=float)[None, :], part, moderate=False)[0]


def _judge(
    name: str,
    readout: Mapping[str, Any],
    fit: RowFit | None,
    row: int | None,
    why: str,
    part: Design,
    confidence: float,
) -> dict[str, Any]:
    """One read-out of one rescue question: the numbers where the design carries them, else the reason."""
    found: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
    found |= {keys.QUESTION: name, **{key: readout[key] for key in (keys.POPULATION, keys.READOUT)}}
    found |= {
        SIGNATURE: readout.get(SIGNATURE) or "",
        "estimable": False,
        "interval": "",
        keys.TIER: keys.NOT_ESTIMABLE,
    }
    found |= {"rescue_excludes_zero": False, "rescue_includes_one": False, N_MICE: json.dumps(part[name].n_mice)}
    if fit is None or row is None:
        return found | {REASON: why}
    subset = part if fit.used[row].all() else part.subset(part.units.index[fit.used[row]])
    contrast = subset[name]
    found[N_MICE] = json.dumps(contrast.n_mice)
    if not contrast.estimable:
        return found | {REASON: contrast.reason}
    return found | _numbers(fit, row, part, contrast, confidence)


def _numbers(fit: RowFit, row: int, part: Design, contrast: Contrast, confidence: float) -> dict[str, Any]:
    """Damage, repair and their ratio from one fit."""
    vectors = np.array([part.vector(contrast.repair), -part.vector(contrast.damage)])
    (repair, undone), covariance = fit.joint(row, vectors)
    df = fit.total_df[row]
    found: dict[str, Any] = {DAMAGE: -undone, REPAIR: repair}
    if not np.isfinite(df):
        reason = "no residual degrees of freedom: the damage cannot be told from 0"
        return found | {REASON: reason, keys.TIER: keys.DESCRIPTIVE}
    quantile = float(stats.t.ppf(0.5 + confidence / 2, df))
    half = quantile * np.sqrt(np.diag(covariance))
    found |= {"damage_ci_low": -undone - half[1], "damage_ci_high": -undone + half[1]}
    found |= {"repair_ci_low": repair - half[0], "repair_ci_high": repair + half[0]}
    ratio = fieller(repair, undone, covariance, quantile)
    found["interval"] = ratio.kind
    if abs(undone) <= half[1] or ratio.kind != BOUNDED:
        low, high = -undone - half[1], -undone + half[1]
        reason = f"the damage is not separated from 0 ({low:.2f} to {high:.2f}): there is nothing shown to be undone"
        return found | {REASON: reason, keys.TIER: keys.NOT_ESTIMABLE}
    return found | {
        RESCUE: ratio.estimate,
        keys.CI_LOW: ratio.low,
        keys.CI_HIGH: ratio.high,
        "estimable": True,
        "rescue_excludes_zero": not ratio.contains(0.0),
        "rescue_includes_one": ratio.contains(1.0),
        REASON: "",
        keys.TIER: contrast.tier,
    }


def rescue_genes(expression: pd.DataFrame, contrast: Contrast, confidence: float = 0.95) -> pd.DataFrame:
    """Genes that the damage moves and the repair moves back.

    Parameters
    ----------
    expression
        Columns question, population, gene_id, gene, log_fold_change, p_value.
    contrast
        The rescue question, with its damage and repair.
    confidence
        1 - confidence is the false discovery rate of both stages.

    Returns
    -------
    pandas.DataFrame
        `two_stage`: of the genes whose damage passes Benjamini-Hochberg in the population, those whose repair passes it
        among them, in the other direction. `strict`: the larger of both p-values passes over all genes (the intersection
        union test, Berger 1982, doi:10.1080/00401706.1982.10487790), in the other direction. Genes that pass neither
        first stage nor strict test are left out.
    """
    about = [keys.POPULATION, keys.GENE_ID, keys.GENE]
    columns = [*about, keys.LOG_FOLD_CHANGE, keys.P_VALUE]
    damage, repair = (
        expression.loc[expression[keys.QUESTION] == name, columns] for name in (contrast.damage, contrast.repair)
    )
    both = damage.merge(repair, on=about, suffixes=("_damage", "_repair")).dropna(subset=[f"{keys.P_VALUE}_damage"])
    tables = [_two_stage(group.copy(), 1 - confidence) for _, group in both.groupby(keys.POPULATION, sort=False)]
    if not tables:
        return pd.DataFrame(columns=GENE_COLUMNS)
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, keys.QUESTION, contrast.name)
    return table[GENE_COLUMNS]


def _two_stage(genes: pd.DataFrame, rate: float) -> pd.DataFrame:
    """Both calls within one population."""
    p_damage, p_repair = genes[f"{keys.P_VALUE}_damage"], genes[f"{keys.P_VALUE}_repair"]
    genes["damage_log_fold_change"] = genes[f"{keys.LOG_FOLD_CHANGE}_damage"]
    genes["repair_log_fold_change"] = genes[f"{keys.LOG_FOLD_CHANGE}_repair"]
    opposite = genes["damage_log_fold_change"] * genes["repair_log_fold_change"] < 0
    genes[RESCUE] = -genes["repair_log_fold_change"] / genes["damage_log_fold_change"]
    genes["damage_adjusted_p_value"] = adjust(p_damage)
    first = genes["damage_adjusted_p_value"] < rate
    genes["repair_adjusted_p_value"] = adjust(p_repair.where(first))
    genes["two_stage"] = first & (genes["repair_adjusted_p_value"] < rate) & opposite
    # What moves on in the same direction is evidence against a rescue, never for it.
    genes["strict_p_value"] = p_damage.where(p_damage > p_repair, p_repair).where(opposite, 1.0)
    genes["strict_adjusted_p_value"] = adjust(genes["strict_p_value"])
    genes["strict"] = genes["strict_adjusted_p_value"] < rate
    return genes[first | genes["strict"]].sort_values(["damage_adjusted_p_value", keys.GENE], kind="stable")
