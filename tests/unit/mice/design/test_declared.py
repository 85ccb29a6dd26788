"""Declared endpoints: what they become, and every name that nothing answers to."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.mice.cohort import make_settings, make_sheet

from livermet.errors import InputError
from livermet.mice.design.declared import Declared, check_endpoints, declare
from livermet.mice.design.model import check

TESTED = {"CD8_activated": {"death", "stress"}, "B_cell": {"stress"}}


def settings_with(*endpoints: dict[str, Any]) -> dict[str, Any]:
    return make_settings(endpoints=list(endpoints))


def test_an_endpoint_is_put_to_every_question_but_the_rescues() -> None:
    settings = settings_with(
        {"endpoint": "composition", "population": "B_cell"},
        {"endpoint": "signature", "population": "CD8_activated", "signature": "death", "questions": ["drug"]},
    )
    assert declare(settings) == [
        Declared("site", "composition", "B_cell", "abundance"),
        Declared("drug", "composition", "B_cell", "abundance"),
        Declared("drug", "signature", "CD8_activated", "death"),
        Declared("drug_healthy", "composition", "B_cell", "abundance"),
        Declared("drug_by_site", "composition", "B_cell", "abundance"),
    ]


@pytest.mark.parametrize(
    ("endpoint", "where", "found", "remedy"),
    [
        ({"endpoint": "composition", "population": "B_cells"}, "population", "'B_cells' is not one of the populations",
         "Did you mean 'B_cell'?"),
        ({"endpoint": "signature", "population": "CD8_activated", "signature": "deaths"}, "signature",
         "'deaths' is not one of the gene sets that are tested in CD8_activated", "Did you mean 'death'?"),
        ({"endpoint": "signature", "population": "B_cell", "signature": "death"}, "signature",
         "'death' is not one of the gene sets that are tested in B_cell", "Known gene sets that are tested in B_cell: stress"),
        ({"endpoint": "mechanism", "readout": "Fasl_in_macrophage"}, "readout",
         "'Fasl_in_macrophage' is not one of the mechanism read-outs", "Did you mean 'Fasl_in_macrophages'?"),
        ({"endpoint": "composition", "population": "B_cell", "questions": ["drugs"]}, "questions",
         "no question is called 'drugs'", "Did you mean 'drug'?"),
        ({"endpoint": "composition", "population": "B_cell", "questions": ["rescue"]}, "questions",
         "'rescue' is a rescue", ""),
    ],
)  # fmt: skip
def test_unknown_names_are_refused(endpoint: dict[str, Any], where: str, found: str, remedy: str) -> None:
    (problem,) = check_endpoints(settings_with(endpoint), TESTED, ["Fasl_in_macrophages"])
    assert problem.where == f"config design.endpoints[0].{where}"
    assert problem.found == found
    assert problem.remedy == remedy


def test_an_endpoint_is_declared_once_and_found_before_any_compute() -> None:
    one = {"endpoint": "composition", "population": "B_cell"}
    (problem,) = check(make_sheet(), settings_with(one, {**one, "questions": ["drug"]}))
    assert (problem.where, problem.found) == ("config design.endpoints[1]", "is declared twice")


@pytest.mark.parametrize(
    "endpoint",
    [
        {"endpoint": "composition"},
        {"endpoint": "signature", "population": "B_cell"},
        {"endpoint": "mechanism", "readout": "x", "population": "B_cell"},
    ],
)
def test_an_endpoint_says_what_it_is_of(endpoint: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"endpoint: {endpoint['endpoint']} needs"):
        settings_with(endpoint)
