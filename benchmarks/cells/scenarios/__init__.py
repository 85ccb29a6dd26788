"""One promise a file; `SCENARIOS` holds them in the order in which they are run."""

from __future__ import annotations

from benchmarks.cells.scenarios import hashtags, mock, real, shifts, soup, studies, twos
from benchmarks.common.measures import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        soup.SCENARIO,
        twos.SCENARIO,
        hashtags.SCENARIO,
        studies.SCENARIO,
        shifts.SCENARIO,
        real.LUNG,
        real.DOUBLETS,
        real.SOUP,
        mock.SCENARIO,
    )
}
