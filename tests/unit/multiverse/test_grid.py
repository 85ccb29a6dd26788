"""The grid: every combination once, the study's own always among them."""

from __future__ import annotations

import pytest

from livermet.multiverse.grid import (
    CellSet,
    cell_sets,
    integrations,
    name_specification,
    own_choices,
    read_cell_set,
    resolutions,
)
from livermet.settings import Cluster, Embed, Multiverse, Quality

MULTIVERSE = Multiverse().model_dump()
QUALITY = Quality().model_dump()


def test_strictness_is_crossed_with_the_doublet_rule() -> None:
    sets = cell_sets(MULTIVERSE, QUALITY)
    assert [one.name for one in sets] == [
        "mads-3_doublets-remove",
        "mads-3_doublets-keep",
        "mads-5_doublets-remove",
        "mads-5_doublets-keep",
        "mads-7_doublets-remove",
        "mads-7_doublets-keep",
    ]


def test_the_studys_own_choice_is_added_where_the_grid_lacks_it() -> None:
    narrow = {**MULTIVERSE, "mads": [3], "doublets": ["remove"]}
    sets = cell_sets(narrow, {**QUALITY, "mads": 4.5, "remove_doublets": False})
    assert CellSet(4.5, "keep") in sets
    assert len(sets) == 4
    assert integrations({**MULTIVERSE, "integrate": ["none"]}, Embed().model_dump(), ["b1", "b2"]) == [
        "harmony",
        "none",
    ]
    cluster = Cluster(resolutions=[0.5, 1.0], resolution=None).model_dump()
    assert resolutions(MULTIVERSE, cluster, chosen=0.8) == [0.5, 0.8, 1.0]
    assert resolutions({**MULTIVERSE, "resolutions": [2]}, cluster, chosen=0.8) == [0.8, 2.0]


@pytest.mark.parametrize("batches", [[], ["b1"], ["b1", "b1"]])
def test_one_batch_has_nothing_to_bring_together(batches: list[str]) -> None:
    # Both ways would give the same numbers and count twice.
    assert integrations(MULTIVERSE, Embed().model_dump(), batches) == ["harmony"]


@pytest.mark.parametrize("one", [CellSet(3.0, "remove"), CellSet(2.25, "strict"), CellSet(7.0, "keep")])
def test_a_set_is_read_back_from_its_name(one: CellSet) -> None:
    assert read_cell_set(one.name) == one


def test_own_choices_and_their_name() -> None:
    own = own_choices(QUALITY, Embed().model_dump())
    assert own == {"mads": 5.0, "doublets": "remove", "integrate": "harmony"}
    assert name_specification({**own, "resolution": 1.5}) == "5 MADs, doublets remove, harmony, resolution 1.5"
