"""May these batches be brought together? Not where a batch is what the questions ask about: that would remove the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from livermet import keys
from livermet.errors import Problem
from livermet.mice.design import questions as asked
from livermet.mice.design.estimability import Contrast, row_space_combination
from livermet.mice.design.model import Design, build_design

NONE = "none"
POOR = 0.5  # of the information on a question: with less of it within batches, the reader is told
SHOWN = 6  # batches in a sentence
_BATCH = "integrated_batch"


def check_batches(
    sheet: pd.DataFrame, settings: Mapping[str, Any], embed: Mapping[str, Any], methods: Mapping[str, str]
) -> list[Problem]:
    """Refuse to bring batches together that cannot be told from what the questions ask about.

    What differs between batches is taken out of the cells' coordinates; where a batch holds one side of a question only,
    that is the biology in question. A question is so confused where its contrast cannot be estimated once the batch is in
    the model, though it could without.

    Parameters
    ----------
    sheet
        The sample sheet, index sample.
    settings
        The resolved `design` section.
    embed
        The resolved `embed` section: `batch_key`.
    methods
        Config key -> method, for every place in the config that asks for batches to be brought together.

    Returns
    -------
    list of Problem
        A batch column that the sheet lacks or that is partly empty; a batch that is a factor, or goes with one.
    """
    key = str(embed["batch_key"])
    wanted = {where: method for where, method in methods.items() if method != NONE}
    if not wanted:
        return []
    batches = batch_of(sheet, key)
    if batches is None:
        return [
            Problem("config embed.batch_key", f"the sample sheet has no column '{key}'",
                    remedy=asked.did_you_mean(key, list(map(str, sheet.columns)), "columns"))
        ]  # fmt: skip
    empty = [str(sample) for sample in batches.index[batches == ""]]
    if 0 < len(empty) < len(batches):
        return [
            Problem("config embed.batch_key", f"column '{key}' is empty for {_listed(empty)}",
                    expected="a batch for every sample, or for none", remedy="Fill the column in")
        ]  # fmt: skip
    lost, _ = _judge(sheet, settings, batches)
    if key not in settings["factors"] and not lost:
        return []
    names = lost or [question["name"] for question in settings["questions"]]
    factors = [key] if key in settings["factors"] else _factors_asked(settings, lost)
    for_what = ", ".join(f"{where}: {method}" for where, method in wanted.items())
    return [
        Problem(
            "config embed.batch_key",
            f"{key} cannot be told from {' and '.join(factors)} ({_table(sheet, factors, batches)}), yet {for_what} would bring "
            f"its batches together and so remove what {_listed(names)} {'asks' if len(names) == 1 else 'ask'} about",
            expected="batches that each hold mice of both sides of a question",
            remedy=f"Set {' and '.join(wanted)} to none, or name another batch_key",
        )
    ]


def describe_batches(sheet: pd.DataFrame, settings: Mapping[str, Any], embed: Mapping[str, Any]) -> list[str]:
    """Say where batches that are brought together go partly with what the questions ask about.

    Parameters
    ----------
    sheet, settings, embed
        As for :func:`check_batches`.

    Returns
    -------
    list of str
        One sentence, or none: the questions of which less than half of the information lies within batches (the variance
        of the contrast without batches in the model over that with them), with the samples of every batch.
    """
    key = str(embed["batch_key"])
    batches = batch_of(sheet, key)
    if embed["integrate"] == NONE or batches is None or key in settings["factors"]:
        return []
    _, shares = _judge(sheet, settings, batches)
    poor = {name: share for name, share in shares.items() if share < POOR}
    if not poor:
        return []
    factors = _factors_asked(settings, list(poor))
    told = ", ".join(f"{name} {share:.0%}" for name, share in poor.items())
    return [
        f"{key} goes partly with {' and '.join(factors)} ({_table(sheet, factors, batches)}): of the information on these "
        f"questions only so much lies within batches: {told}; bringing the batches together may take some of the effect for "
        "batch, so look at the answers with integrate: none as well"
    ]


def batch_of(sheet: pd.DataFrame, key: str) -> pd.Series | None:
    """Batch of every sample as text; the sample itself for `sample`; None where there is no such column."""
    if key in sheet:
        return sheet[key].fillna("").astype(str)
    return pd.Series(sheet.index.astype(str), index=sheet.index) if key == keys.SAMPLE else None


def _judge(sheet: pd.DataFrame, settings: Mapping[str, Any], batches: pd.Series) -> tuple[list[str], dict[str, float]]:
    """Questions that batches confuse wholly; and of the others the share of information that lies within batches."""
    if batches.nunique() < 2:
        return [], {}
    # Every sample is a unit of its own: a mouse may have samples in several batches. The letter keeps a batch from being
    # read as a number.
    columns = [name for name in (keys.TISSUE, *settings["factors"]) if name in sheet]
    samples = sheet[columns].copy()
    samples[keys.MOUSE] = sheet.index.astype(str)
    samples[_BATCH] = "b" + batches
    plain = build_design(samples, {**settings, "covariates": []}).judged()
    within = build_design(samples, {**settings, "covariates": [_BATCH]}).judged()
    lost, shares = [], {}
    for name, (contrast, part) in plain.items():
        beside, other = within[name]
        if not contrast.estimable or contrast.kind == "rescue":
            continue  # a rescue is made of two effects, which are looked at themselves
        if beside.estimable:
            shares[name] = _variance(contrast, part) / _variance(beside, other)
        else:
            lost.append(name)
    return lost, shares


def _variance(contrast: Contrast, design: Design) -> float:
    """Variance of a contrast's estimate where every sample has variance 1."""
    weights, _ = row_space_combination(design.matrix.to_numpy(), np.asarray(contrast.vector))
    return float(weights @ weights)


def _factors_asked(settings: Mapping[str, Any], names: list[str]) -> list[str]:
    """Factors that differ between the two sides of the questions named."""
    by_name = {question["name"]: question for question in settings["questions"]}
    found: list[str] = []
    for name in names:
        question = by_name[name]
        if question["kind"] == "equivalence":
            found += [one for one in question["arm"] if question["arm"][one] != question["like"].get(one)]
        elif question["kind"] == "difference":
            found += _factors_asked(settings, list(question["of"]))
        else:
            found.append(question["factor"])
    return list(dict.fromkeys(found))


def _table(sheet: pd.DataFrame, factors: list[str], batches: pd.Series) -> str:
    """Samples of every batch by level: "b1: 3 untreated; b2: 3 drug"."""
    arms = sheet[factors].astype(str).agg(" ".join, axis=1)
    rows = []
    for batch in list(dict.fromkeys(batches)):
        counts = arms[batches == batch].value_counts(sort=False)
        rows.append(f"{batch}: " + ", ".join(f"{number} {level}" for level, number in counts.items()))
    return "; ".join(rows if len(rows) <= SHOWN else [*rows[: SHOWN - 1], f"and {len(rows) - SHOWN + 1} more batches"])


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= SHOWN else [*names[: SHOWN - 1], f"{len(names) - SHOWN + 1} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
