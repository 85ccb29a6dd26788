"""What is added to a sentence on abundance, word for word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.unit.mice.cohort import make_design, make_settings

from livermet.mice.answers.abundance import qualify
from livermet.mice.answers.sentences import Writer

WORDS = {
    "names": {"B_cell": "B cells", "Neutrophil": "neutrophils", "NK_cell": "NK cells", "Macrophage": "macrophages"},
    "groups": {},
}


@pytest.fixture(scope="module")
def writer() -> Writer:
    return Writer(make_design(settings=make_settings(references=["B_cell", "Neutrophil", "NK_cell"])), WORDS)


def row(change: float = -1.0, **changes: Any) -> dict[str, Any]:
    """A loss that all references show; log2."""
    sign = np.sign(change)
    low, high = sorted((sign * 0.5, sign * 2.0))
    against = {
        f"alr_{name}_{end}": value
        for name in ("B_cell", "Neutrophil", "NK_cell")
        for end, value in (("ci_low", low), ("ci_high", high))
    }
    shares = {"share_log_fold_change": change, "share_ci_low": low, "share_ci_high": high}
    return {"question": "site", "population": "Macrophage", "tier": "confirmatory", "log_fold_change": change,
            "adjusted_p_value": 0.01, **against, **shares, **changes}  # fmt: skip


def test_a_loss_that_holds_says_how_far_the_total_may_rise(writer: Writer) -> None:
    assert qualify(row(), writer) == (
        "It holds against B cells, neutrophils and NK cells, each alone. It is a loss in number, too, unless all cells "
        "together rose over 1.4-fold."
    )


def test_a_rise_that_one_reference_does_not_show(writer: Writer) -> None:
    text = qualify(row(1.0, alr_B_cell_ci_low=-0.1, share_ci_low=0.8), writer)
    assert text == (
        "It holds against neutrophils and NK cells but not against B cells. It is a rise in number, too, unless all cells "
        "together fell over 1.7-fold."
    )


def test_references_that_share_cells_are_passed_over_and_none_may_be_left(writer: Writer) -> None:
    alone = row(
        alr_B_cell_ci_low=np.nan, alr_B_cell_ci_high=np.nan, alr_NK_cell_ci_low=np.nan, alr_NK_cell_ci_high=np.nan
    )
    assert qualify(alone, writer).startswith("It holds against neutrophils. It is")
    against = {f"alr_{name}_ci_high": 0.3 for name in ("B_cell", "Neutrophil", "NK_cell")}
    assert qualify(row(**against), writer).startswith("It does not hold against B cells, neutrophils or NK cells. ")
    bare = {key: value for key, value in row().items() if not key.startswith("alr_")}
    assert qualify(bare, writer) == "It is a loss in number, too, unless all cells together rose over 1.4-fold."


def test_a_call_that_the_share_does_not_show_is_no_loss_in_number_by_itself(writer: Writer) -> None:
    assert qualify(row(share_ci_high=0.5), writer).endswith(
        "It is a loss in number only if all cells together fell over 1.4-fold."
    )
    assert qualify(row(1.0, share_ci_low=-1.0), writer).endswith(
        "It is a rise in number only if all cells together rose over 2.0-fold."
    )


def test_differences_speak_of_the_same_comparison(writer: Writer) -> None:
    assert qualify(row(question="drug_by_site"), writer).endswith(
        "In number, too, it is lower, unless the same comparison of all cells together is over 1.4-fold higher."
    )
    assert qualify(row(question="drug_by_site", share_ci_high=1.0), writer).endswith(
        "In number it is lower only if the same comparison of all cells together is over 2.0-fold lower."
    )


def test_counted_cells_take_the_place_of_what_might_be(writer: Writer) -> None:
    counted = {"absolute_log_fold_change": -2.0, "absolute_ci_low": -3.0, "absolute_ci_high": -1.0,
               "absolute_p_value": 1e-4, "absolute_adjusted_p_value": 0.002}  # fmt: skip
    assert qualify(row(**counted), writer) == (
        "It holds against B cells, neutrophils and NK cells, each alone. "
        "The number of macrophages fell 4.0-fold (95 % CI 2.0 to 8.0; adjusted p = .002)."
    )
    assert qualify(row(question="drug_by_site", **counted), writer).endswith(
        "For the number of macrophages it is 4.0-fold lower (95 % CI 2.0 to 8.0; adjusted p = .002)."
    )
    # A ratio that did not move can still be a number that did, and the other way round.
    assert qualify(row(adjusted_p_value=0.4, **counted), writer) == (
        "The number of macrophages fell 4.0-fold (95 % CI 2.0 to 8.0; adjusted p = .002)."
    )
    none = counted | {"absolute_ci_high": 0.5, "absolute_adjusted_p_value": 0.2}
    assert qualify(row(**none), writer).endswith(
        "No change in the number of macrophages was shown (4.0-fold down; 95 % CI 0.71 to 8.0; adjusted p = .200)."
    )


def test_nothing_is_added_where_nothing_was_shown(writer: Writer) -> None:
    assert qualify(row(adjusted_p_value=0.2), writer) == ""
    assert qualify(row(adjusted_p_value=np.nan, tier="descriptive"), writer) == ""
    assert qualify(row(tier="not estimable", adjusted_p_value=np.nan), writer) == ""
