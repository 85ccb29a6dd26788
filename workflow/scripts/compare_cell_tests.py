"""What a test that takes cells for replicates would have claimed, counted beside what the mice support."""

from livermet.demo.known import known_changes
from livermet.mice.checks.cells_as_replicates import compare_cell_tests
from livermet.mice.design.model import Design
from livermet.step import Step

with Step(snakemake) as step:
    design = Design.from_dict(step.load("design"))
    truth = {name: step.load(f"true_{name}") for name in ("genes", "abundance")}
    simulated = all(table is not None for table in truth.values())
    calls = compare_cell_tests(
        **{name: step.load(name) for name in ("counts", "labels", "expression", "samples")},
        design=design,
        rate=1 - design.settings["confidence"],
        known=known_changes(truth, design.settings["questions"], design.factors) if simulated else None,
    )
    step.save(calls=calls)
