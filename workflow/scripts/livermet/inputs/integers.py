"""Counts are whole numbers of molecules, none negative: anything else is refused with its place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from livermet.errors import InputError, Problem
from livermet.inputs.plausible import cells_of, scale_of

LARGEST = np.iinfo(np.int32).max
EXPECTED = "raw counts: whole numbers, 0 or more"
REMEDY = "Give the matrix as it was counted, before any normalisation, scaling or ambient correction"
CORRECTED = (
    "Counts that CellBender or SoupX corrected are taken where the config says `quality: {counts: corrected}`; anything "
    "else: give the matrix as it was counted"
)


def first_offender(values: NDArray[np.number], corrected: bool = False) -> int | None:
    """Position of the first value that cannot be a count, None where all can.

    Parameters
    ----------
    values
        1-d array of numbers.
    corrected
        Fractions are none the less taken.
    """
    if values.size == 0 or values.dtype.kind == "b":
        return None
    # min and max pass over the array once each and make no copy; NaN goes through both and fails the comparison.
    sound = values.min() >= 0 and values.max() <= LARGEST
    if sound and (corrected or values.dtype.kind in "iu"):
        return None
    if sound and np.array_equal(values, np.rint(values)):
        return None
    with np.errstate(invalid="ignore"):
        good = (values >= 0) & (values <= LARGEST)
        if not corrected:
            good &= values == np.rint(values)
    return int(np.argmin(good))


def describe(value: float) -> str:
    """Say in words what is wrong with a value."""
    if np.isnan(value):
        return "a missing value (NaN)"
    if np.isinf(value):
        return f"an infinite value ({value})"
    kind = "a negative value" if value < 0 else "a value too large" if value > LARGEST else "a fractional value"
    return f"{kind} ({value:g})"


def is_fractional(value: float) -> bool:
    """Whether a value is a fraction that a corrected count may be."""
    return bool(np.isfinite(value) and 0 <= value <= LARGEST and value != np.rint(value))


def as_counts(
    values: NDArray[np.number],
    locate: Callable[[int], str],
    corrected: bool = False,
    cells: NDArray[np.integer] | None = None,
) -> NDArray[np.int32] | NDArray[np.float64]:
    """Turn numbers into counts.

    Parameters
    ----------
    values
        1-d array of numbers.
    locate
        Position -> where that value stands, for the message.
    corrected
        Take fractions, too; they are rounded when the sample is whole (:func:`round_counts`).
    cells
        Shape (n,): which cell each value belongs to, so that normalised values can be called by name.

    Returns
    -------
    ndarray of int32 (float64 where `corrected` and a value is a fraction)
        Same length.

    Raises
    ------
    InputError
        Where a value is negative, fractional, not finite, or above the largest int32; the first one is named.
    """
    position = first_offender(values, corrected)
    if position is not None:
        found, remedy = explain(values, position, cells)
        raise InputError(Problem(locate(position), found, EXPECTED, remedy))
    if corrected and values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        return values.astype(np.float64)
    return values.astype(np.int32, copy=False)


def explain(values: NDArray[np.number], position: int, cells: NDArray[np.integer] | None = None) -> tuple[str, str]:
    """What is wrong with the value at a position, with those around it in mind, and the remedy.

    Parameters
    ----------
    values
        Shape (n,).
    position
        Of the value that is no count.
    cells
        Shape (n,): which cell each value belongs to, where that is known.
    """
    value = float(values[position])
    with np.errstate(invalid="ignore"):
        lowest = float(np.nanmin(values))
    centred = np.isfinite(lowest) and lowest < 0 and bool((values != np.rint(values)).any())
    if centred and np.isfinite(value):
        least = "" if value < 0 else f", and negative ones such as {lowest:g}"
        return f"{describe(value)}{least}, as of scaled or centred values", REMEDY
    if not is_fractional(value):
        return describe(value), REMEDY
    scale = scale_of(cells_of(cells, values)) if cells is not None and np.isfinite(values).all() else ""
    return (f"{describe(value)}; the values are {scale}", REMEDY) if scale else (describe(value), CORRECTED)


def round_counts(values: NDArray[np.float64], seed: int) -> NDArray[np.int32]:
    """Round each value up or down so that it is kept on average, and sums are kept: systematic sampling of the fractions.

    Rounding to the nearest would undo a correction that takes a tenth of every count. Here the sum of any run of values
    (a cell's, where cells follow each other) changes by less than one.

    Parameters
    ----------
    values
        Shape (n,), in an order that does not depend on the file's format: cell by cell, genes in order.
    seed
        Of the one random number that is drawn.

    Returns
    -------
    ndarray of int32
        Shape (n,); each is the value's floor or ceiling, and whole numbers are as they were.
    """
    whole = np.floor(values)
    start = np.random.default_rng(seed).uniform(1e-6, 1 - 1e-6)
    marks = np.floor(np.cumsum(values - whole) + start)
    return (whole + np.diff(marks, prepend=0.0)).astype(np.int32)
