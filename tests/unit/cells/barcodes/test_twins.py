"""Libraries that share barcodes: chance is not told, hopped reads are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from livermet.cells.barcodes.twins import find_shared_barcodes


def draw(rng: np.random.Generator, number: int, size: int) -> list[str]:
    """Barcodes from a list of `size`."""
    codes = rng.choice(size, number, replace=False)
    return ["".join("ACGT"[(code >> 2 * place) & 3] for place in range(16)) + "-1" for code in codes]


def table(barcodes: list[str], kept: bool = True) -> pd.DataFrame:
    return pd.DataFrame({"barcode": barcodes, "kept": kept})


def sheet(number: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"mouse": [f"m{n}" for n in range(number)]}, index=pd.Index([f"s{n}" for n in range(number)], name="sample")
    )


@pytest.mark.parametrize("size", [6_794_880, 737_280, 90_000])
def test_what_chance_shares_is_not_told(size: int) -> None:
    rng = np.random.default_rng(1)
    assert find_shared_barcodes([table(draw(rng, 3000, size)) for _ in range(6)], sheet(6)) == []


def test_hopped_reads_and_mixed_cells_are_told() -> None:
    rng = np.random.default_rng(2)
    libraries = [draw(rng, 2000, 737_280) for _ in range(4)]
    libraries[1][:60] = libraries[0][:60]
    libraries[3][:300] = libraries[2][-300:]
    mixed, hopped = find_shared_barcodes([table(one) for one in libraries], sheet(4))
    assert (mixed.sample, mixed.level) == ("s2, s3", "loud")
    assert (hopped.sample, hopped.level) == ("s0, s1", "quiet")
    shared = len(set(libraries[0]) & set(libraries[1]))
    assert f"share {shared} cell barcodes" in hopped.what
    assert 5 < float(hopped.evidence.split()[0]) < 8  # 2,000 x 2,000 / 737,280 is 5.4


def test_only_kept_cells_and_real_barcodes_count() -> None:
    rng = np.random.default_rng(3)
    same = draw(rng, 500, 737_280)
    dropped = [table(same), table(same, kept=False), table(draw(rng, 500, 737_280))]
    assert find_shared_barcodes(dropped, sheet(3)) == []
    named = [table([f"cell{n}" for n in range(500)]) for _ in range(3)]
    assert find_shared_barcodes(named, sheet(3)) == []
    assert find_shared_barcodes([table([])], sheet(1)) == []
