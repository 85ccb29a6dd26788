"""The sex of every sample, read from Xist and the Y chromosome, against what the sheet says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from livermet.keys import MOUSE, POOL_SIZE, SAMPLE, SYMBOL
from livermet.notices import LOUD, QUIET, Notice

if TYPE_CHECKING:
    from anndata import AnnData

    from livermet.files.counts import Counts

SEX = "sex"
FEMALE, MALE, MIXED, UNKNOWN = "female", "male", "mixed", "cannot be told"
XIST = ("Xist",)
Y_GENES = ("Ddx3y", "Eif2s3y", "Kdm5d", "Uty")
MIN_UMIS = 20  # of Xist and Y genes together; fewer tell nothing
# Of a sample's UMIs of these genes. A little of the other sex is soup, hopped reads or a doublet from the bench.
PURE = 0.10
STEP = "check_cells"
SAYS = {"f": FEMALE, "female": FEMALE, "m": MALE, "male": MALE}


def read_sex(counts: AnnData | Counts, samples: list[str]) -> pd.DataFrame:
    """Sex of every sample.

    Parameters
    ----------
    counts
        Kept cells x genes, raw; `obs` has `sample`, `var` has `symbol`.
    samples
        In the order wanted.

    Returns
    -------
    pandas.DataFrame
        Index sample; `xist_umis`, `y_umis`, `y_share` (of both), `sex_found`, and how many cells show Xist alone, Y genes
        alone, and both (`cells_xist`, `cells_y`, `cells_both`).
    """
    symbols = counts.var[SYMBOL].astype(str)
    X = sp.csr_matrix(counts.X)
    xist, y = (
        np.asarray(X[:, np.flatnonzero(symbols.isin(genes))].sum(axis=1), dtype=np.int64).ravel()
        for genes in (XIST, Y_GENES)
    )
    cells = pd.DataFrame(
        {
            "xist_umis": xist, "y_umis": y, "cells_xist": (xist > 0) & (y == 0), "cells_y": (y > 0) & (xist == 0),
            "cells_both": (xist > 0) & (y > 0),
        }
    )  # fmt: skip
    table = cells.groupby(counts.obs[SAMPLE].astype(str).to_numpy()).sum().reindex(samples, fill_value=0).astype(int)
    table.index.name = SAMPLE
    total = table["xist_umis"] + table["y_umis"]
    share = table["y_umis"] / total.where(total > 0)
    table.insert(2, "y_share", share)
    table.insert(
        3, "sex_found", np.select([total < MIN_UMIS, share <= PURE, share >= 1 - PURE], [UNKNOWN, FEMALE, MALE], MIXED)
    )
    return table


def tell_sex(found: pd.DataFrame, sheet: pd.DataFrame) -> list[Notice]:
    """Samples whose cells contradict the sheet, and samples of both sexes.

    Parameters
    ----------
    found
        From :func:`read_sex`.
    sheet
        Index sample; `mouse`, and where known `sex` and `pool_size`.

    Returns
    -------
    list of Notice
        A contradiction is loud; a sample of both sexes too, unless the sheet has it as a pool or names no one sex.
    """
    notices = []
    for sample, row in found.iterrows():
        about = {str(name): str(value) for name, value in sheet.loc[str(sample)].items()}
        said = SAYS.get(about.get(SEX, "").strip().lower(), "")
        numbers = (
            f"Xist {row['xist_umis']} UMIs, {', '.join(Y_GENES)} {row['y_umis']}; cells with Xist alone {row['cells_xist']}, "
            f"with Y genes alone {row['cells_y']}, with both {row['cells_both']}"
        )
        if row["sex_found"] in (FEMALE, MALE) and said and said != row["sex_found"]:
            what = f"The sheet calls mouse {about[MOUSE]} {said}; the cells of sample {sample} are {row['sex_found']}."
            remedy = "A swap of samples or a slip in the sheet: mend it before you read the answers"
            notices.append(Notice(str(sample), STEP, what, numbers, remedy, LOUD))
        elif row["sex_found"] == MIXED:
            pool = about.get(POOL_SIZE, "1") not in ("", "1") or bool(about.get(SEX, "") and not said)
            what = f"Sample {sample} holds cells of both sexes ({row['y_share']:.0%} of the UMIs of these genes are of the Y)."
            remedy = (
                "A pool, mixed libraries, or tumour cells of a line of the other sex (a line may also have lost its Y)"
            )
            notices.append(Notice(str(sample), STEP, what, numbers, remedy, QUIET if pool else LOUD))
    return notices
