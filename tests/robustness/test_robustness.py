"""Nothing wrong gets through, nothing right is refused: every case of the lists beside this file.

Most cases are put to the gate (and, where only it can know, to the reader) within this process; a few of each list are run
by Snakemake as a user would.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from tests.conftest import ROOT, snakemake
from tests.robustness.case import Case, Good
from tests.robustness.study import Opened, Study

from livermet.errors import InputError

LISTS = [
    import_module(f"tests.robustness.{path.stem}") for path in sorted(Path(__file__).parent.glob("cases_*.py"))
]  # fmt: skip
CASES: list[Case] = [case for module in LISTS for case in module.CASES]
GOOD: list[Good] = [case for module in LISTS for case in module.GOOD]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_wrong_is_refused(case: Case, study: Study) -> None:
    case.make(study)
    before = study.fingerprints()
    if case.reader:
        opened = Opened(study)
        with pytest.raises(InputError) as error:
            opened.read(case.reader)
    else:
        with pytest.raises(InputError) as error:
            Opened(study)
    for part in case.parts:
        assert part in str(error.value)
    for problem in error.value.problems:
        assert problem.where and problem.found, problem  # noqa: PT018
        assert problem.expected or problem.remedy, f"no remedy: {problem}"
    assert study.fingerprints() == before, "nothing is written, inputs are untouched"


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_what_is_right_is_let_through(case: Good, study: Study) -> None:
    case.make(study)
    assert case.read(Opened(study)) == case.equals


def run(study: Study, *arguments: str, by: str = "--configfile ") -> tuple[int, str]:
    """Snakemake in the study's folder: exit code, and everything that it said."""
    config = f"{by}config.yaml".split()
    result = snakemake(study.folder, "--snakefile", str(ROOT / "Snakefile"), *config, *arguments, timeout=120)
    return result.returncode, result.stdout


@pytest.mark.workflow
@pytest.mark.parametrize("case", [case for case in CASES if case.run], ids=lambda case: case.name)
def test_what_is_wrong_is_refused_by_the_workflow(case: Case, study: Study) -> None:
    case.make(study)
    before = study.fingerprints()
    code, said = run(study, by=case.by)
    assert code != 0
    assert "Traceback" not in said, said
    for part in case.parts:
        assert part in said
    for name in case.unwritten:
        assert not (study.folder / name).exists(), name
    after = study.fingerprints()
    assert {name: after.get(name) for name in before} == before, "inputs are untouched"


@pytest.mark.workflow
@pytest.mark.parametrize("case", [case for case in GOOD if case.run], ids=lambda case: case.name)
def test_what_is_right_is_let_through_by_the_workflow(case: Good, study: Study) -> None:
    case.make(study)
    code, said = run(study, "--dry-run", "--quiet")
    assert code == 0, said


@pytest.mark.workflow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        # Snakemake's reader of --configfile cannot read it: what it says, before any line of ours is run.
        ("design:\n\tfactors: {}\n", "Config file is not valid JSON or YAML. In case of YAML, make sure to not mix"),
        # It can, and fills the template in; the gate stops the run all the same.
        (
            "__use_yte__: true\nstudy: mine\n",
            "config.yaml line 1, __use_yte__: a template, which runs code (expected plain",
        ),
    ],
)
def test_what_snakemake_reads_first(text: str, says: str, study: Study) -> None:
    study.settings(text)
    code, said = run(study)
    assert code != 0
    assert says in said
    assert "Traceback" not in said
    assert not (study.folder / "results").exists()


def test_the_good_study_is_let_through_whole(study: Study) -> None:
    opened = Opened(study)
    assert list(opened.sheet.index) == ["a", "b", "c", "d"]
    assert {name: adata.n_obs > 80 for name, adata in opened.counts.items()} == dict.fromkeys("abcd", True)


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in [*CASES, *GOOD]]
    assert sorted({name for name in names if names.count(name) > 1}) == []
