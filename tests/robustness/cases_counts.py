"""The counts, in every format."""

from __future__ import annotations

import gzip

from tests.robustness.case import Case, Good

CASES = [
    Case(
        "a matrix cut short",
        lambda s: s.change("data/a/matrix.mtx.gz", lambda data: data[: len(data) // 2]),
        ("data/a/matrix.mtx.gz", "cut short"),
        reader="a",
    ),
]

GOOD = [
    Good(
        "a matrix that is not packed",
        lambda s: (
            s.write("data/a/matrix.mtx", gzip.decompress((s.data / "a" / "matrix.mtx.gz").read_bytes())).change(
                "data/a/matrix.mtx.gz", lambda data: data + b"\0"
            )
            and (s.data / "a" / "matrix.mtx.gz").unlink()
        ),
        lambda o: o.read("a").n_vars > 0,
        True,
    ),
]
