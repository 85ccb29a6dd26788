"""The tables of the study as a whole: every barcode, every sample, composition, mean scores."""

import pandas as pd

from livermet.mice import tables
from livermet.mice.composition import units_of
from livermet.mice.design import Design
from livermet.step import Step

with Step(snakemake) as step:
    design, barcodes, labels = Design.from_dict(step.load("design")), step.load("barcodes"), step.load("labels")
    units = units_of(barcodes, pd.DataFrame.from_dict(step.params["samples"], orient="index"), design)
    populations = step.params["populations"]
    scores = tables.average_scores(step.load("scores"), labels, units, design, populations)
    cells = tables.list_cells(barcodes, labels)
    step.save(cells=cells, samples=step.load("samples"), composition=step.load("composition"), state_scores=scores)
