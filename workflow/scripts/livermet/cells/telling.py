"""What the samples have to tell when they are put together: who was set aside, ambient RNA, doublets known by their tags."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from livermet.cells.barcodes.ambient import ESTIMATED, NOT_TOLD
from livermet.keys import (
    AMBIENT_CORRECTED,
    AMBIENT_FOUND_BY,
    AMBIENT_HIGH,
    DOUBLET_SCORE,
    HASHTAG,
    KNOWN_DOUBLET,
    MOUSE,
    POOL_SIZE,
    SAMPLE,
    SET_ASIDE_BECAUSE,
    SOUP_SOURCE,
    TAG_CALL,
    TAGS,
)
from livermet.notices import LOUD, QUIET, STUDY, Notice

STEP = "merge_samples"
FEW_TAGGED, MIN_TAGGED = 20, 0.02  # cells, and share of the tagged ones, that make a hashtag worth a word


def tell_ambient(samples: pd.DataFrame, corrected: bool) -> list[Notice]:
    """Whether counts were corrected for ambient RNA, and where its share cannot be told.

    Parameters
    ----------
    samples
        One row a sample, see :func:`livermet.cells.merge.summarise`.
    corrected
        Whether the counts are the corrected ones.
    """
    untold = samples[samples[AMBIENT_FOUND_BY].astype(str) == NOT_TOLD]
    names = ", ".join(untold[SAMPLE].astype(str))
    bounds = ", ".join(
        f"{name} {'not known' if pd.isna(most) else f'at most {most:.1%}'}"
        for name, most in zip(untold[SAMPLE], untold[AMBIENT_HIGH], strict=True)
    )
    guessed = untold[SOUP_SOURCE].astype(str) == ESTIMATED
    remedy = (
        "Name the raw matrix in `raw_path`: its empty droplets tell what the ambient RNA is"
        if guessed.any()
        else "Few cells, or kinds of cells, or next to no ambient RNA: the bound is what can be said"
    )
    notices = []
    if corrected:
        left = samples.loc[~samples[AMBIENT_CORRECTED].astype(bool), SAMPLE].astype(str)
        notices.append(
            Notice(
                STUDY,
                STEP,
                "Counts were corrected: the ambient counts expected in every cell were taken away before anything else was "
                "computed. Genes marked as ambient are those whose change may come from what the correction missed."
                + (f" Not corrected, because the share cannot be told: {', '.join(left)}." if len(left) else ""),
                "the counts as they were read are the layer 'uncorrected' of the atlas",
                "`quality.ambient: estimate` computes everything from the counts as they were read",
            )
        )
    if len(untold):
        notices.append(
            Notice(
                STUDY,
                STEP,
                f"The share of ambient RNA cannot be told in {len(untold)} of {len(samples)} samples ({names}): there, genes that "
                "hepatocytes make are marked as ambient on suspicion.",
                f"share of all UMIs: {bounds}",
                remedy,
            )
        )
    return notices


def tell_set_aside(samples: pd.DataFrame) -> list[Notice]:
    """Samples without a cell left, and why."""
    dropped = [column for column in map(str, samples) if column.startswith("dropped: ")]
    notices = []
    for _, row in samples[samples["n_kept"] == 0].iterrows():
        reasons = sorted(
            ((int(row[name]), name.removeprefix("dropped: ")) for name in dropped if row[name]), reverse=True
        )
        notices.append(
            Notice(
                str(row[SAMPLE]),
                STEP,
                f"The sample is {row[SET_ASIDE_BECAUSE]}. Mouse {row[MOUSE]} has no cells of it in any answer.",
                f"{row['n_barcodes']} barcodes; " + ", ".join(f"{reason}: {number}" for number, reason in reasons),
                "Look at its library and at `quality:` in the config, or take its row out of the sheet",
                LOUD,
            )
        )
    return notices


def tell_known_doublets(qualities: Sequence[pd.DataFrame], names: list[str]) -> list[Notice]:
    """How well the scores rank the doublets that multiplexing knows: a check of the calls where it knows none."""
    notices = []
    for name, table in zip(names, qualities, strict=True):
        if KNOWN_DOUBLET not in table or not (table[KNOWN_DOUBLET] != "").any():
            continue
        judged = table[table[DOUBLET_SCORE].notna()]
        known, clean = (judged.loc[judged[KNOWN_DOUBLET] == word, DOUBLET_SCORE] for word in ("doublet", "singlet"))
        ranks = pd.concat([known, clean]).rank()
        pairs = len(known) * len(clean)
        auroc = (ranks.iloc[: len(known)].sum() - len(known) * (len(known) + 1) / 2) / pairs if pairs else float("nan")
        notices.append(
            Notice(
                name,
                STEP,
                f"Multiplexing knows {(table[KNOWN_DOUBLET] == 'doublet').sum()} doublets of sample {name}; they count as called.",
                f"the scores, which do not see the tags, rank a known doublet above a singlet in {auroc:.0%} of pairs"
                if pairs
                else "none of them was scored",
                "Doublets of one tag are not among the known; the scores look for these",
            )
        )
    return notices


def tell_mixed(qualities: Sequence[pd.DataFrame], sheet: pd.DataFrame) -> list[Notice]:
    """Samples whose cells bear several hashtags, which the sheet takes for one mouse: its mice may be lost as replicates."""
    notices = []
    for name, table in zip(map(str, sheet.index), qualities, strict=True):
        if TAG_CALL not in table or (HASHTAG in sheet and sheet.loc[name, HASHTAG]):
            continue
        single: pd.Series = table.loc[table[TAG_CALL] == "singlet", TAGS].value_counts().sort_index()
        many: pd.Series = single[single >= max(FEW_TAGGED, MIN_TAGGED * single.sum())]
        if len(many) < 2:
            continue
        pooled = POOL_SIZE in sheet and str(sheet.loc[name, POOL_SIZE]) not in ("", "1")
        notices.append(
            Notice(
                name,
                STEP,
                f"Cells of sample {name} bear {len(many)} hashtags, and the sheet takes them for one mouse, {sheet.loc[name, MOUSE]}.",
                ", ".join(f"{tag} {number}" for tag, number in many.items()),
                "Are these several mice? Give each a row with the same `path` and its `hashtag`: each is then a replicate",
                QUIET if pooled else LOUD,
            )
        )
    return notices
