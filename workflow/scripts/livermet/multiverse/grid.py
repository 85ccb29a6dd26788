"""Which analytic choices are crossed, and what a specification is called.

The study's own choices are always among them, so that the specification that was reported stands in its own curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MADS, DOUBLETS, INTEGRATE, RESOLUTION = "mads", "doublets", "integrate", "resolution"
CHOICES = (MADS, DOUBLETS, INTEGRATE, RESOLUTION)
REMOVE, KEEP, STRICT = "remove", "keep", "strict"
RULES = (REMOVE, STRICT, KEEP)
SPECIFICATION = "specification"


@dataclass(frozen=True)
class CellSet:
    """One way of choosing the cells.

    Attributes
    ----------
    mads
        Median absolute deviations that make an outlier.
    doublets
        ``remove`` the called ones, ``keep`` them, or ``strict``: call as if twice as many were there and remove.
    """

    mads: float
    doublets: str

    @property
    def name(self) -> str:
        """As files and wildcards have it."""
        return f"{MADS}-{self.mads:g}_{DOUBLETS}-{self.doublets}"


def read_cell_set(name: str) -> CellSet:
    """The set that a name stands for."""
    mads, doublets = (part.split("-", 1)[1] for part in name.split("_"))
    return CellSet(float(mads), doublets)


def own_choices(quality: Mapping[str, Any], embed: Mapping[str, Any]) -> dict[str, Any]:
    """What the study itself chose, but for the resolution, which may be found only when the cells are clustered."""
    return {
        MADS: float(quality["mads"]),
        DOUBLETS: REMOVE if quality["remove_doublets"] else KEEP,
        INTEGRATE: str(embed["integrate"]),
    }


def cell_sets(multiverse: Mapping[str, Any], quality: Mapping[str, Any]) -> list[CellSet]:
    """Every way of choosing the cells: QC strictness x doublet rule.

    Parameters
    ----------
    multiverse, quality
        Resolved sections of the config.

    Returns
    -------
    list of CellSet
        The strictest first; the study's own among them.
    """
    own = own_choices(quality, {INTEGRATE: ""})
    mads = sorted({float(value) for value in multiverse[MADS]} | {own[MADS]})
    named = {*multiverse[DOUBLETS], own[DOUBLETS]}
    return [CellSet(value, rule) for value in mads for rule in RULES if rule in named]


def integrations(multiverse: Mapping[str, Any], embed: Mapping[str, Any], batches: Sequence[str]) -> list[str]:
    """Ways of bringing batches together; the study's own alone where there is one batch, for then they are the same.

    Parameters
    ----------
    multiverse, embed
        Resolved sections of the config.
    batches
        Batch of every sample; empty where the sheet has none.
    """
    own = str(embed[INTEGRATE])
    if len(set(batches)) < 2:
        return [own]
    return sorted({*multiverse[INTEGRATE], own})


def resolutions(multiverse: Mapping[str, Any], cluster: Mapping[str, Any], chosen: float) -> list[float]:
    """Resolutions of the clustering: those named, or those that the study tries, and the one that it chose."""
    named = multiverse["resolutions"] or cluster["resolutions"]
    return sorted({float(value) for value in named} | {float(chosen)})


def name_specification(choices: Mapping[str, Any]) -> str:
    """A specification in words, such as ``5 MADs, doublets remove, harmony, resolution 1``."""
    return (
        f"{choices[MADS]:g} MADs, doublets {choices[DOUBLETS]}, {choices[INTEGRATE]}, "
        f"resolution {choices[RESOLUTION]:g}"
    )
