"""Which labels could have been handed to which mouse: the labellings that a question's null hypothesis lets pass.

Under "this factor does nothing" the mice of the two arms compared could have borne each other's labels. Every labelling is
then as likely as the one seen, and the test is exact (Fisher 1935; Winkler et al. 2014,
doi:10.1016/j.neuroimage.2014.01.060). Labels are exchanged between mice that are alike in everything else that the model
knows: the levels of the other factors and the categorical covariates.

A difference of effects or a synergy has no such labelling: its null leaves the main effects standing, and exchanging
labels would wipe them out, too. There, as with numeric covariates or where the strata leave one labelling only, the
residuals of the model without the contrast are permuted (Freedman & Lane 1983, doi:10.1080/07350015.1983.10509354), which
is approximate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, permutations, product

import numpy as np
import numpy.typing as npt
import pandas as pd

from livermet import keys
from livermet.mice.design.aliasing import is_number
from livermet.mice.design.model import ARM, Contrast, Design
from livermet.mice.design.questions import TISSUE

Order = npt.NDArray[np.int64]

MAX_EXACT = 1000  # more labellings than these are sampled
SAMPLED = 999
LABELS, STRATA, RESIDUALS, NONE = (
    "labels exchanged",
    "labels exchanged within {}",
    "residuals of the model without the contrast permuted (approximate)",
    "none: no mouse could have borne another's label",
)


@dataclass(frozen=True)
class Relabelling:
    """The labellings of one question.

    Attributes
    ----------
    scheme
        What is exchanged, in words.
    orders
        Labellings x units: unit i takes the labels (or the residual) of unit ``orders[k, i]``. The first is the one seen.
    exact
        Whether these are all labellings; else a seeded sample of them.
    residuals
        Whether residuals are permuted, not labels.
    """

    scheme: str
    orders: Order
    exact: bool
    residuals: bool = False


def chosen_units(contrast: Contrast, design: Design) -> npt.NDArray[np.bool_]:
    """Units whose absence or label can change an answer.

    In a full model those of the arms that the question names; in an additive one, where every arm tells of an effect, all
    units.
    """
    if design.settings["model"] == "full":
        return np.asarray(design.units[ARM].isin(contrast.weights), dtype=bool)
    return np.ones(len(design.units), dtype=bool)


def chosen_mice(question: str, part: Design, used: npt.NDArray[np.bool_]) -> list[str]:
    """Mice, among the units that were used, whose absence can change the answer to a question."""
    contrast = part[question]
    chosen = chosen_units(contrast, part)
    if contrast.kind == "rescue":
        chosen = chosen | chosen_units(part[contrast.damage], part)
    return list(dict.fromkeys(part.units[keys.MOUSE].astype(str)[chosen & used]))


def relabel(
    question: str, design: Design, seed: int, *, max_exact: int = MAX_EXACT, sampled: int = SAMPLED
) -> Relabelling:
    """Labellings that the null hypothesis of a question lets pass.

    Parameters
    ----------
    question
        Its name; of a rescue those of its repair.
    design
        The design of the units at hand: one part of a study, without the units that were not measured.
    seed
        Of the sample.
    max_exact
        Up to so many labellings are all gone through.
    sampled
        Labellings drawn where there are more.

    Returns
    -------
    Relabelling
        At least the labelling seen.
    """
    by_name = {item["name"]: item for item in design.settings["questions"]}
    asked = by_name[question]
    asked = by_name[asked["repair"]] if asked["kind"] == "rescue" else asked
    chosen = chosen_units(design[asked["name"]], design)
    factor = asked.get("factor") if asked["kind"] == "effect" else None
    rng = np.random.default_rng([seed, *question.encode()])
    covariates = design.covariates
    if factor and not any(is_number(design.units[name]) for name in covariates):
        chosen &= design.units[factor].isin([asked["level"], asked["reference"]]).to_numpy()
        blocks = _blocks(design, chosen, [name for name in (*design.factors, *covariates) if name != factor], factor)
        found = _labellings(blocks, design.units[factor].to_numpy() == asked["level"], max_exact, sampled, rng)
        scheme = STRATA.format(" and ".join(covariates)) if covariates else LABELS
        if found is not None:
            return Relabelling(scheme, *_whole(found, len(design.units)))
        if not covariates:
            return Relabelling(NONE, np.arange(len(design.units))[None, :], True)
    blocks = _blocks(design, chosen, [TISSUE] if TISSUE in design.factors else [], factor)
    found = _shuffles(blocks, max_exact, sampled, rng)
    if found is None:
        return Relabelling(NONE, np.arange(len(design.units))[None, :], True)
    return Relabelling(RESIDUALS, *_whole(found, len(design.units)), residuals=True)


#: orders of some units (labellings x units moved), the units moved, and whether they are all
_Found = tuple[list[Order], Order, bool]


def _whole(found: _Found, n_units: int) -> tuple[Order, bool]:
    """Orders of all units from those of the units that move."""
    orders, moved, exact = found
    whole = np.tile(np.arange(n_units), (len(orders), 1))
    whole[:, moved] = np.array(orders)
    return whole, exact


def _blocks(
    design: Design, chosen: npt.NDArray[np.bool_], alike: Sequence[str], factor: str | None
) -> list[list[Order]]:
    """Groups of what can be exchanged, each a mouse (its units in the order of their tissues).

    Mice are exchanged whole: their tissues are not independent. Where tissues are compared, it is the tissues of one mouse
    that are exchanged.
    """
    units = design.units
    columns = [name for name in alike if name in units]
    mouse = units[keys.MOUSE].astype(str).to_numpy()
    groups: dict[tuple[str, ...], list[Order]] = {}
    if factor == TISSUE:
        for place in np.flatnonzero(chosen):
            groups.setdefault((mouse[place], *_levels(units, int(place), columns)), []).append(np.array([place]))
        return list(groups.values())
    for name in dict.fromkeys(mouse[chosen]):
        places = np.flatnonzero(chosen & (mouse == name))
        places = places[np.argsort(units[keys.TISSUE].to_numpy()[places], kind="stable")]
        alike_in = tuple(level for place in places for level in _levels(units, int(place), columns))
        groups.setdefault(alike_in, []).append(places)
    return list(groups.values())


def _levels(units: pd.DataFrame, place: int, columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(units[name].iloc[place]) for name in columns)


def _labellings(
    blocks: Sequence[Sequence[Order]],
    level: npt.NDArray[np.bool_],
    max_exact: int,
    sampled: int,
    rng: np.random.Generator,
) -> _Found | None:
    """Distinct ways to hand the two labels out within each block; None where there is but one."""
    blocks = [block for block in blocks if 0 < sum(level[mouse[0]] for mouse in block) < len(block)]
    counts = [math.comb(len(block), sum(level[mouse[0]] for mouse in block)) for block in blocks]
    if math.prod(counts) < 2:
        return None
    moved = np.concatenate([np.concatenate(block) for block in blocks])
    if math.prod(counts) <= max_exact:
        ways = [[_hand_out(block, level, held) for held in _holders(block, level)] for block in blocks]
        return [np.concatenate(way) for way in product(*ways)], moved, True
    seen = [np.concatenate([_hand_out(block, level, next(_holders(block, level))) for block in blocks])]
    for _ in range(sampled):
        held = [rng.permutation(len(block))[: sum(level[mouse[0]] for mouse in block)] for block in blocks]
        parts = [_hand_out(block, level, chosen) for block, chosen in zip(blocks, held, strict=True)]
        seen.append(np.concatenate(parts))
    return seen, moved, False


def _holders(block: Sequence[Order], level: npt.NDArray[np.bool_]) -> Iterator[tuple[int, ...]]:
    """Which mice of a block have the level: as seen first, then every other choice."""
    seen = tuple(place for place, mouse in enumerate(block) if level[mouse[0]])
    yield seen
    yield from (held for held in combinations(range(len(block)), len(seen)) if held != seen)


def _hand_out(block: Sequence[Order], level: npt.NDArray[np.bool_], held: Sequence[int] | Order) -> Order:
    """From which unit each unit of a block takes its label, where the mice `held` have the level."""
    kept = set(map(int, held))
    sources = {
        flag: iter([place for place, mouse in enumerate(block) if level[mouse[0]] == flag]) for flag in (True, False)
    }
    return np.concatenate([block[next(sources[place in kept])] for place in range(len(block))])


def _shuffles(
    blocks: Sequence[Sequence[Order]], max_exact: int, sampled: int, rng: np.random.Generator
) -> _Found | None:
    """Permutations of the mice within each block, as seen first; None where there is but one."""
    total = math.prod(math.factorial(len(block)) for block in blocks)
    if total < 2:
        return None
    moved = np.concatenate([np.concatenate(block) for block in blocks])
    if total <= max_exact:
        ways = product(*(permutations(block) for block in blocks))
        return [np.concatenate([np.concatenate(block) for block in way]) for way in islice(ways, total)], moved, True
    orders = [moved]
    for _ in range(sampled):
        orders.append(
            np.concatenate([np.concatenate([block[p] for p in rng.permutation(len(block))]) for block in blocks])
        )
    return orders, moved, False
