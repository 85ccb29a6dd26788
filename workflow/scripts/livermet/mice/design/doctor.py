"""The design doctor: what these mice can tell, what they cannot, and how many more would do, before anything is computed.

Nothing here is typed in twice: the tiers are those of :mod:`livermet.mice.design.estimability`, and what more mice would
bring is found by adding them to the design and judging it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from livermet import keys
from livermet.mice.design import questions as asked
from livermet.mice.design.advice import advise
from livermet.mice.design.aliasing import is_number
from livermet.mice.design.estimability import ARM, MIN_MICE_PER_ARM, MIN_RESIDUAL_DF, Contrast, df_between_mice
from livermet.mice.design.model import Design
from livermet.mice.design.questions import TISSUE
from livermet.mice.design.support import attainable_p, describe_vector, names_of, support

SHOWN = 6  # names in a row


@dataclass(frozen=True)
class Verdict:
    """What the design can say to one question.

    Attributes
    ----------
    name, kind, sentence, formula
        As asked.
    vector
        The contrast over the columns of the model, in words: "+1 liver.rt -1 liver.untreated"; empty if not estimable.
    tier, because
        One of `keys.TIERS`, and the reason for it: degrees of freedom, mice in the arms, or what cannot be told apart.
    mice
        Group that the question rests on -> names of its mice.
    smallest_p
        The smallest two-sided p that relabelling mice can give; None where labels cannot be exchanged.
    advice
        What would make it confirmatory; empty where it is or nothing small would.
    """

    name: str
    kind: str
    sentence: str
    formula: str
    vector: str
    tier: str
    because: str
    mice: dict[str, list[str]]
    smallest_p: float | None
    advice: str


@dataclass(frozen=True)
class Findings:
    """The whole examination, in plain words and numbers.

    Attributes
    ----------
    n_mice, n_units
        Animals or pools; measurements of them (several where a mouse gave several tissues).
    arms
        Mice per arm: corner, columns, rows (label, numbers).
    model, formula, rank, residual_df, dropped
        The model in words, as a formula, and its numbers; `dropped` are columns that repeat others.
    aliasing
        What cannot be told apart.
    notes
        Arms that are short (mice named), pools, mice in several tissues or arms.
    verdicts
        One a question.
    """

    n_mice: int
    n_units: int
    arms: dict[str, Any]
    model: str
    formula: str
    rank: int
    residual_df: int
    dropped: list[str]
    aliasing: list[str]
    notes: list[str]
    verdicts: list[Verdict]

    def to_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        return asdict(self)


def examine(design: Design, notes: Sequence[str] = ()) -> Findings:
    """Examine a design.

    Parameters
    ----------
    design
        As :func:`livermet.mice.design.model.build_design` gives it.
    notes
        What else the reader should mind, such as batches that go partly with the treatment.

    Returns
    -------
    Findings
        Said of the design as a whole. In a population where mice have too few cells the same questions are judged anew.
    """
    return Findings(
        n_mice=int(design.units[keys.MOUSE].nunique()),
        n_units=len(design.units),
        arms=count_arms(design),
        model=_model(design),
        formula=design.formula,
        rank=design.rank,
        residual_df=design.residual_df,
        dropped=list(design.dropped),
        aliasing=list(design.aliasing),
        notes=[*_short_arms(design), *_pools(design), *_tissues(design), *notes],
        verdicts=[_verdict(contrast, part, design) for contrast, part in design.judged().values()],
    )


def count_arms(design: Design) -> dict[str, Any]:
    """Mice of every arm as a table: the levels of the factor with most of them across, the others' down."""
    names = list(design.factors)
    across = max(names, key=lambda name: (len(design.factors[name]), names.index(name)))
    down = [name for name in names if name != across]
    rows = []
    for chosen in product(*(design.factors[name] for name in down)):
        fixed = dict(zip(down, chosen, strict=True))
        arms = [asked.arm_name({**fixed, across: level}[name] for name in names) for level in design.factors[across]]
        rows.append({"label": list(chosen), "numbers": [design.arms.get(arm, 0) for arm in arms]})
    return {"corner": [*down, across], "columns": list(design.factors[across]), "rows": rows}


def _verdict(contrast: Contrast, part: Design, design: Design) -> Verdict:
    mice = support(contrast, part)
    return Verdict(
        name=contrast.name,
        kind=contrast.kind,
        sentence=contrast.sentence,
        formula=contrast.formula,
        vector=describe_vector(contrast, part),
        tier=contrast.tier,
        because=_because(contrast, part, mice),
        mice=mice,
        smallest_p=attainable_p(contrast, part) if contrast.tier != keys.DESCRIPTIVE else None,
        advice="" if contrast.tier == keys.CONFIRMATORY else advise(contrast, part),
    )


def _because(contrast: Contrast, design: Design, mice: Mapping[str, list[str]]) -> str:
    """Why a question has its tier."""
    if not contrast.estimable:
        return contrast.reason
    df = design.residual_df
    if df == 0:
        return "the model uses up every mouse: no residual degree of freedom is left to judge a difference by"
    df = min(df, df_between_mice(design.units, design.matrix))
    short = [f"{group} has {_count(names)}" for group, names in mice.items() if len(names) < MIN_MICE_PER_ARM]
    if contrast.tier == keys.CONFIRMATORY:
        least = min(len(names) for names in mice.values())
        return f"{df} residual df ({MIN_RESIDUAL_DF} wanted); at least {least} mice in each group ({MIN_MICE_PER_ARM} wanted)"
    few = [f"{df} residual df, where {MIN_RESIDUAL_DF} are wanted"] if df < MIN_RESIDUAL_DF else []
    return "; ".join([*few, *([f"{', '.join(short)}, where {MIN_MICE_PER_ARM} are wanted"] if short else [])])


def _model(design: Design) -> str:
    """The model in words."""
    full = design.settings["model"] == "full"
    text = "every arm has a mean of its own" if full else "main effects only: a level does the same in every arm"
    covariates = design.covariates
    if covariates:
        told = [
            name if is_number(design.units[name]) else f"{name} ({', '.join(_few(sorted(set(design.units[name]))))})"
            for name in covariates
        ]
        text += f", adjusted for {' and '.join(told)}"
    if TISSUE in design.factors and design.units[keys.MOUSE].nunique() < len(design.units):
        text += "; tissues of one mouse are correlated, and each tissue is judged by its own units"
    return text


def _short_arms(design: Design) -> list[str]:
    """Arms with no mouse or too few, their mice named."""
    empty, short = [], []
    for levels in product(*design.factors.values()):
        arm = asked.arm_name(levels)
        mice = names_of(design.units[design.units[ARM] == arm])
        if not mice:
            empty.append(arm)
        elif len(mice) < MIN_MICE_PER_ARM:
            short.append(f"{arm} ({', '.join(mice)})")
    notes = [f"no mouse in {', '.join(empty)}"] if empty else []
    return notes + ([f"fewer than {MIN_MICE_PER_ARM} mice in {', '.join(short)}"] if short else [])


def _pools(design: Design) -> list[str]:
    """Pools, which are one replicate each however many mice are in them."""
    if keys.POOL_SIZE not in design.units:
        return []
    sizes = design.units.drop_duplicates(keys.MOUSE).set_index(keys.MOUSE)[keys.POOL_SIZE].astype(int)
    pools = [f"{mouse} (of {size})" for mouse, size in sizes[sizes > 1].items()]
    return [f"pools count as one replicate each: {', '.join(_few(pools))}"] if pools else []


def _tissues(design: Design) -> list[str]:
    """Mice with several tissues, and those that stand in several arms because of them."""
    units = design.units
    several = [str(mouse) for mouse, group in units.groupby(keys.MOUSE, sort=False) if len(group) > 1]
    notes = [f"{len(several)} mice gave several tissues: one replicate each"] if several else []
    for name in design.factors:
        if name != TISSUE:
            torn = [str(mouse) for mouse, group in units.groupby(keys.MOUSE, sort=False) if group[name].nunique() > 1]
            notes += [f"{name} differs between tissues of one mouse: {', '.join(_few(torn))}"] if torn else []
    return notes


def _count(names: list[str]) -> str:
    if not names:
        return "no mouse"
    return f"{len(names)} mouse ({names[0]})" if len(names) == 1 else f"{len(names)} mice ({', '.join(_few(names))})"


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= SHOWN else [*names[: SHOWN - 1], f"{len(names) - SHOWN + 1} more"]
