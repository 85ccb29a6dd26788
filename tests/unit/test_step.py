from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from livermet.errors import InputError, Problem, StorageError
from livermet.files import formats, records
from livermet.step import Step, load, save


class Named(dict[str, Any]):
    """What Snakemake gives a script: values by name."""

    __getattr__ = dict.__getitem__


class Outputs(Named):
    """Snakemake's list of files goes through its paths."""

    def __iter__(self):
        return iter(self.values())


def job(folder: Path, **output: str) -> SimpleNamespace:
    return SimpleNamespace(
        rule="toy", input=Named(), output=Outputs(output), params=Named(seed=3), wildcards=Named(), threads=1,
        log=[str(folder / "toy.log")],
    )  # fmt: skip


@pytest.mark.parametrize("suffix", [".parquet", ".tsv"])
def test_tables_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame({"arm": ["NA", "None", "x"], "value": [1.5, np.nan, -2.0]})
    save(table, tmp_path / f"t{suffix}")
    pd.testing.assert_frame_equal(load(tmp_path / f"t{suffix}"), table)


def test_long_tables_say_the_same_as_short_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate(
        [rng.normal(size=2995) * 10.0 ** rng.integers(-12, 9, 2995), [0.0, np.nan, 1e-310, 3.0, -0.5]]
    )
    table = pd.DataFrame({"gene": [f"g{i}" for i in range(3000)], "value": values, "n": 3, "shown": True})
    save(table, tmp_path / "long.tsv")
    back = load(tmp_path / "long.tsv")
    np.testing.assert_allclose(back["value"], values, rtol=5e-6)
    assert back["shown"].dtype == bool
    assert back.drop(columns="value").equals(table.drop(columns="value"))
    assert (tmp_path / "long.tsv").read_text().startswith("gene\tvalue\tn\tshown\n")
    short = tmp_path / "short.tsv"
    save(table.head(100), short)
    pd.testing.assert_frame_equal(load(short), back.head(100))


def test_matrices_and_atlases_come_back_as_they_were(tmp_path: Path) -> None:
    counts = scipy.sparse.random(20, 30, density=0.2, format="csr", random_state=1)
    save(counts, tmp_path / "g.npz")
    assert (load(tmp_path / "g.npz") != counts).nnz == 0
    data = anndata.AnnData(counts, obs=pd.DataFrame({"mouse": ["a"] * 20}, index=[f"c{i}" for i in range(20)]))
    save(data, tmp_path / "atlas.h5ad")
    assert (counts != load(tmp_path / "atlas.h5ad").X).nnz == 0
    assert list(load(tmp_path / "atlas.h5ad").obs["mouse"]) == ["a"] * 20


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.tsv"
    save(pd.DataFrame({"a": [1]}), path)
    before = path.read_bytes()

    def half(content: Any, name: Path) -> None:
        name.write_text("half")
        raise OSError("No such luck")

    monkeypatch.setattr(formats, "_writer", lambda path: half)
    with pytest.raises(OSError, match="No such luck"):
        save(pd.DataFrame({"a": [2]}), path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["t.tsv"]


def test_a_mistake_of_the_user_ends_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop, Step(job(tmp_path)):
        raise InputError(Problem("matrix.mtx.gz line 5", "2.5 is not a count"))
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert "matrix.mtx.gz line 5: 2.5 is not a count" in said
    assert "Traceback" not in said
    assert "2.5 is not a count" in (tmp_path / "toy.log").read_text()


def test_an_output_that_was_forgotten_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="did not save \\['table'\\]"), Step(job(tmp_path, table="t.tsv")):
        pass


def test_what_a_job_leaves_is_remembered_beside_its_log(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    with Step(job(tmp_path, table=str(path))) as step:
        step.save(table=pd.DataFrame({"a": range(100)}))
    assert records.find_damage(tmp_path) == []
    before = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[:-7])
    os.utime(path, ns=(before, before))
    assert [str(one.path) for one in records.find_damage(tmp_path)] == [str(path)]


def test_memory_that_does_not_suffice_is_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), Step(job(tmp_path)):
        raise MemoryError
    said = capsys.readouterr().err
    assert "rule toy: there is not enough memory" in said
    assert "--cores 1" in said
    assert "Traceback" not in said


def test_a_damaged_input_is_named_with_the_remedy(tmp_path: Path) -> None:
    for name in ("t.parquet", "m.npz", "c.h5ad"):
        (tmp_path / name).write_bytes(b"PAR1 and no more")
        with pytest.raises(StorageError, match=f"{name}: is damaged.*Run the same command again"):
            load(tmp_path / name)
