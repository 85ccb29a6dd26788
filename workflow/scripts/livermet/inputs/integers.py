"""Counts are whole numbers of molecules, none negative: anything else is refused with its place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from livermet.errors import InputError, Problem

LARGEST = np.iinfo(np.int32).max
EXPECTED = "raw counts: whole numbers, 0 or more"
REMEDY = "Give the matrix as it was counted, before any normalisation, scaling or ambient correction"


def first_offender(values: NDArray[np.number]) -> int | None:
    """Position of the first value that cannot be a count, None where all can.

    Parameters
    ----------
    values
        1-d array of numbers.
    """
    if values.size == 0 or values.dtype.kind == "b":
        return None
    # min and max pass over the array once each and make no copy; NaN goes through both and fails the comparison.
    sound = values.min() >= 0 and values.max() <= LARGEST
    if sound and values.dtype.kind in "iu":
        return None
    if sound and np.array_equal(values, np.rint(values)):
        return None
    with np.errstate(invalid="ignore"):
        good = (values >= 0) & (values <= LARGEST) & (values == np.rint(values))
    return int(np.argmin(good))


def describe(value: float) -> str:
    """Say in words what is wrong with a value."""
    if np.isnan(value):
        return "a missing value (NaN)"
    if np.isinf(value):
        return f"an infinite value ({value})"
    kind = "a negative value" if value < 0 else "a value too large" if value > LARGEST else "a fractional value"
    return f"{kind} ({value:g})"


def as_counts(values: NDArray[np.number], locate: Callable[[int], str]) -> NDArray[np.int32]:
    """Turn numbers into counts.

    Parameters
    ----------
    values
        1-d array of numbers.
    locate
        Position -> where that value stands, for the message.

    Returns
    -------
    ndarray of int32
        Same length.

    Raises
    ------
    InputError
        Where a value is negative, fractional, not finite, or above the largest int32; the first one is named.
    """
    position = first_offender(values)
    if position is not None:
        raise InputError(Problem(locate(position), describe(float(values[position])), EXPECTED, REMEDY))
    return values.astype(np.int32, copy=False)
