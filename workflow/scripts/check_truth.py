"""What the demo found beside what was planted in it, with a verdict each."""

from livermet.demo.comparison import compare_with_truth
from livermet.step import Step

RESULTS = ("barcodes", "labels", "composition", "rescue", "expression")
TRUTH = ("cells", "genes", "abundance", "rescue", "samples")

with Step(snakemake) as step:
    results = {name: step.load(name) for name in RESULTS}
    truth = {name: step.load(f"true_{name}") for name in TRUTH}
    step.save(truth=compare_with_truth(**results, truth=truth, **step.params["design"]))
