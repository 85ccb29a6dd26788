"""How much of a damage does a repair undo? A ratio of two contrasts that share mice, with an honest interval.

The rescue index is repair / -damage: 0 undoes nothing, 1 undoes all of it, above 1 overshoots. Both effects contain the
diseased, untreated mice: computed from noise alone the ratio is .5 on average, which is why it is only given where the
damage itself is separated from 0, with Fieller's interval from the joint covariance of both effects. Its read-outs are
declared in the config: an abundance, a signature whose weights (+1, -1) come from outside, or an axis of all genes that is
learned leaving out the mice that are judged by it (:mod:`livermet.mice.endpoints.axis`).

Whether the rescue is complete is another question than whether its interval holds 1, which a wide one always does: what
remains of the damage (damage + repair: the repaired mice against the healthy ones) has to lie within a margin, by two
one-sided tests (:mod:`livermet.mice.models.equivalence`). Where the damage itself is no larger than the margin, the
question has no meaning and is not answered.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from livermet import keys
from livermet.mice.design.model import Contrast, Design
from livermet.mice.endpoints.applicable import circular_genes
from livermet.mice.endpoints.axis import LearnedAxis, learn_axis
from livermet.mice.endpoints.composition import read_abundance
from livermet.mice.endpoints.readouts import Measured, profile
from livermet.mice.endpoints.rescued_genes import GENE_COLUMNS, rescue_genes
from livermet.mice.models.contrasts import N_MICE, REASON, fit_part
from livermet.mice.models.equivalence import tost
from livermet.mice.models.fieller import BOUNDED, fieller
from livermet.mice.models.linear import RowFit
from livermet.tcells.signatures import Signatures

if TYPE_CHECKING:
    from anndata import AnnData

ABUNDANCE, SIGNATURE, AXIS = "abundance", "signature", "axis"
REMAINING, COMPLETE, COMPLETENESS = "remaining", "complete", "completeness"
COMPLETENESS_MARGIN, COMPLETENESS_P_VALUE = "completeness_margin", "completeness_p_value"  # two one-sided tests
SHOWN, NOT_SHOWN, REMAINS = "shown", "not shown", "something remains"
WITHIN_MARGIN = "the damage itself is within the margin"
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
    REMAINING,
    "remaining_ci_low",
    "remaining_ci_high",
    COMPLETENESS_MARGIN,
    COMPLETENESS_P_VALUE,
    COMPLETE,
    COMPLETENESS,
    REASON,
    keys.TIER,
    "interval",
    "axis_genes",
    N_MICE,
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
    values, variance = read_abundance(abundance, design)
    rows = []
    for part, names in design.parts():
        names = [name for name in names if name in asked]
        if not names:
            continue
        together = fit_part(values, variance, part, moderate=True)[0] if len(values) else None
        for name in names:
            for readout in asked[name]["readouts"]:
                fit, row, why = together, _place(values.index, readout[keys.POPULATION]), _RARE
                axis = None
                if readout["readout"] != ABUNDANCE:
                    axis = _score(pseudobulk, readout, part, name, design, settings, signatures, defining)
                    why = axis.measured.reason
                    fit, row = _fit_one(axis.measured, part), None if why else 0
                rows.append(_judge(name, readout, fit, row, why, part, settings["confidence"], axis))
    order = {name: place for place, name in enumerate(asked)}
    table = pd.DataFrame(rows, columns=COLUMNS).astype({COMPLETE: "boolean"})
    table = table.sort_values(keys.QUESTION, key=lambda column: column.map(order), kind="stable", ignore_index=True)
    genes = [rescue_genes(expression, design, name, settings["confidence"]) for name in asked]
    return {
        RESCUE: table,
        "genes": pd.concat(genes, ignore_index=True) if genes else pd.DataFrame(columns=GENE_COLUMNS),
    }


_RARE = "too few cells of it to measure its abundance"


def _place(index: pd.Index, name: str) -> int | None:
    return list(index).index(name) if name in index else None


def _score(
    pseudobulk: AnnData,
    readout: Mapping[str, Any],
    part: Design,
    question: str,
    design: Design,
    settings: Mapping[str, Any],
    signatures: Signatures,
    defining: Mapping[str, Collection[str]],
) -> LearnedAxis:
    """Scores on a declared or a learned axis; what is noise in the first is all in the scatter of the scores."""
    profiles = profile(pseudobulk, readout[keys.POPULATION], design, signatures.aliases, settings["min_cells"])
    without = circular_genes(settings["populations"][readout[keys.POPULATION]], defining)
    if readout["readout"] == AXIS:
        damage, repair = part[part[question].damage], part[part[question].repair]
        return learn_axis(profiles, pseudobulk.var[keys.SYMBOL], part, damage, repair, without)
    try:
        chosen = signatures[readout[SIGNATURE]]
    except KeyError:
        return LearnedAxis(Measured.nothing(design.units.index, f"there is no gene set {readout[SIGNATURE]}"))
    return LearnedAxis(profiles.score(chosen, without))


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
    axis: LearnedAxis | None,
) -> dict[str, Any]:
    """One read-out of one rescue question: the numbers where the design carries them, else the reason."""
    found: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
    found |= {keys.QUESTION: name, **{key: readout[key] for key in (keys.POPULATION, keys.READOUT)}}
    found |= {
        SIGNATURE: readout.get(SIGNATURE) or "",
        "estimable": False,
        "interval": "",
        "axis_genes": axis.words if axis else "",
        COMPLETE: None,
        COMPLETENESS: "",
        COMPLETENESS_MARGIN: float(readout.get("margin") or part.settings["effect_of_interest"]),
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
    return found | _numbers(fit, row, part, contrast, confidence, found[COMPLETENESS_MARGIN], axis)


def _numbers(
    fit: RowFit,
    row: int,
    part: Design,
    contrast: Contrast,
    confidence: float,
    margin: float,
    axis: LearnedAxis | None,
) -> dict[str, Any]:
    """Damage, repair, what remains and the rescued share from one fit."""
    vectors = np.array([part.vector(contrast.repair), -part.vector(contrast.damage)])
    (repair, undone), covariance = fit.joint(row, vectors)
    df = fit.total_df[row]
    found: dict[str, Any] = {DAMAGE: -undone, REPAIR: repair, REMAINING: repair - undone}
    if not np.isfinite(df):
        reason = "no residual degrees of freedom: the damage cannot be told from 0"
        return found | {REASON: reason, keys.TIER: keys.DESCRIPTIVE}
    if axis:
        covariance = axis.widen(covariance, float(fit.variance[row]))
    quantile = float(stats.t.ppf(0.5 + confidence / 2, df))
    half = quantile * np.sqrt(np.diag(covariance))
    found |= {"damage_ci_low": -undone - half[1], "damage_ci_high": -undone + half[1]}
    found |= {"repair_ci_low": repair - half[0], "repair_ci_high": repair + half[0]}
    ratio = fieller(repair, undone, covariance, quantile)
    found["interval"] = ratio.kind
    error = float(np.sqrt(np.array([1, -1]) @ covariance @ np.array([1, -1])))
    found |= _remaining(repair - undone, error, df, margin, confidence)
    # A learned axis points the way of the damage: held-out mice that go the other way refute it.
    backward = axis is not None and axis.product > 0 and undone > 0
    if abs(undone) <= half[1] or ratio.kind != BOUNDED or backward:
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
        **_complete(found, margin, confidence),
        REASON: "",
        keys.TIER: contrast.tier,
    }


def _remaining(estimate: float, error: float, df: float, margin: float, confidence: float) -> dict[str, Any]:
    """What remains of the damage, with its interval and the test that it lies within the margin."""
    half = float(stats.t.ppf(0.5 + confidence / 2, df)) * error
    return {
        "remaining_ci_low": estimate - half,
        "remaining_ci_high": estimate + half,
        COMPLETENESS_P_VALUE: float(tost(estimate, error, df, margin, confidence)[keys.EQUIVALENCE_P_VALUE]),
    }


def _complete(found: Mapping[str, Any], margin: float, confidence: float) -> dict[str, Any]:
    """Whether the repaired mice are like the healthy ones; not asked where the damage itself is within the margin."""
    if abs(found[DAMAGE]) <= margin:
        return {COMPLETE: None, COMPLETENESS: WITHIN_MARGIN}
    if found[COMPLETENESS_P_VALUE] < 1 - confidence:
        return {COMPLETE: True, COMPLETENESS: SHOWN}
    some = found["remaining_ci_low"] > 0 or found["remaining_ci_high"] < 0
    return {COMPLETE: False, COMPLETENESS: REMAINS if some else NOT_SHOWN}
