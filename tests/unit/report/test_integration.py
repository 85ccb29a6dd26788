"""What the page says of an integration: the sentence, the notices, the tables."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from livermet.report.integration import describe_integration, table_of_clusters

HARMONY = {"integrate": "harmony", "batch_key": "batch"}


def test_over_correction_is_said_with_the_cells_that_it_befell(toy: SimpleNamespace) -> None:
    told = describe_integration(toy.integration, toy.groups, HARMONY)
    assert told.sentence.startswith("Batches (batch) were brought together with Harmony.")
    assert "went from 0.70 to 0.95" in told.sentence
    assert "80.0 % of a cell's neighbours within its own batch stayed its neighbours" in told.sentence
    assert told.sentence.endswith("1 of 3 groups of cells came apart or were laid among cells unlike them.")
    assert told.notices == (
        "Batch b1, group 1 (40 cells measured, marked by Cpa3 Kit) was laid among cells of other batches that carry 18.0 % of its "
        "marker signal.",
    )
    assert [row[1].text for row in told.groups.rows] == ["1", "0", "0"]  # the over-corrected one first
    assert len(told.measures.rows) == 2


def test_a_group_that_came_apart_is_said_otherwise(toy: SimpleNamespace) -> None:
    groups = toy.groups.assign(
        purity_after=[0.94, 0.3, 0.95], verdict="over-corrected: came apart among other cells of its own batch"
    )
    (notice,) = describe_integration(toy.integration, groups, HARMONY).notices
    assert notice.endswith(
        "came apart: 95.0 % of its cells' neighbours within the batch were of the group before, 30.0 % after."
    )


def test_no_alarm_where_nothing_went_wrong_or_nothing_was_done(toy: SimpleNamespace) -> None:
    fine = toy.groups.assign(over_corrected=False, verdict="among its like")
    told = describe_integration(toy.integration, fine, HARMONY)
    assert told.notices == ()
    assert told.sentence.endswith("None of 3 groups of cells came apart or was laid among cells unlike it.")
    none = describe_integration(toy.integration, fine, {**HARMONY, "integrate": "none"})
    assert none.sentence.startswith(
        "Batches (batch) were not brought together; among a cell's neighbours they are mixed to 0.70"
    )
    one = describe_integration(toy.integration.iloc[:0], toy.groups.iloc[:0], HARMONY)
    assert one.sentence == "There is one batch, and nothing to bring together."
    assert not one.measures


def test_many_groups_are_counted_after_the_largest_six(toy: SimpleNamespace) -> None:
    many = pd.concat([toy.groups[toy.groups["over_corrected"]].assign(n_cells=size) for size in range(50, 59)])
    notices = describe_integration(toy.integration, many, HARMONY).notices
    assert len(notices) == 7
    assert "(58 cells measured" in notices[0]
    assert notices[-1] == "So were 3 more groups; the table lists them."


def test_clusters_of_the_resolution_taken_are_listed(toy: SimpleNamespace) -> None:
    table = table_of_clusters(toy.cluster_stability, toy.stability)
    assert [row[0].text for row in table.rows] == ["0", "1", "2", "3"]
    assert [row[4].text for row in table.rows].count("not to be relied on") == 2
