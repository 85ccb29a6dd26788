"""Headlines over all specifications, and how far they hold."""

from livermet.mice.checks.multiverse import collect_multiverse
from livermet.multiverse.grid import own_choices
from livermet.step import Step

with Step(snakemake) as step:
    stability = step.load("stability")
    own = own_choices(**step.params["settings"])
    own["resolution"] = float(stability.loc[stability["chosen"], "resolution"].iloc[0])
    tables = {name: step.load_all(name) for name in ("estimates", "outcomes")}
    step.save(
        **collect_multiverse(**tables, answers=step.load("answers"), own=own, confidence=step.params["confidence"])
    )
