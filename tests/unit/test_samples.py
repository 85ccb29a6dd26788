from __future__ import annotations

from pathlib import Path

import pytest

from livermet.errors import InputError
from livermet.samples import read_samples

FACTORS = {"treatment": ["untreated", "drug"]}
GOOD = "sample\tmouse\ttreatment\tpath\na\tm1\tuntreated\ta.h5\nb\tm2\tdrug\tb.h5\n"


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "samples.tsv"
    path.write_bytes(text.encode(encoding))
    return path


def read(path: Path, factors: dict[str, list[str]] = FACTORS, covariates: list[str] | None = None):
    return read_samples(path, factors, covariates or [], exists=lambda _: True)


@pytest.mark.parametrize(
    ("change", "encoding"),
    [
        (lambda text: text, "utf-8"),
        (lambda text: text, "utf-8-sig"),
        (lambda text: text, "utf-16"),
        (lambda text: text.replace("\n", "\r\n"), "utf-8"),
        (lambda text: text.replace("\t", ","), "utf-8"),
        (lambda text: text.replace("\t", ";"), "utf-8"),
        (lambda text: text.replace("drug", " drug "), "utf-8"),
        (lambda text: text + "\n\n", "utf-8"),
        (lambda text: "# a comment\n" + text, "utf-8"),
    ],
)
def test_the_same_sheet_in_any_spelling(tmp_path: Path, change, encoding: str) -> None:
    sheet = read(write(tmp_path, change(GOOD), encoding))
    assert list(sheet.index) == ["a", "b"]
    assert list(sheet["treatment"]) == ["untreated", "drug"]
    assert list(sheet["tissue"]) == ["unknown", "unknown"]


def test_levels_that_pandas_takes_for_missing_are_kept(tmp_path: Path) -> None:
    text = GOOD.replace("untreated", "None").replace("drug", "NA")
    sheet = read(write(tmp_path, text), {"treatment": ["None", "NA"]})
    assert list(sheet["treatment"]) == ["None", "NA"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            GOOD.replace("\tdrug", "\tdrugg"),
            "samples.tsv row 3, treatment: 'drugg' is not a level (untreated, drug). Did you mean 'drug'?",
        ),
        (
            GOOD.replace("\tdrug", "\tDrug"),
            "row 3, treatment: 'Drug' is not a level (untreated, drug). Did you mean 'drug'?",
        ),
        (GOOD.replace("\nb\t", "\nA\t"), "rows 2 and 3, sample: sample id 'a' stands 2 times"),
        (GOOD.replace("b.h5", "a.h5"), "rows 2 and 3, path: input 'a.h5' stands 2 times"),
        (GOOD.replace("treatment", "tretment"), "header: no column 'treatment'. Is 'tretment' meant?"),
        (GOOD.replace("mouse", "sample"), "header: column 'sample' stands twice"),
        (GOOD.replace("\nb\t", "\n../b\t"), "row 3, sample: '../b'"),
        (GOOD.replace("\nb\t", "\n=cmd()\t"), "row 3, sample: '=cmd()'"),
        (GOOD.replace("\tm2\t", "\tm1\t"), "rows 2, 3, treatment: mouse 'm1' (unknown) is 'untreated' and 'drug'"),
        (GOOD + "c\tm3\tdrug\n", "row 4: 3 cells (expected 4, as in the header)"),
        (GOOD.replace("a.h5", ""), "row 2, path: empty"),
        ("sample\tmouse\tpath\n", "no samples"),
    ],
)
def test_what_is_wrong_is_said_with_row_and_column(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        read(write(tmp_path, text))
    assert words in str(error.value)


def test_every_problem_of_a_sheet_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("untreated\t", "untreted\t").replace("\nb\t", "\nb!\t").replace("b.h5", "a.h5")
    with pytest.raises(InputError) as error:
        read(write(tmp_path, text))
    assert len(error.value.problems) == 3


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 3, path: there is no 'b\.h5'"):
        read_samples(write(tmp_path, GOOD), FACTORS, [], exists=lambda name: name == "a.h5")


def test_a_sheet_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "samples.tsv"
    path.write_bytes(GOOD.encode() + b"caf\xe9\tm3\tdrug\tc.h5\n")
    with pytest.raises(InputError, match="row 4: not UTF-8 text"):
        read(path)


COUNTED = "sample\tmouse\ttreatment\ttissue\tpath\tabsolute_cells\n"


def test_counted_cells_of_one_tissue_are_enough(tmp_path: Path) -> None:
    rows = "a\tm1\tuntreated\tliver\ta.h5\t2.4e6\nb\tm2\tdrug\tliver\tb.h5\t1200000\nc\tm1\tuntreated\tblood\tc.h5\t\n"
    lane = "d\tm2\tdrug\tliver\td.h5\t1.2e6\n"  # the same number, written in another way
    sheet = read(write(tmp_path, COUNTED + rows + lane))
    assert sheet["absolute_cells"].tolist() == ["2.4e6", "1200000", "", "1.2e6"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "a\tm1\tuntreated\tliver\ta.h5\t2,400,000\nb\tm2\tdrug\tliver\tb.h5\t0\n",
            ["row 2, absolute_cells: '2,400,000' (expected a positive number", "row 3, absolute_cells: '0' (expected"],
        ),
        (
            "a\tm1\tuntreated\tliver\ta.h5\t2e6\nb\tm2\tdrug\tliver\tb.h5\t\nc\tm3\tdrug\tliver\tc.h5\t\n",
            ["rows 3, 4, absolute_cells: empty, where other rows of the tissue have a number (liver)"],
        ),
        (
            "a\tm1\tuntreated\tliver\ta.h5\t2e6\nb\tm1\tuntreated\tliver\tb.h5\t1e6\n",
            [
                "rows 2, 3, absolute_cells: mouse 'm1' (liver) has 2e6 and 1e6 cells (expected the number of the whole tissue"
            ],
        ),
    ],
)
def test_counted_cells_that_cannot_be_used(tmp_path: Path, rows: str, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        read(write(tmp_path, COUNTED + rows))
    for part in words:
        assert part in str(error.value)
