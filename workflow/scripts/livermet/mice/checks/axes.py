"""A rescue along an axis that is learned from the mice: without a mouse the axis is learned anew, too."""

from __future__ import annotations

import numpy as np
import pandas as pd

from livermet import keys
from livermet.mice.checks.quantities import Sources
from livermet.mice.design.model import Design
from livermet.mice.endpoints.rescue import AXIS, RESCUE, test_rescue

NO_GENES = pd.DataFrame(
    columns=[keys.QUESTION, keys.POPULATION, keys.GENE_ID, keys.GENE, keys.LOG_FOLD_CHANGE, keys.P_VALUE]
)


def rescue_along_axis(question: str, population: str, design: Design, sources: Sources) -> float:
    """The rescued share of one rescue along the axis of its damage.

    Parameters
    ----------
    question, population
        The rescue, and whose expression the axis is of.
    design
        Of the mice at hand.
    sources
        What the tests measured.

    Returns
    -------
    float
        NaN where it cannot be estimated.
    """
    (asked,) = (one for one in design.settings["questions"] if one["name"] == question)
    chosen = [one for one in asked["readouts"] if (one["readout"], one[keys.POPULATION]) == (AXIS, population)]
    settings = {**design.settings, "questions": [{**asked, "readouts": chosen}]}
    given = (sources.abundance, sources.pseudobulk, NO_GENES, design, settings, sources.signatures, sources.defining)
    table = test_rescue(*given)[RESCUE]
    return float(table[RESCUE].iloc[0]) if bool(table["estimable"].iloc[0]) else np.nan
