"""Does a headline hang on one mouse, and could the labels alone have made it?

Every declared row is fitted anew without each mouse that can change its answer, and put to every labelling of the mice
that its null hypothesis lets pass (:mod:`livermet.mice.checks.permutation`). What is measured once a mouse (a log-ratio, a
score, a read-out, its counting noise) stays as it was measured; weights, residual variance and estimate are found anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from livermet import keys
from livermet.mice.checks.axes import rescue_along_axis
from livermet.mice.checks.permutation import Model, Null, find_prior, permute
from livermet.mice.checks.quantities import Quantity, Rows, Sources, find_quantities
from livermet.mice.checks.relabelling import chosen_mice, relabel
from livermet.mice.design.declared import RESCUE
from livermet.mice.design.model import Design
from livermet.mice.design.questions import EQUIVALENCE
from livermet.mice.models.fieller import BOUNDED, fieller
from livermet.mice.models.linear import RowFit, block_correlation

COLUMNS = [
    keys.QUESTION,
    keys.ENDPOINT,
    keys.POPULATION,
    keys.READOUT,
    keys.ESTIMATE,
    keys.LOO_LOW,
    keys.LOO_HIGH,
    "loo_largest_p_value",
    keys.LOO_MOUSE,
    "loo_estimate",
    keys.SIGN_FLIPS,
    "flipping_mice",
    "n_left_out",
    "not_estimable_without",
    keys.PERMUTATION_P_VALUE,
    keys.SMALLEST_P,
    "n_permutations",
    "exact",
    "scheme",
    "reason",
]
POINT_COLUMNS = [keys.QUESTION, keys.ENDPOINT, keys.POPULATION, keys.READOUT, keys.MOUSE, keys.ESTIMATE, keys.P_VALUE]
Mask = npt.NDArray[np.bool_]
NO_DAMAGE = "the damage is not separated from 0"
NO_LABELS = "none: the axis is learned from the labels"
NO_NULL = "none: that two arms are the same is not a null hypothesis of labels"


def test_robustness(design: Design, sources: Sources, seed: int) -> dict[str, pd.DataFrame]:
    """Leave out every mouse, and hand out every label anew, for every declared row.

    Parameters
    ----------
    design
        The checked design, whose settings declare endpoints and rescues.
    sources
        What the tests of the endpoints measured.
    seed
        Of the labellings that are sampled.

    Returns
    -------
    dict
        ``robustness``: one row a declared row (:data:`COLUMNS`). ``left_out``: one row a declared row and mouse left out
        (:data:`POINT_COLUMNS`), NaN where the question cannot be answered without it.
    """
    checker = _Checker(design, sources, seed)
    rows, points = [], []
    for quantity in find_quantities(design, sources):
        row, table = checker(quantity)
        rows.append(row)
        points += [table] if len(table) else []
    left_out = pd.concat(points, ignore_index=True) if points else pd.DataFrame(columns=POINT_COLUMNS)
    return {"robustness": pd.DataFrame(rows, columns=COLUMNS), "left_out": left_out[POINT_COLUMNS]}


class _Checker:
    """Fits that several rows share are made once."""

    def __init__(self, design: Design, sources: Sources, seed: int) -> None:
        self.design, self.sources, self.seed = design, sources, seed
        self.parts = {name: part for part, names in design.parts() for name in names}
        self.confidence = float(design.settings["confidence"])
        self._subsets: dict[tuple[str, ...], Design] = {}
        self._fits: dict[tuple[int, tuple[str, ...]], RowFit] = {}

    def __call__(self, quantity: Quantity) -> tuple[dict[str, Any], pd.DataFrame]:
        """The row of one declared row, and its estimates without each mouse."""
        name = quantity.declared.question
        about = {
            keys.QUESTION: name,
            keys.ENDPOINT: quantity.declared.endpoint,
            keys.POPULATION: quantity.declared.population,
            keys.READOUT: quantity.declared.readout,
        }
        row: dict[str, Any] = {**dict.fromkeys(COLUMNS, np.nan), **about, keys.LOO_MOUSE: "", keys.SIGN_FLIPS: False}
        row |= {"flipping_mice": "", "n_left_out": 0, "not_estimable_without": "", "n_permutations": 0, "exact": False}
        row |= {"scheme": "", "reason": quantity.reason}
        rows, part = quantity.rows, self.parts[name]
        if rows is None and not quantity.reason:
            found, points = self._relearn(quantity, part)
            return row | found, points.assign(**about)
        if rows is None:
            return row, pd.DataFrame(columns=POINT_COLUMNS)
        fit = self._fit(rows, part)
        estimate, _ = self._estimate(fit, quantity, part)
        used = fit.used[quantity.place]
        judged = self._subset(part, used)[name]
        if not judged.estimable or not np.isfinite(estimate):
            reason = judged.reason or (NO_DAMAGE if judged.kind == RESCUE else "not measured")
            return row | {"reason": reason}, pd.DataFrame(columns=POINT_COLUMNS)
        points = self._leave_out(rows, quantity, part, used).assign(**about)
        row |= {keys.ESTIMATE: estimate, **summarise(estimate, points)}
        if judged.kind == EQUIVALENCE:  # its estimate should be about 0, where no sign means anything
            row |= {keys.SIGN_FLIPS: False, "flipping_mice": "", "loo_largest_p_value": np.nan}
        row |= self._permute(rows, quantity, part, used)
        return row, points

    def _fit(self, rows: Rows, part: Design) -> RowFit:
        key = (id(rows), tuple(part.units.index))
        if key not in self._fits:
            self._fits[key] = rows.fit(part)[0]
        return self._fits[key]

    def _subset(self, part: Design, kept: Mask) -> Design:
        """A part without some of its units; the same one for all rows that were measured in the same units."""
        if kept.all():
            return part
        key = tuple(part.units.index[kept])
        if key not in self._subsets:
            self._subsets[key] = part.subset(key)
        return self._subsets[key]

    def _relearn(self, quantity: Quantity, part: Design) -> tuple[dict[str, Any], pd.DataFrame]:
        """A rescue along the axis of its damage: axis, scores and share anew without each mouse."""
        name, population = quantity.declared.question, quantity.declared.population
        estimate = rescue_along_axis(name, population, self.design, self.sources)
        if not np.isfinite(estimate):
            return {"reason": part[name].reason or NO_DAMAGE}, pd.DataFrame(columns=POINT_COLUMNS)
        found = []
        for mouse in chosen_mice(name, part, np.ones(len(part.units), dtype=bool)):
            rest = self._subset(self.design, (self.design.units[keys.MOUSE].astype(str) != mouse).to_numpy())
            found.append((mouse, rescue_along_axis(name, population, rest, self.sources), np.nan))
        points = pd.DataFrame(found, columns=[keys.MOUSE, keys.ESTIMATE, keys.P_VALUE])
        return {keys.ESTIMATE: estimate, "scheme": NO_LABELS, **summarise(estimate, points)}, points

    def _leave_out(self, rows: Rows, quantity: Quantity, part: Design, used: Mask) -> pd.DataFrame:
        """Estimate and p-value without each mouse that can change the answer."""
        found = []
        for mouse in chosen_mice(quantity.declared.question, part, used):
            rest = self._subset(part, (part.units[keys.MOUSE].astype(str) != mouse).to_numpy())
            found.append((mouse, *self._estimate(self._fit(rows, rest), quantity, rest)))
        return pd.DataFrame(found, columns=[keys.MOUSE, keys.ESTIMATE, keys.P_VALUE])

    def _estimate(self, fit: RowFit, quantity: Quantity, part: Design) -> tuple[float, float]:
        """Estimate and two-sided p-value of a question in one row; NaN where the design cannot give them."""
        name, row = quantity.declared.question, quantity.place
        used = fit.used[row]
        contrast = self._subset(part, used)[name]
        if not contrast.estimable:
            return np.nan, np.nan
        if contrast.kind == RESCUE:
            return self._rescue(fit, row, part, contrast.damage, contrast.repair), np.nan
        (estimate,), covariance = fit.joint(row, part.vector(name))
        df = fit.total_df[row]
        if not np.isfinite(df):
            return float(estimate), np.nan
        return float(estimate), float(2 * stats.t.sf(abs(estimate) / np.sqrt(covariance[0, 0]), df))

    def _rescue(self, fit: RowFit, row: int, part: Design, damage: str, repair: str) -> float:
        """The rescued share, where the damage is separated from 0."""
        (mended, undone), covariance = fit.joint(row, np.array([part.vector(repair), -part.vector(damage)]))
        df = fit.total_df[row]
        if not np.isfinite(df):
            return np.nan
        quantile = float(stats.t.ppf(0.5 + self.confidence / 2, df))
        clear = abs(undone) > quantile * np.sqrt(covariance[1, 1])
        ratio = fieller(mended, undone, covariance, quantile)
        return ratio.estimate if clear and ratio.kind == BOUNDED else np.nan

    def _permute(self, rows: Rows, quantity: Quantity, part: Design, used: Mask) -> dict[str, Any]:
        """The null of the labels; of a rescue, that the repair does nothing."""
        name, row = quantity.declared.question, quantity.place
        if part[name].kind == EQUIVALENCE:
            return {"scheme": NO_NULL}
        subset = self._subset(part, used)
        ways = relabel(name, subset, self.seed)
        raw, weights = rows.raw().fit(part)
        places = rows.values.columns.get_indexer(part.units.index)
        values = rows.values.to_numpy(dtype=float)[:, places]
        matrix, mice = part.matrix.to_numpy(dtype=float), np.asarray(part.units[keys.MOUSE])
        correlation = block_correlation(np.where(raw.used, values, np.nan), matrix, weights, list(mice))
        model = Model(
            matrix=subset.matrix.to_numpy(dtype=float),
            stays=subset.is_covariate,
            vector=subset.vector(name),
            weights=weights[row][used],
            correlation=correlation[np.ix_(used, used)],
        )
        null: Null = permute(values[row][used], model, ways, find_prior(raw, row, rows.moderate), self.seed)
        return {
            keys.PERMUTATION_P_VALUE: null.p_value,
            keys.SMALLEST_P: null.smallest,
            "n_permutations": null.n,
            "exact": ways.exact,
            "scheme": ways.scheme,
        }


def summarise(estimate: float, points: pd.DataFrame) -> dict[str, Any]:
    """The range of the estimates without each mouse, and what changes most.

    Parameters
    ----------
    estimate
        From all mice.
    points
        Columns mouse, estimate, p_value: without each mouse in turn; NaN where the question cannot be answered.

    Returns
    -------
    dict
        loo_low, loo_high, loo_largest_p_value, loo_mouse, loo_estimate, sign_flips, flipping_mice, n_left_out,
        not_estimable_without, reason.
    """
    known = points[points[keys.ESTIMATE].notna()]
    lost = list(points.loc[points[keys.ESTIMATE].isna(), keys.MOUSE])
    found: dict[str, Any] = {
        "n_left_out": len(points),
        "not_estimable_without": " ".join(lost),
        "reason": f"cannot be answered without {' or '.join(lost)}" if lost else "",
        "flipping_mice": "",
        keys.SIGN_FLIPS: False,
    }
    if known.empty:
        return found
    worst = known.loc[(known[keys.ESTIMATE] - estimate).abs().idxmax()]
    flips = known.loc[known[keys.ESTIMATE] * estimate < 0, keys.MOUSE]
    return found | {
        keys.LOO_LOW: known[keys.ESTIMATE].min(),
        keys.LOO_HIGH: known[keys.ESTIMATE].max(),
        "loo_largest_p_value": known[keys.P_VALUE].max(),
        keys.LOO_MOUSE: worst[keys.MOUSE],
        "loo_estimate": worst[keys.ESTIMATE],
        keys.SIGN_FLIPS: bool(len(flips)),
        "flipping_mice": " ".join(flips),
    }
