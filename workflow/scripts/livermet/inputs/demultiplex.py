"""Which hashtags each cell of a library bears, from the counts of the tags: one, two (two cells of different tags), or none.

A mixture over sets of tags, each cell's tags judged together. What a droplet holds of tags that its cell does not bear is a
level of the tag times a level of the droplet, which is learned from the cell's other tags and its RNA (negative binomial;
the droplet's level as in hashedDrops, doi:10.1186/s13059-019-1662-y, and the RNA as in demuxmix,
doi:10.1093/bioinformatics/btad481). What it holds of a tag that its cell does bear comes on top, lognormal between cells: how
much stain a cell takes varies many times over. Sets have the frequencies that pairs of cells drawn at random would give
them, so that a tag which seems to be on many cells beside another tag is not believed. Fitted by EM.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livermet.inputs.tag_model import Array, Model, Posterior, expect, judge, levels

SINGLET, DOUBLET, NEGATIVE, UNCERTAIN = "singlet", "doublet", "negative", "uncertain"
CONFIDENT = 0.9  # posterior from which a call is made
MAX_FITTED = 2_000  # cells that the model is fitted to; all are called by it
MAX_STEPS, TOLERANCE = 50, 2e-3  # of EM; change of the mean membership
BLOCK, ROUNDS = 5_000, 8  # cells judged at once, and how often: what a cell does not bear tells its background
SPREAD, SPREAD_CELLS = 0.7, 10.0  # usual spread (log) of the stain, and how many cells that is worth
LEVEL_SPREAD = 1.0  # of the stain's level between the tags of a library
DOUBLETS, DOUBLET_CELLS = 0.05, 20.0  # share of droplets with two cells before any is seen, and the cells that is worth
NEGATIVES = 0.05
DISPERSION = (0.01, 0.3)  # of a tag's background around its droplet's level
WIDTH = (4.0, 200.0)  # shape of the droplets' levels
ALIKE_CELLS = 3.0  # how many cells a background like the other tags' is worth
USUAL_CELLS = 20.0  # how many cells usual values of both are worth
FAR = 3.0  # standard deviations
MIN_FOLD = 1.0  # stain over background: below, a tag tells nothing
MIN_STAIN = 3.0  # counts that a bearer usually adds: with fewer, single counts would make calls
FEW, MIN_SHARE = 2, 0.004  # cells, and share of them, that likely bear a tag: with fewer, it is on none


@dataclass(frozen=True)
class Demultiplexed:
    """What :func:`demultiplex` finds.

    Attributes
    ----------
    call
        "singlet" (one tag), "doublet" (two), "negative" (none), each at a posterior of 90 % or more; else "uncertain".
    tags
        Cells x 2: places of the tags of a call, -1 where there is none.
    probability
        Posterior of the likeliest set of tags where it is a singlet or a negative, of all pairs together where it is a
        doublet.
    model
        The fit; None where no cell has a count.
    """

    call: NDArray[np.object_]
    tags: NDArray[np.int64]
    probability: Array
    model: Model | None


def demultiplex(counts: NDArray[np.integer[Any]], umis: NDArray[np.integer[Any]]) -> Demultiplexed:
    """Tell which tags each cell bears.

    Parameters
    ----------
    counts
        Cells x tags.
    umis
        RNA of each cell: more RNA, more of either kind of tag.

    Returns
    -------
    Demultiplexed
        Nothing in it is random.
    """
    tags = np.asarray(counts, dtype=np.float64)
    n_cells = len(tags)
    seen = tags.sum(axis=0) > 0
    if not seen.any():
        nothing = np.full(n_cells, NEGATIVE, dtype=object)
        return Demultiplexed(nothing, np.full((n_cells, 2), -1), np.ones(n_cells), None)
    size = np.log(np.asarray(umis, dtype=np.float64) + 1)
    size = np.clip(size - np.median(size), -2.0, 2.0)
    chosen = np.arange(0, n_cells, max(1, -(-n_cells // MAX_FITTED)))
    fits = [_fit(tags[chosen], size[chosen], start) for start in _starts(tags[chosen])]
    model, _ = max(fits, key=lambda found: found[1].fit + _log_prior(found[0]))
    blocks = [
        _call(tags[start : start + BLOCK], size[start : start + BLOCK], model) for start in range(0, n_cells, BLOCK)
    ]
    call, borne, probability = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return Demultiplexed(call, borne, probability, model)


def _call(tags: Array, size: Array, model: Model) -> tuple[NDArray[np.object_], NDArray[np.int64], Array]:
    """Call, tags and probability of each cell."""
    member = np.zeros_like(tags)
    for _ in range(ROUNDS):
        found = judge(tags, size, model, member)
        member = found.member
    best = np.column_stack([found.none, found.one.max(axis=1), found.two])
    kind = best.argmax(axis=1)
    probability = best.max(axis=1)
    call = np.array([NEGATIVE, SINGLET, DOUBLET], dtype=object)[kind]
    order = np.argsort(-found.member, axis=1, kind="stable")[:, :2]
    borne = np.full((len(kind), 2), -1)
    single, two = kind == 1, kind == 2
    borne[single, 0] = found.one[single].argmax(axis=1)
    if order.shape[1] == 2:
        borne[two] = np.sort(order[two], axis=1)
    unsure = probability < CONFIDENT
    call[unsure], borne[unsure] = UNCERTAIN, -1
    return call, borne, probability


def _starts(tags: Array) -> list[Array]:
    """First guesses of who bears what: above the gap of each tag's counts; and the tag that stands out most in the cell."""
    logs = np.log1p(tags)
    cuts = np.array([_gap(column) for column in logs.T])
    above = logs - cuts
    second = np.sort(above, axis=1)[:, -2][:, None] if tags.shape[1] > 1 else above
    starts = [((above > 0) & (above >= second)).astype(float)]
    if tags.shape[1] > 1:
        starts.append((logs >= logs.max(axis=1, keepdims=True)).astype(float))  # where nearly all cells bear one tag
    if tags.shape[1] > 2:
        usual = np.median(logs, axis=0)
        starts.append((logs - usual >= (logs - usual).max(axis=1, keepdims=True)).astype(float))
    return starts


def _log_prior(model: Model) -> float:
    """What is usual of libraries, up to a constant: few droplets without a tag, few doublets, backgrounds not too unlike."""
    shares = ((model.negatives, NEGATIVES), (model.doublets, DOUBLETS))
    usual = sum(DOUBLET_CELLS * (mean * np.log(share) + (1 - mean) * np.log(1 - share)) for share, mean in shares)
    logs = np.log(model.background)
    return float(usual - 0.5 * ((logs - logs.mean()) ** 2).sum() / LEVEL_SPREAD**2)


def _gap(values: Array) -> float:
    """The cut that leaves the least variance on its sides (Otsu)."""
    ordered = np.sort(values)
    if ordered[0] == ordered[-1]:
        return float(ordered[-1])
    low = np.arange(1, len(ordered))
    total = np.cumsum(ordered)
    between = low * (len(ordered) - low) * (total[:-1] / low - (total[-1] - total[:-1]) / (len(ordered) - low)) ** 2
    place = int(np.argmax(np.where(np.diff(ordered) > 0, between, -1.0)))
    return float(ordered[place : place + 2].mean())


def _fit(tags: Array, size: Array, member: Array) -> tuple[Model, Posterior]:
    """EM from a first guess; tags that turn out to be borne by no cell are left out, and it goes on without them."""
    n_tags = tags.shape[1]
    model = Model(
        background=_first_background(tags, 1 - member),
        carried=0.01, dispersion=0.1, width=5.0, slope=0.5,
        stain=np.zeros(n_tags), spread=np.full(n_tags, SPREAD), stain_slope=0.0,
        share=np.full(n_tags, 1 / n_tags), doublets=DOUBLETS, negatives=NEGATIVES,
        works=tags.sum(axis=0) > 0,
    )  # fmt: skip
    added = np.log(np.maximum(tags - model.background, 0.5 * np.sqrt(tags) + 0.5))
    model = _restain(model, member, added, np.zeros_like(added), size)
    while True:
        for _ in range(MAX_STEPS):
            found = judge(tags, size, model, member)
            change = float(np.abs(found.member - member).mean() * n_tags)
            member = found.member
            model = _improve(tags, size, model, found)
            if change < TOLERANCE:
                break
        works = model.works & _telling(model, found)
        if (works == model.works).all() or not works.any():
            return replace(model, works=works), judge(tags, size, replace(model, works=works), member * works)
        model, member = replace(model, works=works), member * works


def _first_background(tags: Array, clear: Array) -> Array:
    """Mean count of each tag in cells that do not bear it; of a tag on nearly all cells, what is usual of the others."""
    seen, cells = (clear * tags).sum(axis=0), clear.sum(axis=0)
    means = (seen + 1e-3) / (cells + 1e-3)
    common = float(np.exp(np.average(np.log(means + 1e-3), weights=cells + 1e-3)))
    return np.asarray(np.maximum((seen + ALIKE_CELLS * common) / (cells + ALIKE_CELLS), 1e-3))


def _telling(model: Model, found: Posterior) -> NDArray[np.bool_]:
    """Tags whose bearers stand out, and are more than a handful."""
    stain, bearers = np.exp(model.stain), (found.member >= 0.5).sum(axis=0)
    return np.asarray(
        (stain >= np.maximum(MIN_FOLD * model.background, MIN_STAIN))
        & (bearers >= max(FEW, MIN_SHARE * len(found.member)))
    )


def _improve(tags: Array, size: Array, model: Model, found: Posterior) -> Model:
    """The model that makes the posterior likeliest, with a word of what is usual where cells are few."""
    n_cells = len(tags)
    clear = 1 - found.member
    background, carried = _float(tags, size, model, clear)
    model = replace(model, background=background, carried=carried)
    expected = expect(tags, size, model)
    seen, usual = (clear * tags).sum(axis=1), (clear * expected).sum(axis=1) + 1e-9
    trust = usual / (usual + 2)
    rest = np.log((seen + 0.5) / (usual + 0.5))
    steeper = (trust * size * (rest - np.average(rest, weights=trust))).sum() / ((trust * size**2).sum() + 1.0)
    chance = 1 / np.maximum(usual, 0.1)
    # What lies far out may be a stain that was missed: it must not widen the background that hides it.
    off = np.minimum((seen / usual - 1) ** 2, FAR**2 * (chance + 1 / model.width))
    beyond = (trust * (off - chance)).sum() + USUAL_CELLS / 5.0
    width = float(np.clip((trust.sum() + USUAL_CELLS) / max(beyond, 1e-3), *WIDTH))
    level, shape = levels(tags, expected, model, found.member)
    mean = level * expected
    within = mean + mean**2 / shape
    off = np.minimum((tags - mean) ** 2, FAR**2 * (within + model.dispersion * mean**2))
    excess = (clear * (off - within)).sum() / max((clear * mean**2).sum(), 1e-9)
    excess = (excess * clear.sum() + 0.1 * USUAL_CELLS) / (clear.sum() + USUAL_CELLS)
    pairs = 1 - float((model.share**2).sum())
    none, two = float(found.none.sum()), float(found.two.sum())
    share = found.member.sum(axis=0) * model.works + 0.01
    improved = replace(
        model, slope=float(np.clip(model.slope + steeper, 0, 1.5)), width=width,
        dispersion=float(np.clip(excess, *DISPERSION)), share=share / share.sum(),
        doublets=float(np.clip((two + DOUBLETS * DOUBLET_CELLS) / ((n_cells - none) * pairs + DOUBLET_CELLS), 1e-3, 0.5)),
        negatives=(none + NEGATIVES * DOUBLET_CELLS) / (n_cells + DOUBLET_CELLS),
    )  # fmt: skip
    usual = model.stain + model.stain_slope * size[:, None]
    spare = model.spread**2 * np.maximum(found.stain_square - found.stain**2, 0)
    return _restain(improved, found.member, usual + model.spread * found.stain, spare, size)


def _float(tags: Array, size: Array, model: Model, clear: Array) -> tuple[Array, float]:
    """Background of each tag and the share that is carried over, where cells do not bear a tag (parts of a Poisson mean)."""
    rna = np.exp(model.slope * size)[:, None]
    others = tags.sum(axis=1, keepdims=True) - tags
    seen = (clear * tags).sum(axis=1, keepdims=True)
    background, carried = model.background, model.carried
    for _ in range(5):
        expected = rna * background + carried * others + 1e-9
        level = (model.width + seen) / (model.width + (clear * expected).sum(axis=1, keepdims=True))
        trust = clear / (1 + expected * level * model.dispersion)
        ratio = trust * tags / expected
        floats, cells = background * (ratio * rna).sum(axis=0), (trust * level * rna).sum(axis=0)
        usual = ALIKE_CELLS / (1 + background * model.dispersion)
        common = float(np.exp(np.average(np.log(background), weights=cells + 1e-6)))
        background = (floats + usual * common) / (cells + usual)
        carried = carried * float(((ratio * others).sum() + 1e-3) / ((trust * level * others).sum() + 1e-1))
    return np.maximum(background, 1e-6), carried


def _restain(model: Model, member: Array, stain: Array, spare: Array, size: Array) -> Model:
    """Level, spread and slope of the log stain, from its mean and variance in each cell and tag."""
    n_bearers = member.sum(axis=0)
    x = size[:, None] - (member * size[:, None]).sum(axis=0) / np.maximum(n_bearers, 1e-9)
    slope = float(np.clip((member * x * stain).sum() / ((member * x**2).sum() + 1.0), 0, 1.5))
    level = stain - slope * size[:, None]
    means = (member * level).sum(axis=0) / np.maximum(n_bearers, 1e-9)
    spreads = (member * ((level - means) ** 2 + spare)).sum(axis=0)
    pooled = (spreads.sum() + SPREAD**2 * SPREAD_CELLS) / (n_bearers.sum() + SPREAD_CELLS)
    spread = np.sqrt((spreads + pooled * SPREAD_CELLS) / (n_bearers + SPREAD_CELLS))
    certain = n_bearers / (n_bearers + spread**2 / LEVEL_SPREAD**2)
    common = float((certain * means).sum() / max(certain.sum(), 1e-9))
    return replace(
        model, stain=certain * means + (1 - certain) * common, spread=np.clip(spread, 0.2, 1.5), stain_slope=slope
    )
