"""Numbers are printed as a journal would, and nothing is printed for nothing."""

from __future__ import annotations

import math

import pytest

from livermet.report import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0000001, "< .001"), (0.00099, "< .001"), (0.001, ".0010"), (0.0042, ".0042"), (0.0321, ".032"), (0.0951, ".10"),
     (0.237, ".24"), (0.996, "> .99"), (1.0, "> .99"), (math.nan, "–"), (None, "–"), ("", "–")],
)  # fmt: skip
def test_p_values(value: object, text: str) -> None:
    assert numbers.p_value(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(-1.5, 2, "−1.50"), (-0.001, 2, "0.00"), (12345.678, 1, "12,345.7"), (math.inf, 2, "–"), ("0.5", 1, "0.5"), (True, 0, "1")],
)  # fmt: skip
def test_numbers(value: object, digits: int, text: str) -> None:
    assert numbers.number(value, digits) == text


def test_intervals() -> None:
    assert numbers.interval(-2.1, 0.9) == "−2.10 to 0.90"
    assert numbers.interval(-math.inf, 1) == "−∞ to 1.00"
    assert numbers.interval(math.nan, math.nan) == "–"


def test_shares_counts_and_sizes() -> None:
    assert numbers.percent(0.0314) == "3.1 %"
    assert numbers.count(11741) == "11,741"
    assert [numbers.size(value) for value in (999, 1000, 2.5e6, 3e12)] == ["999 B", "1.0 kB", "2.5 MB", "3,000.0 GB"]
