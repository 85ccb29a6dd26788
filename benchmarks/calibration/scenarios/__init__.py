"""One promise a file; `SCENARIOS` holds them in the order in which they are run."""

from __future__ import annotations

from benchmarks.calibration.scenarios import (
    abundance,
    detectable,
    dispersions,
    genes,
    replicates,
    rescued,
    signatures,
    single_mice,
)
from benchmarks.common.measures import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        genes.NULL,
        genes.DIFFERENTIAL,
        dispersions.SCENARIO,
        single_mice.SCENARIO,
        signatures.NULL,
        signatures.POWER,
        genes.POWER,
        detectable.DETECTABLE,
        detectable.NEEDED,
        abundance.SCENARIO,
        rescued.SCENARIO,
        rescued.NO_DAMAGE,
        replicates.SCENARIO,
    )
}
