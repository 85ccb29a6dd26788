"""The quick look before a run: sound inputs pass, unsound ones are named with their place."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from tests.conftest import ROOT
from tests.unit.inputs.conftest import write_folder, write_gz, write_h5, write_h5ad, write_table

from livermet.inputs.readers import peek


def said(path: Path) -> str:
    problems = peek(path, "samples.tsv, row 2")
    assert all(problem.where.startswith("samples.tsv, row 2: ") for problem in problems)
    return "; ".join(map(str, problems))


def test_sound_inputs_pass(written: Path) -> None:
    assert peek(written, "here") == []


def test_missing_part(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "part", matrix)
    (folder / "features.tsv.gz").unlink()
    assert "no features.tsv.gz among barcodes.tsv.gz, matrix.mtx.gz" in said(folder)


def test_nothing_there(tmp_path: Path) -> None:
    assert "no matrix.mtx.gz" in said(tmp_path / "nowhere")
    assert "no nowhere.h5" in said(tmp_path / "nowhere.h5")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.h5").touch()
    assert "empty" in said(tmp_path / "empty.h5")


@pytest.mark.parametrize(("value", "words"), [(0.5, "fractional"), (-2, "negative"), (np.nan, "missing")])
def test_what_is_no_count(tmp_path: Path, matrix: pd.DataFrame, value: float, words: str) -> None:
    bad = matrix.astype(float)
    bad.iloc[0, 0] = value
    paths = [
        write_folder(tmp_path / "bad", bad),
        write_h5(tmp_path / "bad.h5", bad),
        write_table(tmp_path / "bad.csv", bad.fillna("nan")),
        write_table(tmp_path / "bad.tsv.gz", bad.fillna("nan"), genes_in="columns"),
    ]
    for path in paths:
        assert words in said(path), path


def test_logs_in_an_h5ad(tmp_path: Path, matrix: pd.DataFrame) -> None:
    path = write_h5ad(tmp_path / "logs.h5ad", matrix, "layers")
    assert said(path) == ""
    with h5py.File(path, "r+") as file:
        del file["layers/counts"]
    assert "X holds a fractional value" in said(path)


def test_entries_that_lack(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "cut", matrix, gz=False)
    path = folder / "matrix.mtx"
    path.write_text("\n".join(path.read_text().splitlines()[:-3]) + "\n")
    assert "It is cut short" in said(folder)


def test_barcodes_of_another_run(tmp_path: Path, matrix: pd.DataFrame) -> None:
    folder = write_folder(tmp_path / "misfit", matrix)
    write_gz(folder / "barcodes.tsv.gz", "A\nB\n")
    assert "12 features in features.tsv.gz and 2 barcodes in barcodes.tsv.gz" in said(folder)


def test_features_that_are_no_genes(tmp_path: Path, matrix: pd.DataFrame) -> None:
    peaks = matrix.set_axis([f"chr1:{number}-{number + 500}" for number in range(len(matrix))])
    assert "features named like chr1:0-500" in said(write_folder(tmp_path / "peaks", peaks))
    assert "features named like chr1:0-500" in said(write_h5(tmp_path / "peaks.h5", peaks))


def test_broken_files(tmp_path: Path, matrix: pd.DataFrame) -> None:
    path = write_h5(tmp_path / "cut.h5", matrix)
    path.write_bytes(path.read_bytes()[:900])
    assert "cut.h5: cannot be read" in said(path)
    folder = write_folder(tmp_path / "cut", matrix)
    (folder / "matrix.mtx.gz").write_bytes(b"\x1f\x8b\x08 broken")
    assert said(folder) != ""


@pytest.mark.real
def test_real_inputs_pass_at_once(real_data: Path) -> None:
    paths = [real_data / "zilionis_lung" / name for name in ("h_1", "h_2.h5", "t_1.h5ad", "t_2.csv.gz")]
    assert [peek(path, "x") for path in paths] == [[]] * 4  # loads what it needs, too
    started = time.process_time()
    for path in paths:
        peek(path, "x")
    assert (time.process_time() - started) / len(paths) < 0.15


def test_a_look_loads_nothing_heavy(tmp_path: Path, matrix: pd.DataFrame) -> None:
    paths = [
        write_folder(tmp_path / "f", matrix),
        write_h5(tmp_path / "f.h5", matrix),
        write_h5ad(tmp_path / "f.h5ad", matrix),
        write_table(tmp_path / "f.csv", matrix),
    ]
    code = (
        "import sys; sys.path.insert(0, 'workflow/scripts'); from livermet.inputs.readers import peek\n"
        f"said = [peek(path, 'x') for path in {[str(path) for path in paths]}]\n"
        "print(said, [name for name in ('anndata', 'scanpy', 'numba', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[[], [], [], []] []"
