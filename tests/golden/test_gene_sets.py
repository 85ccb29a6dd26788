"""Signatures: fry, camera and the means of sets are those of limma in R, through the whole function that users get.

`README.md` says how the tables were made.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.golden.studies import (
    log10_difference,
    make_pseudobulk,
    make_sets,
    make_studies,
    read_answers,
    read_reference,
)

from livermet import keys
from livermet.mice.endpoints.pathways import test_pathways

test_pathways.__test__ = False  # type: ignore[attr-defined]
STUDIES = make_studies()
TARGET = 1e-6


@pytest.mark.parametrize("name", list(STUDIES))
def test_signatures(name: str) -> None:
    study = STUDIES[name]
    table = test_pathways(
        pseudobulk=make_pseudobulk(name, study), design=study.design, signatures=make_sets(), aliases={}, defining={}
    )
    answers = read_answers(f"{name}.sets")
    if name == "tissues":  # R was asked of all units; a question within a tissue goes to that tissue's alone
        assert read_reference("tissues.sets_fit").loc["scores", "value"] > 0.3
        answers = {"rt_by_tissue": answers["rt_by_tissue"]}
    for question, expected in answers.items():
        found = table[table[keys.QUESTION] == question].set_index("signature")
        assert set(found.index) == set(expected.index)
        found = found.loc[expected.index]
        assert (found[keys.N_GENES] == expected["n_genes"]).all()
        assert log10_difference(found[keys.P_VALUE], expected["fry"]).max() <= TARGET
        assert log10_difference(found["camera_p_value"], expected["camera"]).max() <= TARGET
        assert np.abs(found[keys.ESTIMATE] - expected["change"]).max() <= TARGET
        np.testing.assert_allclose(found[keys.STANDARD_ERROR], expected["error"], rtol=TARGET)


def test_the_sets_say_something() -> None:
    """A comparison of p-values that are all near one would hold whatever was computed."""
    p = np.concatenate([answer["fry"] for answer in read_answers("factorial.sets").values()])
    assert (p < 1e-3).sum() >= 8
    assert (p > 0.3).sum() >= 8
