"""The tables of the study as a whole: every barcode, every sample, composition, mean scores."""

import pandas as pd

from livermet.mice.answers import files
from livermet.mice.design.losses import tell_losses, tell_without_tcells
from livermet.mice.design.model import Design
from livermet.mice.endpoints.composition import units_of
from livermet.notices import Notice, gather, tabulate
from livermet.step import Step

with Step(snakemake) as step:
    design, barcodes, labels = Design.from_dict(step.load("design")), step.load("barcodes"), step.load("labels")
    units = units_of(barcodes, pd.DataFrame.from_dict(step.params["sheet"], orient="index"), design)
    scores = files.average_scores(step.load("scores"), labels, units, design, step.params["populations"])
    # As text: a mouse called 01 stays 01.
    texts = {
        name: pd.read_csv(step.paths(name)[0], sep="\t", dtype=str, keep_default_na=False)
        for name in ("samples", "composition")
    }
    told = [
        *(Notice(**one) for one in step.params["told"]),
        *tell_losses(design, units[labels.index]),
        *tell_without_tcells(barcodes.loc[labels.index, "sample"], labels["lineage"], step.params["tcells"]),
    ]
    notices = gather([tabulate(told), *step.load_all("notices")])
    step.save(
        notices=notices,
        cells=files.list_cells(barcodes.join(step.load("programmes")), labels),
        state_scores=scores,
        **texts,
    )
