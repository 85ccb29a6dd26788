"""Hashtags among the features of a file, and what they tell of its cells.

A hashtag is an antibody or a lipid that marks every cell of one sample before samples are put together (Stoeckius et al.
2018, doi:10.1186/s13059-018-1603-1; McGinnis et al. 2019, doi:10.1038/s41592-019-0433-8). Antibodies that measure a protein
stand in the same matrix, and are never taken for one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from livermet.errors import InputError, Problem
from livermet.inputs.told import tell
from livermet.keys import IS_EMPTY, KNOWN_DOUBLET, OTHERS, TAG_CALL, TAG_PROBABILITY, TAGS
from livermet.names import visible
from livermet.notices import LOUD, QUIET

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

log = logging.getLogger("livermet")

AUTO, NEVER = "auto", "never"
MULTIPLEXING = "Multiplexing Capture"  # what 10x calls the features that tell samples
# What hashtags are called: by word; CellPlex's CMO301; BD's SampleTag01; TotalSeq's numbers of hashtags for mouse (0301 to 0315)
# and human cells (0251 to 0265), which no antibody against a protein bears.
WORD = re.compile(
    r"(?:^|[^a-z])(?:anti)?(?:hash[-_ .]?tags?|htos?|hto\d+|hash\d+|cmo\d{3}|lmo\d+|sample[-_ .]?tags?\d*)(?:$|[^a-z])"
    r"|totalseq[-_ .]?[abc]?[-_ .]?0?(?:25[1-9]|26[0-5]|30[1-9]|31[0-5])(?:$|\D)"
    r"|^[abc]0(?:25[1-9]|26[0-5]|30[1-9]|31[0-5])(?:$|\D)",
    re.IGNORECASE,
)
JOINED = " + "
SHOWN = 12


def are_hashtags(features: pd.DataFrame, wanted: str | Sequence[str] = AUTO) -> NDArray[np.bool_]:
    """Which features are hashtags.

    Parameters
    ----------
    features
        Columns `id`, `symbol`, `type`.
    wanted
        "auto": those of 10x's type for them, and of the other features that are no genes those that are called so;
        "never": none; or the ids or symbols of the hashtags, and no others.
    """
    none = np.zeros(len(features), dtype=bool)
    if isinstance(wanted, str) and wanted == NEVER:
        return none
    if not isinstance(wanted, str):
        return (features["id"].isin(list(wanted)) | features["symbol"].isin(list(wanted))).to_numpy()
    other = np.flatnonzero(features["type"].isin(["Antibody Capture", "Custom"]))
    called = none.copy()
    called[other] = [
        any(WORD.search(str(name)) for name in pair)
        for pair in zip(features["id"].iloc[other], features["symbol"].iloc[other], strict=True)
    ]
    return np.asarray((features["type"] == MULTIPLEXING).to_numpy() | called)


def label(features: pd.DataFrame) -> list[str]:
    """What features are called: their symbols, or their ids where a symbol stands twice."""
    symbols = features["symbol"].astype(str)
    return features["id"].astype(str).where(symbols.duplicated(keep=False) | (symbols == ""), symbols).tolist()


def find_named(features: pd.DataFrame, name: str) -> int:
    """Place of the feature of this id or symbol; -1 where there is none, or several."""
    places = np.flatnonzero(((features["id"] == name) | (features["symbol"] == name)).to_numpy())
    return int(places[0]) if len(places) == 1 else -1


def other_features(adata: AnnData) -> pd.DataFrame:
    """The features of read counts that are no genes: `id`, `symbol`, `type`."""
    found = adata.uns.get(OTHERS)
    return pd.DataFrame(found if found is not None else {"id": [], "symbol": [], "type": []}, dtype=object)


def read_tags(adata: AnnData, wanted: str | Sequence[str], pool: Mapping[str, str], where: str) -> dict[str, str]:
    """Find a library's hashtags and write into `obs` which ones each cell bears (:mod:`livermet.inputs.demultiplex`).

    Written are `tags`, `tag_call`, `tag_probability` and `known_doublet`, and nothing where there is no hashtag, or where the
    file itself knows doublets and the sheet takes it for one sample. Empty droplets are left out.

    Parameters
    ----------
    adata
        Canonical counts of the whole library.
    wanted
        As for :func:`are_hashtags`.
    pool
        Sample -> hashtag, of the samples that the sheet takes from this library; empty where it is one sample.
    where
        Named in messages.

    Returns
    -------
    dict
        Sample of the pool -> its hashtag as `tags` has it.

    Raises
    ------
    InputError
        Where the sheet names a hashtag that the file does not have.
    """
    features = other_features(adata)
    missing = check_named(features, pool, where)
    if missing:
        raise InputError(missing)
    chosen = are_hashtags(features, wanted)
    places = {sample: find_named(features, name) for sample, name in pool.items()}
    chosen[list(places.values())] = True
    if not chosen.any() or (KNOWN_DOUBLET in adata.obs and not pool):
        return {}
    labels = label(features[chosen])
    works = _write_calls(adata, np.flatnonzero(chosen), labels)
    log.info("%s: hashtags %s; %s", where, ", ".join(labels), adata.obs[TAG_CALL].value_counts().to_dict())
    column = np.cumsum(chosen) - 1
    own = {sample: labels[column[place]] for sample, place in places.items()}
    _tell(adata, labels, works, own)
    return own


def _write_calls(adata: AnnData, places: NDArray[np.intp], labels: list[str]) -> NDArray[np.bool_]:
    """Judge the cells by these of the other features; gives which tags any cell can be said to bear."""
    import scipy.sparse as sp

    from livermet.inputs.demultiplex import DOUBLET, SINGLET, demultiplex

    counts = sp.csr_matrix(adata.obsm[OTHERS])[:, places].toarray()
    cells = ~adata.obs[IS_EMPTY].to_numpy(dtype=bool) if IS_EMPTY in adata.obs else np.ones(adata.n_obs, dtype=bool)
    found = demultiplex(counts[cells], np.asarray(adata.X.sum(axis=1)).ravel()[cells])
    calls, tags = (np.full(adata.n_obs, "", dtype=object) for _ in range(2))
    probability = np.full(adata.n_obs, np.nan)
    calls[cells], probability[cells] = found.call, found.probability
    tags[cells] = [JOINED.join(labels[place] for place in pair if place >= 0) for pair in found.tags]
    adata.obs[TAGS], adata.obs[TAG_CALL], adata.obs[TAG_PROBABILITY] = tags, calls, probability
    adata.obs[KNOWN_DOUBLET] = np.where(np.isin(calls.astype(str), (SINGLET, DOUBLET)), calls, "")
    return np.zeros(len(labels), dtype=bool) if found.model is None else found.model.works


def check_named(features: pd.DataFrame, pool: Mapping[str, str], where: str) -> list[Problem]:
    """Problems of a sheet that names hashtags which a file does not have, or one feature by two names."""
    import difflib

    problems = []
    there = label(features)
    taken: dict[int, str] = {}
    for sample, name in pool.items():
        place = find_named(features, name)
        if place >= 0 and place not in taken:
            taken[place] = sample
            continue
        if place >= 0:
            found = f"'{visible(name)}' is the very feature that sample '{taken[place]}' names"
            problems.append(
                Problem(f"{where}, hashtag of sample '{sample}'", found, "a hashtag of its own", "Name another")
            )
            continue
        near = difflib.get_close_matches(name, there, n=1, cutoff=0.4)
        held = f"the file has {', '.join(map(visible, there[:SHOWN]))}" if there else "it has genes only"
        problems.append(
            Problem(
                f"{where}, hashtag of sample '{sample}'", f"no feature, or several, are called '{visible(name)}'",
                f"the id or name of one feature that is no gene; {held}",
                f"Did you mean '{visible(near[0])}'?" if near else "Name the feature as the file does",
            )
        )  # fmt: skip
    return problems


def read_features(path: str | Path) -> pd.DataFrame | None:
    """Features of a file that are no genes, without its counts; None of a text table, whose rows must be read for them."""
    from livermet.inputs.files import file_format, find_files, reading
    from livermet.inputs.hdf5 import open_h5
    from livermet.inputs.names import GENE_EXPRESSION

    path = str(path)
    with reading(path):
        match file_format(path):
            case "10x folder":
                from livermet.inputs.mtx import read_features as read

                table = read(find_files(path)[2])
            case "10x h5":
                from livermet.inputs.tenx import TENX_H5, find_h5_group, h5_features

                with open_h5(path, TENX_H5) as file:
                    table = h5_features(path, file[find_h5_group(path, file)])
            case "h5ad":
                from livermet.inputs.annotated import H5AD, feature_table, find_counts
                from livermet.inputs.h5ad_tables import Table

                with open_h5(path, H5AD) as file:
                    raw = find_counts(path, file, corrected=True) == "raw/X"
                    table = feature_table(Table(file["raw/var" if raw else "var"]).frame())
            case _:
                return None
    return table[table["type"] != GENE_EXPRESSION].reset_index(drop=True)


def take_own(adata: AnnData, tag: str) -> AnnData:
    """The cells of a library that bear one hashtag, as `tags` has it, and no other; none where there is none."""
    taken = adata[((adata.obs[TAG_CALL] == "singlet") & (adata.obs[TAGS] == tag)).to_numpy()].copy()
    taken.obs = taken.obs.drop(columns=KNOWN_DOUBLET)  # those of two hashtags are in no sample
    return taken


def _tell(adata: AnnData, labels: list[str], works: NDArray[np.bool_], own: Mapping[str, str]) -> None:
    calls, tags = adata.obs[TAG_CALL], adata.obs[TAGS]
    single, two, none, unsure = (int((calls == one).sum()) for one in ("singlet", "doublet", "negative", "uncertain"))
    each = ", ".join(f"{name} {int(((calls == 'singlet') & (tags == name)).sum())}" for name in labels[:SHOWN])
    each += f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    left = f"{two} droplets hold cells of two hashtags, {none} bear none and {unsure} cannot be told"
    if own:
        nobodys = int(((calls == "singlet") & ~tags.isin(list(own.values()))).sum())
        left += f", {nobodys} bear hashtags of no sample in the sheet" * (nobodys > 0)
        what = f"Samples {', '.join(sorted(own))} were told apart by their hashtags; {left}: these are in no sample."
    else:
        what = f"Its hashtags tell {single} cells of one of {len(labels)} hashtags; {left}."
    tell(adata, what, f"cells of one hashtag: {each}; calls are made from a posterior of 90 % on")
    dead = [name for name, is_borne in zip(labels, works, strict=True) if not is_borne]
    lost, every = none + unsure, single + two + none + unsure
    if not dead and not (own and lost > 0.5 * every):
        return
    tell(
        adata,
        f"No cell can be said to bear {', '.join(dead[:SHOWN])}."
        if dead
        else "Most droplets bear no hashtag that is clear.",
        f"{lost} of {every} droplets bear no hashtag or cannot be told",
        "A hashtag that was not used need not trouble; one that was used did not stain, or was not sequenced",
        LOUD if own else QUIET,
    )
