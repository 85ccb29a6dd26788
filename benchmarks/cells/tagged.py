"""Counts of hashtags with a known truth, drawn as Zhu et al. 2024 (deMULTIplex2, doi:10.1186/s13059-024-03177-y) describe them.

Their mechanism and their figures: a cell takes up stain of its tag, lognormal, median e^6 = 403 counts, standard deviation 1
(natural log); what it carries over from the pool of every tag is e^-3 = 5 % of its own stain; and every droplet takes up
e^4 = 55 counts of every tag that floats around; the last two scatter as negative binomials of size 10. A droplet of two cells
holds the stains of both and floats of one. What is ours: unequal shares, weak and failed tags, RNA that grows with the stain
(correlation .3 to .5 of the logs is usual in what demuxmix shows, doi:10.1093/bioinformatics/btad481), cells without a stain.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass

import anndata
import numpy as np
import numpy.typing as npt
import pandas as pd

STAIN, STAIN_SD = 6.0, 1.0
CARRIED, FLOATING, SIZE = -3.0, 4.0, 10.0
RNA, RNA_SD, RNA_CORRELATION = 8.3, 0.45, 0.4  # 4,000 UMIs


@dataclass(frozen=True)
class Tagged:
    """Cells x tags, RNA of each cell, and its tags: cells x 2, -1 where there is none; the first stands alone in singlets."""

    counts: npt.NDArray[np.int64]
    umis: npt.NDArray[np.int64]
    tags: npt.NDArray[np.int64]


def simulate_tags(
    rng: np.random.Generator,
    n_cells: int,
    n_tags: int,
    *,
    doublets: float,
    negatives: float = 0.02,
    shares: npt.ArrayLike | None = None,
    stain: npt.ArrayLike = STAIN,
    floating: npt.ArrayLike = FLOATING,
    stain_sd: float = STAIN_SD,
) -> Tagged:
    """Draw a library.

    Parameters
    ----------
    rng
        Random numbers.
    n_cells, n_tags
        Droplets and tags.
    doublets, negatives
        Share of droplets with two cells (of one tag or two), and of cells that no tag stained.
    shares
        Of each tag; equal where not given. A share of 0 is a tag on no cell.
    stain, floating
        Mean log counts, one for all tags or one a tag; a stain of -inf is a tag that failed: its cells have none.
    stain_sd
        Of the log stain.
    """
    share = np.full(n_tags, 1 / n_tags) if shares is None else np.asarray(shares, dtype=float) / np.sum(shares)
    levels, floats = np.broadcast_to(stain, n_tags), np.broadcast_to(floating, n_tags)
    counts = np.zeros((n_cells, n_tags))
    umis = np.zeros(n_cells)
    found = np.full((n_cells, 2), -1)
    two = rng.random(n_cells) < doublets
    for place, there in enumerate((np.ones(n_cells, dtype=bool), two)):
        tag = rng.choice(n_tags, n_cells, p=share)
        stained = there & (rng.random(n_cells) >= negatives) & np.isfinite(levels[tag])
        z = rng.normal(size=(2, n_cells))
        own = np.where(stained, np.ceil(np.exp(levels[tag] + stain_sd * z[0])), 0)
        counts[np.arange(n_cells), tag] += own
        counts += _scattered(rng, np.repeat((own * np.exp(CARRIED))[:, None], n_tags, axis=1))
        other = RNA_CORRELATION * z[0] + np.sqrt(1 - RNA_CORRELATION**2) * z[1]
        umis += np.where(there, np.exp(RNA + RNA_SD * other), 0)
        found[stained, place] = tag[stained]
    counts += _scattered(rng, np.broadcast_to(np.exp(floats), counts.shape))
    same = found[:, 0] == found[:, 1]
    found[same, 1] = -1
    found = -np.sort(-found, axis=1)  # a tag before none
    both = (found >= 0).all(axis=1)
    found[both] = np.sort(found[both], axis=1)
    return Tagged(counts.astype(np.int64), np.maximum(umis, 1).astype(np.int64), found)


def _scattered(rng: np.random.Generator, mean: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.asarray(rng.poisson(mean * rng.gamma(SIZE, 1 / SIZE, mean.shape)))


def hashsolo(counts: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]:
    """Calls and tags (cells x 2) of scanpy's hashsolo (Bernstein et al. 2020, doi:10.1016/j.cels.2020.05.010), its defaults.

    Its doublets name no tags. It needs three tags or more.
    """
    from scanpy.external.pp import hashsolo as solo

    names = [f"tag{number}" for number in range(counts.shape[1])]
    obs = pd.DataFrame(counts, columns=names, index=[str(number) for number in range(len(counts))])
    adata = anndata.AnnData(np.zeros((len(counts), 1)), obs=obs)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solo(adata, names)
    said = adata.obs["Classification"].astype(str)
    call = np.select([said == "Doublet", said == "Negative"], ["doublet", "negative"], "singlet").astype(object)
    place = said.map({name: number for number, name in enumerate(names)}).fillna(-1).to_numpy(dtype=int)
    return call, np.column_stack([place, np.full(len(place), -1)])


def judge(drawn: Tagged, call: npt.NDArray[np.object_], tags: npt.NDArray[np.int64]) -> dict[str, float]:
    """Precision and recall of doublets of two tags and of singlets of the right tag, and recall of the cells of none.

    NaN where nothing was called, or nothing was there. Calls may be "uncertain": those are found by nobody.
    """
    two = np.asarray((drawn.tags >= 0).all(axis=1))
    none = drawn.tags[:, 0] < 0
    one = ~two & ~none
    doublets, singlets = call == "doublet", call == "singlet"
    right = singlets & one & (tags[:, 0] == drawn.tags[:, 0])

    def share(part: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_]) -> float:
        return float(part[of].mean()) if of.any() else float("nan")

    return {
        "doublet_precision": share(two, doublets),
        "doublet_recall": share(doublets, two),
        "singlet_precision": share(right, singlets),
        "singlet_recall": share(right, one),
        "negative_recall": share(call == "negative", none),
        "uncertain": float((call == "uncertain").mean()),
    }
