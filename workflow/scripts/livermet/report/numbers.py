"""Numbers as a journal prints them: no more digits than they carry, and no number where there is none."""

from __future__ import annotations

import math
from typing import Any

NONE = "–"
MINUS = "−"


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_true(value: Any) -> bool:
    """Whether a cell of a text table says yes."""
    return str(value).strip().lower() in ("true", "1", "1.0", "yes")


def as_float(value: Any) -> float:
    """A finite float, or NaN for anything else (None, text, NaN, infinities)."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def number(value: Any, digits: int = 2) -> str:
    """A number with a fixed number of decimals and a typographic minus."""
    found = as_float(value)
    if math.isnan(found):
        return NONE
    text = f"{found:,.{digits}f}"
    # -0.00 says nothing that 0.00 does not.
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", MINUS)


def count(value: Any) -> str:
    """A whole number with thousands apart."""
    return number(value, 0)


def percent(value: Any, digits: int = 1) -> str:
    """A share as per cent."""
    found = as_float(value)
    return NONE if math.isnan(found) else f"{number(100 * found, digits)} %"


def p_value(value: Any) -> str:
    """A p-value: two significant digits, no leading zero, "< .001" below that."""
    found = as_float(value)
    if math.isnan(found):
        return NONE
    if found < 0.001:
        return "< .001"
    if found > 0.995:
        return "> .99"
    digits = 2 if found >= 0.095 else 3 if found >= 0.0095 else 4
    return f"{found:.{digits}f}"[1:]


def interval(low: Any, high: Any, digits: int = 2) -> str:
    """Two limits; a boundless side is said in words."""
    edges = [
        value if isinstance(value, str) else _edge(value, digits, side) for value, side in ((low, "−∞"), (high, "∞"))
    ]
    return NONE if edges == [NONE, NONE] else f"{edges[0]} to {edges[1]}"


def _edge(value: Any, digits: int, boundless: str) -> str:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return NONE
    if math.isinf(found):
        return boundless
    return number(found, digits)


def size(value: Any) -> str:
    """Bytes in a unit that fits."""
    found = as_float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if math.isnan(found) or found < 1000 or unit == "GB":
            return NONE if math.isnan(found) else f"{number(found, 0 if unit == 'B' else 1)} {unit}"
        found /= 1000
    return NONE
