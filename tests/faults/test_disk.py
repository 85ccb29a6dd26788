"""A full disk, a read-only disk, too little memory, a damaged file: said plainly, nothing lost, mended by one command."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.conftest import HALF
from tests.faults.harness import assert_equal, copy_study, fill, is_root, remount, results, run, small_disk, truncate

pytestmark = pytest.mark.workflow

MERGED = "results/tiny/steps/merge_samples/counts.h5ad"
LAST = ("call_states", "label_cells")
PACKAGE = Path(__file__).parents[2] / "workflow" / "scripts"
# A job as the workflow starts it, but for Snakemake.
JOB = """
import sys, types
from livermet.step import Step
import anndata, numpy as np, pandas as pd, scipy.sparse as sp
class Named(dict):
    __iter__ = lambda self: iter(self.values())
def job(**output):
    return types.SimpleNamespace(rule="toy", input=Named(), output=Named(output), params={}, wildcards=Named(), threads=1,
                                 log=[sys.argv[1] + "/toy.log"])
def cells(n, seed):
    counts = sp.random(n, 2000, density=0.2, format="csr", random_state=seed)
    return anndata.AnnData(counts, obs=pd.DataFrame({"mouse": "m"}, index=[f"c{i}" for i in range(n)]))
"""


@pytest.fixture
def study(half: Path, tmp_path: Path) -> Path:
    return copy_study(half, tmp_path / "livermet")


def job(folder: Path, code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", JOB + code, str(folder)], env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options,
    )  # fmt: skip


@is_root
@pytest.mark.parametrize("name", ["cells.h5ad", "atlas.h5ad", "table.parquet", "table.tsv", "matrix.npz"])
def test_a_full_disk_does_not_destroy_the_good_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "disk").mkdir()
    content = {
        "h5ad": "cells(1500, {seed})", "npz": "sp.random(1500, 2000, density=0.2, format='csr', random_state={seed})",
        "parquet": "pd.DataFrame(np.random.default_rng({seed}).normal(size=(300000, 2)), columns=['a', 'b'])",
        "tsv": "pd.DataFrame(np.random.default_rng({seed}).normal(size=(100000, 3)), columns=['a', 'b', 'c'])",
    }[name.split(".")[1]]  # fmt: skip
    save = f"with Step(job(one=sys.argv[1] + '/{name}')) as step: step.save(one={content})"
    with small_disk(tmp_path / "disk", 64) as disk:
        assert job(disk, save.format(seed=1)).returncode == 0
        before = (disk / name).read_bytes()
        fill(disk, leave=len(before) // 2)
        result = job(disk, save.format(seed=2))
        assert result.returncode == 1
        assert f"{disk}/{name}: no space is left on the disk" in result.stdout
        assert "MB are free in" in result.stdout
        assert "What stood there before is untouched. Free some space" in result.stdout
        assert "Traceback" not in result.stdout
        assert (disk / name).read_bytes() == before
        assert sorted(one.name for one in disk.iterdir()) == sorted(["ballast", name, "toy.log", "toy.outputs.json"])


def test_too_little_memory_is_told_without_a_traceback(tmp_path: Path) -> None:
    """By RLIMIT_AS, which any user may set: the allocation is refused and the job says so."""
    code = "with Step(job(one=sys.argv[1] + '/m.npz')) as step: step.save(one=np.ones((40000, 40000)))"
    limit = 6 * 2**30
    result = job(tmp_path, code, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    assert result.returncode == 1
    assert "rule toy: there is not enough memory: it had taken" in result.stdout
    assert "run fewer jobs at once (--cores 1)" in result.stdout
    assert "Traceback" not in result.stdout
    assert not (tmp_path / "m.npz").exists()


@is_root
def test_a_full_then_read_only_disk_is_said_and_one_command_mends_it(half: Path, study: Path) -> None:
    with small_disk(study / "results", 400) as disk:
        for name in ("merge_samples", "embed_cells", *LAST):
            for path in (results(study) / "steps" / name).iterdir():
                path.unlink()
        ballast = fill(disk, leave=700_000)
        result = run(study, HALF)
        assert result.returncode != 0
        assert f"{MERGED}: no space is left on the disk" in result.stdout
        assert "Free some space or move the results to a larger disk, then run the same command again" in result.stdout
        assert "Traceback" not in result.stdout
        assert not list(results(study).glob("steps/merge_samples/*"))
        remount(disk, "ro")
        before = sorted(path for path in disk.rglob("*"))
        result = run(study, HALF)
        assert result.returncode != 0
        assert "cannot be written: the disk is read-only. Make" in result.stdout
        assert "Traceback" not in result.stdout
        assert sorted(path for path in disk.rglob("*")) == before
        remount(disk, "rw")
        ballast.unlink()
        result = run(study, HALF)
        assert result.returncode == 0, result.stdout[-3000:]
        assert assert_equal(study, half) > 60


def test_a_truncated_file_is_found_although_its_time_was_kept(half: Path, study: Path) -> None:
    """The next steps are still to come and would read it; in a finished study see test_kill.py."""
    path = results(study) / "steps" / "score_tcells" / "scores.parquet"
    size = truncate(path, 100)
    for name in LAST:
        for output in (results(study) / "steps" / name).iterdir():
            output.unlink()
    result = run(study, HALF)
    assert result.returncode == 0, result.stdout[-3000:]
    assert f"scores.parquet has {size - 100:,} bytes where {size:,} were written: it is made again" in result.stdout
    assert_equal(study, half)


@pytest.fixture
def cgroup() -> Iterator[tuple[Path, str]]:
    """A group of processes that gets 60 MB: control groups of the second version, or of the first."""
    second, first = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")
    try:
        if "memory" in (second / "cgroup.subtree_control").read_text().split():
            group, limit, version = second / f"livermet{os.getpid()}", "memory.max", "v2"
        else:
            raise FileNotFoundError
    except OSError:
        group, limit, version = first / f"livermet{os.getpid()}", "memory.limit_in_bytes", "v1"
    try:
        group.mkdir()
        (group / limit).write_text(str(60 * 2**20))
    except OSError:
        pytest.skip("no memory control group can be made here")
    yield group, version
    for _ in range(50):
        try:
            group.rmdir()
            return
        except OSError:
            time.sleep(0.1)


@is_root
def test_a_job_that_the_kernel_killed_for_memory_is_named(half: Path, study: Path, cgroup: tuple[Path, str]) -> None:
    for output in (results(study) / "steps" / "label_cells").iterdir():
        output.unlink()
    result = run(study, HALF, FAULT_CGROUP=str(cgroup[0]), FAULT_RULE="label_cells")
    assert result.returncode != 0
    assert "label_cells.log ends without an end: the job was killed. Most often memory did not suffice" in result.stdout
    result = run(study, HALF)
    assert result.returncode == 0, result.stdout[-3000:]
    assert_equal(study, half)
