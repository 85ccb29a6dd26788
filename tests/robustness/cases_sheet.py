"""The sample sheet."""

from __future__ import annotations

from tests.robustness.case import Case, Good

CASES = [
    Case(
        "a level misspelt",
        lambda s: s.sheet("c\tm3\tdrug", "c\tm3\tdrugg"),
        "samples.tsv row 4, treatment: 'drugg' is not a level (untreated, drug). Did you mean 'drug'?",
        run=True,
    ),
]

GOOD = [
    Good(
        "commas",
        lambda s: s.sheet("\t", ","),
        lambda o: o.sheet["treatment"].tolist(),
        ["untreated", "untreated", "drug", "drug"],
        run=True,
    ),
]
