"""A file is whole or not there, and what went wrong is said in words."""

from __future__ import annotations

import errno
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from livermet.errors import InputError, StorageError
from livermet.files import checks
from livermet.files.atomic import clean, explain, write_whole
from livermet.files.formats import save


def failing(error: BaseException):
    def write(path: Path) -> None:
        path.write_text("half")
        raise error

    return write


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "no space is left on the disk: .* MB are free in .*Free some",
        ),
        (OSError("Can't write data (errno = 28, error message = 'No space left')"), "no space is left on the disk"),
        (OSError(errno.EDQUOT, "quota"), "or your quota is used up"),
        (OSError(errno.EROFS, "read-only"), "cannot be written: the disk is read-only. Make .* writable"),
        (PermissionError(errno.EACCES, "denied"), "cannot be written: you may not write there"),
        (OSError(errno.EIO, "io"), r"the disk reports an error \(EIO\)"),
        (MemoryError(), "not enough memory to write it. Give the run more memory"),
    ],
)
def test_the_machines_faults_are_told_plainly_and_nothing_is_lost(
    tmp_path: Path, error: BaseException, words: str
) -> None:
    path = tmp_path / "t.txt"
    path.write_text("good")
    with pytest.raises(StorageError, match=words) as told:
        write_whole(path, failing(error))
    assert str(told.value).startswith(str(path))
    assert "run the same command again" in str(told.value)
    assert path.read_text() == "good"
    assert [one.name for one in tmp_path.iterdir()] == ["t.txt"]


def test_errors_of_our_own_keep_their_trace(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wrong"):
        write_whole(tmp_path / "t.txt", failing(ValueError("wrong")))
    assert explain(OSError("not of the disk"), tmp_path / "t.txt") is None


def test_the_number_is_found_behind_an_error_that_hides_it() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError as inner:
            raise RuntimeError("cannot close the file") from inner
    except RuntimeError as outer:
        told = explain(outer, Path("/tmp/x.h5ad"))  # noqa: S108
    assert told is not None
    assert "no space" in str(told)


@pytest.mark.parametrize("name", ["a.h5ad", "t.parquet", "m.npz", "f.png", "t.tsv", "t.json", "f.pdf"])
def test_a_writer_that_leaves_half_in_silence_is_caught(tmp_path: Path, name: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    counts = scipy.sparse.random(200, 30, density=0.3, format="csr", random_state=1)
    contents = {
        ".h5ad": anndata.AnnData(counts), ".parquet": pd.DataFrame({"a": np.arange(3000.0)}), ".npz": counts,
        ".png": figure, ".pdf": figure, ".tsv": pd.DataFrame({"a": range(10)}), ".json": {"a": list(range(50))},
    }  # fmt: skip
    path = tmp_path / name
    save(contents[path.suffix], path)
    whole = path.read_bytes()
    checks.check(path)
    cut = whole[: len(whole) * 2 // 3]
    path.write_bytes(cut)
    rows = 10 if path.suffix == ".tsv" else None
    with pytest.raises(OSError, match=r"is not whole|cannot be read back"):
        checks.check(path, rows=rows)
    good = tmp_path / f"good{path.suffix}"
    good.write_bytes(whole)
    with pytest.raises(OSError, match=r"is not whole|cannot be read back"):
        write_whole(good, lambda partial: partial.write_bytes(cut) and None, rows=rows)
    assert good.read_bytes() == whole


def test_rows_are_counted(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1, 2]})
    with pytest.raises(OSError, match="not whole"):
        write_whole(tmp_path / "t.parquet", lambda path: table.head(1).to_parquet(path), rows=2)


def test_what_killed_writers_left_is_cleaned_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    left = [tmp_path / ".t.parquet.123.partial.parquet", tmp_path / "deep" / ".matrix.mtx.gz.77.partial.mtx"]
    kept = [tmp_path / "t.parquet", tmp_path / ".hidden", tmp_path / "my.partial.tsv", tmp_path / ".x.partial"]
    for path in left + kept:
        path.touch()
    assert clean(tmp_path) == sorted(left)
    assert sorted(one for one in tmp_path.rglob("*") if one.is_file()) == sorted(kept)


def test_the_message_comes_whole_out_of_a_worker_process() -> None:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(1) as pool, pytest.raises(StorageError) as told:
        pool.submit(_fail).result()
    assert str(told.value) == "file: found. remedy"
    assert len(told.value.problems) == 1
    assert isinstance(told.value, InputError)


def _fail() -> None:
    raise StorageError.of("file", "found", "remedy")


def test_a_job_whose_run_is_over_puts_nothing_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from livermet.runs.owner import VARIABLE, Owner

    lock = tmp_path / "lock"
    lock.write_text(Owner.here("successor").to_text())
    monkeypatch.setenv(VARIABLE, f"mine:{lock}")
    with pytest.raises(StorageError, match="the run that started this job is over"):
        write_whole(tmp_path / "t.txt", lambda path: path.write_text("late") and None)
    assert [one.name for one in tmp_path.iterdir()] == ["lock"]
    monkeypatch.setenv(VARIABLE, f"successor:{lock}")
    write_whole(tmp_path / "t.txt", lambda path: path.write_text("in time") and None)
    assert (tmp_path / "t.txt").read_text() == "in time"
