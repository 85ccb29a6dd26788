"""Single genes that a damage moves and a repair moves back: in two stages, or both at once.

Damage and repair share the diseased, untreated mice. A gene picked for its damage is one in which these mice happen to lie
far out, and against them everything seems to come back: with no repair at all, a second stage that takes the repair's
p-value as it is makes claims in a fifth to a third of studies with three mice an arm, where 5 % are meant. The second stage
is therefore tested given the damage seen: of it, some is noise of the shared mice, how much is learned from all genes
(:mod:`livermet.mice.models.shrinkage`), and that much the repair is expected to come back on its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from livermet import keys
from livermet.mice.design.model import Contrast, Design
from livermet.mice.models.contrasts import N_MICE
from livermet.mice.models.linear import Array, adjust
from livermet.mice.models.shrinkage import SLABS, shrink

LEAST_P, LARGEST_P = 1e-300, 0.999  # as normal deviates both ends would be infinite or 0
LEAST_CHANGE = 1e-6
GENE_COLUMNS = [
    keys.QUESTION,
    keys.POPULATION,
    keys.GENE_ID,
    keys.GENE,
    "damage_log_fold_change",
    "repair_log_fold_change",
    "rescue",
    "damage_adjusted_p_value",
    "repair_p_value",
    "repair_adjusted_p_value",
    "two_stage",
    "strict_p_value",
    "strict_adjusted_p_value",
    "strict",
]


def rescue_genes(expression: pd.DataFrame, design: Design, question: str, confidence: float = 0.95) -> pd.DataFrame:
    """Genes that the damage moves and the repair moves back.

    Parameters
    ----------
    expression
        Columns question, population, gene_id, gene, log_fold_change, p_value; n_mice (JSON) where it is known.
    design
        The checked design.
    question
        The rescue.
    confidence
        1 - confidence is the false discovery rate of both stages.

    Returns
    -------
    pandas.DataFrame
        `two_stage`: of the genes whose damage passes Benjamini-Hochberg in the population, those whose repair, given the
        damage (`repair_p_value`: :func:`given_damage`), passes it among them, in the other direction. `strict`: the larger
        of both p-values, each on its own, passes over all genes (the intersection union test, Berger 1982,
        doi:10.1080/00401706.1982.10487790), in the other direction. Genes that pass neither first stage nor strict test
        are left out.
    """
    contrast = design[question]
    damage, repair = design[contrast.damage], design[contrast.repair]
    about = [keys.POPULATION, keys.GENE_ID, keys.GENE]
    columns = [*about, keys.LOG_FOLD_CHANGE, keys.P_VALUE]
    columns += [N_MICE] if N_MICE in expression else []
    first, second = (expression.loc[expression[keys.QUESTION] == part.name, columns] for part in (damage, repair))
    both = first.merge(second, on=about, suffixes=("_damage", "_repair")).dropna(subset=[f"{keys.P_VALUE}_damage"])
    tables = []
    for _, group in both.groupby(keys.POPULATION, sort=False):
        told = [json.loads(group[f"{N_MICE}_{end}"].iloc[0]) for end in ("damage", "repair") if N_MICE in expression]
        mice = {arm: n for one in told for arm, n in one.items()} or {**damage.n_mice, **repair.n_mice}
        tables.append(_two_stage(group.copy(), shared_noise(damage, repair, mice), 1 - confidence))
    if not tables:
        return pd.DataFrame(columns=GENE_COLUMNS)
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, keys.QUESTION, question)
    return table[GENE_COLUMNS]


def shared_noise(damage: Contrast, repair: Contrast, n_mice: Mapping[str, int]) -> float:
    """Correlation of the noise of two effects, from the arms that both name: -.5 with as many mice in every arm."""
    arms = [arm for arm in {**damage.weights, **repair.weights} if n_mice.get(arm, 0)]
    first, second = (np.array([one.weights.get(arm, 0.0) for arm in arms]) for one in (damage, repair))
    spread = 1 / np.array([n_mice[arm] for arm in arms], dtype=float)
    size = np.sqrt((first**2 @ spread) * (second**2 @ spread))
    return float((first * second) @ spread / size) if size > 0 else 0.0


def given_damage(damage: Array, p_damage: Array, repair: Array, p_repair: Array, correlation: float) -> Array:
    """P-value of each gene's repair against its damage, given the damage that was seen.

    Parameters
    ----------
    damage, repair
        Log2 changes of all genes.
    p_damage, p_repair
        Their two-sided p-values. A change over the normal deviate of its p-value is taken as its standard error, so that
        what the degrees of freedom cost is paid by both.
    correlation
        Of the noise of damage and repair.

    Returns
    -------
    numpy.ndarray
        Twice the probability that noise alone moves the repair as far as seen in the direction against the damage. Under
        slab k, of variance t^2, a damage d of sampling variance v is expected to hold noise d v / (v + t^2), and a repair
        without effect is normal around correlation * sqrt(v_repair / v) times that.
    """
    noise = []
    for change, p in ((damage, p_damage), (repair, p_repair)):
        deviate = stats.norm.isf(np.clip(p, LEAST_P, LARGEST_P) / 2)
        noise.append((np.maximum(np.abs(change), LEAST_CHANGE) / deviate) ** 2)
    v, v_repair = noise
    mixture = shrink(damage, v)
    slope = correlation * np.sqrt(v_repair / v)
    mean = (slope * damage * v)[:, None] / mixture.total
    variance = v_repair * (1 - correlation**2)
    spread = np.sqrt(variance[:, None] + (slope**2 * v)[:, None] * SLABS**2 / mixture.total)
    against = -np.sign(damage)[:, None]
    beyond = stats.norm.sf(against * (repair[:, None] - mean) / spread)
    return np.asarray(np.minimum(2 * (mixture.shares * beyond).sum(axis=1), 1.0))


def _two_stage(genes: pd.DataFrame, correlation: float, rate: float) -> pd.DataFrame:
    """Both calls within one population."""
    p_damage, p_repair = genes[f"{keys.P_VALUE}_damage"], genes[f"{keys.P_VALUE}_repair"]
    genes["damage_log_fold_change"] = genes[f"{keys.LOG_FOLD_CHANGE}_damage"]
    genes["repair_log_fold_change"] = genes[f"{keys.LOG_FOLD_CHANGE}_repair"]
    changes = [genes[f"{end}_log_fold_change"].to_numpy(dtype=float) for end in ("damage", "repair")]
    opposite = genes["damage_log_fold_change"] * genes["repair_log_fold_change"] < 0
    genes["rescue"] = -genes["repair_log_fold_change"] / genes["damage_log_fold_change"]
    genes["damage_adjusted_p_value"] = adjust(p_damage)
    first = genes["damage_adjusted_p_value"] < rate
    p_values = [p.to_numpy(dtype=float) for p in (p_damage, p_repair)]
    genes["repair_p_value"] = given_damage(changes[0], p_values[0], changes[1], p_values[1], correlation)
    genes["repair_adjusted_p_value"] = adjust(genes["repair_p_value"].where(first))
    genes["two_stage"] = first & (genes["repair_adjusted_p_value"] < rate) & opposite
    # What moves on in the same direction is evidence against a rescue, never for it.
    genes["strict_p_value"] = p_damage.where(p_damage > p_repair, p_repair).where(opposite, 1.0)
    genes["strict_adjusted_p_value"] = adjust(genes["strict_p_value"])
    genes["strict"] = genes["strict_adjusted_p_value"] < rate
    return genes[first | genes["strict"]].sort_values(["damage_adjusted_p_value", keys.GENE], kind="stable")
